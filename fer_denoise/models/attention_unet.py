"""The Attention U-Net: a U-Net whose skip connections pass through additive attention gates."""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_denoise.models.blocks import AttentionGate, over_picture, pad_to_multiple
from fer_denoise.models.restoration import RestorationNetwork


def conv_block(in_channels: int, out_channels: int) -> nn.Sequential:
    """3x3 convolution, ReLU, batch norm, 3x3 convolution, ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.BatchNorm2d(out_channels),
        nn.Conv2d(out_channels, out_channels, 3, padding=1),
        nn.ReLU(inplace=True),
    )


class AttentionUNet(RestorationNetwork):
    """Attention U-Net for one-channel pictures.

    Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597, with the attention gates of Oktay et al. 2018,
    https://arxiv.org/abs/1804.03999, on every skip connection but the top one.

    Args:
        widths: channels of each scale and, last, of the bottleneck. The defaults give 1,985,972 parameters.
        residual: predict the correction to the input instead of the picture itself.
    """

    def __init__(self, widths: Sequence[int] = (16, 32, 64, 128, 256), residual: bool = False) -> None:
        super().__init__(widths=list(widths), residual=residual)
        if len(widths) < 2:
            raise ValueError(f"widths needs at least one scale and a bottleneck, got {list(widths)}")
        self.residual = residual
        self.multiple = 2 ** (len(widths) - 1)
        scales = widths[:-1]
        self.encoders = nn.ModuleList(conv_block(i, o) for i, o in zip([1, *scales[:-1]], scales, strict=True))
        self.bottleneck = conv_block(widths[-2], widths[-1])
        self.upsamplers = nn.ModuleList(
            nn.ConvTranspose2d(i, o, 2, stride=2) for i, o in zip(widths[1:], scales, strict=True)
        )
        self.gates = nn.ModuleList(AttentionGate(channels) for channels in scales[1:])
        self.decoders = nn.ModuleList(conv_block(2 * channels, channels) for channels in scales)
        self.head = nn.Conv2d(scales[0], 1, 1)
        if residual:
            # Start as the identity.
            for parameter in self.head.parameters():
                nn.init.zeros_(parameter)

    @property
    def reach(self) -> int:
        """How many pixels away an input can change an output."""
        scales = len(self.config["widths"])
        # Two 3x3 convolutions on the way down, two on the way up, and the rim of a 2x2 window between scales.
        return 2 * (2**scales - 1) + 2 * (2 ** (scales - 1) - 1) + 2 ** (scales - 1)

    def forward(self, noisy: Tensor) -> Tensor:
        """Restore `noisy`, float (B, 1, H, W) in [0, 1], any H and W; the result has its shape and is not clipped."""
        height, width = noisy.shape[-2:]
        padded = pad_to_multiple(noisy, self.multiple)
        restored = self._decode(*self._encode(padded))
        if self.residual:
            restored = padded + restored
        return restored[..., :height, :width]

    def attention(self, noisy: Tensor) -> list[Tensor]:
        """Where the gates look: their coefficients in [0, 1] for `noisy` (B, 1, H, W), from the finest scale down.

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
        """The output; what the gates let through is appended to `coefficients`, the coarsest scale first."""
        for scale in reversed(range(len(skips))):
            features = self.upsamplers[scale](features)
            skip = skips[scale]
            if scale > 0:
                gate = cast(AttentionGate, self.gates[scale - 1])
                if coefficients is not None:
                    coefficients.append(gate.coefficients(skip, features))
                skip = gate(skip, features)
            features = self.decoders[scale](torch.cat([skip, features], dim=1))
        return self.head(features)
