"""Models against noise: a row per model and task, every one on the same noisy images."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from fer_denoise.classical import FILTERS, tuned_parameters
from fer_denoise.metrics import mean_psnr, origin_convention, psnr, ssim
from fer_denoise.noise import TASKS, GaussianNoise
from fer_denoise.restore import Restorer

NOISY = "noisy"
"""The name of the row of the input itself."""

SELF_ENSEMBLE = "universal, x2 self-ensemble"
"""The name of the row of `universal` with its mirror image."""

CHUNK = 32


@dataclass(frozen=True)
class Row:
    """What a model does to the test images of a task; PSNR in dB."""

    model: str
    mse: float
    psnr: float
    ssim: float
    psnr_unseen: float
    """Over the images that do not also stand in train; so is `ssim_unseen`."""
    ssim_unseen: float
    origin_psnr: float
    """In the origin's convention; so is `origin_ssim`."""
    origin_ssim: float

    as_dict = asdict


def score(model: str, restored: np.ndarray, clean: np.ndarray, unseen: np.ndarray) -> Row:
    """Compare `restored` with `clean`, both (N, H, W); `unseen` is a mask (N,)."""
    psnr_values, ssim_values = psnr(restored, clean), ssim(restored, clean)
    origin_psnr, origin_ssim = origin_convention(restored, clean)
    return Row(
        model=model,
        mse=float(np.mean(10 ** (-psnr_values / 10))),
        psnr=mean_psnr(psnr_values),
        ssim=float(ssim_values.mean()),
        psnr_unseen=mean_psnr(psnr_values[unseen]),
        ssim_unseen=float(ssim_values[unseen].mean()),
        origin_psnr=origin_psnr,
        origin_ssim=origin_ssim,
    )


def restore_task(restorer: Restorer, task: str, noisy: np.ndarray, pool: Executor | None = None) -> np.ndarray:
    """Restore the images of a task.

    A filter is given the parameters tuned for the task and the true sigma, spread over `pool`; a network works blind.
    """
    if restorer.name not in FILTERS:
        return restorer(noisy)
    noise = TASKS[task]
    run: Callable[[np.ndarray], np.ndarray] = partial(
        restorer.model,
        sigma=noise.sigma if isinstance(noise, GaussianNoise) else 0.0,
        parameters=tuned_parameters(restorer.name, task),
    )
    chunks = [noisy[start : start + CHUNK] for start in range(0, len(noisy), CHUNK)]
    parts: Any = pool.map(run, chunks) if pool else map(run, chunks)
    return np.clip(np.concatenate(list(parts)), 0, 1)
