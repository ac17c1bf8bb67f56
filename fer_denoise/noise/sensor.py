"""Noise of a sensor: of light itself, of gain, of neighbours that mix, of rows and columns, of a part of the picture.

The rules take levels as numbers, or as tensors (B, 1, 1, 1) with a level for each picture.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from fer_denoise.noise.kind import Draw, Kind

Level = float | Tensor

MAX_WIDTH = 8.0
SMOOTH_CELLS = 4
"""Random numbers along a side of the map of a noise level that changes smoothly."""


@dataclass(frozen=True)
class PoissonNoise(Kind):
    """Shot noise: `photons` counts for white, and a Poisson number of counts at each pixel.

    Foi et al. 2008, "Practical Poissonian-Gaussian noise modeling and fitting for single-image raw-data",
    https://doi.org/10.1109/TIP.2008.2001399
    """

    photons: float
    RANGES: ClassVar = {"photons": (1, 1e6)}
    EXAMPLE: ClassVar = {"photons": 50}

    def apply(self, clean: Tensor, draw: Draw) -> Tensor:
        return (draw.poisson(clean * self.photons) / self.photons).clamp_(0, 1)


@dataclass(frozen=True)
class SpeckleNoise(Kind):
    """Multiplicative noise: `x * (1 + sigma * n)`, n standard normal."""

    sigma: float
    RANGES: ClassVar = {"sigma": (0, 1)}
    EXAMPLE: ClassVar = {"sigma": 0.2}

    def apply(self, clean: Tensor, draw: Draw) -> Tensor:
        return (clean * (1 + self.sigma * draw.normal(*clean.shape))).clamp_(0, 1)


@dataclass(frozen=True)
class CorrelatedNoise(Kind):
    """Gaussian noise of standard deviation `sigma` whose neighbours are alike: blurred by a Gaussian of `width` pixels.

    So looks noise that was demosaiced, resized or compressed. With `width` 0 it is white.
    """

    sigma: float
    width: float = 0.7
    RANGES: ClassVar = {"sigma": (0, 1), "width": (0, MAX_WIDTH)}
    EXAMPLE: ClassVar = {"sigma": 0.06, "width": 1.2}

    def apply(self, clean: Tensor, draw: Draw) -> Tensor:
        return (clean + self.sigma * correlated_field(clean, self.width, draw)).clamp_(0, 1)


@dataclass(frozen=True)
class LocalNoise(Kind):
    """Gaussian noise in parts of the picture.

    With `extent` "smooth" its level goes from 0 to `sigma` by a smooth random map. With a number in (0, 1], noise of
    level `sigma` stands in that fraction of the picture alone, on one side of a straight cut in a random direction.
    """

    sigma: float
    extent: float | Literal["smooth"] = "smooth"
    RANGES: ClassVar = {"sigma": (0, 1)}
    EXAMPLE: ClassVar = {"sigma": 0.15, "extent": 0.5}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.extent != "smooth" and not 0 < float(self.extent) <= 1:
            raise ValueError(f'extent must be "smooth" or a fraction in (0, 1], got {self.extent}')

    def apply(self, clean: Tensor, draw: Draw) -> Tensor:
        where = smooth_map(clean, draw) if self.extent == "smooth" else half_plane(clean, float(self.extent), draw)
        return (clean + self.sigma * where * draw.normal(*clean.shape)).clamp_(0, 1)


@dataclass(frozen=True)
class StripeNoise(Kind):
    """One Gaussian offset of standard deviation `sigma` for each row (`axis` 0) or each column (`axis` 1)."""

    sigma: float
    axis: int = 0
    RANGES: ClassVar = {"sigma": (0, 1), "axis": (0, 1)}
    EXAMPLE: ClassVar = {"sigma": 0.06}

    def apply(self, clean: Tensor, draw: Draw) -> Tensor:
        batch, channels, height, width = clean.shape
        lines = (height, 1) if self.axis == 0 else (1, width)
        return (clean + self.sigma * draw.normal(batch, channels, *lines)).clamp_(0, 1)


def correlated_field(like: Tensor, width: Level, draw: Draw) -> Tensor:
    """Gaussian noise of variance 1 for pictures (B, 1, H, W), blurred by a Gaussian of `width` pixels.

    It is blurred in the frequency domain, as if the picture were repeated on all sides, so that its variance is the
    same everywhere.
    """
    height, columns = like.shape[-2:]
    down = torch.fft.fftfreq(height, device=like.device).view(1, 1, -1, 1)
    across = torch.fft.rfftfreq(columns, device=like.device).view(1, 1, 1, -1)
    passed = torch.exp(-2 * (math.pi * width) ** 2 * (down**2 + across**2))
    field = torch.fft.irfft2(torch.fft.rfft2(draw.normal(*like.shape)) * passed, s=(height, columns))
    # The mean of the squared response over all frequencies is the variance that is left; all but the first column of
    # the half spectrum, and the middle one of an even number, stand for two.
    twice = torch.full_like(across, 2.0)
    twice[..., 0] = 1
    if columns % 2 == 0:
        twice[..., -1] = 1
    variance = (passed.square() * twice).sum(dim=(2, 3), keepdim=True) / (height * columns)
    return field / variance.sqrt()


def smooth_map(like: Tensor, draw: Draw) -> Tensor:
    """A random map that changes slowly, from 0 somewhere to 1 elsewhere in each picture: (B, 1, H, W)."""
    coarse = draw.uniform(len(like), 1, SMOOTH_CELLS, SMOOTH_CELLS)
    fine = F.interpolate(coarse, size=like.shape[-2:], mode="bicubic", align_corners=True)
    low, high = fine.amin(dim=(2, 3), keepdim=True), fine.amax(dim=(2, 3), keepdim=True)
    return (fine - low) / (high - low).clamp(min=1e-6)


def half_plane(like: Tensor, extent: Level, draw: Draw) -> Tensor:
    """1 on one side of a straight cut in a random direction, which has the fraction `extent` of the pixels, else 0."""
    batch, _, height, width = like.shape
    angle = 2 * math.pi * draw.uniform(batch, 1, 1, 1)
    down = torch.linspace(-1, 1, height, device=like.device).view(1, 1, -1, 1)
    across = torch.linspace(-1, 1, width, device=like.device).view(1, 1, 1, -1)
    # The last term decides between pixels that lie equally far along the direction, so that the fraction is exact.
    along = angle.sin() * down + angle.cos() * across + 1e-4 * (angle.cos() * down - angle.sin() * across)
    rank = along.flatten(1).argsort(dim=1).argsort(dim=1).view(batch, 1, height, width)
    return (rank < extent * height * width).to(like.dtype)
