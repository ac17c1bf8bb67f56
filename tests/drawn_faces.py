"""Smooth random shapes in place of faces, so that no test needs images of FER2013."""

import numpy as np
from scipy.ndimage import gaussian_filter


def make_faces(count: int, seed: int = 0, shape: tuple[int, int] = (48, 48)) -> np.ndarray:
    """Smooth random shapes, uint8 (count, *shape), between 20 and 235."""
    rough = np.random.default_rng(seed).standard_normal((count, *shape))
    smooth = gaussian_filter(rough, sigma=(0, 4, 4))
    low, high = smooth.min(axis=(1, 2), keepdims=True), smooth.max(axis=(1, 2), keepdims=True)
    return np.rint(20 + 215 * (smooth - low) / (high - low)).astype(np.uint8)
