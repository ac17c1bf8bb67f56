"""The picture at the top of the README: noise of several kinds, and what `universal` makes of it.

It shows pictures that scikit-image ships, and a drawing: none of FER2013, and none that a network was trained on.
"""

from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from skimage.data import astronaut

from fer_denoise import Restorer
from fer_denoise.images import to_dtype
from fer_denoise.metrics import psnr
from fer_denoise.noise import (
    DeadLines,
    GaussianNoise,
    ImpulseNoise,
    LocalNoise,
    Noise,
    PoissonNoise,
    SaltAndPepperNoise,
    StripeNoise,
)
from fer_denoise.photos import restore_photo
from fer_denoise.samples import sample_faces
from fer_denoise.zoo import UNIVERSAL

matplotlib.use("Agg")

FILE = "overview.png"
PHOTO = (slice(20, 212), slice(130, 322))
"""Rows and columns of the astronaut's head in colour."""


class Panel(NamedTuple):
    """A column of the picture: what the noise is called, the clean picture, (H, W) or (H, W, 3), and the noise."""

    title: str
    clean: np.ndarray
    noise: Noise


def panels() -> list[Panel]:
    faces = sample_faces()
    return [
        Panel("Gaussian, sigma 0.1", faces["Astronaut (NASA)"], GaussianNoise(0.1)),
        Panel("salt and pepper, 30%", faces["Face 1 (LFW)"], SaltAndPepperNoise(0.3)),
        Panel("random impulses, 20%", faces["Face 3 (LFW)"], ImpulseNoise(0.2)),
        Panel("30 photons", faces["Face 4 (LFW)"], PoissonNoise(30)),
        Panel("stripes", faces["Face 6 (LFW)"], StripeNoise(0.08)),
        Panel("dead lines", faces["Drawing"], DeadLines(6)),
        Panel("in one half", faces["Face 5 (LFW)"], LocalNoise(0.2, 0.5)),
        Panel("sigma 0.1, in colour", astronaut()[PHOTO], GaussianNoise(0.1)),
    ]


def draw(file: Path) -> None:
    """Write the picture to `file`: above what is noisy, below what is restored, each with its PSNR."""
    from matplotlib import pyplot as plt

    restorer = Restorer.from_pretrained(UNIVERSAL)
    shown = panels()
    figure, grid = plt.subplots(2, len(shown), figsize=(1.6 * len(shown), 3.9), layout="constrained")
    for panel, column in zip(shown, grid.T, strict=True):
        noisy = _with_noise(panel)
        for axes, picture in zip(column, (noisy, restore_photo(restorer, noisy)), strict=True):
            axes.imshow(picture, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.set_xlabel(f"{psnr(picture, panel.clean):.1f} dB", fontsize=9)
        column[0].set_title(panel.title, fontsize=9)
    for axes, name in zip(grid[:, 0], ("noisy", UNIVERSAL), strict=True):
        axes.set_ylabel(name, fontsize=9)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=100)
    plt.close(figure)


def _with_noise(panel: Panel) -> np.ndarray:
    """The noisy picture, uint8; each channel of colour draws noise of its own."""
    if panel.clean.ndim == 2:
        return to_dtype(panel.noise(panel.clean, seed=0), panel.clean.dtype)
    channels = panel.noise(np.moveaxis(panel.clean, -1, 0), seed=0)
    return to_dtype(np.moveaxis(channels, 0, -1), panel.clean.dtype)
