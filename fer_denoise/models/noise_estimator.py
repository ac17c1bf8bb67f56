"""A small network that tells how noisy a picture is."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MAX_SIGMA = 0.3
"""Sigma that stands for 1 on the scale that the estimator and the restorer count in."""


class NoiseEstimator(nn.Module):
    """Sigma of the Gaussian noise and amount of impulses of a whole picture, out of statistics of its features.

    After the noise estimation subnetwork of CBDNet (Guo et al. 2019, "Toward Convolutional Blind Denoising of Real
    Photographs", https://arxiv.org/abs/1807.04686), with one level for the picture instead of one for each pixel. Means
    and standard deviations over the picture make pictures of every size fit.
    """

    def __init__(self, channels: int = 3, width: int = 32, hidden: int = 64) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, 2 * width, 2, stride=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.head = nn.Sequential(
            nn.Linear(4 * width, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 2)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Estimate (B, 2): `scaled` sigma and amount of pictures (B, C, H, W), not yet bounded from below."""
        return at_least_float32(self.head(pooled(self.features(inputs))))


def scaled(levels: Tensor) -> Tensor:
    """Sigma and amount (..., 2) on a scale where low sigmas lie further apart: the root of sigma, and the amount."""
    sigma, amount = levels.unbind(-1)
    return torch.stack([(sigma / MAX_SIGMA).sqrt(), amount], dim=-1)


def unscaled(estimates: Tensor) -> Tensor:
    """What `scaled` was given, of estimates (..., 2); what they say below 0 is 0."""
    root, amount = F.relu(estimates).unbind(-1)
    return torch.stack([MAX_SIGMA * root.square(), amount], dim=-1)


def pooled(features: Tensor) -> Tensor:
    """Mean and standard deviation of each channel of (B, C, H, W) over its pixels: (B, 2C)."""
    features = at_least_float32(features)
    return torch.cat([features.mean(dim=(2, 3)), features.std(dim=(2, 3), correction=0)], dim=1)


def at_least_float32(values: Tensor) -> Tensor:
    """Out of the half precision that autocast computes in; float64 stays as it is."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
