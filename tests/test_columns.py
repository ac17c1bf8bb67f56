import re

import datasets
import pytest
from datasets_on_disk import (
    assert_same,
    one_line,
    pixel_text,
    png,
    refusal,
    rows_of,
    write_columns,
    write_csv,
    write_parquet,
)

from fer_denoise.data import EMOTIONS, load_fer2013
from fer_denoise.data.columns import canonical_split

ALPHABETICAL = sorted(EMOTIONS)


def test_class_names_in_another_order_are_remapped(tmp_path, splits):
    assert list(EMOTIONS) != ALPHABETICAL
    write_parquet(tmp_path / "train.parquet", splits["train"], ALPHABETICAL)
    assert_same(load_fer2013(tmp_path, "train"), splits["train"])


def test_other_names_of_emotions_are_known(tmp_path, splits):
    names = ["Neutral", "Surprised", "Sadness", "Happiness", "Fearful", "Disgusted", "Anger"]
    train = splits["train"]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
    records = {"image": [{"bytes": png(i), "path": None} for i in train.images], "label": [6 - k for k in train.labels]}
    datasets.Dataset.from_dict(records, features=features).to_parquet(tmp_path / "train.parquet")
    assert_same(load_fer2013(tmp_path, "train"), train)


def test_labels_may_be_text(tmp_path, splits):
    train = splits["train"]
    columns = {"image": [png(image) for image in train.images], "emotion": [EMOTIONS[label] for label in train.labels]}
    assert_same(load_fer2013(write_columns(tmp_path / "train.parquet", columns)), train)


def test_columns_img_bytes_and_labels_are_known(tmp_path, splits):
    train = splits["train"]
    columns = {"labels": train.labels.tolist(), "img_bytes": [png(image) for image in train.images]}
    assert_same(load_fer2013(write_columns(tmp_path / "train.parquet", columns)), train)


def test_a_csv_may_have_spaces_in_its_header_and_another_order(tmp_path, splits):
    faces = splits["validation"]
    pairs = zip(faces.labels, faces.images, strict=True)
    path = write_csv(
        tmp_path / "icml_face_data.csv", [f"{k},PublicTest,{pixel_text(i)}" for k, i in pairs], "emotion, Usage, pixels"
    )
    assert_same(load_fer2013(path, "validation"), faces)


def test_a_missing_label_is_told_and_hinders_no_other_split(tmp_path, splits):
    lines = rows_of(splits["train"], "Training")
    path = write_csv(tmp_path / "fer2013.csv", [*lines, f",{pixel_text(splits['test'].images[0])},PublicTest"])
    assert_same(load_fer2013(path), splits["train"])
    assert f"line {len(lines) + 2}: has no emotion" in refusal(path, "validation")


def test_labels_that_became_floats_are_read(tmp_path, splits):
    train = splits["train"]
    columns = {"pixels": [pixel_text(image) for image in train.images], "emotion": train.labels.astype(float).tolist()}
    assert_same(load_fer2013(write_columns(tmp_path / "train.parquet", columns)), train)
    lines = [line.replace(",", ".0,", 1) for line in rows_of(train)]
    assert_same(load_fer2013(write_csv(tmp_path / "train.csv", lines, "emotion,pixels")), train)


@pytest.mark.parametrize("emotion", ["7", "-1", "bored"])
def test_a_row_with_a_bad_label_is_named_by_line(tmp_path, emotion):
    message = refusal(one_line(tmp_path, " ".join(["7"] * 2304), emotion))
    assert "line 4" in message and "emotion" in message


def test_a_csv_without_a_column_lists_those_it_has(tmp_path):
    path = write_csv(tmp_path / "fer2013.csv", ["3,7 7,Training"], "feeling,pixels,Usage")
    message = refusal(path)
    assert "emotion" in message and "feeling, pixels, Usage" in message


@pytest.mark.parametrize(
    ("split", "aliases"),
    [
        ("train", ["train", "Training"]),
        ("validation", ["validation", "valid", "val", "dev", "PublicTest", "public_test"]),
        ("test", ["test", "TEST", "testing", "PrivateTest"]),
    ],
)
def test_split_aliases(split, aliases):
    assert {canonical_split(alias) for alias in aliases} == {split}


def test_splits_are_chosen_by_alias_too(csv_file, splits):
    assert_same(load_fer2013(csv_file, "PrivateTest"), splits["test"])


def test_an_unknown_split_lists_the_splits(csv_file):
    message = refusal(csv_file, "holdout")
    assert "'holdout'" in message and "train, validation, test" in message


@pytest.mark.parametrize("missing", ["image", "label"])
def test_a_missing_column_lists_those_there_are(tmp_path, missing):
    columns = {"image": [b"x"], "label": [0]}
    columns["stuff"] = columns.pop(missing)
    message = refusal(write_columns(tmp_path / "train.parquet", columns))
    assert missing in message and re.search(r"only .*stuff", message) and "rename" in message


@pytest.mark.parametrize("label", [7, -1])
def test_a_label_out_of_range_is_named_by_row(tmp_path, make_faces, label):
    columns = {"image": list(map(png, make_faces(3))), "label": [0, 6, label]}
    message = refusal(write_columns(tmp_path / "train.parquet", columns))
    assert "row 2" in message and str(label) in message and "neutral" in message
