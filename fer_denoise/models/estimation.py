"""Networks that estimate the noise before they restore, and what they say of pictures of every size."""

from abc import abstractmethod
from collections.abc import Callable
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fer_denoise.method import FoundNoise, KnownNoise, NetworkOptions, NoiseLevel, NoiseMap
from fer_denoise.models.noise_estimator import CELL, LEVELS, extremes
from fer_denoise.models.restoration import NetworkMethod, RestorationNetwork

LEVEL_WINDOW = 48
"""The noise of a picture with a longer side is estimated window by window, of the size that this was learned at."""
MUCH, SIGMA_DOUBT = 2.5, 0.01
"""A window's noise differs much from that of the picture from this factor on, both with so much sigma added."""


class OtherNoise(NamedTuple):
    """Noise of another kind than random noise and impulses.

    Attributes:
        kind: as `FoundNoise` says it.
        least: its estimated level from which on it is told.
        words: what is told of it at a level.
    """

    kind: str
    least: float
    words: Callable[[float], str]


OTHERS = {
    "width": OtherNoise("correlated", 0.7, lambda level: "noise that neighbouring pixels share"),
    "stripes": OtherNoise("stripe", 0.012, lambda level: f"stripes of sigma about {level:.2f}"),
    "jpeg": OtherNoise("jpeg", 0.3, lambda level: f"JPEG of quality about {100 * (1 - level):.0f}"),
    "quantization": OtherNoise("quantization", 0.15, lambda level: f"about {2 ** (8 * (1 - level)):.0f} gray levels"),
}
"""The other noise by the names of `LEVELS`, chosen on validation faces so that few are said to have what they have not;
`python -m train.benchmark --estimate` counts how many of those that have it are found."""


class EstimatingNetwork(RestorationNetwork):
    """A network that restores by what it estimates of the noise, or by what it is given.

    Its `forward` also takes `levels`, as `noise_levels` gives them, of each picture or of each cell (B, h, w,
    len(LEVELS)), and `sigma` (B,).
    """

    @abstractmethod
    def noise_levels(self, noisy: Tensor) -> Tensor:
        """Estimate the noise of each picture of `noisy`, float (B, 1, H, W) in [0, 1]: (B, len(LEVELS))."""

    @abstractmethod
    def noise_maps(self, noisy: Tensor) -> tuple[Tensor, Tensor]:
        """Where the noise of `noisy`, float (B, 1, H, W) in [0, 1], is.

        Returns:
            The standard deviation of the random noise on [0, 1], and the probability that a pixel's value is lost, at
            each pixel; both (B, 1, H, W).
        """

    def as_method(self, options: NetworkOptions) -> "EstimatingMethod":
        return EstimatingMethod(self, options)


class EstimatingMethod(NetworkMethod):
    """A network that estimates the noise, as it is run."""

    @torch.inference_mode()
    def noise_levels_of(self, pixels: np.ndarray) -> list[NoiseLevel]:
        windows, telling = self._window_levels(_planes(pixels))
        weights = telling[..., None] / telling.sum(dim=(1, 2), keepdim=True)[..., None]
        of_planes = (weights * windows).sum(dim=(1, 2))
        of_channels = of_planes.unflatten(0, pixels.shape[:2])
        return [_noise_level(levels) for levels in of_channels.mean(dim=1)]

    @torch.inference_mode()
    def noise_map_of(self, planes: np.ndarray) -> NoiseMap:
        images = _planes(planes[None])
        height, width = images.shape[-2:]
        maps = torch.zeros(2, height, width)
        for tile, window, inner in self._tiles(height, width, CELL):
            with self._autocast():
                of_planes = [
                    self._network.noise_maps(self._on_device(plane[(..., *window)])) for plane in images.split(1)
                ]
            sigma, impulses = (
                torch.cat(parts)[(..., 0, *inner)].float().cpu() for parts in zip(*of_planes, strict=True)
            )
            maps[(0, *tile)], maps[(1, *tile)] = sigma.mean(dim=0), impulses.amax(dim=0)
        return NoiseMap(*maps.numpy())

    def levels_of_cells(self, images: Tensor, tiled: bool) -> Tensor | None:
        # Of whole pictures that are no larger than a window, the network estimates the levels as it goes.
        if not tiled and max(images.shape[-2:]) <= LEVEL_WINDOW:
            return None
        levels, _ = self._window_levels(images)
        if (levels == levels[:, :1, :1]).all():
            # Of one level all over, the network need not spread it over the pixels.
            return levels[:, :1, :1]
        rows, columns = (_window_weights(side).to(levels.dtype) for side in images.shape[-2:])
        return torch.einsum("ri,nijl,cj->nrcl", rows, levels, columns)

    def forward_kwargs(self, count: int, levels: Tensor | None, noise: KnownNoise) -> dict[str, Any]:
        return {
            "levels": None if levels is None else levels.to(self.device),
            "sigma": None if noise.sigma is None else torch.full((count,), noise.sigma, device=self.device),
        }

    @torch.inference_mode()
    def _window_levels(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The levels (N, rows, columns, len(LEVELS)) of windows that cover pictures (N, 1, H, W) evenly.

        Texture is taken for a little noise, and parts that are truly black or white tell nothing of it. So windows have
        the median of all, without those that have more black and white than the others. Where the noise stands in a
        part alone, windows that differ much from it keep the median of themselves and those around them.

        Returns:
            The levels, and which windows have no more black and white than others in their picture.
        """
        tops, lefts = map(_window_starts, images.shape[-2:])
        windows = torch.stack(
            [images[..., y : y + LEVEL_WINDOW, x : x + LEVEL_WINDOW] for y, x in product(tops, lefts)], dim=1
        )
        with self._autocast():
            parts = [
                self._network.noise_levels(self._on_device(part)).cpu()
                for part in windows.flatten(0, 1).split(self._batch_size)
            ]
        grid = len(images), len(tops), len(lefts)
        levels = torch.cat(parts).view(*grid, -1).movedim(-1, 1)
        extreme = extremes(windows).mean(dim=(2, 3, 4)).view(len(images), 1, *grid[1:])
        around = _with_neighbours(levels).where(_telling(_with_neighbours(extreme)), torch.nan)
        local = around.nanquantile(0.5, dim=-1).movedim(1, -1)
        telling = _telling(extreme.flatten(1)).view(grid)
        most = local.where(telling[..., None], torch.nan).flatten(1, 2).nanquantile(0.5, dim=1)[:, None, None]
        ratio = (local[..., :1] + SIGMA_DOUBT) / (most[..., :1] + SIGMA_DOUBT)
        return torch.where((ratio > MUCH) | (ratio < 1 / MUCH), local, most), telling


def _planes(pixels: np.ndarray) -> Tensor:
    """Pixels (N, C, H, W) as a tensor of gray pictures (N * C, 1, H, W)."""
    return torch.tensor(np.ascontiguousarray(pixels)).flatten(0, 1).unsqueeze(1)


def _noise_level(levels: Tensor) -> NoiseLevel:
    """What a person is told of the network's levels (len(LEVELS),)."""
    named = dict(zip(LEVELS, levels.tolist(), strict=True))
    others = tuple(
        FoundNoise(other.words(named[name]), other.kind) for name, other in OTHERS.items() if named[name] > other.least
    )
    return NoiseLevel(named["sigma"], named["amount"], others)


def _telling(extreme: Tensor) -> Tensor:
    """Which of windows (..., windows) do not have many more black and white pixels than the quarter with the fewest."""
    return extreme <= extreme.nanquantile(0.25, dim=-1, keepdim=True) + 0.25


def _with_neighbours(values: Tensor) -> Tensor:
    """Values (N, C, h, w) with those around them, (N, C, h, w, 9), NaN beyond the rim."""
    padded = F.pad(values, (1, 1, 1, 1), value=torch.nan)
    return padded.unfold(2, 3, 1).unfold(3, 3, 1).flatten(-2)


def _window_weights(side: int) -> Tensor:
    """How much each window counts for each cell along a side: linear between their centres, (cells, windows)."""
    starts = _window_starts(side)
    cells = CELL * np.arange(-(-side // CELL)) + CELL / 2
    centres = np.array(starts) + min(side, LEVEL_WINDOW) / 2
    weights = [np.interp(cells, centres, of_one) for of_one in np.eye(len(starts))]
    return torch.tensor(np.stack(weights, axis=1), dtype=torch.float32)


def _window_starts(side: int) -> list[int]:
    """Where windows begin that cover a side evenly, overlapping where it is no multiple of theirs."""
    if side <= LEVEL_WINDOW:
        return [0]
    return np.linspace(0, side - LEVEL_WINDOW, -(-side // LEVEL_WINDOW)).round().astype(int).tolist()
