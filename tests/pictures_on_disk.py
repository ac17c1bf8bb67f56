"""What tests of picture files share: small pictures of any depth, and the refusal of a file."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_denoise.pictures import PictureError, read_picture

GRADIENT = (np.arange(12)[:, None] * 10 + np.arange(20)[None] * 5).astype(np.uint8)
DEEP = np.linspace(0, 65535, 160).reshape(8, 20)
DEPTHS = {
    "16.png": (np.uint16, 65535),
    "16.tif": (np.uint16, 65535),
    "16.pgm": (np.uint16, 65535),
    "32.tif": (np.float32, 1),
    "64.tif": (np.float64, 1),
    "half.tif": (np.float16, 1),
    "32.pfm": (np.float32, 1),
}
"""The dtype and the white of files by their names."""


def deep(name: str, colour: bool = False) -> np.ndarray:
    """A picture of many levels, in gray or colour."""
    dtype, white = DEPTHS[name]
    pixels = DEEP if white == 65535 else DEEP / 65535
    return (np.stack([pixels, pixels[::-1], pixels[:, ::-1]], axis=-1) if colour else pixels).astype(dtype)


def save(path: Path, picture: np.ndarray) -> Path:
    """Write pixels as a picture file; where that is."""
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(picture).save(path)
    return path


def refusal(path) -> str:
    """The message with which a file is refused; it names the file and is one sentence for a person."""
    with pytest.raises(PictureError) as caught:
        read_picture(path)
    message = str(caught.value)
    assert path.name in message
    assert re.search(r"; \w+", message)
    assert "\n" not in message
    return message
