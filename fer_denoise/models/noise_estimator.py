"""A small network that estimates how noisy a picture is, and where."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_denoise.precision import Float32Conv2d, at_least_float32

MAX_SIGMA = 0.3
"""Sigma that stands for 1 on the scale that the estimator and the restorer count in."""
MAX_WIDTH = 2.5
"""Width of correlated noise, in pixels, that stands for 1."""

CELL = 16
"""Side in pixels of the cells that levels are given for, where they are not the same all over a picture."""

LEVELS = ("sigma", "amount", "width", "stripes", "jpeg", "quantization")
"""What is estimated of a whole picture, in this order, each 0 where there is none of it:

sigma: standard deviation of the random noise on [0, 1], the root of its mean square over the picture;
amount: of impulses, as `salt_and_pepper_noise` counts it;
width: by how many pixels the noise is blurred;
stripes: standard deviation of the offsets of rows or columns, on [0, 1];
jpeg: 1 - quality / 100;
quantization: how many of 8 bits are missing.
"""


class Estimate(NamedTuple):
    """What the estimator says of pictures (B, C, H, W), on its own scale."""

    levels: Tensor
    """(B, len(LEVELS)), `scaled`, not yet bounded from below."""
    sigma: Tensor
    """Root of sigma / MAX_SIGMA at each pixel, not yet bounded from below; (B, 1, H, W)."""
    impulse: Tensor
    """Logit that a pixel's value is lost; (B, 1, H, W)."""


class NoiseEstimator(nn.Module):
    """The noise of a picture as a whole, its level at each pixel, and which pixels are impulses.

    After the noise estimation subnetwork of CBDNet (Guo et al. 2019, "Toward Convolutional Blind Denoising of Real
    Photographs", https://arxiv.org/abs/1807.04686). The levels of the whole picture come from means and standard
    deviations of features over it, and over its rows and columns, so pictures of every size fit.

    Args:
        channels: of what it sees: the picture, and which of its pixels are black or white.
    """

    def __init__(self, channels: int = 2, width: int = 32, hidden: int = 64) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            Float32Conv2d(channels, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.coarse = nn.Sequential(
            nn.Conv2d(width, 2 * width, 2, stride=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.head = nn.Sequential(
            nn.Linear(6 * width, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, len(LEVELS)),
        )
        self.upsampler = nn.ConvTranspose2d(2 * width, width // 2, 2, stride=2)
        self.merge = nn.Conv2d(width + width // 2, width // 2, 3, padding=1)
        self.maps = nn.Conv2d(width // 2, 2, 3, padding=1)

    def forward(self, inputs: Tensor) -> Estimate:
        """Estimate the noise of `inputs` (B, C, H, W), H and W even."""
        fine, coarse = self._features(inputs)
        return Estimate(self._levels(fine, coarse), *self._maps(fine, coarse))

    def pixel_maps(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """What `forward` says of each pixel: `Estimate.sigma` and `Estimate.impulse`."""
        return self._maps(*self._features(inputs))

    def levels(self, inputs: Tensor) -> Tensor:
        """The levels that `forward` estimates of whole pictures."""
        return self._levels(*self._features(inputs))

    def _features(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(inputs)
        return fine, self.coarse(fine)

    def _levels(self, fine: Tensor, coarse: Tensor) -> Tensor:
        return at_least_float32(self.head(torch.cat([pooled(coarse), streaks(fine)], dim=1)))

    def _maps(self, fine: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        merged = F.relu(self.merge(torch.cat([fine, self.upsampler(coarse)], dim=1)), inplace=True)
        sigma, impulse = at_least_float32(self.maps(merged)).chunk(2, dim=1)
        return sigma, impulse


def scaled(levels: Tensor) -> Tensor:
    """Levels (..., len(LEVELS)) on a scale where low ones lie further apart, and each is about 1 at most."""
    sigma, amount, width, stripes, jpeg, quantization = levels.unbind(-1)
    roots = ((sigma / MAX_SIGMA).sqrt(), amount, width / MAX_WIDTH, (stripes / MAX_SIGMA).sqrt(), jpeg, quantization)
    return torch.stack(roots, dim=-1)


def unscaled(estimates: Tensor) -> Tensor:
    """What `scaled` was given, of estimates (..., len(LEVELS)); what they say below 0 is 0."""
    sigma, amount, width, stripes, jpeg, quantization = F.relu(estimates).unbind(-1)
    levels = (MAX_SIGMA * sigma.square(), amount, MAX_WIDTH * width, MAX_SIGMA * stripes.square(), jpeg, quantization)
    return torch.stack(levels, dim=-1)


def pooled(features: Tensor) -> Tensor:
    """Mean and standard deviation of each channel of (B, C, H, W) over its pixels: (B, 2C)."""
    features = at_least_float32(features)
    return torch.cat([features.mean(dim=(2, 3)), features.std(dim=(2, 3), correction=0)], dim=1)


def streaks(features: Tensor) -> Tensor:
    """How much the means of the rows of (B, C, H, W), and those of its columns, differ: (B, 2C).

    Noise averages out along a row; an offset of the row does not.
    """
    features = at_least_float32(features)
    return torch.cat([features.mean(dim=side).std(dim=2, correction=0) for side in (3, 2)], dim=1)


def estimator_inputs(images: Tensor) -> Tensor:
    """Images (B, 1, H, W) with the mask of what is black or white: (B, 2, H, W)."""
    return torch.cat([images, extremes(images)], dim=1)


def extremes(images: Tensor) -> Tensor:
    """Which pixels are black or white, so that they may be impulses: 1 or 0, the shape and dtype of `images`."""
    return ((images <= 0) | (images >= 1)).to(images.dtype)
