"""What the answers of a classifier are worth: against FER2013's labels, against a crowd, and with what certainty.

Intervals hold 95% of what is found on faces drawn anew with replacement (Efron 1979,
https://doi.org/10.1214/aos/1176344552), the same draws for every method.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import bootstrap

from fer_denoise.data import EMOTIONS
from fer_denoise.data.votes import Votes
from train.shared.classification import (
    calibration_error,
    calibration_error_of_votes,
    confusion_matrix,
    macro_f1,
)

DRAWS = 1000
DISGUST = EMOTIONS.index("disgust")
NO_EMOTION = -1
"""As `Votes.majority` says it."""
TINY = 1e-9


def score(probabilities: np.ndarray, on_clean: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Scores against the labels, and agreement with, and divergence from, the answer to the clean face.

    Args:
        probabilities, on_clean: (N, 7).
        labels: (N,).
    """
    answers, clean_answers = probabilities.argmax(axis=1), on_clean.argmax(axis=1)
    return {
        **_mean("accuracy", answers == labels),
        **_macro_f1(answers, labels),
        "disgust_recall": _recall_of_disgust(answers, labels),
        "calibration_error": round(calibration_error(probabilities, labels), 4),
        **_mean("agreement", answers == clean_answers),
        **_mean("kl_divergence", _divergence(on_clean, probabilities)),
    }


def score_votes(fractions: np.ndarray, votes: Votes) -> dict[str, Any]:
    """Scores against the crowd.

    Accuracy, macro F1 and recall are over the faces with a clear majority; cross-entropy, and divergence from what the
    crowd says, over those that something can be learned of. The calibration error sets confidence against the fraction
    of the crowd that is of the same opinion.

    Args:
        fractions: of a crowd that would choose each emotion, (N, 7).
        votes: on the N faces.
    """
    answers, majority, crowd = fractions.argmax(axis=1), votes.majority, votes.distribution
    clear, learned = majority >= 0, crowd.sum(axis=1) > 0
    cross_entropy = -(crowd * np.log(fractions + TINY)).sum(axis=1)
    return {
        **_mean("accuracy", np.where(clear, answers == majority, np.nan)),
        **_macro_f1(np.where(clear, answers, NO_EMOTION), majority),
        "disgust_recall": _recall_of_disgust(answers, majority),
        "calibration_error": round(calibration_error_of_votes(fractions, crowd), 4),
        **_mean("cross_entropy", np.where(learned, cross_entropy, np.nan)),
        **_mean("kl_divergence", np.where(learned, _divergence(crowd, fractions), np.nan)),
    }


def gains_over(others: dict[str, np.ndarray], right: np.ndarray) -> dict[str, Any]:
    """The gain in accuracy of what is `right` (N,) over each of `others`, (N,) too; NaN where nobody knows.

    Both sides are drawn together: what is common to them does not widen the interval.
    """
    gains: dict[str, Any] = {}
    for name, other in others.items():
        gains |= _mean(f"over_{name}", right.astype(float) - other)
    return gains


def describe(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """How good answers (N, 7) are: in all, for each emotion, and how far they can be believed."""
    answers = probabilities.argmax(axis=1)
    confusion = confusion_matrix(answers, labels)
    found = confusion.diagonal()
    return {
        "faces": len(labels),
        "accuracy": round(float((answers == labels).mean()), 4),
        "macro_f1": round(float(macro_f1(answers, labels)), 4),
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


def _mean(name: str, values: np.ndarray) -> dict[str, Any]:
    """The mean of `values` (N,) and its interval, by their names in a row; NaN plays no part."""
    return {name: round(float(_mean_of_known(values)), 4), f"{name}_interval": _interval(_mean_of_known, values)}


def _mean_of_known(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """As `np.nanmean`, but 0 where nothing is known, as in a draw of a few faces it may be."""
    return np.nansum(values, axis) / np.maximum((~np.isnan(values)).sum(axis), 1)


def _macro_f1(answers: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    numbers = answers.astype(np.int8), labels.astype(np.int8)
    return {"macro_f1": round(float(macro_f1(*numbers)), 4), "macro_f1_interval": _interval(macro_f1, *numbers)}


def _interval(statistic: Callable[..., Any], *values: np.ndarray) -> list[float]:
    drawn = bootstrap(values, statistic, paired=True, n_resamples=DRAWS, method="percentile", rng=0)
    return np.round(drawn.confidence_interval, 4).tolist()
