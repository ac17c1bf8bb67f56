"""The Attention U-Net: a U-Net whose skip connections pass through additive attention gates."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_denoise.models.pretrained import PretrainedModel


class AttentionGate(nn.Module):
    """Additive attention gate: weighs a skip connection by the decoder's signal.

    Oktay et al. 2018, "Attention U-Net: Learning Where to Look for the Pancreas", https://arxiv.org/abs/1804.03999
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.theta = nn.Conv2d(channels, channels, 1)
        self.phi = nn.Conv2d(channels, channels, 1)
        self.psi = nn.Conv2d(channels, 1, 1)

    def coefficients(self, skip: Tensor, gate: Tensor) -> Tensor:
        """Attention coefficients in [0, 1], shape (B, 1, H, W), for `skip` and `gate` of shape (B, C, H, W)."""
        return torch.sigmoid(self.psi(F.relu(self.theta(skip) + self.phi(gate))))

    def forward(self, skip: Tensor, gate: Tensor) -> Tensor:
        return skip * self.coefficients(skip, gate)


def conv_block(in_channels: int, out_channels: int) -> nn.Sequential:
    """3x3 convolution, ReLU, batch norm, 3x3 convolution, ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(out_channels),
        nn.Conv2d(out_channels, out_channels, 3, padding=1),
        nn.ReLU(inplace=True),
    )


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Pad (B, C, H, W) at the bottom and right so that `multiple` divides H and W.

    Pads by reflection, or by replication where the image is too small to be reflected.
    """
    height, width = images.shape[-2:]
    bottom, right = -height % multiple, -width % multiple
    if not (bottom or right):
        return images
    mode = "reflect" if bottom < height and right < width else "replicate"
    return F.pad(images, (0, right, 0, bottom), mode=mode)


def over_picture(coefficients: list[Tensor], padded: Tensor, noisy: Tensor) -> list[Tensor]:
    """What gates let through, laid over the picture that they saw.

    Args:
        coefficients: (B, 1, h, w) of each level, the coarsest first.
        padded: what the network was given, of the height and width that its levels divide.
        noisy: the picture, (B, 1, H, W).

    Returns:
        One (B, 1, H, W) for each level, the finest first.
    """
    height, width = noisy.shape[-2:]
    enlarged = [F.interpolate(level.float(), size=padded.shape[-2:], mode="nearest") for level in coefficients]
    return [level[..., :height, :width] for level in reversed(enlarged)]


class AttentionUNet(PretrainedModel):
    """Attention U-Net for one-channel pictures.

    Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597, with the attention gates of Oktay et al. 2018,
    https://arxiv.org/abs/1804.03999, on every skip connection but the top one.

    Args:
        widths: channels of each encoder level and, last, of the bottleneck. The defaults give 1,985,972 parameters.
        residual: predict the correction to the input instead of the picture itself.
    """

    def __init__(self, widths: Sequence[int] = (16, 32, 64, 128, 256), residual: bool = False) -> None:
        super().__init__(widths=list(widths), residual=residual)
        if len(widths) < 2:
            raise ValueError(f"widths needs at least one encoder level and a bottleneck, got {list(widths)}")
        self.residual = residual
        self.multiple = 2 ** (len(widths) - 1)
        levels = widths[:-1]
        self.encoders = nn.ModuleList(conv_block(i, o) for i, o in zip([1, *levels[:-1]], levels, strict=True))
        self.bottleneck = conv_block(widths[-2], widths[-1])
        self.upsamplers = nn.ModuleList(
            nn.ConvTranspose2d(i, o, 2, stride=2) for i, o in zip(widths[1:], levels, strict=True)
        )
        self.gates = nn.ModuleList(AttentionGate(channels) for channels in levels[1:])
        self.decoders = nn.ModuleList(conv_block(2 * channels, channels) for channels in levels)
        self.head = nn.Conv2d(levels[0], 1, 1)
        if residual:
            # Start as the identity.
            for parameter in self.head.parameters():
                nn.init.zeros_(parameter)

    @property
    def reach(self) -> int:
        """How many pixels away an input can change an output."""
        levels = len(self.config["widths"])
        # Two 3x3 convolutions on the way down, two on the way up, and the rim of a 2x2 window between levels.
        return 2 * (2**levels - 1) + 2 * (2 ** (levels - 1) - 1) + 2 ** (levels - 1)

    def forward(self, noisy: Tensor) -> Tensor:
        """Restore `noisy`, float (B, 1, H, W) in [0, 1], any H and W; the result has its shape and is not clipped."""
        height, width = noisy.shape[-2:]
        padded = pad_to_multiple(noisy, self.multiple)
        restored = self._decode(*self._encode(padded))
        if self.residual:
            restored = padded + restored
        return restored[..., :height, :width]

    def attention(self, noisy: Tensor) -> list[Tensor]:
        """Where the gates look: their coefficients in [0, 1] for `noisy` (B, 1, H, W), from the finest level down.

        Returns:
            One (B, 1, H, W) for each skip connection that has a gate, enlarged to the size of `noisy`.
        """
        padded = pad_to_multiple(noisy, self.multiple)
        coefficients: list[Tensor] = []
        self._decode(*self._encode(padded), coefficients)
        return over_picture(coefficients, padded, noisy)

    def _encode(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        skips = []
        features = images
        for encoder in self.encoders:
            features = encoder(features)
            skips.append(features)
            features = F.max_pool2d(features, 2)
        return self.bottleneck(features), skips

    def _decode(self, features: Tensor, skips: list[Tensor], coefficients: list[Tensor] | None = None) -> Tensor:
        """The output; what the gates let through is appended to `coefficients`, the coarsest level first."""
        for level in reversed(range(len(skips))):
            features = self.upsamplers[level](features)
            skip = skips[level]
            if level > 0:
                gate = cast(AttentionGate, self.gates[level - 1])
                if coefficients is not None:
                    coefficients.append(gate.coefficients(skip, features))
                skip = gate(skip, features)
            features = self.decoders[level](torch.cat([skip, features], dim=1))
        return self.head(features)
