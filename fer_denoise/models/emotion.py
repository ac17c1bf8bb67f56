"""The emotion classifier: which of the seven emotions of FER2013 a face is labelled with."""

from collections.abc import Sequence
from itertools import pairwise
from typing import overload

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor, nn
from torch.nn import functional as F

from fer_denoise.images import AnyImages, Batch
from fer_denoise.models.pretrained import PretrainedModel

CLASSES = 7
SIZE = 48
BATCH_SIZE = 256


class DownBlock(nn.Module):
    """A residual block that halves height and width (He et al. 2016, https://arxiv.org/abs/1512.03385)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2), nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)
        )

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(self.body(features) + self.shortcut(features))


class EmotionClassifier(PretrainedModel):
    """Compact residual network for gray faces of 48x48 pixels.

    Its answer is a guess at the label that people gave a face, not at what somebody feels.

    Args:
        widths: channels of the stem and of each block after it.
        dropout: share of the pooled features left out in training.
        temperature: what logits are divided by to be probabilities, so that these are as often right as they say (Guo
            et al. 2017, "On Calibration of Modern Neural Networks", https://arxiv.org/abs/1706.04599).
    """

    def __init__(
        self, widths: Sequence[int] = (32, 64, 128, 192), dropout: float = 0.3, temperature: float = 1.0
    ) -> None:
        super().__init__(widths=list(widths), dropout=dropout, temperature=temperature)
        self.stem = nn.Sequential(
            nn.Conv2d(1, widths[0], 3, padding=1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(*(DownBlock(i, o) for i, o in pairwise(widths)))
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(widths[-1], CLASSES))

    @overload
    def __call__(self, faces: Tensor) -> Tensor: ...
    @overload
    def __call__(self, faces: np.ndarray | Image) -> np.ndarray: ...

    def __call__(self, faces):
        """Logits of a tensor, as `forward`; probabilities of an array or a Pillow picture, as `probabilities`."""
        return super().__call__(faces) if isinstance(faces, Tensor) else self.probabilities(faces)

    def forward(self, faces: Tensor) -> Tensor:
        """Logits (B, 7), in the order of `fer_denoise.data.EMOTIONS`, for `faces` (B, 1, 48, 48) in [0, 1]."""
        features = self.blocks(self.stem((faces - 0.5) / 0.25))
        return self.head(features.mean(dim=(2, 3)))

    @torch.inference_mode()
    def probabilities(self, faces: AnyImages) -> np.ndarray:
        """Probabilities (N, 7), in the order of `fer_denoise.data.EMOTIONS`.

        Args:
            faces: an array, torch tensor or Pillow picture, (48, 48), (N, 48, 48) or (N, 1, 48, 48), uint8 or float in
                [0, 1].

        Raises:
            ValueError: faces in colour, or of another size; `fer_denoise.pictures.to_face` resizes one.
        """
        given = Batch(faces)
        images = given.pixels
        if images.shape[1] != 1:
            raise ValueError(
                f"faces must be gray, got shape {given.shape}; convert colour first, for example with "
                "PIL.Image.convert('L')"
            )
        if images.shape[-2:] != (SIZE, SIZE):
            height, width = images.shape[-2:]
            raise ValueError(f"faces must be {SIZE}x{SIZE} pixels, got {height}x{width}; resize them with to_face")
        batch = torch.tensor(np.ascontiguousarray(images))
        device = next(self.parameters()).device
        logits = torch.cat([self(part.to(device)).float().cpu() for part in batch.split(BATCH_SIZE)])
        return (logits / self.config["temperature"]).softmax(dim=1).numpy()
