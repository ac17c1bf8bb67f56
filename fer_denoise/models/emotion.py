"""The emotion classifier: which of the seven emotions of FER2013 a face is labelled with, and what a crowd sees."""

from collections.abc import Iterator, Sequence
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


class VotesError(ValueError):
    """A classifier does not know what a crowd sees."""


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


class FlatBlock(nn.Module):
    """A residual block that keeps height and width (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, features: Tensor) -> Tensor:
        return F.relu(self.body(features) + features)


class EmotionClassifier(PretrainedModel):
    """Compact residual network for gray faces of 48x48 pixels.

    Its answer is a guess at the label that people gave a face, not at what somebody feels. Two people who look at one
    face often disagree; where it has learned from the votes of ten (`fer_denoise.data.votes`), it tells those too.

    Args:
        widths: channels of the stem and of each stage after it.
        blocks: residual blocks of each stage, the first of which halves height and width.
        dropout: fraction of the pooled features left out in training.
        temperature: what logits are divided by to be probabilities, so that these are as often right as they say (Guo
            et al. 2017, "On Calibration of Modern Neural Networks", https://arxiv.org/abs/1706.04599).
        bias: what is added to the logits of each emotion after that, a part of the logarithm of how frequent it is
            (Menon et al. 2021, "Long-tail learning via logit adjustment", https://arxiv.org/abs/2007.07314); None for
            nothing.
        votes: whether it has a second head, for the distribution of a crowd's votes.
        votes_temperature: that of the second head.
    """

    def __init__(
        self,
        widths: Sequence[int] = (32, 64, 128, 192),
        blocks: Sequence[int] | None = None,
        dropout: float = 0.3,
        temperature: float = 1.0,
        bias: Sequence[float] | None = None,
        votes: bool = False,
        votes_temperature: float = 1.0,
    ) -> None:
        blocks = [1] * (len(widths) - 1) if blocks is None else list(blocks)
        super().__init__(
            widths=list(widths),
            blocks=blocks,
            dropout=dropout,
            temperature=temperature,
            bias=[0.0] * CLASSES if bias is None else list(bias),
            votes=votes,
            votes_temperature=votes_temperature,
        )
        if len(blocks) != len(widths) - 1 or min(blocks, default=0) < 1:
            raise ValueError(f"each width after the first needs a number of blocks, got {blocks} for {list(widths)}")
        if len(self.config["bias"]) != CLASSES:
            raise ValueError(f"bias needs a number for each of {CLASSES} emotions, got {self.config['bias']}")
        self.stem = nn.Sequential(
            nn.Conv2d(1, widths[0], 3, padding=1, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(
            *(
                block
                for (i, o), count in zip(pairwise(widths), blocks, strict=True)
                for block in (DownBlock(i, o), *(FlatBlock(o) for _ in range(count - 1)))
            )
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(widths[-1], CLASSES))
        self.votes_head = nn.Sequential(nn.Dropout(dropout), nn.Linear(widths[-1], CLASSES)) if votes else None

    @overload
    def __call__(self, faces: Tensor) -> Tensor: ...
    @overload
    def __call__(self, faces: np.ndarray | Image) -> np.ndarray: ...

    def __call__(self, faces):
        """Logits of a tensor of floats, as `forward`; of an array or a Pillow picture, its `probabilities`.

        Raises:
            TypeError: a tensor of whole numbers, which `probabilities` takes.
        """
        if isinstance(faces, Tensor) and not faces.is_floating_point():
            raise TypeError(
                f"logits are of floats in [0, 1], got a tensor of {faces.dtype}; divide it by 255, or ask for its "
                "probabilities(...), which takes uint8 as well"
            )
        return super().__call__(faces) if isinstance(faces, Tensor) else self.probabilities(faces)

    def forward(self, faces: Tensor) -> Tensor:
        """Logits (B, 7), in the order of `fer_denoise.data.EMOTIONS`, for `faces` (B, 1, 48, 48) in [0, 1]."""
        return self.head(self._features(faces))

    def both_logits(self, faces: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the label, and of the crowd's votes, (B, 7) each, for `faces` as in `forward`.

        Raises:
            VotesError: it has not learned from votes.
        """
        if self.votes_head is None:
            raise VotesError("this classifier has learned from labels alone: train one with --votes")
        features = self._features(faces)
        return self.head(features), self.votes_head(features)

    def _features(self, faces: Tensor) -> Tensor:
        return self.blocks(self.stem((faces - 0.5) / 0.25)).mean(dim=(2, 3))

    @torch.inference_mode()
    def probabilities(self, faces: AnyImages) -> np.ndarray:
        """Probabilities (N, 7), in the order of `fer_denoise.data.EMOTIONS`.

        Args:
            faces: an array, torch tensor or Pillow picture, (48, 48), (N, 48, 48) or (N, 1, 48, 48), uint8 or float in
                [0, 1].

        Raises:
            ValueError: faces in colour, or of another size; `fer_denoise.pictures.to_face` resizes one.
        """
        return self._probabilities_of(torch.cat([self(part).float().cpu() for part in self._batches(faces)]))

    def votes(self, faces: AnyImages) -> np.ndarray:
        """Fractions (N, 7) of a crowd that would choose each of `fer_denoise.data.EMOTIONS`; arguments as above.

        Raises:
            VotesError: it has not learned from votes.
            ValueError: as `probabilities`.
        """
        return self.probabilities_and_votes(faces)[1]

    @torch.inference_mode()
    def probabilities_and_votes(self, faces: AnyImages) -> tuple[np.ndarray, np.ndarray]:
        """What `probabilities` and `votes` give, in one pass; arguments and errors as theirs."""
        parts = [self.both_logits(part) for part in self._batches(faces)]
        labels, votes = (torch.cat(of_head).float().cpu() for of_head in zip(*parts, strict=True))
        return self._probabilities_of(labels), (votes / self.config["votes_temperature"]).softmax(dim=1).numpy()

    def _probabilities_of(self, logits: Tensor) -> np.ndarray:
        return (logits / self.config["temperature"] + torch.tensor(self.config["bias"])).softmax(dim=1).numpy()

    def _batches(self, faces: AnyImages) -> Iterator[Tensor]:
        """Faces as this network takes them, on its device; errors as `probabilities`."""
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
        for part in batch.split(BATCH_SIZE):
            yield part.to(device)
