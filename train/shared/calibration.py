"""Making the confidence of a trained classifier as often right as it says, on the validation split.

Logits are divided by a temperature, and a bias for each emotion is added (Alexandari et al. 2020,
https://arxiv.org/abs/1901.06852). The biases also take back what logit adjustment gave to rare emotions in
training, in full strength all of it; so they are weakened to that strength at which macro F1 is best. The temperature
is that at which the mean confidence is the fraction of right answers (expectation consistency, Clarté et al. 2023,
https://arxiv.org/abs/2303.02644).
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from train.shared.classification import macro_f1

TEMPERATURES = np.geomspace(0.25, 4, 241).round(4)
STRENGTHS = np.linspace(0, 1, 11)
"""Strengths of the biases; 1 for those that fit best."""


class Calibration(NamedTuple):
    """What makes probabilities of logits: `softmax(logits / temperature + bias)`."""

    temperature: float
    bias: list[float]


def lowest_loss(logits: Tensor, targets: Tensor) -> float:
    """The cross-entropy at that one of `TEMPERATURES` where it is lowest.

    Args:
        logits: (N, 7).
        targets: indices (N,) or probabilities (N, 7).
    """
    return min(F.cross_entropy(logits / temperature, targets).item() for temperature in TEMPERATURES)


def consistent_temperature(logits: Tensor, targets: Tensor, bias: Tensor | float = 0.0) -> float:
    """The one of `TEMPERATURES` at which the answers are as often right as they are confident, on average.

    Args:
        logits: (N, 7).
        targets: indices (N,); or probabilities (N, 7), of which an answer is as right as its own says.
        bias: (7,), added after the division.
    """
    right = F.one_hot(targets, logits.shape[1]) if targets.ndim == 1 else targets

    def gap(temperature: float) -> float:
        confidence, answers = (logits / temperature + bias).softmax(dim=1).max(dim=1)
        return abs((confidence - right.gather(1, answers[:, None]).squeeze(1)).mean().item())

    return float(min(TEMPERATURES, key=gap))


def calibrate(logits: Tensor, labels: Tensor) -> Calibration:
    """What fits `logits` (N, 7) to `labels` (N,), with biases of the strength that gives the best macro F1."""
    logits, labels = logits.detach().float().cpu(), labels.cpu()
    fitted = _best_bias(logits, labels)
    chosen: tuple[float, Calibration] | None = None
    for strength in STRENGTHS:
        bias = (fitted * strength).round(decimals=4)
        temperature = consistent_temperature(logits, labels, bias)
        answers = (logits / temperature + bias).argmax(dim=1)
        reached = float(macro_f1(answers.numpy(), labels.numpy()))
        if chosen is None or reached > chosen[0]:
            chosen = reached, Calibration(temperature, [round(each, 4) for each in bias.tolist()])
    assert chosen
    return chosen[1]


def calibrate_votes(logits: Tensor, crowd: Tensor) -> float:
    """The temperature that fits `logits` to what fractions of the crowd chose, (N, 7) both.

    Faces of which the fractions are all 0 play no part.
    """
    logits, crowd = logits.detach().float().cpu(), crowd.cpu()
    learned = crowd.sum(dim=1) > 0
    return consistent_temperature(logits[learned], crowd[learned])


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
