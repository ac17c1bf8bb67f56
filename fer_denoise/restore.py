"""The door to every model: pictures of any size in, the restored ones out."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch

from fer_denoise.classical import FILTERS, ClassicalFilter, available_filters
from fer_denoise.devices import check_device
from fer_denoise.hub.sources import ModelNotFoundError, UnknownModelError, model_folder
from fer_denoise.images import AnyImages, Images
from fer_denoise.method import (
    KnownNoise,
    Method,
    NetworkOptions,
    NoiseLevel,
    NoiseMap,
    ProgressCallback,
    UnsupportedError,
    check_needs,
)
from fer_denoise.models import RESTORATION_NETWORKS
from fer_denoise.models.pretrained import read_config
from fer_denoise.zoo import list_models


class Model(Protocol):
    """What a restorer is made of: a network, or a filter."""

    def as_method(self, options: NetworkOptions) -> Method: ...


class Restorer(Method):
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
        needs: levels of the noise, "sigma", without which it does not restore; by default it works blind.
        precision: "fp32", "bf16", or "auto": bfloat16 where the processor or GPU is fast at it and the network only
            corrects what it is given, so that rounding does no harm. "bf16" is for networks only.

    Raises:
        ValueError: the tiles are no multiple of 16, there is no such precision, or a method cannot need that.
        UnsupportedError: a filter is to have a mirror image or bfloat16.
    """

    def __init__(
        self,
        model: Model,
        name: str,
        device: str | torch.device | None = None,
        tile: int = 512,
        tile_overlap: int | None = None,
        self_ensemble: bool = False,
        precision: str = "auto",
        needs: Sequence[str] = (),
    ) -> None:
        check_needs(needs)
        self.name, self.model = name, model
        self.device = check_device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.method = model.as_method(NetworkOptions(self.device, tile, tile_overlap, self_ensemble, precision))
        self.needs = needs
        self.blind = self.method.blind and not needs
        self.cpu_only = self.method.cpu_only

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
            ValueError, UnsupportedError: as for the class itself.
        """
        name = str(source)
        if name in FILTERS:
            if revision is not None:
                raise ModelNotFoundError(f"{name}: is a filter and has no revision {revision}; leave the revision out")
            if name not in available_filters():
                package = FILTERS[name].package
                raise ModelNotFoundError(f"{name} needs the package {package}: pip install {package}")
            return cls(ClassicalFilter(name), name, device, **options)
        try:
            folder = model_folder(source, revision)
        except UnknownModelError:
            raise UnknownModelError(source, list_models()) from None
        architecture = read_config(folder, source)["architecture"]
        if architecture not in RESTORATION_NETWORKS:
            raise ModelNotFoundError(
                f"{source}: holds a {architecture}, but a restorer is one of {', '.join(RESTORATION_NETWORKS)}"
            )
        return cls(RESTORATION_NETWORKS[architecture].from_folder(folder, source), name, device, **options)

    def __call__(
        self, noisy: Images, sigma: float | None = None, on_progress: ProgressCallback | None = None
    ) -> Images:
        """Restore one picture or a batch; of colour, each channel by itself.

        Args:
            noisy: an array, torch tensor or Pillow picture: gray (H, W), (N, H, W) or (N, 1, H, W), or colour
                (H, W, 3), (N, H, W, 3) or (N, 3, H, W), H and W at least 8; uint8, or float in [0, 1].
            sigma: true standard deviation of Gaussian noise on [0, 1], for the universal restorer and the filters,
                which estimate it where it is missing. Other networks have no use for it.
            on_progress: called after each part of the work with the fraction that is done, in (0, 1]. What it raises
                ends the work.

        Returns:
            The form, shape and dtype of `noisy`, a tensor on its device and without gradients; floats are clipped to
            [0, 1].

        Raises:
            TypeError, ValueError: `noisy` or `sigma` is not as above.
        """
        return super().__call__(noisy, sigma, on_progress)

    def attention(self, noisy: AnyImages) -> list[np.ndarray]:
        """As `Method.attention`, but none for models that have no gates, such as filters, instead of an error."""
        try:
            return super().attention(noisy)
        except UnsupportedError:
            return []

    def noise_level(self, noisy: AnyImages) -> Any:
        """As `Method.noise_level`, but None for models that cannot estimate it, instead of an error.

        The universal restorer learned it on 48x48 pixels, and restores by it. Of a larger picture it is the mean over
        such windows, which have what most of them say, unless the noise stands in a part alone.
        """
        try:
            return super().noise_level(noisy)
        except UnsupportedError:
            return None

    def noise_map(self, noisy: AnyImages) -> NoiseMap | None:
        """As `Method.noise_map`, but None for models that cannot estimate it, instead of an error."""
        try:
            return super().noise_map(noisy)
        except UnsupportedError:
            return None

    @property
    def reach(self) -> int | None:
        return self.method.reach

    def restore_planes(self, planes: np.ndarray, noise: KnownNoise, on_progress: ProgressCallback) -> np.ndarray:
        return self.method.restore_planes(planes, noise, on_progress)

    def restore_pixels(self, pixels: np.ndarray, noise: KnownNoise, on_progress: ProgressCallback) -> np.ndarray:
        return self.method.restore_pixels(pixels, noise, on_progress)

    def attention_of(self, plane: np.ndarray) -> list[np.ndarray]:
        return self.method.attention_of(plane)

    def noise_levels_of(self, pixels: np.ndarray) -> list[NoiseLevel]:
        return self.method.noise_levels_of(pixels)

    def noise_map_of(self, planes: np.ndarray) -> NoiseMap:
        return self.method.noise_map_of(planes)

    def tuned_for(self, task: str) -> Self:
        tuned = copy.copy(self)
        tuned.method = self.method.tuned_for(task)
        return tuned
