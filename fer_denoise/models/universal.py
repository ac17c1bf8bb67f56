"""The universal restorer: one blind network for Gaussian noise, impulses and both, at any level."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_denoise.models.attention_unet import AttentionGate, pad_to_multiple
from fer_denoise.models.pretrained import PretrainedModel

PREFILL_STEPS = 4
"""Dilations by one pixel; a hole of 9x9 pixels is closed."""


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a ReLU, added to their input (Lim et al. 2017, https://arxiv.org/abs/1707.02921)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        return self.second(F.relu(self.first(features), inplace=True)).add_(features)


class UniversalRestorer(PretrainedModel):
    """Residual U-Net with attention gates that detects impulses, fills them in, and removes what noise is left.

    A pixel at 0 or 1 may be an impulse or may be truly black or white. The network sees the picture, a mask of those
    pixels, and a pre-fill of them from their neighbours; it decides for each whether to take the pre-fill, and adds a
    correction to every pixel. The body is a residual U-Net without normalisation (Zhang et al. 2022, "Plug-and-Play
    Image Restoration with Deep Denoiser Prior", https://arxiv.org/abs/2008.13751) with the attention gates of Oktay et
    al. 2018 (https://arxiv.org/abs/1804.03999) on its skip connections.

    Args:
        widths: channels of each level, the last the bottleneck.
        blocks: residual blocks of each level, in the encoder and again in the decoder.
    """

    def __init__(self, widths: Sequence[int] = (32, 64), blocks: Sequence[int] = (2, 3)) -> None:
        super().__init__(widths=list(widths), blocks=list(blocks))
        if len(widths) < 2 or len(widths) != len(blocks):
            raise ValueError(f"widths and blocks must be of one length, at least 2; got {list(widths)}, {list(blocks)}")
        self.multiple = 2 ** (len(widths) - 1)

        def stage(level: int) -> nn.Sequential:
            return nn.Sequential(*(ResidualBlock(widths[level]) for _ in range(blocks[level])))

        levels = range(len(widths) - 1)
        self.stem = nn.Conv2d(3, widths[0], 3, padding=1)
        self.encoders = nn.ModuleList(stage(level) for level in levels)
        self.downsamplers = nn.ModuleList(nn.Conv2d(widths[i], widths[i + 1], 2, stride=2) for i in levels)
        self.bottleneck = stage(len(widths) - 1)
        self.upsamplers = nn.ModuleList(nn.ConvTranspose2d(widths[i + 1], widths[i], 2, stride=2) for i in levels)
        self.gates = nn.ModuleList(AttentionGate(widths[i]) for i in levels)
        self.decoders = nn.ModuleList(stage(level) for level in levels)
        self.head = nn.Conv2d(widths[0], 2, 3, padding=1)
        statistics = 2 * widths[-1] + 2
        self.level_head = nn.Sequential(
            nn.BatchNorm1d(statistics), nn.Linear(statistics, 64), nn.ReLU(), nn.Linear(64, 2)
        )
        with torch.no_grad():
            # Start with the pre-fill at every masked pixel and no correction.
            self.head.weight.zero_()
            self.head.bias.copy_(torch.tensor([0.0, 2.0]))

    def forward(self, noisy: Tensor) -> Tensor:
        """Restore `noisy`, float (B, 1, H, W) in [0, 1], any H and W; the result has its shape and is not clipped."""
        height, width = noisy.shape[-2:]
        padded, filled, mask = self._inputs(noisy)
        correction, impulse = self._decode(*self._encode(padded, filled, mask)).float().chunk(2, dim=1)
        base = padded + mask * torch.sigmoid(impulse) * (filled - padded)
        return (base + correction)[..., :height, :width]

    @property
    def reach(self) -> int:
        """How many pixels away an input can change an output."""
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
        height, width = noisy.shape[-2:]
        coefficients: list[Tensor] = []
        padded, filled, mask = self._inputs(noisy)
        self._decode(*self._encode(padded, filled, mask), coefficients)
        enlarged = [F.interpolate(level.float(), size=padded.shape[-2:], mode="nearest") for level in coefficients]
        return [level[..., :height, :width] for level in reversed(enlarged)]

    def noise_level(self, noisy: Tensor) -> Tensor:
        """Estimate the noise of each picture of `noisy`, float (B, 1, H, W) in [0, 1].

        Returns:
            (B, 2): standard deviation of the Gaussian noise on [0, 1], and amount of impulses.
        """
        padded, filled, mask = self._inputs(noisy)
        features, _ = self._encode(padded, filled, mask)
        extreme = torch.cat([mask, mask * (padded - filled).abs()], dim=1).float().mean(dim=(2, 3))
        return F.softplus(self.level_head(torch.cat([pooled(features), extreme], dim=1)))

    def _inputs(self, noisy: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The picture padded, its pre-fill, and the mask of what was filled."""
        padded = pad_to_multiple(noisy, self.multiple)
        mask = extremes(padded)
        # In bfloat16 the pre-fill would lose gray levels.
        with torch.autocast(noisy.device.type, enabled=False):
            return padded, prefill(padded.float(), mask.float()), mask

    def _encode(self, *inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
        features = self.stem(torch.cat(inputs, dim=1))
        skips = []
        for encoder, downsampler in zip(self.encoders, self.downsamplers, strict=True):
            features = encoder(features)
            skips.append(features)
            features = downsampler(features)
        return self.bottleneck(features), skips

    def _decode(self, features: Tensor, skips: list[Tensor], coefficients: list[Tensor] | None = None) -> Tensor:
        """Correction and impulse score; what the gates let through is appended to `coefficients`, coarsest first."""
        for level in reversed(range(len(skips))):
            features = self.upsamplers[level](features)
            if coefficients is not None:
                coefficients.append(self.gates[level].coefficients(skips[level], features))
            features = features + self.gates[level](skips[level], features)
            features = self.decoders[level](features)
        return self.head(features)


def pooled(features: Tensor) -> Tensor:
    """Mean and standard deviation of each channel of (B, C, H, W) over its pixels: (B, 2C)."""
    features = features.float()
    return torch.cat([features.mean(dim=(2, 3)), features.std(dim=(2, 3), correction=0)], dim=1)


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
        weight = F.conv2d(known, kernel, padding=1)
        mean = F.conv2d(filled, kernel, padding=1) / weight.clamp(min=0.5)
        new = (weight > 0) & (known == 0)
        filled = torch.where(new, mean, filled)
        known = torch.where(new, torch.ones_like(known), known)
    return torch.where(known > 0, filled, images)
