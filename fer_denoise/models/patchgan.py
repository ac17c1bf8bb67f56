"""The PatchGAN discriminator: judges each patch of a restored face on its own, beside the noisy one."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from fer_denoise.models.blocks import AttentionGate
from fer_denoise.models.pretrained import PretrainedModel

NORMS = ("batch", "spectral", "none")

HIGH_PASS_GAIN = 4.0
"""Brings fine texture about to the range of the pixels."""


class PatchGANDiscriminator(PretrainedModel):
    """Patch discriminator for one-channel pictures, conditional by default.

    Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks",
    https://arxiv.org/abs/1611.07004. Two encoder blocks, the first with an attention gate on its own features, and a
    2x2 convolution to a map of scores, each of which sees a window of 17x17 pixels.

    Args:
        widths: channels of each encoder block.
        strides: of the first convolution of each block.
        third_block: adds a block of twice the last width and stride 2; a score then sees 31x31 pixels.
        dense_head: judge the face as a whole: global average pooling and two fully connected tanh layers to one score.
        conditional: see the noisy picture beside the candidate. What a candidate takes away must then look like noise,
            as with a real one, which costs up to twice the squared error of the best estimate. Otherwise a candidate
            need only look real by itself.
        high_pass: also see what a 3x3 mean takes from the candidate, enlarged, in which fine texture is plain.
        norm: "batch" (batch norm after the first convolution of each block), "spectral" (spectral norm on every
            convolution, Miyato et al. 2018, https://arxiv.org/abs/1802.05957) or "none".
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64),
        strides: Sequence[int] = (2, 1),
        third_block: bool = False,
        dense_head: bool = False,
        conditional: bool = True,
        high_pass: bool = False,
        norm: str = "batch",
    ) -> None:
        super().__init__(
            widths=list(widths),
            strides=list(strides),
            third_block=third_block,
            dense_head=dense_head,
            conditional=conditional,
            high_pass=high_pass,
            norm=norm,
        )
        if len(widths) != len(strides) or not widths:
            raise ValueError(f"widths and strides must be of one length, got {list(widths)} and {list(strides)}")
        if norm not in NORMS:
            raise ValueError(f"norm must be one of {', '.join(NORMS)}, got {norm!r}")
        if third_block:
            widths, strides = [*widths, 2 * widths[-1]], [*strides, 2]
        self.conditional, self.high_pass = conditional, high_pass
        inputs = [1 + conditional + high_pass, *widths[:-1]]
        self.blocks = nn.ModuleList(
            _block(i, o, stride, norm) for i, o, stride in zip(inputs, widths, strides, strict=True)
        )
        self.attention = AttentionGate(widths[0])
        if dense_head:
            self.head: nn.Module = nn.Sequential(
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
                nn.Linear(widths[-1], 64),
                nn.Tanh(),
                nn.Linear(64, 32),
                nn.Tanh(),
                nn.Linear(32, 1),
            )
        else:
            self.head = _conv(widths[-1], 1, 2, norm=norm)

    def forward(self, noisy: Tensor, candidate: Tensor) -> Tensor:
        """Score `candidate` as the clean picture behind `noisy`, both (B, 1, H, W) in [0, 1].

        Returns:
            Logits, high for real: (B, 1, h, w), a score per patch; (B, 1) with the fully connected head.
        """
        first, *others = cast(list[nn.Sequential], list(self.blocks))
        # Fine texture is lost where pixels are rounded to half precision.
        with torch.autocast(candidate.device.type, enabled=False):
            inputs = [noisy, candidate] if self.conditional else [candidate]
            if self.high_pass:
                inputs.append(high_pass(candidate))
            features = first[0](torch.cat(inputs, dim=1))
        features = first[1:](features)
        features = self.attention(features, features)
        for block in others:
            features = block(features)
        return self.head(features)


def high_pass(images: Tensor) -> Tensor:
    """Fine texture: what a 3x3 mean takes from `images` (B, 1, H, W), times `HIGH_PASS_GAIN`."""
    return HIGH_PASS_GAIN * (images - F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1))


def _conv(in_channels: int, out_channels: int, size: int, norm: str, **options: Any) -> nn.Module:
    layer = nn.Conv2d(in_channels, out_channels, size, **options)
    return spectral_norm(layer) if norm == "spectral" else layer


def _block(in_channels: int, out_channels: int, stride: int, norm: str) -> nn.Sequential:
    return nn.Sequential(
        _conv(in_channels, out_channels, 3, norm, stride=stride, padding=1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.BatchNorm2d(out_channels) if norm == "batch" else nn.Identity(),
        _conv(out_channels, out_channels, 3, norm, padding=1),
        nn.LeakyReLU(0.2, inplace=True),
    )
