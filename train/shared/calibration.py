"""Making the confidence of a trained classifier as often right as it says, on the validation split.

Logits are divided by a temperature, and a part of the logarithm of how frequent each emotion is, is added: in full it
takes back what logit adjustment (Menon et al. 2021, https://arxiv.org/abs/2007.07314) gave to rare emotions in
training. The temperature is that at which the mean confidence is the fraction of right answers (expectation
consistency, Clarté et al. 2023, https://arxiv.org/abs/2303.02644).
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from train.shared.classification import macro_f1

TEMPERATURES = np.geomspace(0.25, 4, 241).round(4)
STRENGTHS = np.linspace(0, 1, 11).round(1)
"""How much of the logarithms of the frequencies is added."""
PARTS = 5
"""Parts of the faces, of which each is tried with a calibration that was fitted to the others."""
TOLERANCE = 0.005
"""Nats of cross-entropy, among some thousand faces, that are not worth an emotion that is never answered."""


class Calibration(NamedTuple):
    """What makes probabilities of logits: `softmax(logits / temperature + bias)`."""

    temperature: float
    bias: list[float]

    def probabilities(self, logits: Tensor) -> Tensor:
        """Probabilities of each emotion, (N, 7), for `logits` (N, 7)."""
        return (logits / self.temperature + torch.tensor(self.bias)).softmax(dim=1)


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
    # A softmax over seven long rows takes a quarter of the time of one over thousands of rows of seven.
    logits, right, bias = logits.T.contiguous(), right.T.contiguous(), torch.as_tensor(bias).reshape(-1, 1)

    def gap(temperature: float) -> float:
        confidence, answers = (logits / temperature + bias).softmax(dim=0).max(dim=0)
        return abs((confidence - right.gather(0, answers[None]).squeeze(0)).mean().item())

    return float(min(TEMPERATURES, key=gap))


def calibrate(logits: Tensor, labels: Tensor, frequencies: Tensor) -> Calibration:
    """What fits `logits` (N, 7) to `labels` (N,): of all that has nearly the lowest loss, that with the best macro F1.

    Args:
        frequencies: how many faces of each emotion there are in training, (7,).
    """
    logits, labels = logits.detach().float().cpu(), labels.cpu()
    logarithms = frequencies.float().cpu().clamp(min=1).log()
    losses, scores, tried = [], [], []
    for strength in STRENGTHS:
        bias = (strength * (logarithms - logarithms.mean())).round(decimals=4)
        temperature = consistent_temperature(logits, labels, bias)
        calibrated = logits / temperature + bias
        losses.append(F.cross_entropy(calibrated, labels).item())
        scores.append(float(macro_f1(calibrated.argmax(dim=1).numpy(), labels.numpy())))
        tried.append(Calibration(temperature, [round(each, 4) for each in bias.tolist()]))
    good = [number for number, loss in enumerate(losses) if loss <= min(losses) + TOLERANCE]
    return tried[max(good, key=scores.__getitem__)]


def held_out(logits: Tensor, labels: Tensor, frequencies: Tensor) -> Tensor:
    """Probabilities (N, 7), in each of `PARTS` parts of the faces by a `calibrate` that saw the other parts alone."""
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    probabilities = torch.empty(logits.shape)
    for part in order.tensor_split(PARTS):
        others = torch.ones(len(labels), dtype=torch.bool)
        others[part] = False
        probabilities[part] = calibrate(logits[others], labels[others], frequencies).probabilities(logits[part])
    return probabilities


def calibrate_votes(logits: Tensor, crowd: Tensor) -> float:
    """The temperature that fits `logits` to what fractions of the crowd chose, (N, 7) both.

    Faces of which the fractions are all 0 play no part.
    """
    logits, crowd = logits.detach().float().cpu(), crowd.cpu()
    learned = crowd.sum(dim=1) > 0
    return consistent_temperature(logits[learned], crowd[learned])
