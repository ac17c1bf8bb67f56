import json

import numpy as np
import pytest
from datasets import Dataset

from fer_denoise.__main__ import main
from fer_denoise.data.votes import COLUMNS


@pytest.fixture
def dataset(tmp_path, make_faces):
    """Two splits: a copy with another label, one in the test split, a black image, and one nearly the same."""
    faces = make_faces(8, seed=7)
    train = np.concatenate([faces[:6], faces[:1], np.zeros((1, 48, 48), np.uint8), 0.9 * faces[1:2]]).astype(np.uint8)
    labels = {"train": [3, 4, 5, 6, 0, 0, 2, 1, 4], "test": [4, 3, 0]}
    for split, images in {"train": train, "test": np.concatenate([faces[1:2], faces[6:]])}.items():
        rows = {"pixels": [image.ravel().tolist() for image in images], "emotion": labels[split]}
        Dataset.from_dict(rows).to_parquet(tmp_path / "faces" / f"{split}.parquet")
    return tmp_path / "faces"


def test_a_dataset_is_inspected(dataset, tmp_path, capsys):
    out = tmp_path / "report"
    assert main(["inspect", str(dataset), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "images: 12 (9 train, 3 test)" in printed
    assert "exact copies: 4 in 2 groups" in printed and "exact copies with two labels: 2 in 1 groups" in printed
    report = json.loads((out / "report.json").read_text())
    assert report["splits"]["train"]["images"] == 9
    first, second = {"split": "train", "row": 0, "label": "happy"}, {"split": "train", "row": 6, "label": "fear"}
    assert report["findings"]["exact copies with two labels"] == [[first, second]]
    across = [{"split": "train", "row": 1, "label": "sad"}, {"split": "test", "row": 0, "label": "sad"}]
    assert report["findings"]["exact copies in two splits"] == [across]
    assert [[each["row"] for each in pair] for pair in report["findings"]["near copies"]] == [[1, 8]]
    assert report["findings"]["blank"] == [[{"split": "train", "row": 7, "label": "disgust"}]]
    page = (out / "index.html").read_text()
    assert page.count("<img ") == 4 + 2 + 2 + 2 + 1 and "data:image/png" in page and "http" not in page
    # Again over its own report, but not over anything else.
    assert main(["inspect", str(dataset), "--out", str(out)]) == 0
    (out / "notes.txt").write_text("mine")
    assert main(["inspect", str(dataset), "--out", str(out)]) == 2
    assert "holds something else; choose another --out" in capsys.readouterr().err


def test_labels_are_held_against_the_crowd(dataset, tmp_path, capsys):
    names = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
    seen = {"Training": [3, 4, 5, 6, 0, 0, 2, None, 3], "PrivateTest": [4, 3, 0]}
    lines = ["Usage,Image name," + ",".join(names)]
    for usage, indices in seen.items():
        for index in indices:
            voted = "NF" if index is None else COLUMNS[index]
            lines.append(f"{usage},a.png," + ",".join("10" if name == voted else "0" for name in names))
    votes = tmp_path / "fer2013new.csv"
    votes.write_text("\n".join(lines))
    assert main(["inspect", str(dataset), "--votes", str(votes), "--out", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "not a face, most people say: 1" in printed
    assert "of 8 clear train images: 87.5%" in printed and "of 3 clear test images: 100.0%" in printed
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["labels_and_crowd"]["train"]["crowd_by_label"]["sad"]["happy"] == 1
    near = report["findings"]["near copies"][0]
    assert [each["crowd"] for each in near] == ["sad", "happy"]


def test_what_cannot_be_inspected_is_said(tmp_path, capsys):
    assert main(["inspect", str(tmp_path / "nowhere")]) == 2
    assert "no such file or folder" in capsys.readouterr().err
