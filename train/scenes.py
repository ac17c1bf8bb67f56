"""Patches of pictures that are no faces: with some in every step, a network learns not to take texture for noise.

They come from photos, scans and textures that scikit-image ships. Those that `train.generalisation` measures on are not
among them.
"""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from skimage import data
from skimage.color import rgb2gray
from skimage.transform import downscale_local_mean
from skimage.util import img_as_float32
from torch import Tensor

from train import run

SCENES = {
    "cat": data.cat,
    "clock": data.clock,
    "coffee": data.coffee,
    "grass": data.grass,
    "gravel": data.gravel,
    "immunohistochemistry": data.immunohistochemistry,
    "moon": data.moon,
    "motorcycle": lambda: data.stereo_motorcycle()[0],
    "page": data.page,
    "rocket": data.rocket,
    "text": data.text,
}
SCALES = (1, 2, 4)
"""By how much each picture is reduced: the smaller, the sharper its detail."""


def scene_patches(height: int, width: int) -> np.ndarray:
    """Overlapping patches of all pictures at all scales, uint8 (N, height, width)."""
    windows = [
        sliding_window_view(picture, (height, width))[:: height // 2, :: width // 2].reshape(-1, height, width)
        for picture in _scaled_scenes()
        if picture.shape[0] >= height and picture.shape[1] >= width
    ]
    return np.concatenate(windows)


class Scenes:
    """Patches to put beside the faces of a step.

    Args:
        share: how many to add, as a share of the faces.
        size: height and width of the faces.
        device: where the patches lie, as uint8.
    """

    def __init__(self, share: float, size: tuple[int, ...], device: torch.device) -> None:
        self._share = share
        self._patches = run.as_batch(scene_patches(*size), device) if share else None

    def beside(self, faces: Tensor, rng: torch.Generator) -> Tensor:
        """`faces` (B, 1, H, W), and behind them the share of patches, half of which are turned upside down."""
        if self._patches is None:
            return faces
        count = round(self._share * len(faces))
        index = torch.randint(len(self._patches), (count,), generator=rng, device=faces.device)
        turned = torch.rand(count, 1, 1, 1, generator=rng, device=faces.device) < 0.5
        patches = self._patches[index]
        return torch.cat([faces, torch.where(turned, patches.flip(-2), patches)])


def _scaled_scenes() -> Iterator[np.ndarray]:
    """Each picture at each scale, in gray, uint8 (H, W)."""
    for load in SCENES.values():
        picture = load()
        gray = rgb2gray(picture) if picture.ndim == 3 else img_as_float32(picture)
        for scale in SCALES:
            yield np.rint(downscale_local_mean(gray, scale) * 255).astype(np.uint8)
