"""The variants that `train.ablation` compares: the universal restorer, changed in one thing each."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_denoise.models import UniversalRestorer
from fer_denoise.models.noise_estimator import unscaled
from fer_denoise.models.universal import CONDITION, ResidualBlock, Stage
from fer_denoise.noise import Noise, RandomNoise
from train import universal


@dataclass(frozen=True)
class Variant:
    """What is changed: the network's shape, the recipe, the noise, or the network itself once it is made."""

    network: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    noise: Noise = universal.NOISE
    alter: Callable[[UniversalRestorer], UniversalRestorer] = lambda model: model


class UniformSigma(RandomNoise):
    """Draws sigma itself uniformly in training, not its logarithm; the validation faces keep their noise."""

    def draw_levels(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        sigma, amount, salt_vs_pepper = super().draw_levels(count, generator)
        level = torch.rand(sigma.shape, generator=generator, device=sigma.device)
        uniform = self.min_sigma + (self.max_sigma - self.min_sigma) * level
        return uniform * (sigma > 0), amount, salt_vs_pepper


class NAFBlock(nn.Module):
    """Chen et al. 2022, "Simple Baselines for Image Restoration"; told of the noise as a residual block is."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(CONDITION, 2 * channels)
        self.expand = nn.Conv2d(channels, 2 * channels, 1)
        self.depthwise = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.attention = nn.Conv2d(channels, channels, 1)
        self.project = nn.Conv2d(channels, channels, 1)
        self.widen = nn.Conv2d(channels, 2 * channels, 1)
        self.narrow = nn.Conv2d(channels, channels, 1)
        self.scales = nn.Parameter(torch.zeros(2, channels, 1, 1))
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, features: Tensor, modulation: Tensor) -> Tensor:
        scale, shift = modulation.chunk(2, dim=1)
        inner = torch.addcmul(shift, channel_norm(features), 1 + scale)
        inner = simple_gate(self.depthwise(self.expand(inner)))
        inner = self.project(inner * self.attention(inner.mean(dim=(2, 3), keepdim=True)))
        features = features + self.scales[0] * inner
        return features + self.scales[1] * self.narrow(simple_gate(self.widen(channel_norm(features))))


def channel_norm(features: Tensor) -> Tensor:
    """Layer norm over the channels of each pixel of (B, C, H, W)."""
    return F.layer_norm(features.movedim(1, -1), features.shape[1:2]).movedim(-1, 1)


def simple_gate(features: Tensor) -> Tensor:
    """The product of the two halves of the channels."""
    one, other = features.chunk(2, dim=1)
    return one * other


def with_naf_blocks(model: UniversalRestorer) -> UniversalRestorer:
    for stage in [module for module in model.modules() if isinstance(module, Stage)]:
        for place, block in enumerate(stage):
            stage[place] = NAFBlock(cast(ResidualBlock, block).first.in_channels)
    return model


class OpenGate(nn.Module):
    """In the place of an attention gate: lets everything through."""

    def forward(self, skip: Tensor, gate: Tensor) -> Tensor:
        return skip


def without_gates(model: UniversalRestorer) -> UniversalRestorer:
    model.gates = nn.ModuleList(OpenGate() for _ in model.gates)
    return model


def without_biases(model: UniversalRestorer) -> UniversalRestorer:
    """Mohan et al. 2020, "Robust and interpretable blind image denoising via bias-free CNNs"."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and name.split(".")[0] not in ("head", "noise_estimator"):
            module.bias = None
    return model


class Undetecting(UniversalRestorer):
    """Sees the picture alone, without the mask of extremes and without the pre-fill."""

    def forward(self, noisy: Tensor, level: Tensor | None = None) -> Tensor:
        if level is None:
            with torch.no_grad():
                level = unscaled(self.noise_estimator(super().inputs(noisy)))
        return super().forward(noisy, level)

    def inputs(self, noisy: Tensor) -> Tensor:
        padded, _, mask = super().inputs(noisy).chunk(3, dim=1)
        return torch.cat([padded, padded, torch.zeros_like(mask)], dim=1)


class Untold(UniversalRestorer):
    """Is told the same noise level of every picture, which is to be told nothing."""

    def forward(self, noisy: Tensor, level: Tensor | None = None) -> Tensor:
        return super().forward(noisy, noisy.new_zeros(len(noisy), 2))


def undetecting(model: UniversalRestorer) -> UniversalRestorer:
    model.__class__ = Undetecting
    return model


def untold(model: UniversalRestorer) -> UniversalRestorer:
    model.__class__ = Untold
    return model


BASE = "as shipped, on faces alone"
VARIANTS = {
    BASE: Variant(),
    "other pictures too": Variant(recipe={"scenes": universal.RECIPE.scenes}),
    "three levels, 24/48/96 channels": Variant(network={"widths": (24, 48, 96), "blocks": (2, 2, 4)}),
    "four levels, 16/32/64/128 channels": Variant(network={"widths": (16, 32, 64, 128), "blocks": (1, 2, 2, 2)}),
    "fewer blocks above, more below": Variant(network={"blocks": (1, 7)}),
    "NAF blocks": Variant(alter=with_naf_blocks),
    "sigma drawn uniformly": Variant(noise=UniformSigma(**asdict(universal.NOISE))),
    "batches of 64": Variant(recipe={"batch_size": 64}),
    "learning rate 2e-3": Variant(recipe={"learning_rate": 2e-3}),
    "constant learning rate": Variant(recipe={"schedule": "plateau"}),
    "two epochs": Variant(recipe={"epochs": 2}),
    "squared error": Variant(recipe={"loss": "mse"}),
    "Charbonnier loss": Variant(recipe={"loss": "charbonnier"}),
    "no moving average": Variant(recipe={"ema": None}),
    "no clipping of gradients": Variant(recipe={"clip_gradient": None}),
    "no flips": Variant(recipe={"flips": False}),
    "no gates": Variant(alter=without_gates),
    "no biases": Variant(alter=without_biases),
    "no mask and no pre-fill": Variant(alter=undetecting),
    "no noise level": Variant(alter=untold),
}
