"""What several networks are made of: attention gates, and padding to a size that their scales divide."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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
        coefficients: (B, 1, h, w) of each scale, the coarsest first.
        padded: what the network was given, of the height and width that its scales divide.
        noisy: the picture, (B, 1, H, W).

    Returns:
        One (B, 1, H, W) for each scale, the finest first.
    """
    height, width = noisy.shape[-2:]
    enlarged = [F.interpolate(each.float(), size=padded.shape[-2:], mode="nearest") for each in coefficients]
    return [each[..., :height, :width] for each in reversed(enlarged)]
