"""What a visitor sends, and how much of it a shared app takes on."""

from pathlib import Path

import numpy as np

from fer_denoise.classical import FILTERS
from fer_denoise.pictures import PictureError, picture_size, read_picture

MAX_MEGAPIXELS = {"network": 12, "filter": 1}
"""The command line takes more."""


def read_photo(path: str | Path | None, model: str, colour: bool) -> np.ndarray:
    """A picture for the restorer `model`, uint8 (H, W), or (H, W, 3) where it has colour that is to be kept.

    Raises:
        PictureError: there is none, it is damaged, or it is too large for a shared app and this restorer.
    """
    if path is None:
        raise PictureError("There is no picture yet: choose one first.")
    width, height = picture_size(path)
    megapixels = width * height / 1e6
    limit = MAX_MEGAPIXELS["filter" if model in FILTERS else "network"]
    if megapixels > limit:
        other = ", choose Universal" if model in FILTERS else ""
        raise PictureError(
            f"{Path(path).name} has {megapixels:.1f} megapixels, and here {model} takes {limit} at most; make it "
            f"smaller{other}, or run on your own machine: python -m fer_denoise --help"
        )
    return read_picture(path, colour)
