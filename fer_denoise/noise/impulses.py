"""Pixels and lines that lost their value: impulses of any value, dead rows and columns.

Salt and pepper, exactly black and white, is in `laboratory`. The rules take levels as numbers, or as tensors
(B, 1, 1, 1) with a level for each picture.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from fer_denoise.noise.kind import Draw, Kind, check_range
from fer_denoise.noise.sensor import Level

MAX_LINES = 64


@dataclass(frozen=True)
class ImpulseNoise(Kind):
    """Pixels replaced by other values, each with probability `amount`.

    With `values` "random" these are uniform on [0, 1]; with ("near", width) within `width` of black or of white, as
    salt and pepper are once they went through video range, resizing or a JPEG.
    """

    amount: float
    values: Literal["random"] | tuple[str, float] = "random"
    RANGES: ClassVar = {"amount": (0, 1)}
    EXAMPLE: ClassVar = {"amount": 0.1}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.values != "random":
            if len(self.values) != 2 or self.values[0] != "near":
                raise ValueError(f'values must be "random" or ("near", width), got {self.values!r}')
            check_range("width", self.values[1], 0, 0.5)

    def apply(self, clean: Tensor, draw: Draw) -> Tensor:
        value = draw.uniform(*clean.shape)
        if self.values != "random":
            value = near_ends(value, self.values[1])
        return torch.where(draw.uniform(*clean.shape) < self.amount, value, clean)


@dataclass(frozen=True)
class DeadLines(Kind):
    """`count` whole rows or columns, each at black, at white or at one gray of its own."""

    count: int
    RANGES: ClassVar = {"count": (0, MAX_LINES)}
    EXAMPLE: ClassVar = {"count": 3}

    def apply(self, clean: Tensor, draw: Draw) -> Tensor:
        value, dead = dead_lines_of(clean, self.count, int(self.count), draw)
        return torch.where(dead, value, clean)


def near_ends(uniform: Tensor, width: Level) -> Tensor:
    """Uniform numbers in [0, 1) as values within `width` of 0 or of 1, half of them each."""
    low = uniform < 0.5
    inside = torch.where(low, 2 * uniform, 2 * uniform - 1) * width
    return torch.where(low, inside, 1 - inside)


def dead_lines_of(like: Tensor, count: Level, most: int, draw: Draw) -> tuple[Tensor, Tensor]:
    """Values of dead rows and columns (B, 1, H, W), and which pixels lie on one.

    Args:
        count: how many in each picture, at most `most`.
    """
    batch, _, height, width = like.shape
    value, dead = torch.zeros_like(like), torch.zeros_like(like, dtype=torch.bool)
    down = torch.arange(height, device=like.device).view(1, 1, -1, 1)
    across = torch.arange(width, device=like.device).view(1, 1, 1, -1)
    for line in range(most):
        is_row, place, choice, gray = draw.uniform(4, batch, 1, 1, 1)
        on_line = torch.where(is_row < 0.5, down == (place * height).long(), across == (place * width).long())
        on_line &= torch.as_tensor(line < count, device=like.device)
        # A third each: black, white, one gray.
        of_line = torch.where(choice < 1 / 3, 0.0, torch.where(choice < 2 / 3, 1.0, gray))
        value = torch.where(on_line, of_line, value)
        dead |= on_line
    return value, dead
