"""How weights move: the optimiser, the schedule of its rate, and the average of the weights.

None of it asks the device for a number, so that a step can be captured whole (`train.shared.captured`).
"""

import math
from typing import Any

import torch
from torch import nn
from torch.optim import Adam, AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel

OPTIMIZERS: dict[str, type[Adam]] = {"adam": Adam, "adamw": AdamW}


def make_optimizer(name: str, model: nn.Module, learning_rate: float, **options: Any) -> Optimizer:
    """One of `OPTIMIZERS` for the parameters of a model, on whose device it keeps its count and its rate."""
    parameters = list(model.parameters())
    device = parameters[0].device
    if device.type == "cuda":
        options |= {"lr": torch.tensor(learning_rate, device=device), "capturable": True}
    else:
        options |= {"lr": learning_rate}
    return OPTIMIZERS[name](parameters, fused=True, **options)


def warm_up_then_cosine(step: int, warm_up: int, total_steps: int) -> float:
    """Factor on the learning rate: linear from 0 to 1 in `warm_up` steps, then a half cosine to 0 at `total_steps`."""
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm_up) / max(1, total_steps - warm_up))))


class MovingAverage(AveragedModel):
    """An exponential moving average of the weights of a model, its window growing with the first steps.

    Args:
        model: on its device.
        decay: of the average in a step, once the window is that long.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__(model)
        self.decay = decay

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take in the weights of `model` after a step; the first ones as they are."""
        count = self.n_averaged
        decay = ((1 + count) / (10 + count)).clamp(max=self.decay) * (count > 0)
        averages, values = ([part.detach() for part in each.parameters()] for each in (self.module, model))
        torch._foreach_mul_(averages, decay)
        torch._foreach_add_(averages, torch._foreach_mul(values, 1 - decay))
        count.add_(1)
