"""Noise as pictures carry it: several kinds at once, in the order of a picture's life, with the truth about it."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from fer_denoise.noise.impulses import dead_lines_of, near_ends
from fer_denoise.noise.kind import Draw, Kind
from fer_denoise.noise.sensor import correlated_field, half_plane, smooth_map
from fer_denoise.noise.storage import BLOCK, cropped_jpeg, quantized

MAX_DEAD_LINES = 4


class Truth(NamedTuple):
    """What is known of noise that was drawn, for pictures (B, 1, H, W)."""

    sigma: Tensor
    """Standard deviation of the random noise at each pixel, before clipping and storage; (B, 1, H, W)."""
    impulses: Tensor
    """1 where a pixel's value was lost, to an impulse or a dead line, else 0; (B, 1, H, W)."""
    width: Tensor
    """Pixels by which the noise is blurred, 0 where it is white; (B,)."""
    stripes: Tensor
    """Standard deviation of the rows' or columns' offsets; (B,)."""
    quality: Tensor
    """Quality of the JPEG, 100 where there is none; (B,)."""
    levels: Tensor
    """Gray levels that the picture was rounded to, 256 where it was not; (B,)."""


@dataclass(frozen=True)
class WorldNoise(Kind):
    """A random composition of all kinds of noise, another for each picture, in the order of a picture's life.

    The sensor gives random noise (white, shot, speckle or local; white or correlated), stripes, impulses and dead
    lines; storage rounds the picture to gray levels and compresses it. Levels are drawn so that each doubling is as
    likely.

    Args:
        laboratory: fraction of the pictures that have white Gaussian noise, salt and pepper, both, or nothing.
        random: fraction of the others with random noise.
        correlated: fraction of those whose noise is correlated.
        stripes, dead_lines, impulses, quantized, compressed: fractions of the others with that.
    """

    laboratory: float = 0.5
    random: float = 0.7
    correlated: float = 0.35
    stripes: float = 0.12
    dead_lines: float = 0.08
    impulses: float = 0.35
    quantized: float = 0.08
    compressed: float = 0.4
    min_sigma: float = 0.005
    max_sigma: float = 0.3

    def apply(self, clean: Tensor, draw: Draw) -> Tensor:
        return self.with_truth(clean, draw)[0]

    def with_truth(self, clean: Tensor, draw: Draw) -> tuple[Tensor, Truth]:
        """Corrupt float32 (B, 1, H, W) in [0, 1], and say what was done."""
        batch = len(clean)

        def chance(fraction: float) -> Tensor:
            return draw.uniform(batch, 1, 1, 1) < fraction

        def log_uniform(low: float, high: float) -> Tensor:
            return low * (high / low) ** draw.uniform(batch, 1, 1, 1)

        worldly = ~chance(self.laboratory)
        choice = draw.uniform(batch, 1, 1, 1)
        # In the laboratory: Gaussian noise alone, both, impulses alone, or nothing.
        laboratory_sigma = ~worldly & (choice < 0.68)
        laboratory_impulses = ~worldly & (choice >= 0.52) & (choice < 0.95)

        level = log_uniform(self.min_sigma, self.max_sigma)
        part = torch.where(chance(0.5), smooth_map(clean, draw), half_plane(clean, draw.uniform(batch, 1, 1, 1), draw))
        spread = draw.uniform(batch, 1, 1, 1).where(worldly, 1.0)
        # Local, shot and speckle noise; the rest is the same everywhere.
        shape = torch.where(spread < 0.25, part, torch.ones_like(clean))
        shape = torch.where((spread >= 0.25) & (spread < 0.45), clean.sqrt(), shape)
        shape = torch.where((spread >= 0.45) & (spread < 0.6), clean, shape)
        has_random = laboratory_sigma | (worldly & chance(self.random))
        sigma = has_random * level * shape

        is_correlated = has_random & worldly & chance(self.correlated)
        width = is_correlated * log_uniform(0.4, 2.5)
        white = draw.normal(*clean.shape)
        blurred = correlated_field(clean, width, draw)
        noisy = clean + sigma * torch.where(is_correlated, blurred, white)

        stripes = (worldly & chance(self.stripes)) * log_uniform(0.01, 0.2)
        rows, columns = draw.normal(batch, 1, clean.shape[2], 1), draw.normal(batch, 1, 1, clean.shape[3])
        noisy = (noisy + stripes * torch.where(chance(0.5), rows, columns)).clamp_(0, 1)

        has_impulses = worldly & chance(self.impulses)
        amount = (laboratory_impulses * 0.5 * draw.uniform(batch, 1, 1, 1)) + has_impulses * log_uniform(0.003, 0.4)
        salt_vs_pepper = torch.where(chance(0.7), draw.uniform(batch, 1, 1, 1), 0.5)
        uniform = draw.uniform(*clean.shape)
        ends = torch.where(draw.uniform(*clean.shape) < salt_vs_pepper, 1.0, 0.0)
        near = near_ends((uniform + ends).clamp_(0, 2) / 2, log_uniform(0.004, 0.12))
        style = draw.uniform(batch, 1, 1, 1)
        value = torch.where(~worldly | (style < 0.3), ends, torch.where(style < 0.6, near, uniform))
        hit = draw.uniform(*clean.shape) < amount
        noisy = torch.where(hit, value, noisy)
        lines = (worldly & chance(self.dead_lines)) * (1 + (MAX_DEAD_LINES * draw.uniform(batch, 1, 1, 1)).floor())
        line_value, dead = dead_lines_of(clean, lines, MAX_DEAD_LINES, draw)
        noisy = torch.where(dead, line_value, noisy)

        is_quantized = worldly & chance(self.quantized)
        levels = torch.where(is_quantized, log_uniform(4, 64).round(), 256.0)
        in_8_bits = is_quantized | chance(0.5)
        noisy = torch.where(in_8_bits, quantized(noisy, levels), noisy)
        is_compressed = worldly & chance(self.compressed)
        quality = torch.where(is_compressed, 5 + (92 * draw.uniform(batch, 1, 1, 1)).round(), 100.0)
        # Of a picture in three, other rows and columns were the first when it was compressed.
        top, left = ((BLOCK * draw.uniform(2)) * (draw.uniform(1) < 0.3)).long()
        noisy = torch.where(is_compressed, cropped_jpeg(noisy, quality, top, left), noisy)

        impulses = (hit | dead).to(clean.dtype)
        sums = (width, stripes, quality, levels)
        return noisy, Truth(sigma, impulses, *(value.reshape(batch) for value in sums))
