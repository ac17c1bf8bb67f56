"""What a visitor may try through the app's raw interface; SECURITY.md says what is expected of each."""

import base64
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from PIL import Image

from fer_denoise.hub.sources import BUNDLE
from fer_denoise.noise import TASKS

ROOT = Path(__file__).parents[1]
TABS = ("playground", *TASKS)
"""Those that show a face, in their order on the page."""
FACE = base64.b64encode(bytes(48 * 48)).decode()


@pytest.fixture
def client(app_url) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=app_url, timeout=60) as client:
        yield client


@pytest.fixture
def inner_service() -> Iterator[tuple[str, list[str]]]:
    """A service on this machine that no visitor may reach through the app: its address, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", asked
    server.shutdown()


def file(path: str, **more: str) -> dict:
    return {"path": path, "meta": {"_type": "gradio.FileData"}, **more}


@pytest.fixture
def uploaded(client) -> dict:
    png = io.BytesIO()
    Image.new("L", (16, 16), 99).save(png, "PNG")
    return file(client.post("/gradio_api/upload", files={"files": ("a.png", png.getvalue())}).json()[0])


def call(client: httpx.Client, name: str, data: list) -> str:
    headers = {"Content-Type": "application/json"}
    answer = client.post(f"/gradio_api/call/{name}", content=json.dumps({"data": data}), headers=headers)
    return client.get(f"/gradio_api/call/{name}/{answer.json()['event_id']}").text


def move(client: httpx.Client, tab: str, *values: object, face: str | None = FACE) -> dict:
    """What the app answers to a move in a tab, as a forged page would ask for it."""
    components = client.get("/config").json()["components"]
    displays = [each["id"] for each in components if "move" in each["props"].get("server_fns", ())]
    body = {"component_id": displays[TABS.index(tab)], "fn_name": "move", "session_hash": uuid4().hex}
    body["data"] = [face, *values]
    answer = client.post("/gradio_api/component_server/", json=body)
    assert "Traceback" not in answer.text and "site-packages" not in answer.text
    return answer.raise_for_status().json()


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "/proc/self/environ", "app.py", str(ROOT / "app.py"), str(BUNDLE / "universal" / "config.json")],
)
def test_only_what_was_uploaded_or_made_is_served(client, path):
    answer = client.get(f"/gradio_api/file={path}")
    assert answer.status_code == 403
    assert "error" in call(client, "estimate_noise", [file(path), 0])


@pytest.mark.parametrize("path", ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "....//etc/passwd"])
def test_a_path_cannot_climb(client, path):
    assert client.get(f"/gradio_api/file={path}").status_code in (403, 404)
    assert client.get(f"/static/{path}").status_code in (403, 404)


def test_an_upload_cannot_choose_its_folder(client, tmp_path):
    name = f"../../../../../..{tmp_path}/stolen.png"
    answer = client.post("/gradio_api/upload", files={"files": (name, b"x")})
    assert not (tmp_path / "stolen.png").exists()
    assert answer.status_code != 200 or ".." not in answer.json()[0]


@pytest.mark.parametrize("scheme", ["http://", "HTTP://", "file://", "ftp://", "gopher://"])
def test_the_app_fetches_nothing_from_this_machine(client, inner_service, scheme):
    address, asked = inner_service
    for host in (address, address.replace("127.0.0.1", "localhost"), address.replace("127.0.0.1", "0.0.0.0")):
        for picture in (file(f"{scheme}{host}/a.png"), file("a.png", url=f"{scheme}{host}/a.png")):
            assert "complete" not in call(client, "estimate_noise", [picture, 0]).split("\n")[0]
    assert asked == []


def test_a_picture_that_cannot_be_fetched_gets_a_message(client, inner_service):
    address, asked = inner_service
    answer = call(client, "estimate_noise", [file(f"http://{address}/a.png"), 0])
    assert f"The picture at http://{address}/a.png could not be fetched" in answer and "upload the file" in answer
    assert asked == []


@pytest.mark.parametrize(
    ("model", "sigma", "strength"),
    [
        ("../../etc", 0, 1),
        ("someone/some-model", 0, 1),
        (str(BUNDLE / "universal"), 0, 1),
        ("universal", -1, 1),
        ("universal", 1e308, 1),
        ("universal", float("nan"), 1),
        ("universal", 0, 1e9),
        ("universal", 0, float("-inf")),
        ("universal", 0, "x"),
        (None, None, None),
        ({"a": 1}, [], {}),
    ],
)
def test_parameters_beyond_their_bounds_are_refused(client, uploaded, model, sigma, strength):
    answer = call(client, "restore", [uploaded, model, sigma, strength, False, 0])
    assert answer.startswith("event: error")
    assert "Traceback" not in answer and "site-packages" not in answer


@pytest.mark.parametrize(
    ("left", "right", "alpha", "seed", "level"),
    [
        ("noisy", "universal", 1, 0, "a"),
        ("noisy", "universal", 1, -5, 0.2),
        ("noisy", "universal", 1, 10**40, 0.2),
        ("noisy", "someone/some-model", 1, 0, 0.2),
        ("../../etc", "universal", 1, 0, 0.2),
        (None, None, None, None, None),
    ],
)
def test_a_forged_page_gets_a_message(client, left, right, alpha, seed, level):
    answer = move(client, "low", left, right, alpha, seed, level)
    assert answer["said"] and "shown" not in answer


@pytest.mark.parametrize("face", [None, "", "AAAA", "no base64!", 5, [FACE], FACE * 2])
def test_a_forged_face_gets_a_message(client, face):
    answer = move(client, "low", "noisy", "median", 1, 0, 0.1, face=face)
    assert answer["said"] and "shown" not in answer


@pytest.mark.parametrize(
    ("preset", "level", "mix"),
    [
        ("flood", 0.1, ""),
        ("own", 0.1, "flood"),
        ("own", 0.1, "speckle:sigma=x"),
        ("own", 0.1, None),
        ("own", 0.1, "+".join(["jpeg:quality=5"] * 9)),
        ("own", 0.1, "gaussian:sigma=0." + "1" * 1000),
    ],
)
def test_forged_noise_of_the_playground_gets_a_message(client, preset, level, mix):
    answer = move(client, "playground", "noisy", "median", 1, 0, preset, level, mix)
    assert answer["said"] and "NoneType" not in answer["said"] and "shown" not in answer


@pytest.mark.parametrize(("level", "sigma"), [(1e9, "0.500"), (-0.1, "0.000"), (None, "0.000")])
def test_a_forged_page_cannot_leave_the_bounds_of_the_sliders(client, level, sigma):
    assert f"sigma {sigma}" in move(client, "low", "noisy", "patchgan-low", 1e9, 0, level)["shown"][1]


def test_the_right_values_are_taken(client, uploaded):
    assert call(client, "restore", [uploaded, "universal", 0, 1, False, 0]).startswith("event: complete")
    assert move(client, "low", "noisy", "universal", 1, 0, 0.1)["shown"]
    own = ["own", 0.1, "gaussian:sigma=0.1 + jpeg:quality=10"]
    assert move(client, "playground", "clean", "median", 1, 0, *own)["shown"]


@pytest.mark.parametrize(
    ("name", "data"), [("restore", ["universal", 0, None, False, 0]), ("add_noise", [0.1, 0.1, None, 0, True, 0])]
)
def test_nothing_in_the_place_of_a_number_gets_a_message(client, tmp_path, name, data):
    Image.new("L", (48, 48), 100).save(tmp_path / "gray.png")
    with open(tmp_path / "gray.png", "rb") as file:
        path = client.post("/gradio_api/upload", files={"files": file}).json()[0]
    answer = call(client, name, [{"path": path, "meta": {"_type": "gradio.FileData"}}, *data])
    assert "give a number" in answer
