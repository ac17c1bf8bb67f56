"""What a visitor sends, and how much of it a shared app takes on."""

from pathlib import Path

import numpy as np

from fer_denoise.classical import FILTERS
from fer_denoise.pictures import FACE, Picture, PictureError, picture_size, read_picture, to_face

MAX_MEGAPIXELS = {"network": 12, "filter": 1}
"""Of all frames of a file. The command line takes more."""


def read_upload(path: str | Path | None, model: str, gray: bool = False, white: float | None = None) -> Picture:
    """A picture for the restorer `model`; `gray` and `white` as those of `read_picture`.

    Raises:
        PictureError: there is none, it is damaged, or it is too large for a shared app and this restorer.
    """
    if path is None:
        raise PictureError("There is no picture yet: choose one first.")
    width, height, frames = picture_size(path)
    megapixels = width * height * frames / 1e6
    limit = MAX_MEGAPIXELS["filter" if model in FILTERS else "network"]
    if megapixels > limit:
        other = ", choose Universal" if model in FILTERS else ""
        all_frames = f" in {frames} frames" if frames > 1 else ""
        raise PictureError(
            f"{Path(path).name} has {megapixels:.1f} megapixels{all_frames}, and here {model} takes {limit} at most; "
            f"make it smaller{other}, or run on your own machine: python -m fer_denoise --help"
        )
    return read_picture(path, gray, white or None)


def read_face(path: str | Path) -> tuple[np.ndarray, str]:
    """A picture as a face, uint8 (48, 48), and what became of it by that, for a person to read, if anything did.

    Raises:
        PictureError: as `read_picture`.
    """
    picture, changes = read_picture(path).simplified()
    height, width = picture.shape
    if (height, width) != FACE:
        changes.append(f"the largest centred square of {width}x{height} pixels was resized to 48x48")
    said = f"Taken as FER2013 has faces: {'; '.join(changes)}." if changes else ""
    return to_face(picture), said
