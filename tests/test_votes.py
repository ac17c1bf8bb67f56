from pathlib import Path

import numpy as np
import pytest

from fer_denoise.data import DataError, Faces
from fer_denoise.data.votes import COLUMNS, Votes, load_votes

HEAD = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def votes_of(**counts: int) -> list[int]:
    return [counts.get(name, 0) for name in COLUMNS]


def write(file: Path, *rows: str, head: str = HEAD) -> Path:
    file.write_text("\n".join([head, *rows, ""]))
    return file


def faces_of(labels: list[int]) -> Faces:
    return Faces(np.zeros((len(labels), 48, 48), np.uint8), np.array(labels), "some faces")


def test_the_votes_of_a_split_are_read_by_the_names_of_their_columns(tmp_path):
    file = write(
        tmp_path / "fer2013new.csv",
        "Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0",
        "PublicTest,fer0000001.png,0,9,0,0,0,0,0,1,0,0",
        "PrivateTest,,0,0,0,0,0,0,0,0,0,10",
        "PrivateTest,fer0000003.png,0,0,8,0,0,0,2,0,0,0",
    )
    train = load_votes(file, faces_of([6]), "train")
    assert dict(zip(COLUMNS, train.counts[0].tolist(), strict=True)) == {
        **dict.fromkeys(COLUMNS, 0),
        **{"neutral": 4, "sadness": 1, "anger": 3, "disgust": 2},
    }
    assert load_votes(file, faces_of([3]), "validation").majority.tolist() == [3]
    assert load_votes(file, faces_of([0, 5]), "test").majority.tolist() == [-1, 5]


@pytest.mark.parametrize(
    ("counts", "majority"),
    [
        ({"happiness": 6, "neutral": 4}, 3),
        ({"happiness": 5, "neutral": 5}, -1),
        ({"happiness": 9, "NF": 1}, -1),
        ({"happiness": 5, "contempt": 5}, -1),
        ({"happiness": 4, "unknown": 6}, -1),
        ({"happiness": 5, "unknown": 4, "contempt": 1}, 3),
        ({"NF": 10}, -1),
    ],
)
def test_a_majority_is_one_that_nothing_speaks_against(counts, majority):
    assert Votes(np.array([votes_of(**counts)])).majority.tolist() == [majority]


@pytest.mark.parametrize(
    ("counts", "distribution"),
    [
        ({"happiness": 6, "neutral": 4}, {3: 0.6, 6: 0.4}),
        # One vote is a slip.
        ({"happiness": 9, "neutral": 1}, {3: 1.0}),
        ({"happiness": 6, "neutral": 2, "unknown": 2}, {3: 0.75, 6: 0.25}),
        ({"happiness": 4, "unknown": 6}, {}),
        ({"happiness": 4, "contempt": 6}, {}),
        ({"NF": 10}, {}),
    ],
)
def test_what_is_learned_of_votes_is_as_in_the_paper(counts, distribution):
    expected = [distribution.get(index, 0) for index in range(7)]
    np.testing.assert_allclose(Votes(np.array([votes_of(**counts)])).distribution[0], expected, atol=1e-6)


def test_other_files_and_other_faces_are_refused(tmp_path):
    row = "Training,a.png,0,9,0,0,0,0,0,1,0,0"
    file = write(tmp_path / "votes.csv", row, row)
    with pytest.raises(DataError, match=r"votes on 2 images of train, and some faces holds 3; .* a copy with all"):
        load_votes(file, faces_of([3, 3, 3]), "train")
    with pytest.raises(DataError, match=r"only 0% of the labels .* another order"):
        load_votes(file, faces_of([0, 0]), "train")
    with pytest.raises(DataError, match=r"no column neutral; it takes fer2013new\.csv of https"):
        load_votes(write(tmp_path / "other.csv", head=HEAD.replace("neutral,", "")), faces_of([0]), "train")
    with pytest.raises(DataError, match=r"row 1: happiness: '9\.5' is no number of votes"):
        load_votes(write(tmp_path / "half.csv", row.replace("9", "9.5")), faces_of([3]), "train")
    with pytest.raises(DataError, match=r"cannot be read .* it takes fer2013new\.csv"):
        load_votes(tmp_path / "nowhere.csv", faces_of([0]), "train")
