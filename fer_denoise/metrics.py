"""Full-reference image quality: PSNR and SSIM per image, and the origin's own way of computing both."""

from typing import Any

import numpy as np
from skimage.metrics import structural_similarity

from fer_denoise.images import to_float

PSNR_CAP = 100.0
"""What an average counts for identical images, whose PSNR is infinite; in dB."""

SSIM_MIN_SIZE = 11
"""The side of SSIM's Gaussian window, below which it is not defined; in pixels."""


def psnr(restored: np.ndarray, clean: np.ndarray) -> Any:
    """Peak signal-to-noise ratio in dB with `data_range=1`; infinite for identical images.

    Args:
        restored, clean: (H, W) or (N, H, W), uint8 or float in [0, 1].

    Returns:
        A float for (H, W), an array (N,) for a batch.
    """
    restored, clean = _pair(restored, clean)
    mse = np.mean((restored.astype(np.float64) - clean) ** 2, axis=(-2, -1))
    with np.errstate(divide="ignore"):
        values = -10 * np.log10(mse)
    return values if values.ndim else float(values)


def ssim(restored: np.ndarray, clean: np.ndarray) -> Any:
    """Structural similarity with an 11x11 Gaussian window (sigma 1.5) and `data_range=1`.

    Wang et al. 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity",
    https://doi.org/10.1109/TIP.2003.819861

    Args:
        restored, clean: (H, W) or (N, H, W), H and W at least 11, uint8 or float in [0, 1].

    Returns:
        A float for (H, W), an array (N,) for a batch.
    """
    return _ssim(*_pair(restored, clean), data_range=1)


def mean_psnr(values: np.ndarray) -> float:
    """The mean of PSNR values, infinities counted as 100 dB."""
    return float(np.minimum(values, PSNR_CAP).mean())


def origin_convention(restored: np.ndarray, clean: np.ndarray, batch_size: int = 64) -> tuple[float, float]:
    """PSNR and SSIM as the origin computed them for its U-Net; only for comparison with its numbers.

    The origin normalised its images twice, to [-3, 1], and measured there with `data_range=2`. Its PSNR pools the error
    of a batch of 64 and averages over batches. Both choices lower its figures: PSNR by 6.02 dB for the scale alone.

    Args:
        restored, clean: (N, H, W), uint8 or float in [0, 1].
        batch_size: images whose squared error is pooled.
    """
    restored, clean = _pair(restored, clean)
    restored, clean = 4 * restored - 3, 4 * clean - 3
    batches = range(0, len(clean), batch_size)
    mse = [np.mean((restored[i : i + batch_size] - clean[i : i + batch_size]) ** 2, dtype=np.float64) for i in batches]
    with np.errstate(divide="ignore"):
        pooled = 10 * np.log10(4 / np.array(mse))
    return mean_psnr(pooled), float(np.mean(_ssim(restored, clean, data_range=2)))


def _ssim(restored: np.ndarray, clean: np.ndarray, data_range: float) -> Any:
    if min(clean.shape[-2:]) < SSIM_MIN_SIZE:
        raise ValueError(
            f"SSIM needs images of at least {SSIM_MIN_SIZE}x{SSIM_MIN_SIZE} pixels, got {clean.shape[-2:]}"
        )
    if clean.ndim == 3:
        return np.array([_ssim(r, c, data_range) for r, c in zip(restored, clean, strict=True)])
    return float(
        structural_similarity(
            restored, clean, data_range=data_range, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
    )


def _pair(restored: np.ndarray, clean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    restored, clean = to_float(restored), to_float(clean)
    if restored.shape != clean.shape:
        raise ValueError(f"restored and clean must have one shape, got {restored.shape} and {clean.shape}")
    return restored, clean
