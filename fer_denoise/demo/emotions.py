"""What the emotion classifier takes a face for, as tables to show side by side."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from fer_denoise.data import EMOTIONS
from fer_denoise.models import EmotionClassifier

NOTE = (
    "A small network guesses which label people would give this face. It is wrong on about every third face of the "
    "test set, where people disagree as well. What somebody feels, it does not know."
)
CROWD = " Behind it, in italics: how many of a crowd would choose each emotion, as it guesses too."


Guesses = tuple[np.ndarray, np.ndarray | None]
"""Probabilities of labels and, where the classifier has learned from votes, fractions of a crowd, (N, 7) each."""


def guesses(classifier: EmotionClassifier, clean: np.ndarray, others: list[np.ndarray]) -> Guesses:
    """The guesses for a clean face and then for others, float32 (48, 48) each, as for `EmotionClassifier`."""
    # It is the same with every move of a slider.
    labels, votes = _guesses_of_one(classifier, clean.tobytes(), clean.shape)
    if not others:
        return labels, votes
    other_labels, other_votes = _guesses(classifier, np.stack(others))
    both = None if votes is None or other_votes is None else np.concatenate([votes, other_votes])
    return np.concatenate([labels, other_labels]), both


@lru_cache(maxsize=64)
def _guesses_of_one(classifier: EmotionClassifier, pixels: bytes, shape: tuple[int, ...]) -> Guesses:
    return _guesses(classifier, np.frombuffer(pixels, np.float32).reshape(1, *shape))


def _guesses(classifier: EmotionClassifier, faces: np.ndarray) -> Guesses:
    if classifier.votes_head is None:
        return classifier(faces), None
    return classifier.probabilities_and_votes(faces)


def emotion_table(titles: Sequence[str], probabilities: np.ndarray, votes: np.ndarray | None = None) -> str:
    """Probabilities of each emotion for several pictures of one face, as HTML; the likeliest of each is marked.

    Args:
        titles: what the pictures are called.
        probabilities: (N, 7), a row per picture.
        votes: fractions of a crowd, (N, 7), which stand behind them; None for none.
    """
    crowds = [[""] * len(EMOTIONS) for _ in titles]
    if votes is not None:
        crowds = [[f" <i title='of a crowd'>{each:.0%}</i>" for each in row] for row in votes]
    best = probabilities.argmax(axis=1)
    heads = "".join(f"<th scope='col'>{title}</th>" for title in titles)
    rows = ""
    for index, emotion in enumerate(EMOTIONS):
        cells = "".join(
            f"<td{' class=best' if index == likeliest else ''}>"
            f"<span style='--probability: {row[index]:.3f}'></span><b>{row[index]:.0%}</b>{crowd[index]}</td>"
            for row, likeliest, crowd in zip(probabilities, best, crowds, strict=True)
        )
        rows += f"<tr><th scope='row'>{emotion}</th>{cells}</tr>"
    return (
        f"<table class='metrics emotions'><thead><tr><th scope='col'>Emotion</th>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def note(votes: np.ndarray | None = None) -> str:
    """What such a guess is and is not, as HTML; with `votes`, what these are too."""
    return f"<p class='note'>{NOTE}{'' if votes is None else CROWD}</p>"
