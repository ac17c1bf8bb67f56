"""How weights move: the schedule of the learning rate, and the average of the weights."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def warm_up_then_cosine(step: int, warm_up: int, steps: int) -> float:
    """Factor on the learning rate: linear from 0 to 1 in `warm_up` steps, then a half cosine to 0 at `steps`."""
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm_up) / max(1, steps - warm_up))))


def moving_average(decay: float) -> Callable[..., None]:
    """The update of an exponential moving average for `AveragedModel`, its window growing with the first steps."""

    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], updates: Tensor) -> None:
        weight = 1 - min(decay, (1 + int(updates)) / (10 + int(updates)))
        for average, value in zip(averaged, current, strict=True):
            average.lerp_(value, weight)

    return update
