"""How natural restored faces look as a set, whatever their pixels: spectrum and gradients against those of clean faces.

PSNR rewards the average of all faces that fit the noisy one, which is smoother than any of them (Blau & Michaeli 2018,
"The Perception-Distortion Tradeoff", https://arxiv.org/abs/1711.06077). These measures see that.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

from fer_denoise.images import to_float


def power_spectrum(images: np.ndarray) -> np.ndarray:
    """Radially averaged power spectrum of square images, each less its mean.

    Args:
        images: (N, S, S), uint8 or float in [0, 1].

    Returns:
        float64 (S // 2,): mean power at 1, 2, ... S // 2 cycles per image, averaged over directions and images.
    """
    images = to_float(images).astype(np.float64)
    size = images.shape[-1]
    if images.ndim != 3 or images.shape[-2] != size:
        raise ValueError(f"expected square images (N, S, S), got shape {images.shape}")
    images = images - images.mean(axis=(1, 2), keepdims=True)
    # A Hann window: without it the jump from one border to the opposite one outweighs every high frequency.
    window = np.hanning(size + 1)[:-1]
    power = (np.abs(np.fft.fft2(images * np.outer(window, window))) ** 2).mean(axis=0) / size**2
    frequency = np.fft.fftfreq(size, 1 / size)
    radius = np.rint(np.hypot(frequency[:, None], frequency[None])).astype(int)
    rings = range(1, size // 2 + 1)
    return np.array([power[radius == ring].mean() for ring in rings])


def spectral_distance(restored: np.ndarray, clean: np.ndarray) -> float:
    """Root mean square difference of the two sets' radially averaged power spectra, in dB; 0 is best.

    Args:
        restored, clean: (N, S, S), uint8 or float in [0, 1].
    """
    # An image set without any power at a frequency would be infinitely far.
    restored_power, clean_power = (np.maximum(power_spectrum(images), 1e-12) for images in (restored, clean))
    return float(np.sqrt(np.mean((10 * np.log10(restored_power / clean_power)) ** 2)))


def gradients(images: np.ndarray) -> np.ndarray:
    """Every difference of neighbouring pixels, horizontal and vertical, of (N, H, W) in [0, 1], as one flat array."""
    images = to_float(images)
    return np.concatenate([np.diff(images, axis=axis).ravel() for axis in (-2, -1)])


def gradient_distance(restored: np.ndarray, clean: np.ndarray) -> float:
    """Wasserstein-1 distance of the distributions of absolute gradients, in units of 1/255; 0 is best.

    Args:
        restored, clean: (N, H, W), uint8 or float in [0, 1].
    """
    # Not above: the app, which measures none, would start a third of a second later.
    from scipy.stats import wasserstein_distance

    return 255 * float(wasserstein_distance(np.abs(gradients(restored)), np.abs(gradients(clean))))


def sharpness(restored: np.ndarray, clean: np.ndarray) -> float:
    """Root mean square gradient of the restored images over that of the clean ones; 1 is right, less is too smooth."""
    return float(np.sqrt(np.mean(gradients(restored) ** 2.0) / np.mean(gradients(clean) ** 2.0)))


def blend(fidelity: np.ndarray, realism: np.ndarray, alpha: float) -> np.ndarray:
    """Blend two restorations of the same picture: `alpha` 0 gives the truer one, 1 the more natural one.

    Blends of a minimiser of squared error and a perfectly realistic restorer trade the one for the other as well as
    anything can (Freirich et al. 2021, "A Theory of the Distortion-Perception Tradeoff in Wasserstein Space",
    https://arxiv.org/abs/2107.02555).

    Args:
        fidelity, realism: float, of one shape.
        alpha: in [0, 1].
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie in [0, 1], got {alpha}")
    return (1 - alpha) * fidelity + alpha * realism


def unsharp(images: np.ndarray, strength: float) -> np.ndarray:
    """Simple sharpening by an unsharp mask of radius one pixel: the control that any claim of realism has to beat.

    Args:
        images: float32 (N, H, W) in [0, 1].
        strength: how much of the difference to the blurred image is added; 0 changes nothing.
    """
    return np.clip(images + strength * (images - gaussian_filter(images, sigma=(0, 1, 1))), 0, 1)
