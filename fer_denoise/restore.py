"""The door to every model: pictures of any size in, the restored ones out."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, Self, cast

import numpy as np
import torch
from torch import Tensor

from fer_denoise.classical import FILTERS, ClassicalFilter, available_filters
from fer_denoise.devices import check_device
from fer_denoise.hub import ModelNotFoundError, UnknownModelError, model_folder
from fer_denoise.images import AnyImages, Batch, Images, check_sigma
from fer_denoise.models import ARCHITECTURES, AttentionUNet, UniversalRestorer
from fer_denoise.models.pretrained import PretrainedModel, read_config
from fer_denoise.models.universal import extremes
from fer_denoise.pictures import MIN_SIDE
from fer_denoise.precision import bf16_is_fast, on_device, rounded_to_bf16
from fer_denoise.zoo import list_models

CPU_BATCH_SIZE, BATCH_SIZE = 32, 64
"""Images that go through a network at once: on a CPU fewer, for the sake of its cache."""
LEVEL_WINDOW = 48
"""The noise of a picture with a longer side is estimated window by window, of the size that this was learned at."""
PRECISIONS = ("auto", "bf16", "fp32")


class NoiseLevel(NamedTuple):
    """How noisy a picture is: standard deviation of its Gaussian noise on [0, 1], and its amount of impulses.

    `amount` is that of `salt_and_pepper_noise`, which hits slightly fewer pixels.
    """

    sigma: float
    amount: float


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

        The universal restorer learned it on 48x48 pixels with Gaussian noise and impulses, and restores by it. Of a
        larger picture it is the median over such windows.

        Returns:
            A `NoiseLevel` for one picture, a list of them for a batch; None for models that cannot estimate it.

        Raises:
            TypeError, ValueError: `noisy` is no picture.
        """
        batch = _checked(noisy)
        if not isinstance(self.model, UniversalRestorer):
            return None
        planes = torch.tensor(np.ascontiguousarray(batch.pixels)).flatten(0, 1).unsqueeze(1)
        of_channels = self._noise_levels(planes).unflatten(0, batch.pixels.shape[:2])
        levels = [NoiseLevel(*level) for level in of_channels.mean(dim=1).tolist()]
        return levels[0] if batch.single else levels

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
        # Left alone, the network estimates the level as it goes.
        tell = sigma is not None or max(images.shape[-2:]) > LEVEL_WINDOW
        for part in images.split(self._batch_size):
            restored.append(self._forward(part, self._levels(part, sigma) if tell else None))
            report(sum(map(len, restored)) / len(images))
        return torch.cat(restored).squeeze(1).numpy()

    def _restore_tiled(self, images: Tensor, sigma: float | None, report: Callable[[float], None]) -> Tensor:
        """Restore (N, 1, H, W) in tiles, each cut out of a larger window so that no seam shows."""
        height, width = images.shape[-2:]
        restored = torch.empty_like(images)
        tiles = list(product(range(0, height, self.tile), range(0, width, self.tile)))
        for index, image in enumerate(images.split(1)):
            # One level for all of a picture, or its tiles would differ at their seams.
            levels = self._levels(image, sigma)
            for done, (top, left) in enumerate(tiles, 1):
                above, before = max(0, top - self.tile_overlap), max(0, left - self.tile_overlap)
                bottom, right = min(height, top + self.tile), min(width, left + self.tile)
                window = image[..., above : bottom + self.tile_overlap, before : right + self.tile_overlap]
                output = self._forward(window, levels)[0]
                restored[index, :, top:bottom, left:right] = output[
                    :, top - above : bottom - above, left - before : right - before
                ]
                report((index + done / len(tiles)) / len(images))
        return restored

    def _levels(self, images: Tensor, sigma: float | None) -> Tensor | None:
        """What to tell the network of the noise of (N, 1, H, W): (N, 2), or None where it takes nothing."""
        if not isinstance(self.model, UniversalRestorer):
            return None
        levels = self._noise_levels(images)
        if sigma is not None:
            levels[:, 0] = sigma
        return levels

    @torch.inference_mode()
    def _noise_levels(self, images: Tensor) -> Tensor:
        """Sigma and amount (N, 2) of pictures (N, 1, H, W), of a large one the median over its windows.

        Texture is taken for a little noise, and parts that are truly black or white tell nothing of it. So the windows
        with the fewest black and white pixels count, and what most of them say.
        """
        network = cast(UniversalRestorer, self._network)
        corners = list(product(*map(_window_starts, images.shape[-2:])))
        windows = torch.stack([images[..., y : y + LEVEL_WINDOW, x : x + LEVEL_WINDOW] for y, x in corners], dim=1)
        with self._autocast():
            parts = [
                network.noise_level(self._on_device(part)).cpu()
                for part in windows.flatten(0, 1).split(self._batch_size)
            ]
        levels = torch.cat(parts).unflatten(0, windows.shape[:2])
        extreme = extremes(windows).mean(dim=(2, 3, 4))
        telling = extreme <= extreme.quantile(0.25, dim=1, keepdim=True) + 0.02
        return levels.where(telling[..., None], torch.nan).nanquantile(0.5, dim=1)

    def _on_device(self, images: Tensor) -> Tensor:
        return images.to(self.device).contiguous(memory_format=torch.channels_last)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def _forward(self, batch: Tensor, levels: Tensor | None) -> Tensor:
        told = () if levels is None else (levels.to(self.device),)
        batch = self._on_device(batch)
        with self._autocast():
            restored = self._network(batch, *told)
            if self.self_ensemble:
                restored = (restored + self._network(batch.flip(-1), *told).flip(-1)) / 2
        return restored.float().cpu()


def _checked(pictures: AnyImages) -> Batch:
    batch = Batch(pictures)
    if min(batch.pixels.shape[-2:]) < MIN_SIDE:
        height, width = batch.pixels.shape[-2:]
        raise ValueError(f"pictures must be at least {MIN_SIDE}x{MIN_SIDE} pixels, got {height}x{width}; enlarge them")
    return batch


def _window_starts(side: int) -> list[int]:
    """Where windows begin that cover a side evenly, overlapping where it is no multiple of theirs."""
    if side <= LEVEL_WINDOW:
        return [0]
    return np.linspace(0, side - LEVEL_WINDOW, -(-side // LEVEL_WINDOW)).round().astype(int).tolist()
