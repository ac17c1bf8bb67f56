"""What storing a picture does to it: few gray levels, JPEG compression."""

import math
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from scipy.fft import dct
from torch import Tensor
from torch.nn import functional as F

from fer_denoise.noise.kind import Draw, Kind
from fer_denoise.noise.sensor import Level

BLOCK = 8

LUMINANCE_TABLE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Steps of the coefficients at quality 50: ITU-T T.81 (1992), table K.1, https://www.w3.org/Graphics/JPEG/itu-t81.pdf"""


@dataclass(frozen=True)
class Quantization(Kind):
    """Rounding to `levels` equally spaced gray levels, black and white among them."""

    levels: int
    RANGES: ClassVar = {"levels": (2, 65536)}
    EXAMPLE: ClassVar = {"levels": 8}
    IS_RANDOM: ClassVar = False

    def apply(self, clean: Tensor, draw: Draw) -> Tensor:
        return quantized(clean, self.levels)


@dataclass(frozen=True)
class JpegCompression(Kind):
    """Baseline JPEG of an integer `quality` from 1 to 100, as Pillow writes it; the picture is rounded to 8 bits first.

    The torch form comes within one gray level of Pillow at nearly every pixel.
    """

    quality: int
    RANGES: ClassVar = {"quality": (1, 100)}
    EXAMPLE: ClassVar = {"quality": 20}
    IS_RANDOM: ClassVar = False

    def corrupt_image(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        file = BytesIO()
        Image.fromarray(np.rint(image * 255).astype(np.uint8)).save(file, "JPEG", quality=int(self.quality))
        with Image.open(file) as picture:
            return np.asarray(picture, dtype=np.float32) / 255

    def apply(self, clean: Tensor, draw: Draw) -> Tensor:
        return jpeg(clean, self.quality)


def quantized(images: Tensor, levels: Level) -> Tensor:
    """Images (B, 1, H, W) in [0, 1], rounded to `levels` gray levels."""
    return (images * (levels - 1)).round_() / (levels - 1)


def jpeg(images: Tensor, quality: Level) -> Tensor:
    """What baseline JPEG leaves of images (B, 1, H, W) in [0, 1].

    Args:
        quality: 1 to 100, on the scale of the Independent JPEG Group.
    """
    height, width = images.shape[-2:]
    padded = F.pad((images * 255).round_() - 128, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate")
    rows, columns = padded.shape[-2] // BLOCK, padded.shape[-1] // BLOCK
    blocks = padded.view(-1, rows, BLOCK, columns, BLOCK).transpose(2, 3)
    steps = _steps(torch.as_tensor(quality, dtype=torch.float32, device=images.device))
    stored = _half_away_from_zero(_coefficients(blocks) / steps) * steps
    transform = _transform(images.device)
    pixels = (transform.mT @ stored @ transform).transpose(2, 3).reshape(padded.shape)
    pixels = (pixels.round_() + 128).clamp_(0, 255) / 255
    return pixels[..., :height, :width]


def cropped_jpeg(images: Tensor, quality: Level, top: Tensor, left: Tensor) -> Tensor:
    """As `jpeg`, of pictures that were cropped after they were compressed.

    Args:
        top, left: whole numbers (), below 8: how many rows and columns stood before the pictures. They stay on their
            device, so nothing waits for them.
    """
    height, width = images.shape[-2:]
    rows, columns = torch.arange(height, device=images.device), torch.arange(width, device=images.device)
    # Before the pictures stood what is most like them: their edges, once more.
    above = (torch.arange(height + BLOCK - 1, device=images.device) - top).clamp(0, height - 1)
    beside = (torch.arange(width + BLOCK - 1, device=images.device) - left).clamp(0, width - 1)
    stored = jpeg(images.index_select(2, above).index_select(3, beside), quality)
    return stored.index_select(2, top + rows).index_select(3, left + columns)


def _steps(quality: Tensor) -> Tensor:
    """Quantization steps (B, 1, 1, 8, 8) or (8, 8) of a quality, by the rule of the Independent JPEG Group."""
    quality = quality.reshape(-1, 1, 1, 1, 1)
    scale = torch.where(quality < 50, (5000 / quality).floor(), 200 - 2 * quality)
    return ((_luminance_table(quality.device) * scale + 50) / 100).floor_().clamp_(1, 255)


def _coefficients(blocks: Tensor) -> Tensor:
    """Coefficients (..., 8, 8) of blocks of whole numbers, with what the library's integers round off.

    Its rows keep two bits behind the point, its columns three; without that, one coefficient in a hundred would fall
    to another step.
    """
    transform = _transform(blocks.device)
    rows = (blocks @ transform.mT * (4 * math.sqrt(8)) + 0.5).floor_()
    return (transform @ rows * (math.sqrt(8) / 4) + 0.5).floor_() / 8


def _half_away_from_zero(values: Tensor) -> Tensor:
    """Rounded as the library does it: many coefficients lie exactly between two steps."""
    return values.sign() * (values.abs() + (0.5 + 1e-5)).floor_()


@cache
def _transform(device: torch.device) -> Tensor:
    """The 8-point discrete cosine transform as a matrix."""
    return torch.from_numpy(dct(np.eye(BLOCK), axis=0, norm="ortho")).float().to(device)


@cache
def _luminance_table(device: torch.device) -> Tensor:
    return torch.tensor(LUMINANCE_TABLE, dtype=torch.float32, device=device)
