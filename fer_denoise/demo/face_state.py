"""What a tab with a face knows: which face is shown with which noise, and of what the last measurements are."""

from typing import Any

import numpy as np

Subject = tuple[bytes, int, tuple[Any, ...]]
"""What was measured: the pixels of a face, the seed of its noise, and what its controls say."""


def subject(face: np.ndarray, seed: int | None, *values: Any) -> Subject:
    """What is measured with these; no seed is seed 0."""
    return face.tobytes(), int(seed or 0), values


def is_outdated(measured: Subject | None, face: np.ndarray, seed: int | None, *values: Any) -> bool:
    """Whether something was measured, and of something else than these."""
    return measured is not None and measured != subject(face, seed, *values)
