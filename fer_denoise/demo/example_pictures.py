"""Noisy pictures for whoever has none at hand: those that scikit-image ships, damaged as pictures are."""

from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image, ImageOps
from skimage import data

from fer_denoise.images import to_dtype
from fer_denoise.noise import camera_noise, correlated_noise, impulse_noise, jpeg_compression, mixed_noise, stripe_noise

THUMBNAIL = (144, 144)


def noisy_astronaut() -> np.ndarray:
    """A portrait in colour (NASA), with Gaussian noise and impulses in every channel, uint8 (H, W, 3)."""
    return _in_each_channel(data.astronaut()[:384, 64:448], lambda channel: mixed_noise(channel, 0.08, 0.03, seed=0))


def night_shot() -> np.ndarray:
    """A cat (S. van der Walt, CC0) in the dark, brightened by the camera, uint8 (H, W, 3)."""
    cat = data.chelsea()[:300, 60:390]
    return _in_each_channel(cat, lambda channel: camera_noise(channel, 80, 0.01, 4, 95, seed=0))


def saved_too_often() -> np.ndarray:
    """A cup of coffee (R. Michetti, CC0), as a JPEG of poor quality, uint8 (H, W, 3)."""
    cup = data.coffee()[20:340, 120:480]
    return _in_each_channel(cup, lambda channel: jpeg_compression(channel, 10, seed=0))


def scan() -> np.ndarray:
    """A printed page (scikit-image, public domain) from a scanner with a weak lamp, uint8 (H, W)."""
    striped = stripe_noise(data.page()[:, :320], 0.04, 1, seed=0)
    return to_dtype(mixed_noise(striped, 0.06, 0, seed=1), np.dtype(np.uint8))


def old_print() -> np.ndarray:
    """The photograph of a man with a camera (L. Garnier, CC0) with grain and specks, uint8 (H, W)."""
    grainy = correlated_noise(data.camera()[30:350, 60:380], 0.06, 0.8, seed=0)
    return to_dtype(impulse_noise(grainy, 0.02, ("near", 0.1), seed=1), np.dtype(np.uint8))


EXAMPLES: dict[str, Callable[[], np.ndarray]] = {
    "Night shot": night_shot,
    "Broken pixels": noisy_astronaut,
    "Saved too often": saved_too_often,
    "Old print": old_print,
    "Scanned page": scan,
}
"""The pictures by what they are called."""


@cache
def example_pictures() -> list[tuple[str, np.ndarray]]:
    """Title and pixels of each; drawn once."""
    return [(title, draw()) for title, draw in EXAMPLES.items()]


def thumbnail(pixels: np.ndarray) -> Image.Image:
    """The middle of uint8 (H, W) or (H, W, 3), as a small square whose noise is still to be seen."""
    return ImageOps.fit(Image.fromarray(pixels), THUMBNAIL, Image.Resampling.NEAREST)


def _in_each_channel(photo: np.ndarray, damage: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    noisy = damage(np.ascontiguousarray(np.moveaxis(photo, -1, 0)))
    return np.moveaxis(to_dtype(noisy, np.dtype(np.uint8)), 0, -1)
