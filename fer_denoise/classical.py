"""Classical filters, called alike: `filter(noisy, sigma, **parameters)` for one float32 image (H, W) in [0, 1].

Their parameters were tuned on the validation split by `python -m train.tune_classical`, which writes `classical.json`.
"""

import json
import math
import warnings
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import median_filter
from skimage import restoration

from fer_denoise.method import KnownNoise, Method, ProgressCallback
from fer_denoise.noise import TASKS

TUNED_FILE = Path(__file__).with_name("classical.json")

PIXELS_AT_ONCE = 50_000
"""How many pixels the switching median treats together, which bounds its memory."""


def median(noisy: np.ndarray, sigma: float, *, size: int) -> np.ndarray:
    """The median of each `size` x `size` window. Tukey 1977, "Exploratory Data Analysis"."""
    return median_filter(noisy, size=size, mode="reflect")


def switching_median(noisy: np.ndarray, sigma: float, *, threshold: float) -> np.ndarray:
    """Replaces only pixels at 0 or 1, by the median of those neighbours that are not.

    Sun & Neuvo 1994, "Detail-preserving median based filters in image processing",
    https://doi.org/10.1016/0167-8655(94)90082-5. The window grows from 3x3 to 7x7 until it holds a pixel to take; where
    none does, the area is truly black or white, and kept. So is a pixel nearer to the median than `threshold`.
    """
    impulse = (noisy <= 0) | (noisy >= 1)
    good = np.where(impulse, np.nan, noisy)
    restored = noisy.copy()
    todo = np.argwhere(impulse)
    for radius in (1, 2, 3):
        side = 2 * radius + 1
        windows = sliding_window_view(np.pad(good, radius, constant_values=np.nan), (side, side))
        later = [np.empty((0, 2), dtype=todo.dtype)]
        for start in range(0, len(todo), PIXELS_AT_ONCE):
            pixels = todo[start : start + PIXELS_AT_ONCE]
            values = windows[pixels[:, 0], pixels[:, 1]].reshape(-1, side * side)
            found = ~np.isnan(values).all(axis=1)
            restored[tuple(pixels[found].T)] = np.nanmedian(values[found], axis=1)
            later.append(pixels[~found])
        todo = np.concatenate(later)
    keep = np.abs(restored - noisy) < threshold
    return np.where(keep, noisy, restored)


def tv(noisy: np.ndarray, sigma: float, *, strength: float) -> np.ndarray:
    """Total variation with weight `strength * sigma`. Chambolle 2004, https://doi.org/10.1023/B:JMIV.0000011325.36760.1e"""
    return restoration.denoise_tv_chambolle(noisy, weight=max(strength * sigma, 1e-6), max_num_iter=200)


def wavelet(noisy: np.ndarray, sigma: float, *, strength: float, wavelet: str) -> np.ndarray:
    """BayesShrink, soft, at `strength * sigma`. Chang et al. 2000, https://doi.org/10.1109/83.862633"""
    return restoration.denoise_wavelet(
        noisy, sigma=max(strength * sigma, 1e-6), wavelet=wavelet, method="BayesShrink", rescale_sigma=True
    )


def nl_means(noisy: np.ndarray, sigma: float, *, strength: float, patch_size: int, patch_distance: int) -> np.ndarray:
    """Non-local means with h = `strength * sigma`. Buades et al. 2005, https://doi.org/10.1109/CVPR.2005.38"""
    restored = restoration.denoise_nl_means(
        noisy,
        patch_size,
        patch_distance,
        h=max(strength * sigma, 1e-6),
        sigma=sigma,
        fast_mode=False,
        preserve_range=True,
    )
    # NaN where no patch is alike: all weights underflow.
    return np.where(np.isnan(restored), noisy, restored)


def bm3d(noisy: np.ndarray, sigma: float, *, strength: float) -> np.ndarray:
    """BM3D at `strength * sigma`, from the package `bm3d` (non-commercial use only).

    Dabov et al. 2007, https://doi.org/10.1109/TIP.2007.901238
    """
    from bm3d import bm3d as restore

    # The package crashes on 8x8 pixels.
    height, width = noisy.shape
    padded = np.pad(noisy, ((0, max(0, 16 - height)), (0, max(0, 16 - width))), mode="symmetric")
    return restore(padded, sigma_psd=max(strength * sigma, 1e-4))[:height, :width]


@dataclass(frozen=True)
class Filter:
    """What there is to know of a classical filter.

    Attributes:
        restore: called with float32 (H, W) in [0, 1], the noise level, and its parameters by name.
        title, summary: what it is called, and a sentence about it.
        grid: values of each parameter to choose from in tuning.
        takes_sigma: whether it is made for Gaussian noise, and needs the level of it; else it is made for impulses.
        package: what has to be installed for it besides; None where that is nothing.
        tuned_on: on how many images it is tuned at most, for it is slow; None for as many as there are.
    """

    restore: Callable[..., np.ndarray]
    title: str
    summary: str
    grid: dict[str, list]
    takes_sigma: bool = True
    package: str | None = None
    tuned_on: int | None = None


FILTERS = {
    "median": Filter(
        median,
        "Median filter",
        "Replaces each pixel by the median of its neighbourhood.",
        {"size": [3, 5, 7, 9, 11]},
        takes_sigma=False,
    ),
    "switching-median": Filter(
        switching_median,
        "Switching median",
        "Replaces only black and white pixels, by the median of the others around.",
        {"threshold": [0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0]},
        takes_sigma=False,
    ),
    "tv": Filter(
        tv,
        "Total variation",
        "Finds the flattest picture that is near the noisy one.",
        {"strength": [0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9, 1.05, 1.2, 1.4, 1.7, 2.0]},
    ),
    "wavelet": Filter(
        wavelet,
        "Wavelet shrinkage",
        "Shrinks small wavelet coefficients (BayesShrink).",
        {"strength": [0.3, 0.45, 0.6, 0.8, 0.9, 1.0, 1.1, 1.3, 1.6], "wavelet": ["db1", "db2", "db4", "sym4"]},
    ),
    "nl-means": Filter(
        nl_means,
        "Non-local means",
        "Averages pixels whose surroundings look alike.",
        {"strength": [0.6, 0.9, 1.2, 1.5, 1.8], "patch_size": [3, 5], "patch_distance": [3, 5, 7]},
        tuned_on=40,
    ),
    "bm3d": Filter(
        bm3d,
        "BM3D",
        "Filters groups of similar patches together; the best filter that needs no training.",
        {"strength": [0.55, 0.7, 0.85, 1.0, 1.1, 1.2, 1.3, 1.4, 1.7]},
        package="bm3d",
        tuned_on=20,
    ),
}
"""All filters by name. A new one is a function and a line here; commands, app and tables have it by that."""


def available_filters() -> list[str]:
    """Names of the filters whose packages are installed."""
    return [name for name, each in FILTERS.items() if not each.package or find_spec(each.package)]


class ImageFilter(Method):
    """A method that restores one image after the other, on one core."""

    cpu_only = True

    @property
    def reach(self) -> None:
        """Any distance: what it takes of the noise is of the whole picture."""
        return None

    @abstractmethod
    def restore_image(self, image: np.ndarray, noise: KnownNoise) -> np.ndarray:
        """Restore float32 (H, W) in [0, 1]; the result need not be clipped."""

    def restore_planes(self, planes: np.ndarray, noise: KnownNoise, on_progress: ProgressCallback) -> np.ndarray:
        restored = np.empty_like(planes)
        for index, image in enumerate(planes):
            restored[index] = self.restore_image(image, noise)
            on_progress((index + 1) / len(planes))
        return restored


class ClassicalFilter(ImageFilter):
    """A classical filter and its parameters.

    Where all of the noise is known, those that were tuned for it on the validation split: if there are impulses, a
    filter for Gaussian noise then stands behind a switching median, unless it does better alone. Else those of the task
    whose noise is nearest, with sigma as it is known or estimated for each image (Donoho & Johnstone 1994).

    Args:
        name: out of `FILTERS`.
        parameters: instead of the tuned ones. A "sigma" takes the place of what is known of it, and an
            "impulse_threshold" puts a switching median before the filter.
    """

    def __init__(self, name: str, parameters: dict[str, Any] | None = None) -> None:
        self.name = name
        self._filter = FILTERS[name]
        self._parameters = parameters

    def tuned_for(self, task: str) -> "ClassicalFilter":
        return ClassicalFilter(self.name, tuned_parameters(self.name, task))

    def restore_image(self, image: np.ndarray, noise: KnownNoise) -> np.ndarray:
        sigma = noise.sigma
        if sigma is None:
            sigma = _estimate_sigma(image) if self._filter.takes_sigma else 0.0
        if self._parameters is not None:
            parameters = dict(self._parameters)
        elif noise.amount is not None:
            parameters = level_parameters(self.name, sigma, noise.amount)
        else:
            parameters = dict(tuned_parameters(self.name, nearest_task(self.name, sigma)))
        threshold = parameters.pop("impulse_threshold", None)
        if threshold is not None:
            image = switching_median(image, sigma, threshold=threshold)
        return self._filter.restore(image, **{"sigma": sigma, **parameters})


def tuned_parameters(name: str, task: str) -> dict[str, Any]:
    """The parameters of a filter that were best on the validation split of a task.

    Those for salt-and-pepper noise hold a `sigma` too, since that noise has none of its own.
    """
    return _tuned("filters", name, task)["parameters"]


def level_parameters(name: str, sigma: float, amount: float) -> dict[str, Any]:
    """The parameters of a filter that were best on the validation split at the nearest tuned level of both noises.

    `impulse_threshold` is that of the switching median before it.
    """
    entries = [entry for entry in _tuned("levels", name) if bool(entry["amount"]) == bool(amount)]

    def distance(entry: dict[str, Any]) -> float:
        def ratio(one: float, other: float) -> float:
            return abs(math.log(max(one, 1e-3) / max(other, 1e-3)))

        # The strength depends on sigma first.
        return 10 * ratio(entry["sigma"], sigma) + ratio(entry["amount"], amount)

    return dict(min(entries, key=distance)["parameters"])


def nearest_task(name: str, sigma: float) -> str:
    """The task to take the parameters from: filters for impulses know one, the others choose by the noise level."""
    tuned = _tuned("filters", name)
    sigmas = {task: KnownNoise.of(noise).sigma or 0.0 for task, noise in TASKS.items() if task in tuned}
    if not FILTERS[name].takes_sigma:
        return next(task for task, of_task in sigmas.items() if not of_task)
    return min(filter(sigmas.get, sigmas), key=lambda task: abs(math.log(max(sigma, 1e-6) / sigmas[task])))


def _estimate_sigma(image: np.ndarray) -> float:
    with warnings.catch_warnings():
        # Where an image is flat there is nothing to estimate from, and the result is NaN.
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(np.nan_to_num(restoration.estimate_sigma(image)))


def _tuned(*keys: str) -> Any:
    """What stands in the file of tuned parameters under one key after the other, the second the name of a filter."""
    found = _tuned_file()
    try:
        for key in keys:
            found = found[key]
    except KeyError as error:
        raise LookupError(
            f"{keys[1]} has no tuned parameters of {error}; run python -m train.tune_classical, or give it parameters"
        ) from None
    return found


@cache
def _tuned_file() -> dict[str, Any]:
    return json.loads(TUNED_FILE.read_text(encoding="utf-8"))
