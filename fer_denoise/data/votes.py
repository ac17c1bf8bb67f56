"""The crowd's votes on FER2013: FER+, in which ten people said of each image what they see.

Barsoum et al. 2016, "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution",
https://arxiv.org/abs/1608.01041. The file `fer2013new.csv` is in https://github.com/microsoft/FERPlus (MIT licence).
"""

import csv
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from fer_denoise.data.columns import EMOTIONS, DataError, match_split
from fer_denoise.data.fer2013 import Faces

COLUMNS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral", "contempt", "unknown", "NF")
"""Columns of the file: the seven of `EMOTIONS` in their order, contempt, "I do not know", and "this is no face"."""
SEEN = len(EMOTIONS)
"""The first so many columns are emotions that FER2013 knows."""
CONTEMPT, UNKNOWN, NO_FACE = range(SEEN, len(COLUMNS))
OUTLIER = 1
"""How many votes for one answer are taken for a slip, as in the paper."""
LEAST_AGREEMENT = 0.4
"""Fraction of the faces whose label is the crowd's too; in FER2013 it is two in three, in another order one in five."""
WHERE = "fer2013new.csv of https://github.com/microsoft/FERPlus"


@dataclass(frozen=True)
class Votes:
    """How many people gave each answer.

    Attributes:
        counts: int64 (N, 10), by `COLUMNS`.
    """

    counts: np.ndarray

    def __len__(self) -> int:
        return len(self.counts)

    @cached_property
    def majority(self) -> np.ndarray:
        """The index into `EMOTIONS` that most people chose, int64 (N,); -1 where there is no clear one.

        It is clear where every other emotion, contempt too, and "unknown" have fewer votes, and nobody said that it is
        no face.
        """
        emotions = np.sort(self.counts[:, :SEEN], axis=1)
        most = emotions[:, -1]
        clear = (
            (most > emotions[:, -2])
            & (self.counts[:, NO_FACE] == 0)
            & (most > self.counts[:, CONTEMPT])
            & (most > self.counts[:, UNKNOWN])
        )
        return np.where(clear, self.counts[:, :SEEN].argmax(axis=1), -1)

    @cached_property
    def distribution(self) -> np.ndarray:
        """What fraction chose each of `EMOTIONS`, float32 (N, 7), sums 1; all 0 where nothing can be learned of them.

        As in the paper, a single vote for an answer is dropped, and an image that is chiefly "unknown", contempt or
        no face is left out. Contempt, which FER2013 does not know, has no column; who chose it counts for nothing.
        """
        counts = np.where(self.counts > OUTLIER, self.counts, 0)
        emotions = counts[:, :SEEN].astype(np.float32)
        of_others = counts[:, SEEN:].max(axis=1)
        learned = emotions.max(axis=1) > of_others
        total = emotions.sum(axis=1, keepdims=True)
        return np.where(learned[:, None], emotions / np.maximum(total, 1), 0).astype(np.float32)


def load_votes(file: str | Path, faces: Faces, split: str) -> Votes:
    """The votes on a split of FER2013, in the order of its images.

    Args:
        file: `fer2013new.csv` of FER+.
        faces: all images of the split, in the order of the challenge's own `fer2013.csv`.
        split: "train", "validation" or "test".

    Raises:
        DataError: the file is another, or the faces are not those that it is about, or stand in another order.
    """
    rows = _read(Path(file))
    counts = [votes for usage, votes in rows if match_split(usage) == split]
    if len(counts) != len(faces):
        raise DataError(
            f"{file}: has votes on {len(counts):,} images of {split}, and {faces.source} holds {len(faces):,}; "
            "the votes are for a copy with all images, in their first order"
        )
    votes = Votes(np.array(counts, dtype=np.int64).reshape(-1, len(COLUMNS)))
    clear = votes.majority >= 0
    if clear.any() and (agreement := float((votes.majority == faces.labels)[clear].mean())) < LEAST_AGREEMENT:
        raise DataError(
            f"{faces.source}: only {agreement:.0%} of the labels are what the crowd of {file} saw, so the images stand "
            "in another order; use a copy in the order of the challenge's fer2013.csv"
        )
    return votes


def _read(file: Path) -> list[tuple[str, list[int]]]:
    """`Usage` and the votes, by `COLUMNS`, of each row."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            if missing := [name for name in ("Usage", *COLUMNS) if name not in (reader.fieldnames or ())]:
                raise DataError(f"{file}: has no column {', '.join(missing)}; it takes {WHERE}")
            return [
                (row["Usage"], [_count(row[name], f"{file}, row {number}: {name}") for name in COLUMNS])
                for number, row in enumerate(reader, 1)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{file}: cannot be read ({error}); it takes {WHERE}") from error


def _count(text: str | None, location: str) -> int:
    if text is None or not text.strip().isdecimal():
        raise DataError(f"{location}: {text!r} is no number of votes; it takes {WHERE}")
    return int(text)
