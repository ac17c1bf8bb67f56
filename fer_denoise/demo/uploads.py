"""What a visitor sends, and how much of it a shared app takes on."""

from pathlib import Path
from typing import BinaryIO

import numpy as np

from fer_denoise.classical import FILTERS
from fer_denoise.photos import find_faces
from fer_denoise.pictures import FACE, Picture, PictureError, picture_size, read_picture, to_face

MAX_MEGAPIXELS = {"network": 12, "filter": 1}
"""The most that all frames of a file may have. The command line takes more."""
SMALL = 2 * FACE[0]
"""Pixels a side of a picture that is taken for a face already, and not searched for one."""


def read_upload(
    source: str | Path | BinaryIO | None,
    model: str,
    gray: bool = False,
    white: float | None = None,
    name: str | None = None,
) -> Picture:
    """A picture for the restorer `model`; the other arguments are those of `read_picture`.

    Raises:
        PictureError: there is none, it is damaged, or it is too large for a shared app and this restorer.
    """
    if source is None:
        raise PictureError("There is no picture yet: choose one first.")
    if isinstance(source, str | Path):
        name = name or Path(source).name
    check_size(picture_size(source, name), model, name or "the picture")
    if not isinstance(source, str | Path):
        source.seek(0)
    return read_picture(source, gray, white or None, name)


def check_size(size: tuple[int, int, int], model: str, name: str) -> None:
    """Make sure that a picture of so many pixels in width and height, and so many frames, is not too large.

    Raises:
        PictureError: it is, for a shared app and the restorer `model`.
    """
    width, height, frames = size
    megapixels = width * height * frames / 1e6
    limit = MAX_MEGAPIXELS["filter" if model in FILTERS else "network"]
    if megapixels > limit:
        other = ", choose Universal" if model in FILTERS else ""
        all_frames = f" in {frames} frames" if frames > 1 else ""
        raise PictureError(
            f"{name} has {megapixels:.1f} megapixels{all_frames}, and here {model} takes {limit} at most; "
            f"make it smaller{other}, or run on your own machine: python -m fer_denoise --help"
        )


def read_face(path: str | Path) -> tuple[np.ndarray, str]:
    """The largest face in a picture, uint8 (48, 48), and what became of the picture by that, for a person to read.

    A small picture is taken for a face as a whole, and so is one in which none is found; where nothing became of it,
    nothing is said.

    Raises:
        PictureError: as `read_picture`.
    """
    pixels, changes = read_picture(path).simplified()
    if pixels.shape != FACE:
        pixels, change = _face_alone(pixels)
        changes.append(change)
    said = f"Taken as FER2013 has faces: {'; '.join(changes)}." if changes else ""
    return to_face(pixels), said


def _face_alone(photo: np.ndarray) -> tuple[np.ndarray, str]:
    """The largest face in uint8 (H, W), or all of it, and what is about to become of it."""
    height, width = photo.shape
    searched = max(height, width) > SMALL
    if searched and (boxes := find_faces(photo)):
        box = max(boxes, key=lambda box: box.side)
        which = "the face found in it" if len(boxes) == 1 else f"the largest of {len(boxes)} faces found in it"
        resized = "enlarged" if box.side < FACE[0] else "reduced"
        return photo[box.slices], f"{which}, {box.side}x{box.side} pixels, was cut out and {resized} to 48x48"
    none = "no face was found in it, so " if searched else ""
    return photo, f"{none}the largest centred square of {width}x{height} pixels was resized to 48x48"
