"""Networks that restore, and how one is run: on its device, in tiles, in half precision, with the mirror image."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fer_denoise.method import KnownNoise, Method, NetworkOptions, ProgressCallback, cannot
from fer_denoise.models.noise_estimator import CELL
from fer_denoise.models.pretrained import PretrainedModel
from fer_denoise.precision import bf16_is_fast, on_device, rounded_to_bf16

CPU_BATCH_SIZE, BATCH_SIZE = 32, 64
"""Images that go through a network at once: on a CPU fewer, for the sake of its cache."""

Area = tuple[slice, slice]
"""Rows and columns of a picture."""


class RestorationNetwork(PretrainedModel, ABC):
    """A network that restores: its `forward` takes float (B, 1, H, W) in [0, 1], any H and W, and gives that shape.

    A subclass says how far an input reaches.

    Attributes:
        bf16_is_harmless: whether it only corrects what it is given, so that it loses nothing by being rounded.
    """

    bf16_is_harmless: bool = False

    @property
    @abstractmethod
    def reach(self) -> int:
        """How many pixels away an input can change an output; 0 for a network that treats each pixel alone."""

    def attention(self, noisy: Tensor) -> list[Tensor]:
        """Where its gates look: their coefficients in [0, 1] for `noisy` (B, 1, H, W), from the finest scale down.

        Returns:
            One (B, 1, H, W) for each gate, enlarged to the size of `noisy`.

        Raises:
            UnsupportedError: it has no gates.
        """
        raise cannot(type(self).__name__, "show where it looks")

    def as_method(self, options: NetworkOptions) -> "NetworkMethod":
        """The method that it is, run by `options`."""
        return NetworkMethod(self, options)


class NetworkMethod(Method):
    """A network as it is run: the same call for pictures of every size, on every device.

    Args:
        network: with its weights as they are now. It is moved to the device.
        options: how it is run; by default a tile sees all that the network looks at, so that no seam shows.
    """

    blind = True

    def __init__(self, network: RestorationNetwork, options: NetworkOptions) -> None:
        self.name = type(network).__name__
        self.device = options.device
        self.tile, self.self_ensemble = options.tile, options.self_ensemble
        self.tile_overlap = -(-network.reach // 16) * 16 if options.tile_overlap is None else options.tile_overlap
        self.bf16 = options.precision == "bf16" or (
            options.precision == "auto" and network.bf16_is_harmless and bf16_is_fast(self.device)
        )
        self.network = network
        self._dtype = next((parameter.dtype for parameter in network.parameters()), torch.float32)
        self._batch_size = CPU_BATCH_SIZE if self.device.type == "cpu" else BATCH_SIZE
        on_device(network, self.device).eval()
        self._network: Any = rounded_to_bf16(network) if self.bf16 else network

    @property
    def reach(self) -> int:
        return self.network.reach

    @torch.inference_mode()
    def restore_planes(self, planes: np.ndarray, noise: KnownNoise, on_progress: ProgressCallback) -> np.ndarray:
        images = torch.tensor(np.ascontiguousarray(planes)).unsqueeze(1)
        restore = self._restore_tiled if max(images.shape[-2:]) > self.tile else self._restore_whole
        return restore(images, noise, on_progress).squeeze(1).numpy()

    @torch.inference_mode()
    def attention_of(self, plane: np.ndarray) -> list[np.ndarray]:
        batch = self._on_device(torch.tensor(np.ascontiguousarray(plane))[None, None])
        return [coefficients[0, 0].cpu().numpy() for coefficients in self.network.attention(batch)]

    def levels_of_cells(self, images: Tensor, tiled: bool) -> Tensor | None:
        """What the network is given of the noise in each cell of (N, 1, H, W), or in one cell that stands for all; None
        where it finds out by itself."""
        return None

    def forward_kwargs(self, count: int, levels: Tensor | None, noise: KnownNoise) -> dict[str, Any]:
        """What `forward` is given besides `count` images of one size; `levels` are those of their cells."""
        return {}

    def _restore_whole(self, images: Tensor, noise: KnownNoise, on_progress: ProgressCallback) -> Tensor:
        restored = []
        # Large ones singly, for the sake of the cache, and so that who stops the work need not wait for all of them.
        height, width = images.shape[-2:]
        for part in images.split(max(1, min(self._batch_size, self.tile**2 // (height * width)))):
            restored.append(self._forward(part, self.levels_of_cells(part, tiled=False), noise))
            on_progress(sum(map(len, restored)) / len(images))
        return torch.cat(restored)

    def _restore_tiled(self, images: Tensor, noise: KnownNoise, on_progress: ProgressCallback) -> Tensor:
        """Restore (N, 1, H, W) in tiles, each cut out of a larger window so that no seam shows."""
        height, width = images.shape[-2:]
        restored = torch.empty_like(images)
        tiles = list(self._tiles(height, width, self.tile_overlap))
        for index, image in enumerate(images.split(1)):
            # Of the whole picture at once, or its tiles would differ at their seams.
            levels = self.levels_of_cells(image, tiled=True)
            for done, (tile, window, inner) in enumerate(tiles, 1):
                here = None if levels is None else _cells_of(levels, *window)
                restored[(index, slice(None), *tile)] = self._forward(image[(..., *window)], here, noise)[
                    (0, ..., *inner)
                ]
                on_progress((index + done / len(tiles)) / len(images))
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

    def _on_device(self, images: Tensor) -> Tensor:
        return images.to(self.device, self._dtype).contiguous(memory_format=torch.channels_last)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def _forward(self, batch: Tensor, levels: Tensor | None, noise: KnownNoise) -> Tensor:
        forward_kwargs = self.forward_kwargs(len(batch), levels, noise)
        batch = self._on_device(batch)
        with self._autocast():
            restored = self._network(batch, **forward_kwargs)
            if self.self_ensemble:
                restored = (restored + self._network(batch.flip(-1), **forward_kwargs).flip(-1)) / 2
        return restored.float().cpu()


def _cells_of(levels: Tensor, rows: slice, columns: slice) -> Tensor:
    """The part of levels (N, h, w, ...) of a picture's cells that a window of it needs, which begins at a corner."""
    if levels.shape[1:3] == (1, 1):
        return levels
    cells = [slice(side.start // CELL, -(-side.stop // CELL)) for side in (rows, columns)]
    return levels[:, cells[0], cells[1]]
