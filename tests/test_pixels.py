import base64

import numpy as np
import pytest
from datasets_on_disk import assert_same, one_line, pixel_text, png, refusal, write_columns, write_csv

from fer_denoise.data import load_fer2013


@pytest.mark.parametrize("shape", [(2304,), (48, 48)])
def test_columns_pixels_and_emotion_may_hold_lists(tmp_path, splits, shape):
    train = splits["train"]
    columns = {"pixels": [i.reshape(shape).tolist() for i in train.images], "emotion": train.labels.tolist()}
    assert_same(load_fer2013(write_columns(tmp_path / "train.parquet", columns)), train)


def test_columns_pixels_and_emotion_may_hold_text(tmp_path, splits):
    train = splits["train"]
    columns = {"pixels": [pixel_text(image) for image in train.images], "emotion": train.labels.tolist()}
    assert_same(load_fer2013(write_columns(tmp_path / "train.parquet", columns)), train)


@pytest.mark.parametrize("spelling", ["brackets", "commas", "fractions", "nested", "base64", "url", "floats", "numpy"])
def test_pixels_may_be_spelled_in_many_ways(tmp_path, splits, spelling):
    faces = splits["validation"]

    def spell(image: np.ndarray) -> str:
        return {
            "brackets": lambda: str(image.ravel().tolist()),
            "commas": lambda: ",".join(map(str, image.ravel())),
            "fractions": lambda: str((image.ravel() / 255).tolist()),
            "nested": lambda: str(image.tolist()),
            "base64": lambda: base64.b64encode(png(image)).decode(),
            "url": lambda: "data:image/png;base64," + base64.b64encode(png(image)).decode(),
            "floats": lambda: " ".join(map(str, image.ravel().astype(float))),
            "numpy": lambda: np.array2string(image, threshold=10**6),
        }[spelling]()

    lines = [f'{label},"{spell(image)}"' for label, image in zip(faces.labels, faces.images, strict=True)]
    assert_same(load_fer2013(write_csv(tmp_path / "train.csv", lines, "emotion,pixels")), faces)


@pytest.mark.parametrize(
    ("pixels", "hint"),
    [
        ("[  0   1 ... 254 255]", "cut short, with '...'"),
        (" ".join(["0.5", "-0.5"] * 1152), "outside 0 to 255: found -0.5 to 0.5"),
        (" ".join(["0.5", "1.5"] * 1152), "fractions up to 1.5"),
        (" ".join(["1.0", "0.0"] * 1152), "1 may be white or almost black"),
        ("iVBORw0KGgo=", "cannot be decoded"),
        ("iVBORw0KGgo", "damaged base64"),
        ("AB" * 3000, "found 'ABABABABABABABABABAB'"),
        ("", "has no image"),
    ],
)
def test_pixels_in_another_form_are_refused_with_its_name_in_few_words(tmp_path, pixels, hint):
    message = refusal(one_line(tmp_path, pixels))
    assert hint in message and "line 4" in message and len(message) < 300 + len(str(tmp_path))


@pytest.mark.parametrize("bad", ["many", "1.5", "nan"])
def test_a_row_whose_pixels_are_no_numbers_is_named_by_line(tmp_path, bad):
    message = refusal(one_line(tmp_path, " ".join(["7"] * 2303 + [bad])))
    assert "line 4" in message and "whole numbers" in message


@pytest.mark.parametrize("bad", ["-1", "256"])
def test_a_row_with_pixels_out_of_range_is_named_by_line(tmp_path, bad):
    message = refusal(one_line(tmp_path, " ".join(["7"] * 2303 + [bad])))
    assert "line 4" in message and "0 to 255" in message


def test_fractions_are_pixels_of_which_one_is_white(tmp_path):
    columns = {"pixels": [[0.0, 0.2, 0.6, 1.0] * 576], "emotion": [0]}
    loaded = load_fer2013(write_columns(tmp_path / "train.parquet", columns))
    assert loaded.images[0, 0, :4].tolist() == [0, 51, 153, 255]
