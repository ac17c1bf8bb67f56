"""How good the answers of a classifier of emotions are, and how far its confidence can be believed."""

import numpy as np

from fer_denoise.data import EMOTIONS

BINS = 15
"""How many bins of confidence the calibration error has."""


def confusion_matrix(answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many faces of each label (rows) were given each answer (columns), (7, 7)."""
    count = len(EMOTIONS)
    return np.bincount(count * labels + answers, minlength=count**2).reshape(count, count)


def macro_f1(answers: np.ndarray, labels: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean over the emotions that are there of the harmonic mean of precision and recall; one never answered has 0.

    Args:
        answers, labels: (..., N), of which what is no emotion counts for none.
    """
    total = there = np.zeros(())
    for emotion in range(len(EMOTIONS)):
        given, true = answers == emotion, labels == emotion
        found, either = (given & true).sum(axis), given.sum(axis) + true.sum(axis)
        total = total + 2 * found / np.maximum(either, 1)
        there = there + true.any(axis)
    return total / np.maximum(there, 1)


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error: by how much confidence and accuracy differ, over `BINS` bins of confidence.

    Naeini et al. 2015, https://doi.org/10.1609/aaai.v29i1.9602.

    Args:
        probabilities: (N, 7).
        labels: (N,).
    """
    return gap_of_confidence(probabilities.max(axis=1), probabilities.argmax(axis=1) == labels)


def calibration_error_by_chance(probabilities: np.ndarray, draws: int = 200) -> np.ndarray:
    """What `calibration_error` is where `probabilities` (N, 7) are true, of labels drawn by them so often, (draws,)."""
    rng, bounds = np.random.default_rng(0), probabilities.cumsum(axis=1)[:, :-1]
    drawn = ((bounds < rng.random((len(bounds), 1))).sum(axis=1) for _ in range(draws))
    return np.array([calibration_error(probabilities, labels) for labels in drawn])


def calibration_error_of_votes(fractions: np.ndarray, crowd: np.ndarray) -> float:
    """As `calibration_error`, where an answer is as right as the fraction of the crowd that chose it.

    Args:
        fractions: of a crowd that would choose each emotion, (N, 7).
        crowd: fractions that did, (N, 7); faces of which they are all 0 play no part.
    """
    learned = crowd.sum(axis=1) > 0
    fractions, crowd = fractions[learned], crowd[learned]
    answers = fractions.argmax(axis=1)[:, None]
    return gap_of_confidence(fractions.max(axis=1), np.take_along_axis(crowd, answers, axis=1)[:, 0])


def gap_of_confidence(confidence: np.ndarray, right: np.ndarray) -> float:
    """The mean difference of `confidence` and what is `right` of it, (N,) in [0, 1] each, over `BINS` bins."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))
