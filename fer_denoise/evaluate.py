"""Models against noise: a row per model and task, every one on the same noisy images."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from fer_denoise.classical import FILTERS, ClassicalFilter, restore_level, tuned_parameters
from fer_denoise.metrics import mean_psnr, origin_convention, psnr, ssim
from fer_denoise.noise import TASKS, GaussianNoise, Noise, SaltAndPepperNoise
from fer_denoise.restore import Restorer

NOISY = "noisy"
"""The name of the row of the input itself."""

SELF_ENSEMBLE = "universal, x2 self-ensemble"
"""The name of the row of `universal` with its mirror image."""

TOLD_SIGMA = "universal, told sigma"
"""The name of the row of `universal` that is told the true sigma, as the filters are."""

CHUNK = 32


class Method(Protocol):
    """What is compared: a `Restorer`, or what is called like one, such as a network that others published."""

    name: str

    def __call__(self, noisy: np.ndarray, sigma: float | None = None) -> np.ndarray: ...


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


def credit(record: dict[str, Any]) -> str:
    """By whom a published network is, and what it is told of the noise, out of its row or record."""
    told = "blind" if record["told"] == "nothing" else f"told {record['told']}"
    return f"{record['authors']} {record['year']}, {told}"


def true_sigma(method: Method, noise: Noise) -> float | None:
    """What `method` is told of `noise` where all are compared: its sigma, but networks of this package nothing."""
    blind = isinstance(method, Restorer) and method.name not in (*FILTERS, TOLD_SIGMA)
    return noise.sigma if isinstance(noise, GaussianNoise) and not blind else None


def restore_task(method: Method, task: str, noisy: np.ndarray, pool: Executor | None = None) -> np.ndarray:
    """Restore the images of a task, float (N, H, W) in [0, 1].

    A filter is given the parameters tuned for the task and the true sigma, spread over `pool`; a network works blind,
    unless others published it.
    """
    sigma = true_sigma(method, TASKS[task])
    if method.name not in FILTERS:
        return method(noisy, sigma)
    parameters = tuned_parameters(method.name, task)
    return in_chunks(partial(ClassicalFilter(method.name), sigma=sigma or 0.0, parameters=parameters), noisy, pool)


def restore_levels(
    method: Method, noisy: np.ndarray, sigma: float, amount: float, pool: Executor | None = None
) -> np.ndarray:
    """Restore images, float (N, H, W) in [0, 1], that have Gaussian noise and impulses of these levels.

    A filter is told both and tuned for them, spread over `pool`; a network works blind, unless others published it.
    """
    if method.name not in FILTERS:
        return method(noisy, true_sigma(method, GaussianNoise(sigma)))
    return in_chunks(partial(restore_level, method.name, sigma=sigma, amount=amount), noisy, pool)


def restore_known(method: Method, noisy: np.ndarray, noise: Noise) -> np.ndarray:
    """As `restore_levels`, for one image (H, W) and a `noise` of one level.

    Raises:
        TypeError: `noise` has no one level.
    """
    match noise:
        case GaussianNoise():
            levels = noise.sigma, 0.0
        case SaltAndPepperNoise():
            levels = 0.0, noise.amount
        case _:
            raise TypeError(f"{noise} has no one level")
    return restore_levels(method, noisy[None], *levels)[0]


def in_chunks(
    restore: Callable[[np.ndarray], np.ndarray], noisy: np.ndarray, pool: Executor | None = None
) -> np.ndarray:
    """What `restore` makes of images (N, H, W), some of them at a time and spread over `pool`, clipped to [0, 1]."""
    chunks = [noisy[start : start + CHUNK] for start in range(0, len(noisy), CHUNK)]
    parts: Any = pool.map(restore, chunks) if pool else map(restore, chunks)
    return np.clip(np.concatenate(list(parts)), 0, 1)
