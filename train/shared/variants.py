"""The variants that `train.ablation` compares: the universal restorer, changed in one thing each."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_denoise.models import UniversalRestorer
from fer_denoise.models.noise_estimator import Estimate, NoiseEstimator
from fer_denoise.models.universal import CONDITION, ResidualBlock, Stage
from fer_denoise.noise import Noise, Truth, WorldNoise
from fer_denoise.noise.kind import Draw, NumpyDraw
from train.shared.universal_training import NOISE


@dataclass(frozen=True)
class Variant:
    """What is changed: the network's shape, the recipe, the noise, or the network itself once it is made."""

    network: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    noise: Noise = NOISE
    alter: Callable[[UniversalRestorer], UniversalRestorer] = lambda model: model


class LaboratoryInTraining(WorldNoise):
    """Trains on white Gaussian noise, salt and pepper alone; the validation faces keep their noise."""

    def with_truth(self, clean: Tensor, draw: Draw) -> tuple[Tensor, Truth]:
        world = WorldNoise() if isinstance(draw, NumpyDraw) else WorldNoise(laboratory=1)
        return world.with_truth(clean, draw)


class NAFBlock(nn.Module):
    """Chen et al. 2022, "Simple Baselines for Image Restoration"; conditioned on the noise as a residual block is."""

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
        for index, block in enumerate(stage):
            stage[index] = NAFBlock(cast(ResidualBlock, block).first.in_channels)
    return model


class OpenGate(nn.Module):
    """Lets everything through, in the place of an attention gate."""

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


class Altered(NoiseEstimator):
    """An estimator whose word is changed before the network hears it."""

    def forward(self, inputs: Tensor) -> Estimate:
        return self.change(super().forward(inputs), inputs)

    def change(self, estimate: Estimate, inputs: Tensor) -> Estimate:
        raise NotImplementedError


class MaskOfExtremes(Altered):
    """Takes every black and white pixel for lost, and no other."""

    def change(self, estimate: Estimate, inputs: Tensor) -> Estimate:
        # What it learns of impulses reaches nobody.
        return estimate._replace(impulse=20 * (2 * inputs[:, 1:] - 1) + 0 * estimate.impulse)


class OneLevel(Altered):
    """Gives the same level of noise to all pixels of a picture."""

    def change(self, estimate: Estimate, inputs: Tensor) -> Estimate:
        level = estimate.levels[:, :1, None, None]
        return estimate._replace(sigma=level + 0 * estimate.sigma)


class NoLevel(Altered):
    """Says the same of every picture, which is to say nothing."""

    def change(self, estimate: Estimate, inputs: Tensor) -> Estimate:
        return estimate._replace(levels=0 * estimate.levels, sigma=0 * estimate.sigma)


def with_estimator(estimator_class: type[Altered]) -> Callable[[UniversalRestorer], UniversalRestorer]:
    def alter(model: UniversalRestorer) -> UniversalRestorer:
        model.noise_estimator.__class__ = estimator_class
        return model

    return alter


BASE = "as shipped"
VARIANTS = {
    BASE: Variant(),
    "noise of the laboratory alone": Variant(noise=LaboratoryInTraining()),
    "faces alone": Variant(recipe={"scenes": 0}),
    "no drawings and no frames": Variant(recipe={"drawings": False}),
    "mask of black and white pixels": Variant(alter=with_estimator(MaskOfExtremes)),
    "one level for a picture": Variant(alter=with_estimator(OneLevel)),
    "no level at all": Variant(alter=with_estimator(NoLevel)),
    "two scales": Variant(network={"widths": (32, 64), "blocks": (2, 5)}),
    "four scales, 16/32/64/128 channels": Variant(network={"widths": (16, 32, 64, 128), "blocks": (1, 2, 2, 2)}),
    "twice the channels": Variant(network={"widths": (64, 128, 192), "blocks": (2, 3, 2)}),
    "NAF blocks": Variant(alter=with_naf_blocks),
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
}
