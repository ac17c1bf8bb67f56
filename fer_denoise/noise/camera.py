"""A photo taken in little light."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from fer_denoise.noise.kind import Draw, Kind, NumpyDraw
from fer_denoise.noise.storage import JpegCompression, jpeg, quantized


@dataclass(frozen=True)
class CameraNoise(Kind):
    """The scene darkened `gain` times, shot noise, read noise, 8 bits, brightened again, saved as a JPEG.

    After Foi et al. 2008, https://doi.org/10.1109/TIP.2008.2001399, with what a camera does to the raw data reduced to
    its gain.

    Args:
        photons: counts for white at gain 1.
        read_sigma: standard deviation of the read noise on [0, 1], before the gain.
        gain: how many times too dark the scene is.
        quality: of the JPEG, 1 to 100.
    """

    photons: float
    read_sigma: float
    gain: float
    quality: int
    RANGES: ClassVar = {"photons": (1, 1e6), "read_sigma": (0, 1), "gain": (1, 64), "quality": (1, 100)}
    EXAMPLE: ClassVar = {"photons": 500, "read_sigma": 0.004, "gain": 4, "quality": 80}

    def corrupt_image(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        exposed = self.exposed(torch.tensor(image)[None, None], NumpyDraw(rng))[0, 0].numpy()
        return JpegCompression(self.quality).corrupt_image(exposed, rng)

    def apply(self, clean: Tensor, draw: Draw) -> Tensor:
        return jpeg(self.exposed(clean, draw), self.quality)

    def exposed(self, clean: Tensor, draw: Draw) -> Tensor:
        """What the sensor gives, brightened, before it is saved."""
        counts = draw.poisson(clean * (self.photons / self.gain)) / self.photons
        raw = counts + self.read_sigma * draw.normal(*clean.shape)
        return (quantized(raw.clamp(0, 1), 256) * self.gain).clamp_(0, 1)
