"""Each classical filter with the parameters that are best on the very images it is measured on.

No filter can have that outside of a benchmark: it needs the clean images. So nobody can say that a rival was not tuned.
The best of a whole grid is looked for on a few of the images; from there, the search goes on one parameter at a time on
all of them, for as long as a neighbour on the grid is better. Slow filters make do with the first of the images there.
"""

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from fer_denoise.classical import ImageFilter, bm3d, median, nl_means, switching_median, tv, wavelet
from fer_denoise.method import KnownNoise
from fer_denoise.metrics import mean_psnr, psnr

Point = tuple[Any, ...]
"""A value of each parameter."""


def gaussian_blur(noisy: np.ndarray, sigma: float, *, width: float) -> np.ndarray:
    """Blurred by a Gaussian of standard deviation `width` pixels."""
    return gaussian_filter(noisy, width, mode="reflect")


def median_and_tv(noisy: np.ndarray, sigma: float, *, size: int) -> np.ndarray:
    """Total variation behind a median of `size` x `size` pixels."""
    return tv(median(noisy, sigma, size=size), sigma, strength=1)


def geometric_steps(low: float, high: float, ratio: float) -> list[float]:
    """Numbers from `low` to about `high`, each `ratio` times the one before; three digits."""
    count = 1 + round(np.log(high / low) / np.log(ratio))
    return [float(f"{low * ratio**step:.3g}") for step in range(count)]


@dataclass(frozen=True)
class OracleFilter:
    """A filter and the grid of its parameters.

    Attributes:
        restore: called with float32 (H, W) in [0, 1] and its parameters by name, "sigma" among them.
        grid: values of each parameter, in order. A sigma that is no noise level but a weight is one of them.
        few: on how many images the whole grid is tried.
        tuned_on: on how many the search goes on; None for all of them.
        most: on how many images it is measured at most, for it is slow; None for all of them.
    """

    restore: Callable[..., np.ndarray]
    grid: dict[str, list]
    few: int = 40
    tuned_on: int | None = None
    most: int | None = None


FILTERS = {
    "median": OracleFilter(median, {"sigma": [0.0], "size": [3, 5, 7]}),
    "switching-median": OracleFilter(switching_median, {"sigma": [0.0], "threshold": [0, 0.05, 0.1, 0.2, 0.3, 0.5]}),
    "gaussian-blur": OracleFilter(gaussian_blur, {"sigma": [0.0], "width": geometric_steps(0.25, 2.5, 1.2)}),
    "tv": OracleFilter(partial(tv, strength=1), {"sigma": geometric_steps(0.005, 0.7, 1.3)}),
    "wavelet": OracleFilter(
        partial(wavelet, strength=1), {"sigma": geometric_steps(0.005, 0.6, 1.3), "wavelet": ["db1", "db2", "sym4"]}
    ),
    "nl-means": OracleFilter(
        partial(nl_means, patch_size=5, patch_distance=5),
        {"sigma": geometric_steps(0.005, 0.4, 1.5), "strength": [0.6, 0.9, 1.2, 1.6]},
        few=10,
        tuned_on=100,
    ),
    "median-and-tv": OracleFilter(median_and_tv, {"sigma": geometric_steps(0.01, 0.4, 1.4), "size": [3, 5]}),
    "bm3d": OracleFilter(
        partial(bm3d, strength=1), {"sigma": geometric_steps(0.01, 0.4, 1.5)}, few=3, tuned_on=20, most=100
    ),
}


class OracleMethod(ImageFilter):
    """A filter of `FILTERS` with given parameters, whatever the noise.

    Args:
        name: out of `FILTERS`.
        point: its parameters, in the order of its grid.
    """

    def __init__(self, name: str, point: Point) -> None:
        self.name = name
        self.parameters = dict(zip(FILTERS[name].grid, point, strict=True))

    def restore_image(self, image: np.ndarray, noise: KnownNoise) -> np.ndarray:
        return FILTERS[self.name].restore(image, **self.parameters)


def best_method(name: str, noisy: np.ndarray, clean: np.ndarray, pool: Executor | None = None) -> OracleMethod:
    """The filter with the parameters that are best for images.

    Args:
        name: out of `FILTERS`.
        noisy: float32 (N, H, W) in [0, 1].
        clean: (N, H, W).
    """
    chosen = FILTERS[name]

    def scores(points: list[Point], count: int | None = chosen.tuned_on) -> list[float]:
        score = partial(_score, name, noisy[:count], clean[:count])
        return list(pool.map(score, points) if pool else map(score, points))

    grid = list(itertools.product(*chosen.grid.values()))
    start = grid[int(np.argmax(scores(grid, chosen.few)))]
    return OracleMethod(name, climb([*chosen.grid.values()], start, scores))


def climb(axes: list[list], start: Point, scores: Callable[[list[Point]], list[float]]) -> Point:
    """Go from `start`, a point of the grid over `axes`, to one that no neighbour along an axis is better than."""
    scored: dict[Point, float] = {}
    best = start
    while True:
        around = [best, *_neighbours(axes, best)]
        new = [point for point in around if point not in scored]
        scored.update(zip(new, scores(new), strict=True))
        # Of equals the first is taken, so that it ends.
        top = max(around, key=scored.__getitem__)
        if top == best:
            return best
        best = top


def _neighbours(axes: list[list], point: Point) -> Iterator[Point]:
    for index, axis in enumerate(axes):
        place = axis.index(point[index])
        for value in axis[max(0, place - 1) : place] + axis[place + 1 : place + 2]:
            yield (*point[:index], value, *point[index + 1 :])


def _score(name: str, noisy: np.ndarray, clean: np.ndarray, point: Point) -> float:
    return mean_psnr(psnr(OracleMethod(name, point).restore(noisy), clean))
