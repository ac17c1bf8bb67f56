"""Making the confidence of a trained classifier as often right as it says, on the validation split.

Logits are divided by a temperature, and a bias for each emotion is added (Alexandari et al. 2020,
https://arxiv.org/abs/1901.06852). The biases also take back what logit adjustment gave to rare emotions in
training, in full strength all of it; so they are weakened to that strength at which macro F1 is best.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from train.shared.classification import macro_f1

TEMPERATURES = np.geomspace(0.25, 4, 121).round(4)
STRENGTHS = np.linspace(0, 1, 11)
"""Of the biases; 1 for those that fit best."""


class Calibration(NamedTuple):
    """What makes probabilities of logits: `softmax(logits / temperature + bias)`."""

    temperature: float
    bias: list[float]


def best_temperature(logits: Tensor, targets: Tensor, bias: Tensor | float = 0.0) -> tuple[float, float]:
    """The temperature out of `TEMPERATURES` with the lowest cross-entropy, and that.

    Args:
        logits: (N, 7).
        targets: indices (N,) or probabilities (N, 7).
        bias: (7,), added after the division.
    """
    losses = {float(t): F.cross_entropy(logits / t + bias, targets).item() for t in TEMPERATURES}
    temperature = min(losses, key=lambda each: losses[each])
    return temperature, losses[temperature]


def calibrate(logits: Tensor, labels: Tensor) -> Calibration:
    """What fits `logits` (N, 7) to `labels` (N,), with biases of the strength that gives the best macro F1."""
    logits, labels = logits.detach().float().cpu(), labels.cpu()
    fitted = _best_bias(logits, labels)
    chosen: tuple[float, Calibration] | None = None
    for strength in STRENGTHS:
        bias = (fitted * strength).round(decimals=4)
        temperature, _ = best_temperature(logits, labels, bias)
        answers = (logits / temperature + bias).argmax(dim=1)
        reached = macro_f1(answers.numpy(), labels.numpy())
        if chosen is None or reached > chosen[0]:
            chosen = reached, Calibration(temperature, [round(each, 4) for each in bias.tolist()])
    assert chosen
    return chosen[1]


def _best_bias(logits: Tensor, labels: Tensor) -> Tensor:
    """The biases (7,), mean 0, that fit best together with a temperature."""
    scale, bias = torch.ones(1, requires_grad=True), torch.zeros(logits.shape[1], requires_grad=True)
    optimizer = torch.optim.LBFGS([scale, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        # The small penalty bounds the bias of an emotion that no face has.
        value = F.cross_entropy(logits * scale + bias, labels) + 1e-4 * bias.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    return (bias - bias.mean()).detach()
