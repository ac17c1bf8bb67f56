"""The door to every model: pictures of any size in, the restored ones out."""

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from fer_denoise.classical import FILTERS, ClassicalFilter, available_filters
from fer_denoise.devices import check_device
from fer_denoise.hub.sources import ModelNotFoundError, UnknownModelError, model_folder
from fer_denoise.images import AnyImages, Batch, Images, check_sigma
from fer_denoise.models import ARCHITECTURES, AttentionUNet, UniversalRestorer
from fer_denoise.models.pretrained import PretrainedModel, read_config
from fer_denoise.models.universal import CELL, extremes
from fer_denoise.pictures import MIN_SIDE
from fer_denoise.precision import bf16_is_fast, on_device, rounded_to_bf16
from fer_denoise.zoo import list_models

CPU_BATCH_SIZE, BATCH_SIZE = 32, 64
"""Images that go through a network at once: on a CPU fewer, for the sake of its cache."""
LEVEL_WINDOW = 48
"""The noise of a picture with a longer side is estimated window by window, of the size that this was learned at."""
MUCH, SIGMA_DOUBT = 2.5, 0.01
"""A window's noise differs much from that of the picture from this factor on, both with so much sigma added."""
LEAST_JPEG = 0.35
"""From this estimate on, JPEG is told: in 95% of validation faces at quality 10, in half at 40, in 3% of clean ones."""
PRECISIONS = ("auto", "bf16", "fp32")


class _Numbers(NamedTuple):
    sigma: float
    amount: float


class NoiseLevel(_Numbers):
    """How noisy a picture is: two numbers, `sigma` and `amount`, and in `others` what else was found, in words.

    `sigma` is the standard deviation of the random noise on [0, 1], `amount` the impulses as `salt_and_pepper_noise`
    counts them, which hits slightly fewer pixels. `others` tells of strong JPEG compression.
    """

    others: tuple[str, ...]

    def __new__(cls, sigma: float, amount: float, others: tuple[str, ...] = ()) -> Self:
        level = super().__new__(cls, sigma, amount)
        level.others = others
        return level


class NoiseMap(NamedTuple):
    """Where the noise of a picture is, float32 each, of the picture's height and width."""

    sigma: np.ndarray
    """Standard deviation of the random noise at each pixel, on [0, 1]."""
    impulses: np.ndarray
    """Probability that a pixel's value is lost to an impulse or a dead line."""


Area = tuple[slice, slice]
"""Rows and columns of a picture."""


class Restorer:
    """Removes noise from images with one network or classical filter.

    Args:
        model: the network or filter; a network with its weights as they are now.
        name: what to call it.
        device: where a network runs; by default a GPU where there is one. Filters run on the CPU.
        tile, tile_overlap: a picture larger than `tile` pixels a side goes through a network in tiles that see
            `tile_overlap` pixels of their neighbours, which bounds the memory. Both are multiples of 16. By default
            a tile sees all that the network looks at, so that no seam shows.
        self_ensemble: restore the mirror image too and take the mean, for twice the time (Timofte et al. 2016,
            "Seven ways to improve example-based single image super resolution", https://arxiv.org/abs/1511.02228).
            Networks only.
        precision: "fp32", "bf16", or "auto": bfloat16 where the processor or GPU is fast at it and the network only
            corrects what it is given, so that rounding does no harm.
    """

    def __init__(
        self,
        model: PretrainedModel | ClassicalFilter,
        name: str,
        device: str | torch.device | None = None,
        tile: int = 512,
        tile_overlap: int | None = None,
        self_ensemble: bool = False,
        precision: str = "auto",
    ) -> None:
        if tile_overlap is None:
            tile_overlap = -(-model.reach // 16) * 16 if isinstance(model, PretrainedModel) else 0
        if tile < 16 or tile % 16 or tile_overlap < 0 or tile_overlap % 16:
            raise ValueError(f"tile and tile_overlap must be multiples of 16, got {tile} and {tile_overlap}")
        self.name = name
        self.model = model
        self.device = check_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self._batch_size = CPU_BATCH_SIZE if self.device.type == "cpu" else BATCH_SIZE
        self.tile, self.tile_overlap = tile, tile_overlap
        self.self_ensemble = self_ensemble
        if precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
        may = isinstance(model, UniversalRestorer) and bf16_is_fast(self.device)
        self.bf16 = precision == "bf16" or (precision == "auto" and may)
        if isinstance(model, PretrainedModel):
            on_device(model, self.device).eval()
            self._network = rounded_to_bf16(model) if self.bf16 else model

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        revision: str | None = None,
        device: str | torch.device | None = None,
        **options: Any,
    ) -> Self:
        """Load a restorer.

        Args:
            source: a name out of `list_models()`, a Hub repo id ("user/repo"), or a local folder.
            revision: commit, tag or branch of a Hub repo.
            device, options: as for the class itself.

        Raises:
            ModelNotFoundError: no such model or revision, or files that do not fit; the message says what to do.
            DeviceError: torch cannot compute on that device.
        """
        name = str(source)
        if name in FILTERS:
            if revision is not None:
                raise ModelNotFoundError(f"{name}: is a filter and has no revision {revision}; leave the revision out")
            if name not in available_filters():
                raise ModelNotFoundError(f"{name} needs the package of that name: pip install {name}")
            return cls(ClassicalFilter(name), name, device, **options)
        try:
            folder = model_folder(source, revision)
        except UnknownModelError:
            raise UnknownModelError(source, list_models()) from None
        architecture = read_config(folder, source)["architecture"]
        if architecture not in ARCHITECTURES:
            raise ModelNotFoundError(
                f"{source}: holds a {architecture}, but a restorer is one of {', '.join(ARCHITECTURES)}"
            )
        return cls(ARCHITECTURES[architecture].from_folder(folder, source), name, device, **options)

    def __call__(
        self, noisy: Images, sigma: float | None = None, on_progress: Callable[[float], None] | None = None
    ) -> Images:
        """Restore one picture or a batch; of colour, each channel by itself.

        Args:
            noisy: an array, torch tensor or Pillow picture: gray (H, W), (N, H, W) or (N, 1, H, W), or colour
                (H, W, 3), (N, H, W, 3) or (N, 3, H, W), H and W at least 8; uint8, or float in [0, 1].
            sigma: true standard deviation of Gaussian noise on [0, 1], for the universal restorer and the filters,
                which estimate it where it is missing. Other networks have no use for it.
            on_progress: called after each part of the work with the share that is done, in (0, 1]. What it raises ends
                the work.

        Returns:
            The form, shape and dtype of `noisy`, a tensor on its device and without gradients; floats are clipped to
            [0, 1].

        Raises:
            TypeError, ValueError: `noisy` or `sigma` is not as above.
        """
        batch = _checked(noisy)
        if sigma is not None:
            sigma = check_sigma(sigma)
        planes = batch.pixels.reshape(-1, *batch.pixels.shape[-2:])
        report = on_progress or (lambda share: None)
        if isinstance(self.model, ClassicalFilter):
            restored = self._restore_with_filter(planes, sigma, report)
        else:
            restored = self._restore_with_network(planes, sigma, report)
        return batch.like_input(np.clip(restored, 0, 1).reshape(batch.pixels.shape))

    @torch.inference_mode()
    def attention(self, noisy: AnyImages) -> list[np.ndarray]:
        """Where the attention gates of a network look at one gray picture (H, W), in any form that `Batch` takes.

        Returns:
            The coefficients in [0, 1], float32 (H, W), of each gate from the finest level down; none for filters.

        Raises:
            TypeError, ValueError: `noisy` is not one gray picture.
        """
        given = _checked(noisy)
        if given.pixels.shape[:2] != (1, 1):
            raise ValueError(f"expected one gray picture (H, W), got shape {given.shape}; give one at a time")
        if not isinstance(self.model, AttentionUNet | UniversalRestorer):
            return []
        batch = self._on_device(torch.tensor(np.ascontiguousarray(given.pixels)))
        return [level[0, 0].cpu().numpy() for level in self.model.attention(batch)]

    @torch.inference_mode()
    def noise_level(self, noisy: AnyImages) -> Any:
        """Estimate the noise of pictures in any form that can be restored; of colour, the mean over the channels.

        The universal restorer learned it on 48x48 pixels, and restores by it. Of a larger picture it is the mean over
        such windows, which have what most of them say, unless the noise stands in a part alone.

        Returns:
            A `NoiseLevel` for one picture, a list of them for a batch; None for models that cannot estimate it.

        Raises:
            TypeError, ValueError: `noisy` is no picture.
        """
        batch = _checked(noisy)
        if not isinstance(self.model, UniversalRestorer):
            return None
        planes = torch.tensor(np.ascontiguousarray(batch.pixels)).flatten(0, 1).unsqueeze(1)
        windows, telling = self._window_levels(planes)
        weights = telling[..., None] / telling.sum(dim=(1, 2), keepdim=True)[..., None]
        of_planes = (weights * windows).sum(dim=(1, 2))
        of_channels = of_planes.unflatten(0, batch.pixels.shape[:2])
        levels = [_noise_level(level) for level in of_channels.mean(dim=1)]
        return levels[0] if batch.single else levels

    @torch.inference_mode()
    def noise_map(self, noisy: AnyImages) -> NoiseMap | None:
        """Where the noise of one picture is; of colour, the mean sigma of its channels, and what is lost in any one.

        Returns:
            None for models that cannot estimate it.

        Raises:
            TypeError, ValueError: `noisy` is not one picture.
        """
        batch = _checked(noisy)
        if not batch.single:
            raise ValueError(f"expected one picture, got shape {batch.shape}; give one at a time")
        if not isinstance(self.model, UniversalRestorer):
            return None
        network = cast(UniversalRestorer, self._network)
        planes = torch.tensor(np.ascontiguousarray(batch.pixels)).flatten(0, 1).unsqueeze(1)
        height, width = planes.shape[-2:]
        maps = torch.zeros(2, height, width)
        for tile, window, inner in self._tiles(height, width, CELL):
            with self._autocast():
                of_planes = [network.noise_maps(self._on_device(plane[(..., *window)])) for plane in planes.split(1)]
            sigma, impulses = (
                torch.cat(parts)[(..., 0, *inner)].float().cpu() for parts in zip(*of_planes, strict=True)
            )
            maps[(0, *tile)], maps[(1, *tile)] = sigma.mean(dim=0), impulses.amax(dim=0)
        return NoiseMap(*maps.numpy())

    def _restore_with_filter(
        self, batch: np.ndarray, sigma: float | None, report: Callable[[float], None]
    ) -> np.ndarray:
        restored = np.empty_like(batch)
        for index, image in enumerate(batch):
            restored[index] = self.model(image[None], sigma)[0]
            report((index + 1) / len(batch))
        return restored

    @torch.inference_mode()
    def _restore_with_network(
        self, batch: np.ndarray, sigma: float | None, report: Callable[[float], None]
    ) -> np.ndarray:
        images = torch.tensor(np.ascontiguousarray(batch)).unsqueeze(1)
        if max(images.shape[-2:]) > self.tile:
            return self._restore_tiled(images, sigma, report).squeeze(1).numpy()
        restored = []
        # Left alone, the network estimates the levels of whole pictures as it goes.
        large = max(images.shape[-2:]) > LEVEL_WINDOW
        for part in images.split(self._batch_size):
            restored.append(self._forward(part, self._levels(part) if large else None, sigma))
            report(sum(map(len, restored)) / len(images))
        return torch.cat(restored).squeeze(1).numpy()

    def _restore_tiled(self, images: Tensor, sigma: float | None, report: Callable[[float], None]) -> Tensor:
        """Restore (N, 1, H, W) in tiles, each cut out of a larger window so that no seam shows."""
        height, width = images.shape[-2:]
        restored = torch.empty_like(images)
        tiles = list(self._tiles(height, width, self.tile_overlap))
        for index, image in enumerate(images.split(1)):
            # Of the whole picture at once, or its tiles would differ at their seams.
            levels = self._levels(image)
            for done, (tile, window, inner) in enumerate(tiles, 1):
                here = None if levels is None else _cells_of(levels, *window)
                restored[(index, slice(None), *tile)] = self._forward(image[(..., *window)], here, sigma)[
                    (0, ..., *inner)
                ]
                report((index + done / len(tiles)) / len(images))
        return restored

    def _tiles(self, height: int, width: int, overlap: int) -> Iterator[tuple[Area, Area, Area]]:
        """Tiles of a picture, the windows around them that reach `overlap` pixels further, and the tiles in those."""
        for top, left in product(range(0, height, self.tile), range(0, width, self.tile)):
            tile, window, inner = [], [], []
            for start, side in ((top, height), (left, width)):
                end, first = min(side, start + self.tile), max(0, start - overlap)
                tile.append(slice(start, end))
                window.append(slice(first, min(side, start + self.tile + overlap)))
                inner.append(slice(start - first, end - first))
            yield (tile[0], tile[1]), (window[0], window[1]), (inner[0], inner[1])

    def _levels(self, images: Tensor) -> Tensor | None:
        """What to tell the network of the noise in each cell of (N, 1, H, W), or None where it takes nothing."""
        if not isinstance(self.model, UniversalRestorer):
            return None
        levels, _ = self._window_levels(images)
        rows, columns = (_window_weights(side).to(levels.dtype) for side in images.shape[-2:])
        return torch.einsum("ri,nijl,cj->nrcl", rows, levels, columns)

    @torch.inference_mode()
    def _window_levels(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The levels (N, rows, columns, len(LEVELS)) of windows that cover pictures (N, 1, H, W) evenly.

        Texture is taken for a little noise, and parts that are truly black or white tell nothing of it. So windows have
        the median of all, without those that have more black and white than the others. Where the noise stands in a
        part alone, windows that differ much from it keep the median of themselves and those around them.

        Returns:
            The levels, and which windows have no more black and white than others in their picture.
        """
        network = cast(UniversalRestorer, self._network)
        tops, lefts = map(_window_starts, images.shape[-2:])
        windows = torch.stack(
            [images[..., y : y + LEVEL_WINDOW, x : x + LEVEL_WINDOW] for y, x in product(tops, lefts)], dim=1
        )
        with self._autocast():
            parts = [
                network.noise_levels(self._on_device(part)).cpu()
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

    def _on_device(self, images: Tensor) -> Tensor:
        return images.to(self.device).contiguous(memory_format=torch.channels_last)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def _forward(self, batch: Tensor, levels: Tensor | None, sigma: float | None) -> Tensor:
        known = {}
        if isinstance(self.model, UniversalRestorer):
            known["levels"] = None if levels is None else levels.to(self.device)
            known["sigma"] = None if sigma is None else torch.full((len(batch),), sigma, device=self.device)
        batch = self._on_device(batch)
        with self._autocast():
            restored = self._network(batch, **known)
            if self.self_ensemble:
                restored = (restored + self._network(batch.flip(-1), **known).flip(-1)) / 2
        return restored.float().cpu()


def _noise_level(levels: Tensor) -> NoiseLevel:
    """What a person is told of the network's levels (len(LEVELS),)."""
    sigma, amount, _, _, jpeg, _ = levels.tolist()
    others = (f"JPEG of quality about {100 * (1 - jpeg):.0f}",) if jpeg > LEAST_JPEG else ()
    return NoiseLevel(sigma, amount, others)


def _checked(pictures: AnyImages) -> Batch:
    batch = Batch(pictures)
    if min(batch.pixels.shape[-2:]) < MIN_SIDE:
        height, width = batch.pixels.shape[-2:]
        raise ValueError(f"pictures must be at least {MIN_SIDE}x{MIN_SIDE} pixels, got {height}x{width}; enlarge them")
    return batch


def _telling(extreme: Tensor) -> Tensor:
    """Which of windows (..., windows) do not have many more black and white pixels than the quarter with the fewest."""
    return extreme <= extreme.nanquantile(0.25, dim=-1, keepdim=True) + 0.25


def _with_neighbours(values: Tensor) -> Tensor:
    """Values (N, C, h, w) with those around them, (N, C, h, w, 9), NaN beyond the rim."""
    padded = F.pad(values, (1, 1, 1, 1), value=torch.nan)
    return padded.unfold(2, 3, 1).unfold(3, 3, 1).flatten(-2)


def _cells_of(levels: Tensor, rows: slice, columns: slice) -> Tensor:
    """The part of levels (N, h, w, ...) of a picture's cells that a window of it needs, which begins at a corner."""
    cells = [slice(side.start // CELL, -(-side.stop // CELL)) for side in (rows, columns)]
    return levels[:, cells[0], cells[1]]


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
