import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from unvisited import unvisited_page

from fer_denoise import Restorer
from fer_denoise.command.job import Estimator
from fer_denoise.demo.example_pictures import noisy_astronaut
from fer_denoise.demo.face_tab import FaceTab
from fer_denoise.demo.face_view import (
    CLEAN,
    NOISY,
    attention_pictures,
    details,
    fits,
    is_realist,
    numbers,
    restore_face,
    warnings,
)
from fer_denoise.demo.hub_faces import HubFaces
from fer_denoise.demo.moves import Moves
from fer_denoise.demo.noise_controls import CONTROLS
from fer_denoise.demo.restorers import Restorers
from fer_denoise.metrics import psnr, ssim
from fer_denoise.noise import TASKS, GaussianNoise, mixed_noise
from fer_denoise.pictures import Picture
from fer_denoise.samples import sample_faces
from fer_denoise.zoo import MODELS, list_models

PATIENT = {"verbose": False, "httpx_kwargs": {"timeout": 60}}
"""As a visitor of a busy machine has to be."""


@pytest.fixture(scope="module")
def client(app_url: str) -> Client:
    return Client(app_url, **PATIENT)


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    return next(iter(sample_faces().values()))


def save(path: Path, image: np.ndarray) -> str:
    Image.fromarray(image).save(path)
    return str(path)


@pytest.mark.parametrize(
    ("task", "model", "gain"),
    [
        ("low", "universal", 1),
        ("high", "universal", 4),
        ("salt_pepper", "universal", 15),
        ("low", "attention-unet-low", 1),
        ("high", "attention-unet-high", 4),
        ("salt_pepper", "attention-unet-salt-pepper", 10),
        ("salt_pepper", "switching-median", 6),
    ],
)
def test_a_noisy_face_comes_back_better(client, clean, tmp_path, task, model, gain):
    noisy = np.rint(TASKS[task](clean, seed=0) * 255).astype(np.uint8)
    result = client.predict(handle_file(save(tmp_path / "noisy.png", noisy)), model, 0, api_name="/restore")
    with Image.open(result) as picture:
        assert picture.format == "PNG" and picture.mode == "L"
        restored = np.asarray(picture)
    assert psnr(restored, clean) > psnr(noisy, clean) + gain


def test_the_public_endpoints_name_and_describe_their_parameters(client):
    api = client.view_api(return_format="dict", print_info=False)
    parameters = {
        "/restore": ["image", "model", "sigma", "strength", "keep_colour", "white"],
        "/add_noise": ["image", "sigma", "amount", "salt_vs_pepper", "seed", "keep_colour", "white"],
        "/estimate_noise": ["image", "white"],
    }
    assert {
        name: [p["parameter_name"] for p in e["parameters"]] for name, e in api["named_endpoints"].items()
    } == parameters
    assert api["unnamed_endpoints"] == {}
    # Only the picture has to be given.
    for endpoint in api["named_endpoints"].values():
        assert [p["parameter_has_default"] for p in endpoint["parameters"]] == [False] + [True] * (
            len(endpoint["parameters"]) - 1
        )


def test_noise_is_added_and_estimated_through_the_endpoints(client, clean, tmp_path):
    file = handle_file(save(tmp_path / "clean.png", clean))
    noisy = client.predict(file, sigma=0.1, amount=0.2, salt_vs_pepper=0.5, seed=3, api_name="/add_noise")
    expected = np.rint(mixed_noise(clean, 0.1, 0.2, seed=3) * 255).astype(np.uint8)
    with Image.open(noisy) as picture:
        np.testing.assert_array_equal(np.asarray(picture), expected)
    level = client.predict(handle_file(noisy), api_name="/estimate_noise")
    assert level["sigma"] == pytest.approx(0.1, abs=0.04) and level["amount"] == pytest.approx(0.2, abs=0.06)


def test_colours_and_strength_are_the_callers_choice(client, tmp_path):
    photo = noisy_astronaut()[:64, :64]
    file = handle_file(save(tmp_path / "photo.png", photo))
    results = {}
    for strength in (0, 0.5, 1):
        result = client.predict(file, "median", strength=strength, api_name="/restore")
        with Image.open(result) as picture:
            results[strength] = np.asarray(picture).astype(int)
    np.testing.assert_array_equal(results[0], photo)
    assert np.abs(results[0.5] - (results[0] + results[1]) / 2).max() <= 1
    with pytest.raises(AppError, match="Strength: give a number from 0 to 1"):
        client.predict(file, strength=1.5, api_name="/restore")
    with Image.open(client.predict(file, api_name="/restore")) as picture:
        assert picture.mode == "RGB"
    with Image.open(client.predict(file, keep_colour=False, api_name="/restore")) as picture:
        assert picture.mode == "L"


def test_depth_and_frames_come_back_through_the_endpoint(client, clean, tmp_path):
    def restore(name: str, **options) -> Image.Image:
        return Image.open(client.predict(handle_file(str(tmp_path / name)), "median", api_name="/restore", **options))

    median = Restorer.from_pretrained("median")
    for name, pixels in (("12.png", clean.astype(np.uint16) * 16), ("float.tif", (clean / 255).astype(np.float32))):
        Image.fromarray(pixels).save(tmp_path / name)
        white = 4095 if name == "12.png" else 1
        with restore(name, white=white if white > 1 else 0) as result:
            assert result.format == ("PNG" if name == "12.png" else "TIFF")
            restored = np.asarray(result)
        assert restored.dtype == pixels.dtype
        np.testing.assert_allclose(restored / white, median((pixels / white).astype(np.float32)), atol=1 / 4095)
    with pytest.raises(AppError, match="say what number is white"):
        restore("12.png")
    first, *others = (Image.fromarray(np.roll(clean, shift)) for shift in range(3))
    first.save(tmp_path / "film.gif", save_all=True, append_images=others)
    with restore("film.gif") as result:
        assert result.n_frames == 3


def test_the_endpoint_estimates_what_the_command_does(client, tmp_path):
    photo = noisy_astronaut()[:64, :64]
    told = client.predict(handle_file(save(tmp_path / "photo.png", photo)), api_name="/estimate_noise")
    level = Estimator()(Picture.of(photo), 0)
    assert (told["sigma"], told["amount"]) == pytest.approx(level, abs=1e-4)


def test_bad_uploads_get_a_message_with_a_remedy_and_the_app_stays_up(client, tmp_path):
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.png").write_bytes(b"")
    save(tmp_path / "tiny.png", np.zeros((1, 1), np.uint8))
    Image.new("1", (12000, 12000)).save(tmp_path / "huge.png")
    whole = Path(save(tmp_path / "whole.png", np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)))
    (tmp_path / "cut.png").write_bytes(whole.read_bytes()[:900])
    Image.fromarray(np.full((48, 48), np.nan, np.float32)).save(tmp_path / "nan.tiff")
    remedies = {
        "text.png": "choose a PNG",
        "empty.png": "choose a PNG",
        "tiny.png": "at least 8x8",
        "huge.png": "make it smaller",
        "cut.png": "save it again",
        "nan.tiff": "NaN",
    }
    for name, remedy in remedies.items():
        with pytest.raises(AppError, match=remedy) as error:
            client.predict(handle_file(str(tmp_path / name)), "median", 0, api_name="/restore")
        assert name in str(error.value)
        assert "Traceback" not in str(error.value)
    with pytest.raises(AppError, match="choose one first"):
        client.predict(None, "median", 0, api_name="/restore")
    with pytest.raises(AppError, match=r"\(sigma\): give a number from 0 to 1, not 7"):
        client.predict(handle_file(str(whole)), "median", 7, api_name="/restore")
    assert client.predict(handle_file(str(whole)), "median", 0, api_name="/restore")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "CMYK", "P", "1", "I;16"])
def test_unusual_pictures_are_restored_in_their_size(client, tmp_path, mode):
    name = "picture.jpg" if mode == "CMYK" else "picture.png"
    if mode == "I;16":
        picture = Image.fromarray(np.full((20, 30), 30000, np.uint16))
    else:
        picture = Image.new("RGBA", (30, 20), (200, 100, 50, 128)).convert(mode)
    picture.save(tmp_path / name)
    with Image.open(client.predict(handle_file(str(tmp_path / name)), "median", 0, api_name="/restore")) as result:
        assert result.size == (30, 20)


def test_visitors_at_once_all_get_their_own_picture(app_url, tmp_path):
    levels = (10, 60, 110, 160, 210)

    def visit(level: int) -> float:
        picture = save(tmp_path / f"{level}.png", np.full((48, 48), level, np.uint8))
        result = Client(app_url, **PATIENT).predict(handle_file(picture), "median", 0, api_name="/restore")
        with Image.open(result) as image:
            return float(np.asarray(image).mean())

    with ThreadPoolExecutor(len(levels)) as visitors:
        assert tuple(visitors.map(visit, levels)) == levels


@pytest.mark.parametrize("task", TASKS)
def test_the_presets_of_the_controls_are_the_tasks(task):
    noise = CONTROLS[task].noise(*CONTROLS[task].preset)
    assert type(noise) is type(TASKS[task])
    assert astuple(noise) == pytest.approx(astuple(TASKS[task]))


@pytest.mark.slow
@pytest.mark.parametrize("model", list_models())
def test_every_model_restores_a_face_in_the_tab(clean, model):
    view = restore_face(clean, Restorers(), (NOISY, model), TASKS["high"], 3)
    assert [picture.size for picture in (view.clean, view.left, view.right, view.error)] == [(48, 48)] * 4
    assert np.array_equal(np.asarray(view.clean), clean)
    # Against Gaussian noise alone, the switching median is best off when it does nothing.
    assert np.array_equal(np.asarray(view.left), np.asarray(view.right)) == (model == "switching-median")
    assert view.titles == ("Noisy", MODELS[model].title) and view.impulses is None
    levels = attention_pictures(clean, Restorers(), model, TASKS["high"], 3)
    assert len(levels) == (3 if MODELS[model].task else 2 if model.startswith("universal") else 0)


@pytest.mark.parametrize("name", ["look", "compare_all", "draw_curves", "drop_outdated"])
def test_after_an_error_nothing_stays_that_is_of_other_inputs(name):
    with unvisited_page() as page:
        FaceTab("salt_pepper", Restorers(), HubFaces(), Moves())
    failing = [event for event in page.fns.values() if event.name == name]
    (refused,) = (event for event in page.fns.values() if event.targets[0][1] == "refused")
    assert len(failing) == (2 if name == "look" else 1)
    for event in failing:
        (after,) = (
            each
            for each in page.fns.values()
            if each.trigger_after == event._id and each.trigger_only_on_failure and each.name != "can_draw"
        )
        for emptied in (after, refused):
            assert {part._id for part in event.outputs} <= {part._id for part in emptied.outputs}
            for shown in emptied.fn() if len(emptied.outputs) > 1 else [emptied.fn()]:
                assert shown in (None, "") or not (shown.value or shown.visible)


@pytest.mark.slow
def test_the_dial_goes_from_the_unet_to_the_patchgan(clean):
    def restored(model: str, alpha: float) -> np.ndarray:
        view = restore_face(clean, Restorers(), (CLEAN, model), TASKS["high"], 3, alpha)
        return np.asarray(view.right).astype(float)

    unet, gan = restored("attention-unet-high", 0.0), restored("patchgan-high", 1.0)
    assert np.abs(unet - gan).max() > 2
    np.testing.assert_array_equal(restored("patchgan-high", 0.0), unet)
    assert np.abs(restored("patchgan-high", 0.5) - (unet + gan) / 2).max() <= 1
    np.testing.assert_array_equal(restored("attention-unet-high", 0.5), unet)
    with pytest.raises(ValueError, match="alpha must lie"):
        restored("patchgan-high", -1)


def test_only_patchgans_have_the_dial():
    assert [name for name in list_models() if is_realist(name)] == [f"patchgan-{t.replace('_', '-')}" for t in TASKS]


def test_the_number_shows_what_was_measured(clean):
    clean = clean / np.float32(255)
    noisy = np.clip(clean + np.float32(0.1), 0, 1)
    worse = np.clip(clean + np.float32(0.2), 0, 1)
    before, after = psnr(worse, clean), psnr(noisy, clean)
    shown = numbers(clean, worse, noisy)
    assert f'{before:.1f} &rarr; {after:.1f} dB <span class="better">(+{after - before:.1f})</span>' in shown
    assert f"MSE {np.mean((worse - clean) ** 2):.5f} &rarr; {np.mean((noisy - clean) ** 2):.5f}" in shown
    assert f"SSIM {ssim(worse, clean):.4f} &rarr; {ssim(noisy, clean):.4f}" in shown
    assert f'<span class="worse">(-{after - before:.1f})</span>' in numbers(clean, noisy, worse)
    assert "&infin;" not in shown and '∞ dB <span class="better">(+∞)' in numbers(clean, noisy, clean)


@pytest.mark.parametrize("change", [0, 1e-4])
def test_without_noise_there_is_no_gain_to_tell(clean, change):
    clean = np.clip(clean / np.float32(255), 0.1, 0.9)
    shown = numbers(clean, clean, clean + np.float32(change) * (np.indices(clean.shape).sum(axis=0) % 2))
    assert '<span class="">(–)</span>' in shown
    assert not re.search("inf|nan|-0|better|worse", re.sub('title="[^"]*"', "", shown))


@pytest.mark.parametrize(("task", "values"), [("low", (0,)), ("high", (0,)), ("salt_pepper", (0, 0.5))])
def test_words_for_no_noise(clean, task, values):
    assert "Without noise there is nothing to gain" in CONTROLS[task].describe(*values)
    assert "Without noise" not in CONTROLS[task].describe(*CONTROLS[task].preset)
    noise = CONTROLS[task].noise(*values)
    for model in ("universal", "median"):
        shown = restore_face(clean, Restorers(), (NOISY, model), noise, 0).numbers
        assert "∞ &rarr;" in shown and not re.search(r"\binf\b|nan dB|-0\.0+<", shown)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("restore", {"sigma": 7}, r"Noise level \(sigma\): give a number from 0 to 1, not 7"),
        ("restore", {"strength": "much"}, "Strength: give a number from 0 to 1, not much"),
        ("add_noise", {"amount": -1}, r"\(amount\): give a number from 0 to 1, not -1"),
        ("add_noise", {"salt_vs_pepper": 2}, r"\(salt_vs_pepper\): give a number from 0 to 1, not 2"),
        ("add_noise", {"seed": -1}, "Seed: give a whole number from 0 to 2147483647, not -1"),
        ("add_noise", {"seed": 0.5}, "Seed: give a whole number from 0 to 2147483647, not 0.5"),
    ],
)
def test_a_number_that_cannot_be_taken_is_named(client, clean, tmp_path, name, values, words):
    file = handle_file(save(tmp_path / "clean.png", clean))
    with pytest.raises(AppError, match=words):
        client.predict(file, **values, api_name=f"/{name}")


def test_a_specialist_away_from_its_noise_is_pointed_out():
    sides = ("attention-unet-low", "median")
    assert fits("attention-unet-low", TASKS["low"])
    assert not fits("attention-unet-low", GaussianNoise(0.1))
    assert not fits("attention-unet-low", TASKS["salt_pepper"])
    assert warnings(sides, TASKS["low"]) == ""
    words = "not what <i>Attention U-Net, low Gaussian</i> was trained for"
    assert words in warnings(sides, GaussianNoise(0.1)) and words in warnings(sides[::-1], GaussianNoise(0.1))
    assert warnings((NOISY, "universal"), GaussianNoise(0.1)) == ""
    view = restore_face(sample_faces()["Drawing"], Restorers(), sides, TASKS["low"], 0)
    shown = details(view, "strong", sides)
    assert "strong" in shown and view.emotions in shown and all(MODELS[side].summary in shown for side in sides)


@pytest.mark.slow
def test_without_a_hub_the_bundled_weights_are_taken_and_said_so(monkeypatch):
    monkeypatch.delenv("FER_DENOISE_HUB_OWNER", raising=False)
    restorers = Restorers()
    restorers.load_networks()
    assert restorers.weights_source() == "bundled with this version"
    monkeypatch.setenv("FER_DENOISE_HUB_OWNER", "somebody")
    restorers = Restorers()
    restorers.load_networks()
    assert "could not be read" in restorers.weights_source()
    assert restorers.get("attention-unet-low").name == "attention-unet-low"


@pytest.mark.slow
def test_weights_from_the_hub_are_taken_and_said_so(monkeypatch):
    from fer_denoise.hub import sources

    monkeypatch.setenv("FER_DENOISE_HUB_OWNER", "somebody")
    monkeypatch.setenv("FER_DENOISE_HUB_REVISION", "v1")
    asked = []

    def download(repo_id: str, revision: str | None) -> Path:
        asked.append((repo_id, revision))
        return sources.BUNDLE / repo_id.removeprefix("somebody/fer-denoise-")

    monkeypatch.setattr(sources, "_download", download)
    restorers = Restorers()
    restorers.load_networks()
    assert ("somebody/fer-denoise-attention-unet-low", "v1") in asked
    assert restorers.weights_source() == "Hub repos of somebody, revision v1"


@pytest.mark.parametrize("language", ["python", "bash"])
def test_the_examples_for_programs_work_as_printed_from_an_empty_folder(app_url, tmp_path, language):
    if language == "bash" and not all(map(shutil.which, ("bash", "curl", "awk", "seq"))):
        pytest.skip("needs bash, curl, awk and seq")
    page = (Path(__file__).parents[1] / "docs" / "app.md").read_text(encoding="utf-8")
    (code,) = re.findall(f"```{language}\n(.*?)```", page, re.DOTALL)
    assert "http://127.0.0.1:7860" in code
    code = code.replace("http://127.0.0.1:7860", app_url.rstrip("/"))
    command = [sys.executable, "-I", "-c", code] if language == "python" else ["bash", "-euo", "pipefail", "-c", code]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stderr
    assert ("event: complete" if language == "bash" else "'sigma': 0.0") in ended.stdout
    given = next(tmp_path.glob("noisy.pgm" if language == "bash" else "clean.png"))
    with Image.open(tmp_path / "restored.png") as restored, Image.open(given) as picture:
        assert restored.format == "PNG" and restored.size == picture.size
        assert np.abs(np.asarray(restored).astype(int) - np.asarray(picture)).max() > 0
