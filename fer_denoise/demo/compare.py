"""Every model on the same noisy face: pictures and a table, best first."""

import time
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from fer_denoise.demo.components import as_picture
from fer_denoise.demo.face_view import known_noise
from fer_denoise.demo.numbers import decibels
from fer_denoise.demo.restorers import Restorers
from fer_denoise.evaluate import NOISY_TITLE, restore
from fer_denoise.images import to_float
from fer_denoise.metrics import PSNR_CAP, psnr, ssim
from fer_denoise.noise import Noise
from fer_denoise.precision import on_cores
from fer_denoise.zoo import MODELS, list_models

REPEATS = 3
"""How often each is timed; the fastest counts. The first prepares what later ones reuse; others may slow any down."""


@dataclass(frozen=True)
class Comparison:
    """One method on one face; PSNR in dB, time in seconds."""

    title: str
    restored: np.ndarray
    psnr: float
    ssim: float
    seconds: float | None = None


@on_cores(1)
def compare(face: np.ndarray, restorers: Restorers, noise: Noise, seed: int) -> list[Comparison]:
    """Restore `face`, uint8 (48, 48), with every model; the noisy input is among the results, which are best first."""
    clean = to_float(face)
    noisy = noise(clean, seed=seed)
    results = [Comparison(NOISY_TITLE, noisy, psnr(noisy, clean), ssim(noisy, clean))]
    for name in list_models():
        restorer = restorers.get(name)
        times = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            restored = restore(restorer, noisy, known_noise(noise))
            times.append(time.perf_counter() - started)
        measured = psnr(restored, clean), ssim(restored, clean), min(times)
        results.append(Comparison(MODELS[name].title, restored, *measured))
    return sorted(results, key=lambda result: -result.psnr)


@on_cores(1)
def psnr_curves(
    face: np.ndarray, restorers: Restorers, models: list[str], sweep: list[tuple[float, Noise]], seed: int
) -> pd.DataFrame:
    """PSNR on `face`, uint8 (48, 48), over the noise levels of `sweep`: columns "level", "PSNR, dB" and "method".

    A face without any error counts as `PSNR_CAP`: a curve has no place for the infinite.
    """
    clean = to_float(face)
    points = []
    for level, noise in sweep:
        noisy = noise(clean, seed=seed)
        points.append((level, min(psnr(noisy, clean), PSNR_CAP), NOISY_TITLE))
        for name in models:
            restorer = restorers.get(name)
            restored = restore(restorer, noisy, known_noise(noise))
            points.append((level, min(psnr(restored, clean), PSNR_CAP), MODELS[name].title))
    return pd.DataFrame(points, columns=["level", "PSNR, dB", "method"])


def comparison_gallery(results: list[Comparison]) -> list[tuple[Any, str]]:
    """Pictures with their captions."""
    return [(as_picture(result.restored), f"{result.title}: {decibels(result.psnr)}") for result in results]


def comparison_table(results: list[Comparison]) -> str:
    """The measurements as an HTML table, the best of each column marked."""
    best_psnr, best_ssim = (max(getattr(result, name) for result in results) for name in ("psnr", "ssim"))

    def cell(text: str, best: bool) -> str:
        return f"<td class='best'>{text}</td>" if best else f"<td>{text}</td>"

    rows = "".join(
        f"<tr><th scope='row'>{escape(result.title)}</th>"
        + cell(decibels(result.psnr), result.psnr == best_psnr)
        + cell(f"{result.ssim:.4f}", result.ssim == best_ssim)
        + cell("" if result.seconds is None else f"{1000 * result.seconds:.1f} ms", False)
        + "</tr>"
        for result in results
    )
    return (
        "<table class='metrics'><thead><tr><th scope='col'>Method</th><th scope='col'>PSNR &uarr;</th>"
        f"<th scope='col'>SSIM &uarr;</th><th scope='col'>Time</th></tr></thead><tbody>{rows}</tbody></table>"
    )
