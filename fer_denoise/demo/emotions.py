"""What the emotion classifier takes a face for, as tables to show side by side."""

from collections.abc import Sequence

import numpy as np

from fer_denoise.data import EMOTIONS

NOTE = (
    "A small network guesses which label people would give this face. It is wrong on about every third face of the "
    "test set, where people disagree as well. What somebody feels, it does not know."
)


def emotion_table(titles: Sequence[str], probabilities: np.ndarray) -> str:
    """Probabilities of each emotion for several pictures of one face, as HTML; the likeliest of each is marked.

    Args:
        titles: what the pictures are called.
        probabilities: (N, 7), a row per picture.
    """
    best = probabilities.argmax(axis=1)
    heads = "".join(f"<th scope='col'>{title}</th>" for title in titles)
    rows = ""
    for index, emotion in enumerate(EMOTIONS):
        cells = "".join(
            f"<td{' class=best' if index == likeliest else ''}>"
            f"<span style='--probability: {row[index]:.3f}'></span><b>{row[index]:.0%}</b></td>"
            for row, likeliest in zip(probabilities, best, strict=True)
        )
        rows += f"<tr><th scope='row'>{emotion}</th>{cells}</tr>"
    return (
        f"<table class='metrics emotions'><thead><tr><th scope='col'>Emotion</th>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def note() -> str:
    """What such a guess is and is not, as HTML."""
    return f"<p class='note'>{NOTE}</p>"
