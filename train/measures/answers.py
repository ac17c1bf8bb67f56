"""What the answers of a classifier are worth: against FER2013's labels, against a crowd, and with what certainty.

Intervals hold 95% of what is found on faces drawn anew with replacement (Efron 1979,
https://doi.org/10.1214/aos/1176344552), the same draws for every method. `scipy.stats.bootstrap` finds the same
intervals, but draws anew for every figure, which takes four times as long for a mean and thirty times for macro F1.
"""

from typing import Any

import numpy as np

from fer_denoise.data import EMOTIONS
from fer_denoise.data.votes import Votes
from train.shared.classification import (
    calibration_error,
    calibration_error_of_votes,
    confusion_matrix,
    f1_of,
    macro_f1,
)

DRAWS = 1000
DISGUST = EMOTIONS.index("disgust")
TINY = 1e-9


def draw_faces(count: int, draws: int = DRAWS) -> np.ndarray:
    """How often each of `count` faces is in each of the draws with replacement, float32 (draws, count)."""
    index = np.random.default_rng(0).integers(count, size=(draws, count))
    return np.stack([np.bincount(each, minlength=count) for each in index]).astype(np.float32)


def score(probabilities: np.ndarray, on_clean: np.ndarray, labels: np.ndarray, draws: np.ndarray) -> dict[str, Any]:
    """Against the labels, and agreement with, and divergence from, the answer to the clean face.

    Args:
        probabilities, on_clean: (N, 7).
        labels: (N,).
        draws: as `draw_faces` gives them.
    """
    answers, clean_answers = probabilities.argmax(axis=1), on_clean.argmax(axis=1)
    return {
        **_mean("accuracy", answers == labels, draws),
        **_macro_f1(answers, labels, draws),
        "disgust_recall": _recall_of_disgust(answers, labels),
        "calibration_error": round(calibration_error(probabilities, labels), 4),
        **_mean("agreement", answers == clean_answers, draws),
        **_mean("kl_divergence", _divergence(on_clean, probabilities), draws),
    }


def score_votes(fractions: np.ndarray, votes: Votes, draws: np.ndarray) -> dict[str, Any]:
    """Against the crowd.

    Accuracy, macro F1 and recall are over the faces with a clear majority; cross-entropy, and divergence from what the
    crowd says, over those that something can be learned of. The calibration error sets confidence against the fraction
    of the crowd that is of the same opinion.

    Args:
        fractions: of a crowd that would choose each emotion, (N, 7).
        votes: on the N faces.
        draws: as `draw_faces` gives them.
    """
    answers, majority, crowd = fractions.argmax(axis=1), votes.majority, votes.distribution
    clear, learned = majority >= 0, crowd.sum(axis=1) > 0
    cross_entropy = -(crowd * np.log(fractions + TINY)).sum(axis=1)
    return {
        **_mean("accuracy", (answers == majority)[clear], draws[:, clear]),
        **_macro_f1(answers[clear], majority[clear], draws[:, clear]),
        "disgust_recall": _recall_of_disgust(answers[clear], majority[clear]),
        "calibration_error": round(calibration_error_of_votes(fractions, crowd), 4),
        **_mean("cross_entropy", cross_entropy[learned], draws[:, learned]),
        **_mean("kl_divergence", _divergence(crowd, fractions)[learned], draws[:, learned]),
    }


def gains_over(others: dict[str, np.ndarray], right: np.ndarray, draws: np.ndarray) -> dict[str, Any]:
    """The gain in accuracy of what is `right` (N,) over each of `others`, (N,) too.

    Both sides are drawn together: what is common to them does not widen the interval.
    """
    gains: dict[str, Any] = {}
    for name, other in others.items():
        gains |= _mean(f"over_{name}", right.astype(float) - other, draws)
    return gains


def describe(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """How good answers (N, 7) are: in all, for each emotion, and how far they can be believed."""
    answers = probabilities.argmax(axis=1)
    confusion = confusion_matrix(answers, labels)
    found = confusion.diagonal()
    return {
        "faces": len(labels),
        "accuracy": round(float((answers == labels).mean()), 4),
        "macro_f1": round(macro_f1(answers, labels), 4),
        "recall": (found / np.maximum(confusion.sum(axis=1), 1)).round(4).tolist(),
        "precision": (found / np.maximum(confusion.sum(axis=0), 1)).round(4).tolist(),
        "confusion": confusion.tolist(),
    }


def _divergence(of: np.ndarray, from_it: np.ndarray) -> np.ndarray:
    """Kullback and Leibler's, in nats (N,)."""
    return (of * np.log((of + TINY) / (from_it + TINY))).sum(axis=1)


def _recall_of_disgust(answers: np.ndarray, labels: np.ndarray) -> float | None:
    chosen = labels == DISGUST
    return round(float((answers[chosen] == DISGUST).mean()), 4) if chosen.any() else None


def _mean(name: str, values: np.ndarray, draws: np.ndarray) -> dict[str, Any]:
    """The mean of `values` (N,) and its interval, by their names in a row."""
    means = draws @ values.astype(np.float64) / np.maximum(draws.sum(axis=1), 1)
    return {name: round(float(values.mean()), 4), f"{name}_interval": _interval(means)}


def _macro_f1(answers: np.ndarray, labels: np.ndarray, draws: np.ndarray) -> dict[str, Any]:
    pairs = np.eye(len(EMOTIONS) ** 2, dtype=np.float32)[len(EMOTIONS) * labels + answers]
    confusions = (draws @ pairs).reshape(-1, len(EMOTIONS), len(EMOTIONS))
    return {"macro_f1": round(macro_f1(answers, labels), 4), "macro_f1_interval": _interval(f1_of(confusions))}


def _interval(values: np.ndarray) -> list[float]:
    return np.quantile(values, (0.025, 0.975)).round(4).tolist()
