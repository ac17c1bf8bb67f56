"""Whatever comes in, a right result or an error in plain words comes out.

`FUZZ_CASES` is the number of random cases of each test; `.ci/fuzz` sets it higher. Without it they are always the same.
"""

import io
import json
import os
import resource
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import numpy as np
import png
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from fer_denoise import Restorer
from fer_denoise.__main__ import main
from fer_denoise.images import to_float
from fer_denoise.noise import mixed_noise
from fer_denoise.pictures import MIN_SIDE, PictureError, encode_picture, lossless_suffix, read_picture

CASES = int(os.environ.get("FUZZ_CASES", 0))
MEMORY = 4 * 2**30
"""Bytes that the process may ever hold, the libraries and bundled networks included."""

many = settings(
    max_examples=CASES or 60,
    derandomize=not CASES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
MODES = {
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "JPEG": ["L", "RGB", "CMYK"],
    "WEBP": ["RGB", "RGBA"],
    "TIFF": ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "F"],
    "BMP": ["1", "L", "P", "RGB"],
    "GIF": ["L", "P"],
    "PPM": ["1", "L", "RGB"],
    "HEIF": ["L", "RGB", "RGBA"],
    "AVIF": ["L", "RGB"],
}
OWN_READERS = {
    "deep TIFF": ["u2", "i1", "i2", "f4", "f8"],
    "deep PNG": ["RGB", "RGBA"],
    "PNM": ["P2", "P3", "P5", "P6"],
}
"""What Pillow does not read, and the kinds of it."""


@pytest.fixture(autouse=True, scope="module")
def memory():
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    assert peak < MEMORY


@st.composite
def picture_files(draw) -> bytes:
    """A file of some format and mode, whole or with bytes changed, cut out, doubled or cut off."""
    kind = draw(st.sampled_from([*MODES, *OWN_READERS]))
    mode = draw(st.sampled_from({**MODES, **OWN_READERS}[kind]))
    width, height = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    exif = Image.Exif()
    exif[0x0112] = draw(st.integers(0, 9))
    whole = own_file if kind in OWN_READERS else pillow_file
    content = bytearray(whole(draw, kind, mode, (width, height), rng, exif))
    for _ in range(draw(st.integers(0, 4))):
        place = draw(st.integers(0, len(content) - 1)) if content else 0
        length = draw(st.integers(1, 40))
        match draw(st.sampled_from(["change", "cut out", "double", "cut off"])):
            case "change":
                content[place : place + length] = rng.bytes(length)
            case "cut out":
                del content[place : place + length]
            case "double":
                content[place:place] = content[place : place + length]
            case "cut off":
                del content[place:]
    return bytes(content)


def own_file(draw, kind: str, mode: str, size: tuple[int, int], rng: np.random.Generator, exif: Image.Exif) -> bytes:
    """A file that this package reads itself, or by tifffile or pypng."""
    (width, height), file = size, io.BytesIO()
    if kind == "deep TIFF":
        channels = draw(st.sampled_from([(), (3,)]))
        pixels = (rng.random((height, width, *channels)) * (1 if mode.startswith("f") else 100)).astype(mode)
        tifffile.imwrite(
            file,
            pixels,
            compression=draw(st.sampled_from([None, "zlib"])),
            **({"photometric": "rgb"} if channels else {}),
        )
    elif kind == "deep PNG":
        rows = rng.integers(0, 2**16, (height, width * len(mode)))
        options = {"alpha": mode == "RGBA", "bitdepth": 16, "interlace": draw(st.booleans())}
        png.Writer(width, height, greyscale=False, **options).write(file, rows.tolist())
    else:
        white = draw(st.sampled_from([1, 100, 255, 4095, 65535]))
        numbers = rng.integers(0, white + 1, height * width * (3 if mode in ("P3", "P6") else 1))
        plain = " ".join(map(str, numbers)).encode()
        body = plain if mode in ("P2", "P3") else numbers.astype(">u2" if white > 255 else "u1").tobytes()
        file.write(f"{mode}\n{width} {height}\n{white}\n".encode() + body)
    return file.getvalue()


def pillow_file(draw, kind: str, mode: str, size: tuple[int, int], rng: np.random.Generator, exif: Image.Exif) -> bytes:
    """A file as Pillow writes it."""
    width, height = size
    channels = len(Image.new(mode, (1, 1)).getbands())
    if mode == "I;16":
        pixels = Image.fromarray(rng.integers(0, 2**16, (height, width), dtype=np.uint16))
    elif mode == "F":
        pixels = Image.fromarray(rng.normal(0.5, draw(st.sampled_from([0.1, 1.0, 1e30])), (height, width)).astype("f4"))
    else:
        pixels = Image.frombytes(mode, (width, height), rng.bytes(width * height * channels))
    file = io.BytesIO()
    pixels.save(file, kind, **({"exif": exif} if kind in ("PNG", "JPEG", "WEBP", "TIFF") else {}))
    return file.getvalue()


def outcome(call: Callable[[], Any], *refusals: type[Exception]) -> tuple[Any, str]:
    """What `call` gives, or the message that it ends with."""
    try:
        return call(), ""
    except refusals as error:
        return None, str(error)


SUFFIXES = st.sampled_from([".png", ".jpg", ".tif", ".svg", ".exe", "", ".csv"])


@pytest.mark.slow
@many
@given(st.one_of(picture_files(), st.binary(max_size=300)), SUFFIXES, st.booleans())
def test_a_file_is_read_or_refused(content, suffix, gray):
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"file{suffix}"
        path.write_bytes(content)
        picture, message = outcome(lambda: read_picture(path, gray), PictureError)
    if picture is None:
        assert path.name in message
        return
    for image in picture.images:
        assert min(image.shape[:2]) >= MIN_SIDE
        assert image.ndim == 2 or (not gray and image.shape[2:] == (3,))
        assert image.dtype == np.uint8 or 0 <= image.min() <= image.max() <= 1
    assert encode_picture(picture, lossless_suffix(picture))


@pytest.fixture(scope="module")
def restorers():
    return {name: Restorer.from_pretrained(name, device="cpu") for name in ("universal", "median")}


DTYPES = st.sampled_from(["u1", "f2", "f4", "f8", "i4", "u2", "?", "c8"])
SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=20)
PIXELS = {"f": st.floats(0, 1, width=16) | st.sampled_from([np.nan, np.inf, -np.inf, -1.0, 2.0, 65504.0])}


@st.composite
def pixel_arrays(draw) -> np.ndarray:
    dtype, shape = np.dtype(draw(DTYPES)), draw(SHAPES)
    return draw(arrays.arrays(dtype, shape, elements=PIXELS.get(dtype.kind)))


@many
@given(noisy=pixel_arrays(), sigma=st.none() | st.floats(), name=st.sampled_from(["universal", "median"]))
def test_an_array_is_restored_or_refused(restorers, noisy, sigma, name):
    restored, message = outcome(lambda: restorers[name](noisy, sigma=sigma), TypeError, ValueError)
    if restored is None:
        assert message
        return
    assert restored.shape == noisy.shape and restored.dtype == noisy.dtype
    assert np.isfinite(restored).all() and restored.min() >= 0
    assert restored.max() <= (255 if noisy.dtype == np.uint8 else 1)


@many
@given(pixel_arrays(), st.floats(), st.floats(), st.floats(), st.integers(-(2**70), 2**70))
def test_noise_is_added_or_refused(clean, sigma, amount, salt_vs_pepper, seed):
    add = partial(mixed_noise, clean, sigma, amount, salt_vs_pepper, seed=seed)
    noisy, message = outcome(add, TypeError, ValueError)
    if noisy is None:
        assert message
        return
    assert noisy.shape == to_float(clean).shape
    assert noisy.min() >= 0 and noisy.max() <= 1


@settings(many, max_examples=CASES // 5 or 8)
@given(st.lists(st.one_of(picture_files(), st.binary(max_size=99)), min_size=1, max_size=4), SUFFIXES)
def test_the_command_ends_with_a_message(contents, suffix):
    with TemporaryDirectory() as folder:
        source = Path(folder) / "in"
        source.mkdir()
        for number, content in enumerate(contents):
            (source / f"{number}{suffix}").write_bytes(content)
        with suppress(SystemExit):
            main(["restore", str(source), str(Path(folder) / "out"), "--model", "median"])
        assert [path.read_bytes() for path in sorted(source.iterdir())] == contents


def post(client: httpx.Client, name: str, data: list) -> tuple[str, str]:
    """What an endpoint answers: "complete" or "error", and with what."""
    # Python writes and reads NaN and Infinity, which no other JSON knows.
    headers = {"Content-Type": "application/json"}
    event = client.post(f"/gradio_api/call/{name}", content=json.dumps({"data": data}), headers=headers)
    event = event.json()["event_id"]
    answer = client.get(f"/gradio_api/call/{name}/{event}").text
    kind, _, content = answer.partition("\n")
    return kind.removeprefix("event: "), content


@settings(many, max_examples=CASES // 5 or 8)
@given(content=picture_files(), sigma=st.floats() | st.text(max_size=3), strength=st.floats() | st.none())
def test_the_endpoint_answers_without_a_stack_trace(app_url, content, sigma, strength):
    with httpx.Client(base_url=app_url, timeout=60) as client:
        path = client.post("/gradio_api/upload", files={"files": ("a.png", content)}).json()[0]
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        kind, answer = post(client, "restore", [file, "median", sigma, strength, False, 0])
        assert kind in ("complete", "error")
        assert "Traceback" not in answer and "site-packages" not in answer
        kind, answer = post(client, "restore", [file, "median", 0, 1, False, 0])
        assert kind == "complete" or any(word in answer for word in ("a.png", "picture")), answer
