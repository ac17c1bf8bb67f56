import io
import re
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
import tifffile
from datasets_on_disk import (
    assert_same,
    by_pixels,
    one_line,
    png,
    refusal,
    write_class_folders,
    write_columns,
    write_parquet,
)
from huggingface_hub import constants
from PIL import Image

from fer_denoise.data import DataError, Faces, load_fer2013, stands_in
from fer_denoise.data.columns import SPLITS
from fer_denoise.demo import hub_faces
from fer_denoise.pictures import SUFFIXES


def test_what_becomes_of_pictures_that_are_no_gray_in_8_bits_is_said(tmp_path, make_faces, caplog):
    first, second = make_faces(2)
    deep = io.BytesIO()
    tifffile.imwrite(deep, np.stack([first, second]).astype(np.uint16) * 256 + 9, photometric="minisblack")
    colour = png(np.stack([first, second, first], axis=-1))
    same_in_rgb = png(np.stack([first, first, first], axis=-1))
    fractions = (first / 255).ravel().tolist()
    columns = {"image": [deep.getvalue(), colour, colour, same_in_rgb, png(first)], "label": [3] * 5}
    loaded = load_fer2013(write_columns(tmp_path / "train.parquet", columns))
    np.testing.assert_array_equal(loaded.images[[3, 4]], np.stack([first, first]))
    said = [record.getMessage().removeprefix(f"{loaded.source}: ") for record in caplog.records]
    assert sorted(said) == [
        "in 1 image, 16 bits became 8",
        "in 1 image, of several frames, the first was taken",
        "in 2 images, colours became gray",
    ]
    caplog.clear()
    columns = {"pixels": [fractions], "emotion": [3]}
    exact = load_fer2013(write_columns(tmp_path / "train.parquet", columns))
    np.testing.assert_array_equal(exact.images[0], first)
    assert not caplog.records


def test_colour_png_becomes_luminance(tmp_path):
    colours = np.zeros((2, 48, 48, 3), np.uint8)
    colours[0, ..., 0], colours[1, ..., 1] = 255, 255
    columns = {"image": [png(image) for image in colours], "label": [3, 4]}
    loaded = load_fer2013(write_columns(tmp_path / "train.parquet", columns))
    assert loaded.images[:, 5, 5].tolist() == [76, 150]
    assert loaded.labels.tolist() == [3, 4]


@pytest.mark.parametrize("write", [write_class_folders, lambda root, faces: write_parquet(root / "0.parquet", faces)])
def test_without_validation_an_eighth_of_train_is_it_and_that_is_said(tmp_path, make_faces, caplog, write):
    train = Faces(make_faces(32), np.arange(32) % 7, "")
    train.images[1] = train.images[0]
    write(tmp_path / "a" / "train", train)
    write(tmp_path / "a" / "test", train)
    for part, order in (("train", np.arange(32)[::-1]), ("test", np.arange(32))):
        write(tmp_path / "b" / part, Faces(train.images[order], train.labels[order], ""))
    loaded, validation = (load_fer2013(tmp_path / "a", split) for split in ("train", "validation"))
    assert "has no validation split, so 4 of the 32 training images are set apart as one" in caplog.text
    assert "of the training images" in validation.source
    assert (len(loaded), len(validation)) == (28, 4)
    assert not stands_in(loaded.images, validation.images).any()
    assert stands_in(train.images, np.concatenate([loaded.images, validation.images])).all()
    # Whatever the order of the files.
    assert by_pixels(load_fer2013(tmp_path / "b", "validation")) == by_pixels(validation)
    assert len(load_fer2013(tmp_path / "a", "test")) == 32


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_all_that_is_taken_for_a_picture_is_trained_on(tmp_path, make_faces, suffix):
    face = Image.fromarray(make_faces(1)[0])
    folder = tmp_path / "train" / "happy"
    folder.mkdir(parents=True)
    if suffix == ".pfm":
        face = Image.fromarray(make_faces(1)[0] / np.float32(255))
    elif suffix == ".pbm":
        face = face.convert("1")
    face.save(folder / f"1{suffix}", "JPEG" if suffix == ".jpe" else None)
    faces = load_fer2013(tmp_path)
    assert faces.images.shape == (1, 48, 48) and faces.labels.tolist() == [3]
    if suffix != ".pbm":
        assert np.abs(faces.images[0].astype(int) - make_faces(1)[0]).mean() < 3


def test_a_row_with_too_few_pixels_is_named_by_line(tmp_path):
    message = refusal(one_line(tmp_path, "1 2 3"))
    assert "fer2013.csv, line 4" in message and "3 pixels" in message and "2304" in message and "remove" in message


def test_a_row_without_pixels_is_named_by_line(tmp_path):
    assert "line 4" in refusal(one_line(tmp_path, ""))


def test_a_csv_without_a_split_lists_those_it_has(tmp_path):
    message = refusal(one_line(tmp_path, " ".join(["7"] * 2304)), "test")
    assert "'test'" in message and "train" in message


def test_a_wrong_path_is_refused_with_a_remedy(tmp_path):
    message = refusal(tmp_path / "nothing" / "here")
    assert "nothing/here" in message and "no such file or folder" in message and "AutumnQiu/fer2013" in message


def test_a_missing_split_lists_those_there_are(tmp_path, splits):
    write_parquet(tmp_path / "train-00000-of-00001.parquet", splits["train"])
    message = refusal(tmp_path, "test")
    assert "'test'" in message and "only train" in message


def test_bytes_that_are_no_image_are_named_by_row(tmp_path, make_faces):
    columns = {"image": [png(image) for image in make_faces(4)], "label": [0] * 4}
    columns["image"][2] = b"no image"
    message = refusal(write_columns(tmp_path / "train.parquet", columns))
    assert "row 2" in message and "train.parquet" in message and "remove" in message


def test_a_missing_image_is_named_by_row(tmp_path, make_faces):
    columns = {"image": [*map(png, make_faces(2)), None], "label": [0] * 3}
    assert "row 2" in refusal(write_columns(tmp_path / "train.parquet", columns))


@pytest.mark.parametrize("path", ["gone.png", None])
def test_an_image_record_without_bytes_is_named_by_row(tmp_path, make_faces, path):
    records = [{"bytes": png(make_faces(1)[0]), "path": None}, {"bytes": None, "path": path}]
    image = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})
    schema = pyarrow.schema({"image": image, "label": pyarrow.int64()})
    table = pyarrow.Table.from_pydict({"image": records, "label": [0, 1]}, schema=schema)
    pyarrow.parquet.write_table(table, tmp_path / "train.parquet")
    assert "row 1" in refusal(tmp_path)


def test_an_image_of_another_size_is_named_by_row(tmp_path, make_faces):
    wrong = make_faces(1, shape=(32, 40))[0]
    columns = {"image": [*map(png, make_faces(1)), png(wrong)], "label": [0, 1]}
    message = refusal(write_columns(tmp_path / "train.parquet", columns))
    assert "row 1" in message and "40x32" in message and "48x48" in message


def test_an_empty_split_is_refused(tmp_path):
    columns = datasets.Dataset.from_dict(
        {"image": [], "label": []},
        features=datasets.Features({"image": datasets.Value("binary"), "label": datasets.Value("int64")}),
    )
    columns.to_parquet(tmp_path / "train.parquet")
    assert str(tmp_path) in refusal(tmp_path)


@pytest.fixture
def hub_dataset(publish):
    """What "somebody/faces" is on the Hub: the records of its images."""

    def publish_records(records: list[dict]) -> None:
        features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
        rows = datasets.Dataset.from_dict({"image": records, "label": [3] * len(records)}, features=features)
        publish({"test": rows})

    return publish_records


@pytest.fixture
def private_picture(tmp_path, make_faces) -> Path:
    path = tmp_path / "private.png"
    path.write_bytes(png(make_faces(1)[0]))
    return path


@pytest.mark.parametrize(
    "path",
    [
        "{private}",
        "{private}::hf://datasets/somebody/faces/1.png",
        "hf://datasets/another/faces/1.png",
        "hf://datasets/another/faces/1.png::hf://datasets/somebody/faces/1.png",
        "hf://datasets/somebody/faces/../../another/faces/1.png",
        "hf://datasets/somebody/faces-of-another/1.png",
        "{cache}/datasets--another--faces/snapshots/0/1.png",
        "http://127.0.0.1:9/1.png::hf://datasets/somebody/faces/1.png",
    ],
)
def test_a_hub_dataset_does_not_choose_which_other_files_are_read(
    tmp_path, hub_dataset, private_picture, monkeypatch, path
):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    elsewhere = tmp_path / "cache" / "datasets--another--faces" / "snapshots" / "0" / "1.png"
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_bytes(private_picture.read_bytes())
    monkeypatch.setattr("datasets.utils.file_utils.xopen", lambda path, mode: pytest.fail(f"{path} was opened"))
    hub_dataset([{"bytes": None, "path": path.format(private=private_picture, cache=tmp_path / "cache")}])
    message = refusal("somebody/faces", "test")
    assert "row 0" in message and ("did not come with somebody/faces" in message or "no file here" in message)


def test_images_that_came_with_a_hub_dataset_are_read(tmp_path, hub_dataset, make_faces, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    own = tmp_path / "datasets--somebody--faces" / "snapshots" / "0" / "1.png"
    own.parent.mkdir(parents=True)
    own.write_bytes(png(make_faces(1)[0]))
    hub_dataset([{"bytes": None, "path": str(own)}])
    np.testing.assert_array_equal(load_fer2013("somebody/faces", "test").images, make_faces(1))


def test_random_faces_of_the_app_are_not_files_of_this_machine(hub_dataset, private_picture, monkeypatch):
    monkeypatch.setattr(hub_faces, "SECONDS", 60)
    hub_dataset([{"bytes": None, "path": str(private_picture)}])
    with pytest.raises(DataError) as caught:
        hub_faces.HubFaces().draw(np.random.default_rng(0))
    assert "did not come with" in str(caught.value.__cause__)


def test_what_is_not_on_the_hub_has_no_revision(tmp_path):
    message = refusal(tmp_path, revision="v1")
    assert "is not on the Hub and has no revision v1; leave the revision out" in message


def test_a_hub_dataset_with_usage_is_read_by_it(csv_file, splits, publish):
    publish({"train": datasets.Dataset.from_pandas(pd.read_csv(csv_file))})
    for split in SPLITS:
        assert_same(load_fer2013("somebody/faces", split), splits[split])


def test_a_hub_dataset_without_a_known_split_lists_those_it_has(publish):
    publish({"all": datasets.Dataset.from_dict({"image": [b""], "label": [0]})})
    assert "only all" in refusal("somebody/faces")


@pytest.mark.parametrize("revision", [None, "main"])
def test_a_hub_dataset_without_network_is_refused_with_a_remedy(revision):
    message = refusal("AutumnQiu/fer2013", revision=revision)
    assert "AutumnQiu/fer2013" in message and "network" in message and "local copy" in message


def test_source_tells_the_place_and_the_split(tmp_path, splits):
    path = write_parquet(tmp_path / "train.parquet", splits["train"])
    assert load_fer2013(path).source == f"{path} (train)"


def test_the_fingerprint_tells_the_pixels(splits):
    train = splits["train"]
    changed = train.images.copy()
    changed[3, 20, 20] ^= 1
    assert train.fingerprint == Faces(train.images.copy(), train.labels * 0, "elsewhere").fingerprint
    assert train.fingerprint != Faces(changed, train.labels, train.source).fingerprint
    assert train.fingerprint != Faces(train.images[::-1], train.labels, train.source).fingerprint
    assert re.fullmatch(r"[0-9a-f]{64}", train.fingerprint)


def test_the_fingerprint_is_the_same_from_every_layout(tmp_path, csv_file, splits):
    path = write_parquet(tmp_path / "train.parquet", splits["train"])
    assert load_fer2013(path).fingerprint == load_fer2013(csv_file).fingerprint == splits["train"].fingerprint


def test_stands_in_tells_which_images_are_among_others(make_faces):
    others = make_faces(6, seed=1)
    images = make_faces(5, seed=2)
    images[[1, 4]] = others[[5, 0]]
    assert stands_in(images, others).tolist() == [False, True, False, False, True]
    images[1, 0, 0] ^= 1
    assert stands_in(images, others).tolist() == [False, False, False, False, True]
