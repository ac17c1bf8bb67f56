"""Networks of random weights, batches of random numbers, and any network in double precision."""

import copy

import torch
from torch import nn

from fer_denoise import Restorer
from fer_denoise.models import AttentionUNet, RestorationNetwork


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    """Uniform on [0, 1]."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def random_unet() -> AttentionUNet:
    """A small one that changes its input."""
    torch.manual_seed(0)
    model = AttentionUNet(widths=(8, 16, 32), residual=True)
    nn.init.normal_(model.head.weight, std=1.0)
    return model


def in_double(model: RestorationNetwork, *args, **options) -> Restorer:
    """Computes in float64, where rounding is too small to be amplified."""
    return Restorer(copy.deepcopy(model).double(), *args, precision="fp32", **options)
