"""What the many copies of FER2013 call their columns, splits and emotions."""

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

IMAGE_COLUMNS = ("image", "img", "img_bytes", "image_bytes", "pixels")
LABEL_COLUMNS = ("label", "labels", "emotion", "emotions")
USAGE_COLUMNS = ("usage",)
"""Says for each row which split it is of."""

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SPLITS = ("train", "validation", "test")

_SPLIT_NAMES = {
    "train": {"train", "training"},
    "validation": {"validation", "valid", "val", "dev", "publictest"},
    "test": {"test", "testing", "eval", "privatetest"},
}
_EMOTION_NAMES = {
    "angry": {"angry", "anger"},
    "disgust": {"disgust", "disgusted"},
    "fear": {"fear", "fearful"},
    "happy": {"happy", "happiness"},
    "sad": {"sad", "sadness"},
    "surprise": {"surprise", "surprised"},
    "neutral": {"neutral"},
}


class DataError(ValueError):
    """The data cannot be read; the message names the location and the remedy."""


class MissingColumnError(DataError):
    """A table is of something else."""


def find_column(columns: Sequence[str], names: Iterable[str], source: str) -> str:
    """The column that has the first of `names`, whatever its case and the spaces around it.

    Raises:
        MissingColumnError: none has.
    """
    by_folded = {column.strip().casefold(): column for column in reversed(columns)}
    for name in names:
        if name in by_folded:
            return by_folded[name]
    raise MissingColumnError(
        f"{source}: has no column {' or '.join(names)}, only {', '.join(columns)}; rename one of them"
    )


def match_split(*names: str) -> str | None:
    """The split that the first of `names` stands for which is the name of one in any of the common copies."""
    for name in names:
        word = re.sub(r"[^a-z]", "", name.lower())
        for split, spellings in _SPLIT_NAMES.items():
            if word in spellings:
                return split
    return None


def canonical_split(name: str) -> str:
    """The name used here for a split of any of the common copies.

    Raises:
        DataError: no copy has such a split.
    """
    split = match_split(name)
    if split is None:
        raise DataError(f"unknown split {name!r}; choose one of {', '.join(SPLITS)}")
    return split


def emotion_index(label: Any, class_names: Sequence[str] | None, location: str) -> int:
    """The index into `EMOTIONS` of a label: a name, or a number of `class_names`, without which it is that index.

    Raises:
        DataError: it is none.
    """
    if label is None or label == "" or (isinstance(label, float) and math.isnan(label)):
        raise DataError(f"{location}: has no emotion; fill it in, or remove the row")
    name = str(label).strip().lower()
    # Tools that do not know of missing whole numbers write 3.0.
    if number := re.fullmatch(r"(\d{1,3})(\.0*)?", name):
        name = dict(enumerate(class_names or EMOTIONS)).get(int(number[1]), name).strip().lower()
    for index, emotion in enumerate(EMOTIONS):
        if name in _EMOTION_NAMES[emotion] or name == str(index):
            return index
    emotions = ", ".join(EMOTIONS)
    raise DataError(f"{location}: {name[:40]!r} is no emotion; use one of {emotions}, or 0 to 6 in that order")
