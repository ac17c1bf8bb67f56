"""Arrays of grayscale pixels: what this package accepts, and how it turns them into float32 in [0, 1]."""

import numpy as np


def to_float(images: np.ndarray) -> np.ndarray:
    """Grayscale images as float32 in [0, 1].

    Args:
        images: (H, W) or (N, H, W); uint8, or floating point in [0, 1].

    Raises:
        TypeError: another dtype.
        ValueError: another number of dimensions, no pixels, NaN or infinity, or values outside [0, 1].
    """
    images = np.asarray(images)
    if images.ndim not in (2, 3) or images.size == 0:
        raise ValueError(
            f"expected a grayscale image (H, W) or a batch (N, H, W), got shape {images.shape}; "
            "convert colour pictures to grayscale first, for example with PIL.Image.convert('L')"
        )
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    if not np.issubdtype(images.dtype, np.floating):
        raise TypeError(f"expected uint8 or floating point pixels, got {images.dtype}; rescale to [0, 1] or to uint8")
    low, high = images.min(), images.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(
            "the image holds NaN or infinity; replace those pixels first, for example with numpy.nan_to_num"
        )
    if low < 0 or high > 1:
        raise ValueError(f"floating point pixels must lie in [0, 1], got [{low:.4g}, {high:.4g}]; rescale or clip them")
    return images.astype(np.float32, copy=False)


def to_dtype(images: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Float images in [0, 1] as `dtype`: floating point, or uint8, which rounds to the nearest of 256 levels."""
    if dtype == np.uint8:
        return np.rint(images * 255).astype(np.uint8)
    return images.astype(dtype, copy=False)
