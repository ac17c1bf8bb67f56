"""Photographs that scikit-image ships, with noise."""

import numpy as np
from skimage import data

from fer_denoise.noise import gaussian_noise


def noisy_photo(sigma: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """A photo in colour, and the same with noise in every channel."""
    photo = data.astronaut()[40:168, 150:278]
    noisy = np.moveaxis(gaussian_noise(np.moveaxis(photo, -1, 0), sigma, seed=0), 0, -1)
    return photo, np.rint(noisy * 255).astype(np.uint8)
