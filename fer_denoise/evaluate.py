"""Models against noise: a row per model and task, every one on the same noisy images."""

from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from fer_denoise.classical import FILTERS
from fer_denoise.method import KnownNoise, Method
from fer_denoise.metrics import mean_psnr, mse, origin_convention, psnr, ssim

NOISY, NOISY_TITLE = "noisy", "Noisy input"
"""The name of the row of the input itself, and its title."""

SELF_ENSEMBLE = "universal, x2 self-ensemble"
"""The name of the row of `universal` with its mirror image."""

SIGMA_GIVEN = "universal, told sigma"
"""The name of the row of `universal` that is given the true sigma, as the filters are."""

CHUNK = 32
"""How many images a process restores at a time."""


@dataclass(frozen=True)
class TaskScores:
    """What a model does to the test images of a task; PSNR in dB."""

    model: str
    mse: float
    psnr: float
    ssim: float
    psnr_unseen: float
    """PSNR over the images that do not also stand in train; `ssim_unseen` is over them, too."""
    ssim_unseen: float
    origin_psnr: float
    """PSNR in the origin's convention; `origin_ssim` is in it, too."""
    origin_ssim: float

    as_dict = asdict


def score(model: str, restored: np.ndarray, clean: np.ndarray, unseen: np.ndarray) -> TaskScores:
    """Compare `restored` with `clean`, both (N, H, W); `unseen` is a mask (N,)."""
    psnr_values, ssim_values = psnr(restored, clean), ssim(restored, clean)
    origin_psnr, origin_ssim = origin_convention(restored, clean)
    return TaskScores(
        model=model,
        mse=float(mse(restored, clean).mean()),
        psnr=mean_psnr(psnr_values),
        ssim=float(ssim_values.mean()),
        psnr_unseen=mean_psnr(psnr_values[unseen]),
        ssim_unseen=float(ssim_values[unseen].mean()),
        origin_psnr=origin_psnr,
        origin_ssim=origin_ssim,
    )


def level_name(sigma: float, amount: float) -> str:
    """What Gaussian noise of `sigma` with impulses of `amount` over it is called in results."""
    return f"sigma {sigma:g}, impulses {amount:.0%}"


def psnr_over_levels(noise_grid: dict[str, Any], method: str) -> np.ndarray:
    """PSNR of a method in the results of the noise grid, (sigmas, amounts); NaN where it was not measured."""
    cells = noise_grid["methods"][method]["cells"]
    levels = [[level_name(sigma, amount) for amount in noise_grid["amounts"]] for sigma in noise_grid["sigmas"]]
    return np.array([[cells.get(level, np.nan) for level in row] for row in levels], dtype=float)


def rivals_over_levels(noise_grid: dict[str, Any]) -> dict[str, np.ndarray]:
    """As `psnr_over_levels`, of the noisy input, the filters and the published networks."""
    return {
        name: psnr_over_levels(noise_grid, name)
        for name, record in noise_grid["methods"].items()
        if name in (NOISY, *FILTERS) or is_published(record)
    }


def margin_over_levels(noise_grid: dict[str, Any], method: str) -> np.ndarray:
    """The dB by which a method is above the best rival at each level, (sigmas, amounts); NaN where one is missing."""
    with np.errstate(invalid="ignore"):
        return psnr_over_levels(noise_grid, method) - np.fmax.reduce(list(rivals_over_levels(noise_grid).values()))


def is_published(record: dict[str, Any]) -> bool:
    """Whether a row or record of results is of a network that others published."""
    return "paper" in record


def credit(record: dict[str, Any]) -> str:
    """The authors and the year of a published network, and what it is given of the noise, out of its row or record."""
    given = "blind" if record["told"] == "nothing" else f"told {record['told']}"
    return f"{record['authors']} {record['year']}, {given}"


def restore(method: Method, noisy: np.ndarray, noise: KnownNoise, pool: Executor | None = None) -> np.ndarray:
    """Restore images, float (N, H, W) or (H, W) in [0, 1], by a method that is compared with others.

    A method that works blind is not given the noise. A batch for one that computes on a single
    core is spread over `pool`.

    Raises:
        ValueError: `noise` lacks a level that the method needs.
    """
    known = None if method.blind else noise
    if pool and method.cpu_only and noisy.ndim == 3:
        chunks = [noisy[start : start + CHUNK] for start in range(0, len(noisy), CHUNK)]
        return np.concatenate(list(pool.map(partial(method.restore, noise=known), chunks)))
    return method.restore(noisy, known)
