"""The universal restorer: one blind network for Gaussian noise, impulses and both, at any level."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_denoise.models.attention_unet import AttentionGate, over_picture, pad_to_multiple
from fer_denoise.models.noise_estimator import NoiseEstimator, at_least_float32, scaled, unscaled
from fer_denoise.models.pretrained import PretrainedModel

CONDITION = 64
"""Length of what the blocks are told of the noise level."""

PREFILL_STEPS = 4
"""Dilations by one pixel; a hole of 9x9 pixels is closed."""


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a ReLU, added to their input (Lim et al. 2017, https://arxiv.org/abs/1707.02921).

    What the first gives is scaled and shifted, channel by channel, as a picture's condition says (FiLM: Perez et al.
    2018, https://arxiv.org/abs/1709.07871). `modulation` learns that; the stage computes it for all blocks at once.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.modulation = nn.Linear(CONDITION, 2 * channels)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, features: Tensor, modulation: Tensor) -> Tensor:
        """Features (B, C, H, W), scaled and shifted by `modulation` (B, 2C, 1, 1) on the way."""
        scale, shift = modulation.chunk(2, dim=1)
        inner = torch.addcmul(shift, self.first(features), 1 + scale)
        return self.second(F.relu(inner, inplace=True)).add_(features)


class Stage(nn.ModuleList):
    """Residual blocks of one resolution."""

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """Features (B, C, H, W), by the condition (B, `CONDITION`)."""
        # One product for all blocks: one for each would take longer to call than to compute.
        layers = [cast(ResidualBlock, block).modulation for block in self]
        weight = torch.cat([layer.weight for layer in layers])
        bias = torch.cat([layer.bias for layer in layers])
        modulations = F.linear(condition, weight, bias)[..., None, None].chunk(len(layers), dim=1)
        for block, modulation in zip(self, modulations, strict=True):
            features = block(features, modulation)
        return features


class UniversalRestorer(PretrainedModel):
    """Residual U-Net with attention gates that detects impulses, fills them in, and removes what noise is left.

    A pixel at 0 or 1 may be an impulse or may be truly black or white. The network sees the picture, a mask of those
    pixels, and a pre-fill of them from their neighbours; it decides for each whether to take the pre-fill, and adds a
    correction to every pixel. How noisy the picture is, it is told, or else estimates first. The body is a residual
    U-Net without normalisation (Zhang et al. 2022, "Plug-and-Play Image Restoration with Deep Denoiser Prior",
    https://arxiv.org/abs/2008.13751) with the attention gates of Oktay et al. 2018 (https://arxiv.org/abs/1804.03999)
    on its skip connections.

    Args:
        widths: channels of each level, the last the bottleneck.
        blocks: residual blocks of each level, in the encoder and again in the decoder.
    """

    def __init__(self, widths: Sequence[int] = (32, 64), blocks: Sequence[int] = (2, 5)) -> None:
        super().__init__(widths=list(widths), blocks=list(blocks))
        if len(widths) < 2 or len(widths) != len(blocks):
            raise ValueError(f"widths and blocks must be of one length, at least 2; got {list(widths)}, {list(blocks)}")
        if min(blocks) < 1:
            raise ValueError(f"blocks must be at least 1 at each level; got {list(blocks)}")
        self.multiple = 2 ** (len(widths) - 1)

        def stage(level: int) -> Stage:
            return Stage(ResidualBlock(widths[level]) for _ in range(blocks[level]))

        levels = range(len(widths) - 1)
        self.noise_estimator = NoiseEstimator()
        self.condition = nn.Sequential(nn.Linear(2, CONDITION), nn.ReLU(), nn.Linear(CONDITION, CONDITION), nn.ReLU())
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1)
        self.encoders = nn.ModuleList(stage(level) for level in levels)
        self.downsamplers = nn.ModuleList(nn.Conv2d(widths[i], widths[i + 1], 2, stride=2) for i in levels)
        self.bottleneck = stage(len(widths) - 1)
        self.upsamplers = nn.ModuleList(nn.ConvTranspose2d(widths[i + 1], widths[i], 2, stride=2) for i in levels)
        self.gates = nn.ModuleList(AttentionGate(widths[i]) for i in levels)
        self.decoders = nn.ModuleList(stage(level) for level in levels)
        self.head = nn.Conv2d(widths[0], 2, 3, padding=1)
        # Start with the pre-fill at every masked pixel and no correction.
        nn.init.zeros_(self.head.weight)
        self.head.bias = nn.Parameter(torch.tensor([0.0, 2.0]))

    def forward(self, noisy: Tensor, level: Tensor | None = None) -> Tensor:
        """Restore `noisy`, float (B, 1, H, W) in [0, 1], any H and W; the result has its shape and is not clipped.

        Args:
            level: (B, 2), sigma and amount of each picture as `noise_level` gives them; estimated where it is missing.
        """
        height, width = noisy.shape[-2:]
        inputs = self.inputs(noisy)
        padded, filled, mask = inputs.chunk(3, dim=1)
        correction, impulse = at_least_float32(self._decode(*self._encode(inputs, level))).chunk(2, dim=1)
        base = padded + mask * torch.sigmoid(impulse) * (filled - padded)
        return (base + correction)[..., :height, :width]

    @property
    def reach(self) -> int:
        """How many pixels away an input can change an output, the noise level given."""
        reach = PREFILL_STEPS + 2
        for level, blocks in enumerate(self.config["blocks"]):
            passes = 1 if level == len(self.config["blocks"]) - 1 else 2
            reach += (2 * blocks * passes + 1) * 2**level
        return reach

    def attention(self, noisy: Tensor) -> list[Tensor]:
        """Where the gates look: their coefficients in [0, 1] for `noisy` (B, 1, H, W), from the finest level down.

        Returns:
            One (B, 1, H, W) for each skip connection, enlarged to the size of `noisy`.
        """
        coefficients: list[Tensor] = []
        inputs = self.inputs(noisy)
        self._decode(*self._encode(inputs), coefficients)
        return over_picture(coefficients, inputs, noisy)

    def noise_level(self, noisy: Tensor) -> Tensor:
        """Estimate the noise of each picture of `noisy`, float (B, 1, H, W) in [0, 1].

        Returns:
            (B, 2): standard deviation of the Gaussian noise on [0, 1], and amount of impulses.
        """
        return unscaled(self.estimate(noisy))

    def estimate(self, noisy: Tensor) -> Tensor:
        """As `noise_level`, on the scale of the noise estimator."""
        return self.noise_estimator(self.inputs(noisy))

    def inputs(self, noisy: Tensor) -> Tensor:
        """What the network sees of `noisy` (B, 1, H, W): it padded, its pre-fill, and the mask of what was filled.

        Returns:
            (B, 3, H, W), H and W rounded up to what the network's levels divide.
        """
        padded = pad_to_multiple(noisy, self.multiple)
        mask = extremes(padded)
        # In bfloat16 the pre-fill would lose gray levels.
        with torch.autocast(noisy.device.type, enabled=False):
            filled = prefill(at_least_float32(padded), at_least_float32(mask))
        return torch.cat([padded, filled, mask], dim=1)

    def _encode(self, inputs: Tensor, level: Tensor | None = None) -> tuple[Tensor, list[Tensor], Tensor]:
        """Features of the bottleneck, those of the skip connections, and the condition of all blocks."""
        if level is None:
            # Trained before, see train.noise_level, and not by what comes after it.
            with torch.no_grad():
                level = unscaled(self.noise_estimator(inputs))
        condition = self.condition(scaled(level.to(inputs.dtype)))
        features = self.stem(inputs)
        skips = []
        for encoder, downsampler in zip(self.encoders, self.downsamplers, strict=True):
            features = encoder(features, condition)
            skips.append(features)
            features = downsampler(features)
        return self.bottleneck(features, condition), skips, condition

    def _decode(
        self, features: Tensor, skips: list[Tensor], condition: Tensor, coefficients: list[Tensor] | None = None
    ) -> Tensor:
        """Correction and impulse score; what the gates let through is appended to `coefficients`, coarsest first."""
        for level in reversed(range(len(skips))):
            features = self.upsamplers[level](features)
            gate = cast(AttentionGate, self.gates[level])
            if coefficients is not None:
                coefficients.append(gate.coefficients(skips[level], features))
            features = features + gate(skips[level], features)
            features = self.decoders[level](features, condition)
        return self.head(features)


def extremes(images: Tensor) -> Tensor:
    """Which pixels are black or white, so that they may be impulses: 1 or 0, the shape and dtype of `images`."""
    return ((images <= 0) | (images >= 1)).to(images.dtype)


def prefill(images: Tensor, mask: Tensor) -> Tensor:
    """Masked pixels replaced by the mean of their unmasked neighbours, from the rim of each hole inwards.

    What is further than `PREFILL_STEPS` pixels from any unmasked one is truly black or white, and kept.

    Args:
        images, mask: (B, 1, H, W); the mask is 1 where a pixel is replaced.
    """
    kernel = images.new_tensor([[0.5, 1.0, 0.5], [1.0, 1.0, 1.0], [0.5, 1.0, 0.5]])[None, None]
    known = 1 - mask
    filled = images * known
    for _ in range(PREFILL_STEPS):
        if known.all():
            break
        weight = F.conv2d(known, kernel, padding=1)
        mean = F.conv2d(filled, kernel, padding=1) / weight.clamp(min=0.5)
        new = (weight > 0) & (known == 0)
        filled = torch.where(new, mean, filled)
        known = torch.where(new, torch.ones_like(known), known)
    return torch.where(known > 0, filled, images)
