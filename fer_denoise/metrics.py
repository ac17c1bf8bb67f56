"""Full-reference image quality: PSNR and SSIM per image, and the origin's own way of computing both."""

from typing import Any

import numpy as np
from skimage import metrics

from fer_denoise.images import AnyImages, Batch

PSNR_CAP = 100.0
"""What an average counts for identical images, whose PSNR is infinite; in dB."""

SSIM_MIN_SIZE = 11
"""The side of SSIM's Gaussian window, below which it is not defined; in pixels."""


def mse(restored: AnyImages, clean: AnyImages) -> Any:
    """Mean squared error on [0, 1]; arguments and form of the result are those of `psnr`."""
    restored_pixels, clean_pixels, single = _pair(restored, clean)
    values = np.mean((restored_pixels.astype(np.float64) - clean_pixels) ** 2, axis=(1, 2, 3))
    return float(values[0]) if single else values


def psnr(restored: AnyImages, clean: AnyImages) -> Any:
    """Peak signal-to-noise ratio in dB with `data_range=1`; infinite for identical images.

    Of colour it is one value an image, of the squared error over all pixels of all three channels.

    Args:
        restored, clean: arrays, torch tensors or Pillow pictures: gray (H, W), (N, H, W) or (N, 1, H, W), or colour
            (H, W, 3), (N, H, W, 3) or (N, 3, H, W); uint8, or float in [0, 1]. So (3, H, W) is three gray images.

    Returns:
        A float for one image, an array (N,) for a batch.
    """
    error = mse(restored, clean)
    with np.errstate(divide="ignore"):
        values = -10 * np.log10(error)
    return values if isinstance(error, np.ndarray) else float(values)


def ssim(restored: AnyImages, clean: AnyImages) -> Any:
    """Structural similarity with an 11x11 Gaussian window (sigma 1.5) and `data_range=1`.

    Of colour it is one value an image, the mean over the channels.

    Wang et al. 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity",
    https://doi.org/10.1109/TIP.2003.819861

    Args:
        restored, clean: as those of `psnr`, H and W at least 11.

    Returns:
        A float for one image, an array (N,) for a batch.
    """
    restored_pixels, clean_pixels, single = _pair(restored, clean)
    values = _ssim(restored_pixels, clean_pixels, data_range=1)
    return float(values[0]) if single else values


def mean_psnr(values: np.ndarray) -> float:
    """The mean of PSNR values, infinities counted as 100 dB."""
    return float(np.minimum(values, PSNR_CAP).mean())


def origin_convention(restored: AnyImages, clean: AnyImages, batch_size: int = 64) -> tuple[float, float]:
    """PSNR and SSIM as the origin computed them for its U-Net; only for comparison with its numbers.

    The origin normalised its images twice, to [-3, 1], and measured there with `data_range=2`. Its PSNR pools the error
    of a batch of 64 and averages over batches. Both choices lower its figures: PSNR by 6.02 dB for the scale alone.

    Args:
        restored, clean: as those of `psnr`, H and W at least 11.
        batch_size: images whose squared error is pooled.
    """
    restored_pixels, clean_pixels, _ = _pair(restored, clean)
    ours, right = 4 * restored_pixels - 3, 4 * clean_pixels - 3
    batches = range(0, len(right), batch_size)
    errors = [np.mean((ours[i : i + batch_size] - right[i : i + batch_size]) ** 2, dtype=np.float64) for i in batches]
    with np.errstate(divide="ignore"):
        pooled = 10 * np.log10(4 / np.array(errors))
    return mean_psnr(pooled), float(np.mean(_ssim(ours, right, data_range=2)))


def _ssim(restored: np.ndarray, clean: np.ndarray, data_range: float) -> np.ndarray:
    """SSIM (N,) of images (N, C, H, W), averaged over their channels."""
    if min(clean.shape[-2:]) < SSIM_MIN_SIZE:
        raise ValueError(
            f"SSIM needs images of at least {SSIM_MIN_SIZE}x{SSIM_MIN_SIZE} pixels, got {clean.shape[-2:]}"
        )
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    of_channels = [
        [metrics.structural_similarity(r, c, data_range=data_range, **options) for r, c in zip(*channels, strict=True)]
        for channels in zip(restored, clean, strict=True)
    ]
    return np.mean(of_channels, axis=1)


def _pair(restored: AnyImages, clean: AnyImages) -> tuple[np.ndarray, np.ndarray, bool]:
    """The pixels of both, (N, C, H, W), and whether they are one image."""
    ours, right = Batch(restored), Batch(clean)
    if (ours.pixels.shape, ours.single) != (right.pixels.shape, right.single):
        raise ValueError(f"restored and clean must have one shape, got {ours.shape} and {right.shape}")
    return ours.pixels, right.pixels, ours.single
