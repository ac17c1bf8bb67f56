"""Colour pictures, restored as brightness at full and colour at a quarter of the resolution.

Noise that each channel has for itself is weaker in their mean, the luminance, and colours change slowly from pixel to
pixel: so this is better than one channel after another, and takes two fifths of the time. The opponent colours are
those of Dabov et al. 2007, "Color image denoising via sparse 3D collaborative filtering with grouping constraint in
luminance-chrominance space", https://doi.org/10.1109/ICIP.2007.4378954.
"""

import numpy as np
import torch
from scipy.ndimage import median_filter, uniform_filter
from torch.nn import functional as F

from fer_denoise.images import to_dtype, to_float
from fer_denoise.method import ProgressCallback
from fer_denoise.restore import Restorer

OPPONENT = np.array([[1 / 3, 1 / 3, 1 / 3], [0.5, 0, -0.5], [0.25, -0.5, 0.25]], dtype=np.float32)
"""Luminance, and two chrominances that a gray pixel has none of, of red, green and blue."""
BACK = np.linalg.inv(OPPONENT).astype(np.float32)
GRAY = np.array([0, 0.5, 0.5], dtype=np.float32)
"""What a black pixel has of the three, so that all lie in [0, 1]."""

REDUCED = 4
"""How many times smaller a side of the chrominances is when they are restored."""
SMALLEST_SIDE = 64
"""The shorter side in pixels from which on time is worth saving."""
WINDOW = 7
"""Side in pixels of the window in which it is told whether details of colour are noise."""
FLAT, OF_FLAT = 0.2, 1.3
"""The flattest windows, this fraction of all, have noise alone, and the others have so many times the power of the
strongest of these."""
SPIKE, LEAST_SPIKE = 6, 0.06
"""A spike is so many standard deviations, and at least so far, from the median around it."""
SPIKES = 1e-3
"""The fraction of the pixels from which on spikes are taken for impulses."""
WHITE = 1 - 1e-4
"""The mean of three white channels, but for rounding."""

FOR_LUMINANCE = 0.9
"""The fraction of the progress that the luminance takes."""


def has_colour_way(restorer: Restorer, photo: np.ndarray) -> bool:
    """Whether `restore_colour` does well with `photo`, (H, W) or (H, W, 3).

    Not with impulses: those of one channel are hidden in the luminance, and those of all spoil the colours around them.
    """
    if photo.ndim == 2 or restorer.cpu_only or min(photo.shape[:2]) < SMALLEST_SIDE:
        return False
    luminance, *chrominances = _opponents(photo)
    extreme = (luminance <= 0) | (luminance >= 1)
    if extreme.mean() > SPIKES and (extreme & _spikes(luminance)).mean() > SPIKES:
        return False
    return not any(_spikes(plane).mean() > SPIKES for plane in chrominances)


def restore_colour(
    restorer: Restorer,
    photo: np.ndarray,
    sigma: float | None = None,
    on_progress: ProgressCallback | None = None,
) -> np.ndarray:
    """Restore (H, W, 3), uint8 or float in [0, 1]; the result has its shape and dtype.

    Details of colour that a quarter of the resolution cannot hold are kept as far as they are no noise (Wiener
    filtering, Lee 1980, https://doi.org/10.1109/TPAMI.1980.4766994).

    Args:
        restorer: a network.
        sigma: standard deviation of the Gaussian noise of each channel, on [0, 1]; estimated where it is missing.
        on_progress: as that of `Restorer`.
    """

    def progress_within(start: float, fraction: float) -> ProgressCallback | None:
        return on_progress and (lambda done: on_progress(start + fraction * done))

    luminance, *chrominances = _opponents(photo)
    factors = np.linalg.norm(OPPONENT, axis=1)
    plane_sigma = None if sigma is None else sigma * factors[0]
    restored = [restorer(luminance, plane_sigma, progress_within(0, FOR_LUMINANCE))]
    small = np.stack([_reduced(plane) for plane in chrominances])
    plane_sigma = None if sigma is None else sigma * factors[1:].mean() / REDUCED
    of_small = restorer(small, plane_sigma, progress_within(FOR_LUMINANCE, 1 - FOR_LUMINANCE))
    for plane, before, after in zip(chrominances, small, of_small, strict=True):
        details = plane - _enlarged(before, plane.shape)
        restored.append(_enlarged(after, plane.shape) + _without_noise(details))
    pixels = (np.stack(restored, axis=-1) - GRAY) @ BACK.T
    return to_dtype(np.clip(pixels, 0, 1), photo.dtype)


def _opponents(photo: np.ndarray) -> list[np.ndarray]:
    """Luminance and chrominances of (H, W, 3), float32 (H, W) in [0, 1] each."""
    pixels = to_float(photo.reshape(-1, 3)).reshape(photo.shape)
    luminance, *chrominances = np.clip(np.moveaxis(pixels @ OPPONENT.T + GRAY, -1, 0), 0, 1)
    return [np.where(luminance > WHITE, np.float32(1), luminance), *chrominances]


def _reduced(plane: np.ndarray) -> np.ndarray:
    """Means of squares of `REDUCED` pixels a side; beyond the rim the last pixels go on."""
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % REDUCED), (0, -width % REDUCED)), "edge")
    return padded.reshape(padded.shape[0] // REDUCED, REDUCED, -1, REDUCED).mean(axis=(1, 3))


def _enlarged(small: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    large = F.interpolate(torch.from_numpy(small)[None, None], scale_factor=REDUCED, mode="bilinear")[0, 0].numpy()
    return large[: shape[0], : shape[1]]


def _without_noise(details: np.ndarray) -> np.ndarray:
    """Details, of mean 0, with those that are no stronger than their noise taken away."""
    power = uniform_filter(details**2, WINDOW)
    noise = OF_FLAT * np.quantile(power, FLAT)
    return details * np.maximum(0, 1 - noise / np.maximum(power, 1e-12))


def _spikes(plane: np.ndarray) -> np.ndarray:
    """Which pixels are far from what is around them."""
    distance = np.abs(plane - median_filter(plane, 3))
    # Of what is spread around 0 by a Gaussian, the median tells the standard deviation, and edges hardly change it.
    return distance > max(SPIKE * float(np.median(distance)) / 0.6745, LEAST_SPIKE)
