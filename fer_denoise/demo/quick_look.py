"""A first look at what becomes of a large picture: reduced, it is restored while the visitor looks up."""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image

from fer_denoise.photos import restore_photo
from fer_denoise.pictures import Picture
from fer_denoise.restore import Restorer

PIXELS = 64_000
"""What a network restores within a second on two busy cores."""
LARGE = 10 * PIXELS
"""Pixels of all frames from which on there is a quick look; of a smaller picture the result itself is there soon."""


class QuickLook(NamedTuple):
    """The first frame of a picture, reduced, and what became of that; uint8, (H, W) or (H, W, 3)."""

    noisy: np.ndarray
    restored: np.ndarray

    @property
    def size(self) -> str:
        """Width and height of the noisy frame in words."""
        height, width = self.noisy.shape[:2]
        return f"{width}x{height} pixels"


def quick_look(restorer: Restorer, picture: Picture, sigma: float | None = None) -> QuickLook | None:
    """A look at a large picture, with `sigma` as for all of it; None of one that is not worth it."""
    height, width = picture.frames[0].shape[:2]
    if height * width * len(picture.frames) <= LARGE:
        return None
    factor = math.ceil(math.sqrt(height * width / PIXELS))
    noisy = np.asarray(Image.fromarray(picture.in_8_bits()).reduce(factor))
    # The mean of a square has that much less of the noise.
    return QuickLook(noisy, restore_photo(restorer, noisy, sigma and sigma / factor))
