"""The universal restorer: one blind network for the noise that pictures carry, of any kind and level."""

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_denoise.models.blocks import AttentionGate, over_picture, pad_to_multiple
from fer_denoise.models.estimation import EstimatingNetwork
from fer_denoise.models.noise_estimator import (
    CELL,
    LEVELS,
    MAX_SIGMA,
    Estimate,
    NoiseEstimator,
    estimator_inputs,
    scaled,
    unscaled,
)
from fer_denoise.precision import Float32Conv2d, at_least_float32

CONDITION = 64
"""Length of the vector that conditions the blocks on the noise level."""

LARGE = {"widths": [64, 112, 160], "blocks": [4, 4, 2]}
"""Shape of `universal-large`: five times the operations of what is made without arguments."""

FILL_REACH = 2
"""Pixels on each side that a lost one is filled from."""
ESTIMATOR_REACH = 8


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
        change = self.second(F.relu(inner, inplace=True))
        if change.dtype == features.dtype:
            return change.add_(features)
        # The same to the bit: bfloat16 and float32 in one addition take ten times as long.
        return change.float().add_(features).to(change.dtype)


class Stage(nn.ModuleList):
    """Residual blocks of one resolution.

    Args:
        blocks: the blocks.
        cell: side of a `CELL` in pixels of this resolution.
    """

    def __init__(self, blocks: Iterable[ResidualBlock], cell: int) -> None:
        super().__init__(blocks)
        self.cell = cell

    def forward(self, features: Tensor, condition: Tensor) -> Tensor:
        """Features (B, C, H, W), by the condition of each picture (B, `CONDITION`) or cell (B, h, w, `CONDITION`)."""
        # One product for all blocks: one for each would take longer to call than to compute.
        layers = [cast(ResidualBlock, block).modulation for block in self]
        weight = torch.cat([layer.weight for layer in layers])
        bias = torch.cat([layer.bias for layer in layers])
        modulations = F.linear(condition, weight, bias)
        modulations = modulations[..., None, None] if condition.ndim == 2 else modulations.movedim(-1, 1)
        for block, modulation in zip(self, modulations.chunk(len(layers), dim=1), strict=True):
            features = block(features, self._spread(modulation, features))
        return features

    def _spread(self, modulation: Tensor, features: Tensor) -> Tensor:
        """The modulation of pictures as it is, that of cells (B, 2C, h, w) at each pixel of the features."""
        if modulation.shape[-2:] == (1, 1):
            return modulation
        height, width = features.shape[-2:]
        return F.interpolate(modulation, scale_factor=self.cell, mode="bilinear")[..., :height, :width]


class UniversalRestorer(EstimatingNetwork):
    """Residual U-Net with attention gates that finds out how noisy each pixel is, and restores it by that.

    A noise estimator gives the level of the noise at each pixel, the probability that a pixel's value is lost to an
    impulse, and what kinds of noise the picture has. The network sees the picture, its lost pixels filled in from
    their neighbours, and both maps; its blocks are modulated by what the picture has as a whole. For each pixel it
    decides whether to take the filled in value, and adds a correction. The body is a residual U-Net without
    normalisation (Zhang et al. 2022, "Plug-and-Play Image Restoration with Deep Denoiser Prior",
    https://arxiv.org/abs/2008.13751) with the attention gates of Oktay et al. 2018 (https://arxiv.org/abs/1804.03999)
    on its skip connections.

    Args:
        widths: channels of each scale, the last the bottleneck.
        blocks: residual blocks of each scale, in the encoder and again in the decoder.
    """

    bf16_is_harmless = True

    def __init__(self, widths: Sequence[int] = (32, 64, 96), blocks: Sequence[int] = (2, 3, 2)) -> None:
        super().__init__(widths=list(widths), blocks=list(blocks))
        if len(widths) < 2 or len(widths) != len(blocks):
            raise ValueError(f"widths and blocks must be of one length, at least 2; got {list(widths)}, {list(blocks)}")
        if len(widths) > 5:
            raise ValueError(f"at most 5 scales, so that a cell of {CELL} pixels is one at the coarsest; got {widths}")
        if min(blocks) < 1:
            raise ValueError(f"blocks must be at least 1 at each scale; got {list(blocks)}")
        self.multiple = 2 ** (len(widths) - 1)

        def stage(scale: int) -> Stage:
            return Stage([ResidualBlock(widths[scale]) for _ in range(blocks[scale])], CELL >> scale)

        scales = range(len(widths) - 1)
        self.noise_estimator = NoiseEstimator()
        self.condition = nn.Sequential(
            nn.Linear(len(LEVELS), CONDITION), nn.ReLU(), nn.Linear(CONDITION, CONDITION), nn.ReLU()
        )
        self.stem = Float32Conv2d(4, widths[0], 3, padding=1)
        self.encoders = nn.ModuleList(stage(scale) for scale in scales)
        self.downsamplers = nn.ModuleList(nn.Conv2d(widths[i], widths[i + 1], 2, stride=2) for i in scales)
        self.bottleneck = stage(len(widths) - 1)
        self.upsamplers = nn.ModuleList(nn.ConvTranspose2d(widths[i + 1], widths[i], 2, stride=2) for i in scales)
        self.gates = nn.ModuleList(AttentionGate(widths[i]) for i in scales)
        self.decoders = nn.ModuleList(stage(scale) for scale in scales)
        self.head = nn.Conv2d(widths[0], 2, 3, padding=1)
        # Start with the filled in value at every lost pixel and no correction.
        nn.init.zeros_(self.head.weight)
        self.head.bias = nn.Parameter(torch.tensor([0.0, 2.0]))

    def forward(self, noisy: Tensor, levels: Tensor | None = None, sigma: Tensor | None = None) -> Tensor:
        """Restore `noisy`, float (B, 1, H, W) in [0, 1], any H and W; the result has its shape and is not clipped.

        Args:
            levels: (B, len(LEVELS)) of each picture, as `noise_levels` gives them, or (B, h, w, len(LEVELS)) of each
                `CELL`, from the top left; estimated for each picture where they are missing.
            sigma: (B,), true standard deviation of Gaussian noise on [0, 1], in place of the estimated one.
        """
        return self.restore_and_estimate(noisy, levels, sigma)[0]

    def restore_and_estimate(
        self, noisy: Tensor, levels: Tensor | None = None, sigma: Tensor | None = None
    ) -> tuple[Tensor, Estimate]:
        """As `forward`, and what the estimator says of the padded picture."""
        height, width = noisy.shape[-2:]
        padded = pad_to_multiple(noisy, self.multiple)
        estimate = self._estimate(padded, levels)
        inputs, condition = self._inputs(padded, estimate, sigma)
        correction, take = at_least_float32(self._decode(*self._encode(inputs, condition))).chunk(2, dim=1)
        _, filled, lost, _ = inputs.chunk(4, dim=1)
        restored = padded + lost * torch.sigmoid(take) * (filled - padded) + correction
        return restored[..., :height, :width], estimate

    @property
    def reach(self) -> int:
        """How many pixels away an input can change an output, the noise level given."""
        reach = ESTIMATOR_REACH + FILL_REACH + 2
        for scale, blocks in enumerate(self.config["blocks"]):
            passes = 1 if scale == len(self.config["blocks"]) - 1 else 2
            reach += (2 * blocks * passes + 1) * 2**scale
        return reach

    def attention(self, noisy: Tensor) -> list[Tensor]:
        """Where the gates look: their coefficients in [0, 1] for `noisy` (B, 1, H, W), from the finest scale down.

        Returns:
            One (B, 1, H, W) for each skip connection, enlarged to the size of `noisy`.
        """
        coefficients: list[Tensor] = []
        padded = pad_to_multiple(noisy, self.multiple)
        inputs, condition = self._inputs(padded, self._estimate(padded))
        self._decode(*self._encode(inputs, condition), coefficients)
        return over_picture(coefficients, padded, noisy)

    def noise_levels(self, noisy: Tensor) -> Tensor:
        """Estimate the noise of each picture of `noisy`, float (B, 1, H, W) in [0, 1]: (B, len(LEVELS))."""
        return unscaled(self.noise_estimator.levels(estimator_inputs(pad_to_multiple(noisy, self.multiple))))

    def noise_maps(self, noisy: Tensor) -> tuple[Tensor, Tensor]:
        """Where the noise of `noisy`, float (B, 1, H, W) in [0, 1], is.

        Returns:
            The standard deviation of the random noise on [0, 1], and the probability that a pixel's value is lost, at
            each pixel; both (B, 1, H, W).
        """
        height, width = noisy.shape[-2:]
        root, impulse = self.noise_estimator.pixel_maps(estimator_inputs(pad_to_multiple(noisy, self.multiple)))
        sigma, lost = MAX_SIGMA * F.relu(root).square(), torch.sigmoid(impulse)
        return sigma[..., :height, :width], lost[..., :height, :width]

    def _estimate(self, padded: Tensor, levels: Tensor | None = None) -> Estimate:
        """What the estimator says, with `levels` in the place of its own where they are given."""
        inputs = estimator_inputs(padded)
        if levels is None:
            return self.noise_estimator(inputs)
        root, impulse = self.noise_estimator.pixel_maps(inputs)
        return Estimate(scaled(levels.to(root.dtype)), root, impulse)

    def _inputs(self, padded: Tensor, estimate: Estimate, sigma: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What the network sees (B, 4, H, W): the picture, filled in, what was lost, and the root of sigma.

        With it the condition of all blocks, (B, `CONDITION`) or (B, h, w, `CONDITION`).
        """
        # Levels are learned from the truth alone, and so mean the same when they are given. What is lost is learned
        # from the restored pixels too.
        root = F.relu(estimate.sigma.detach())
        scaled_levels = F.relu(estimate.levels.detach())
        if sigma is not None:
            sigma_root = (sigma.to(root.dtype) / MAX_SIGMA).sqrt()
            same = sigma_root.view(-1, *[1] * (scaled_levels.ndim - 1)).expand_as(scaled_levels[..., :1])
            scaled_levels = torch.cat([same, scaled_levels[..., 1:]], dim=-1)
            root = sigma_root.view(-1, 1, 1, 1).expand_as(root)
        lost = torch.sigmoid(estimate.impulse)
        # In bfloat16 the filled in picture would lose gray levels.
        with torch.autocast(padded.device.type, enabled=False):
            filled = fill(at_least_float32(padded), lost)
        return torch.cat([padded, filled, lost, root], dim=1), self.condition(scaled_levels)

    def _encode(self, inputs: Tensor, condition: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
        """Features of the bottleneck, those of the skip connections, and the condition of all blocks."""
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
        """Correction, and the score of taking the filled in value.

        What the gates let through is appended to `coefficients`, the coarsest first.
        """
        for scale in reversed(range(len(skips))):
            features = self.upsamplers[scale](features)
            gate = cast(AttentionGate, self.gates[scale])
            if coefficients is not None:
                coefficients.append(gate.coefficients(skips[scale], features))
            features = features + gate(skips[scale], features)
            features = self.decoders[scale](features, condition)
        return self.head(features)


def fill(images: Tensor, lost: Tensor) -> Tensor:
    """Each pixel as the mean of those around it that are not lost, the nearest of them counting most.

    Normalized convolution: Knutsson & Westin 1993, https://doi.org/10.1109/CVPR.1993.341081

    Args:
        images: (B, 1, H, W).
        lost: the probability that a pixel's value is lost, of the same shape.
    """
    away = torch.arange(-FILL_REACH, FILL_REACH + 1, dtype=images.dtype, device=images.device).abs()
    # 0.02, 0.5, 1, 0.5, 0.02, made on the device: nothing is to wait for a copy.
    near = torch.where(away > 1, 0.02, 1 - away / 2)
    kernel = (near[:, None] * near).clamp(max=0.5)[None, None]
    # So small a weight for what is lost gives its own mean where all around it is lost too.
    weights = (1 - lost).clamp(min=1e-3)
    return F.conv2d(images * weights, kernel, padding=FILL_REACH) / F.conv2d(weights, kernel, padding=FILL_REACH)
