import base64
import io
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
import tifffile
from huggingface_hub import constants
from PIL import Image

from fer_denoise.data import EMOTIONS, DataError, Faces, fer2013, load_fer2013, stands_in
from fer_denoise.data.columns import SPLITS, canonical_split
from fer_denoise.demo import hub_faces
from fer_denoise.hub.sources import is_repo_id
from fer_denoise.pictures import SUFFIXES

SIZES = {"train": 12, "validation": 5, "test": 6}
ALPHABETICAL = sorted(EMOTIONS)


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def splits(make_faces) -> dict[str, Faces]:
    """Different faces and mixed labels for each split."""
    faces = {}
    for seed, (split, count) in enumerate(SIZES.items()):
        labels = np.random.default_rng(seed).permutation(np.arange(count) % 7)
        faces[split] = Faces(make_faces(count, seed=seed), labels, split)
    return faces


def assert_same(loaded: Faces, expected: Faces) -> None:
    np.testing.assert_array_equal(loaded.images, expected.images)
    np.testing.assert_array_equal(loaded.labels, expected.labels)
    assert loaded.images.dtype == np.uint8 and loaded.labels.dtype == np.int64
    assert loaded.images.shape == (len(expected), 48, 48) and len(loaded) == len(expected)


def write_parquet(path: Path, faces: Faces, names: Sequence[str] = EMOTIONS) -> Path:
    labels = [names.index(EMOTIONS[label]) for label in faces.labels]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(names))})
    records = {"image": [{"bytes": png(image), "path": None} for image in faces.images], "label": labels}
    path.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(records, features=features).to_parquet(path)
    return path


def write_columns(path: Path, columns: dict) -> Path:
    datasets.Dataset.from_dict(columns).to_parquet(path)
    return path


def pixel_text(image: np.ndarray) -> str:
    return " ".join(map(str, image.ravel()))


def write_csv(path: Path, lines: list[str], header: str = "emotion,pixels,Usage") -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def write_class_folders(root: Path, faces: Faces, suffix: str = "png") -> None:
    for number, (image, label) in enumerate(zip(faces.images, faces.labels, strict=True), 1):
        folder = root / EMOTIONS[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number}.{suffix}")


def by_pixels(faces: Faces) -> dict[bytes, int]:
    return {image.tobytes(): int(label) for image, label in zip(faces.images, faces.labels, strict=True)}


def refusal(source, split="train", **options) -> str:
    with pytest.raises(DataError) as caught:
        load_fer2013(source, split, **options)
    return str(caught.value)


@pytest.mark.parametrize("names", [SPLITS, ("train", "valid", "test"), ("Training", "PublicTest", "PrivateTest")])
def test_a_folder_of_parquet_is_read_by_split(tmp_path, splits, names):
    for split, name in zip(SPLITS, names, strict=True):
        write_parquet(tmp_path / "data" / f"{name}-00000-of-00001.parquet", splits[split])
    for split in SPLITS:
        assert_same(load_fer2013(tmp_path, split), splits[split])


def test_parquet_may_lie_in_folders_named_after_splits(tmp_path, splits):
    for split in SPLITS:
        write_parquet(tmp_path / split / "0000.parquet", splits[split])
    for split in SPLITS:
        assert_same(load_fer2013(str(tmp_path), split), splits[split])


def test_the_shards_of_a_split_are_joined_in_order(tmp_path, splits):
    train = splits["train"]
    for shard in range(3):
        part = slice(4 * shard, 4 * shard + 4)
        faces = Faces(train.images[part], train.labels[part], "")
        write_parquet(tmp_path / f"train-0000{shard}-of-00003.parquet", faces)
    assert_same(load_fer2013(tmp_path, "train"), train)


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


@pytest.mark.parametrize("shape", [(2304,), (48, 48)])
def test_columns_pixels_and_emotion_may_hold_lists(tmp_path, splits, shape):
    train = splits["train"]
    columns = {"pixels": [i.reshape(shape).tolist() for i in train.images], "emotion": train.labels.tolist()}
    assert_same(load_fer2013(write_columns(tmp_path / "train.parquet", columns)), train)


def test_columns_pixels_and_emotion_may_hold_text(tmp_path, splits):
    train = splits["train"]
    columns = {"pixels": [pixel_text(image) for image in train.images], "emotion": train.labels.tolist()}
    assert_same(load_fer2013(write_columns(tmp_path / "train.parquet", columns)), train)


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


@pytest.mark.parametrize("split", ["train", "validation"])
def test_one_parquet_file_is_the_split_it_is_named_after(tmp_path, splits, split):
    path = write_parquet(tmp_path / f"{split}.parquet", splits[split])
    assert_same(load_fer2013(path, split), splits[split])


def test_one_parquet_file_of_another_name_is_train(tmp_path, splits):
    path = write_parquet(tmp_path / "faces.parquet", splits["train"])
    assert_same(load_fer2013(path), splits["train"])
    assert "'test'" in refusal(path, "test")


@pytest.mark.parametrize("names", [SPLITS, ("Training", "PublicTest", "PrivateTest")])
def test_class_folders_align_images_and_labels(tmp_path, splits, names):
    for split, name in zip(SPLITS, names, strict=True):
        write_class_folders(tmp_path / name, splits[split])
    for split in SPLITS:
        assert by_pixels(load_fer2013(tmp_path, split)) == by_pixels(splits[split])


def test_files_that_sort_differently_as_numbers_keep_their_labels(tmp_path, make_faces):
    images = make_faces(12, seed=5)
    labels = [3, 4] * 6
    for number, (image, label) in enumerate(zip(images, labels, strict=True), 1):
        folder = tmp_path / "train" / EMOTIONS[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number}.png")
    loaded = load_fer2013(tmp_path, "train")
    assert by_pixels(loaded) == {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    assert len(loaded) == 12


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


def test_in_the_most_downloaded_copy_names_tell_validation_from_test(tmp_path, splits):
    names = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
    for split, faces in splits.items():
        for number, (image, label) in enumerate(zip(faces.images, faces.labels, strict=True)):
            folder = tmp_path / ("train" if split == "train" else "test") / EMOTIONS[label]
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{names[split]}_{number}.png")
    for split in SPLITS:
        assert by_pixels(load_fer2013(tmp_path, split)) == by_pixels(splits[split])


def test_names_do_not_part_a_test_split_beside_a_validation_split(tmp_path, splits):
    for split in SPLITS:
        write_class_folders(tmp_path / split, splits[split])
    for file in (tmp_path / "test").rglob("*.png"):
        file.rename(file.with_name(f"PublicTest_{file.name}"))
    for split in SPLITS:
        assert by_pixels(load_fer2013(tmp_path, split)) == by_pixels(splits[split])


def test_a_picture_of_no_split_among_others_is_refused(tmp_path, splits):
    write_class_folders(tmp_path / "train", splits["train"])
    write_class_folders(tmp_path / "more", splits["test"])
    assert re.search(r"more/.*cannot be told which split", refusal(tmp_path))


def test_what_the_system_adds_is_no_picture_and_links_are_followed(tmp_path, splits):
    write_class_folders(tmp_path / "elsewhere", splits["train"])
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "elsewhere")
    for junk in ("__MACOSX/train/happy/1.png", "train/happy/._1.png"):
        (tmp_path / "data" / junk).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / junk).write_bytes(b"junk")
    assert by_pixels(load_fer2013(tmp_path / "data")) == by_pixels(splits["train"])


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


def test_class_folders_without_splits_are_train(tmp_path, splits):
    write_class_folders(tmp_path, splits["train"])
    assert by_pixels(load_fer2013(tmp_path)) == by_pixels(splits["train"])


def test_a_class_folder_of_another_name_is_refused(tmp_path, make_faces):
    folder = tmp_path / "train" / "bored"
    folder.mkdir(parents=True)
    Image.fromarray(make_faces(1)[0]).save(folder / "1.png")
    message = refusal(tmp_path)
    assert "bored" in message and "1.png" in message and "angry" in message


def test_a_damaged_image_in_a_class_folder_is_named(tmp_path, splits):
    write_class_folders(tmp_path / "train", splits["train"])
    (tmp_path / "train" / "happy" / "77.png").write_bytes(b"no image")
    assert "77.png" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["faces [2013]", "a*b", "with space", "100%"])
def test_paths_may_hold_any_characters(tmp_path, splits, name):
    write_class_folders(tmp_path / name / "train", splits["train"])
    assert by_pixels(load_fer2013(tmp_path / name)) == by_pixels(splits["train"])


@pytest.mark.parametrize("name", ["train[1].parquet", "train (2).parquet"])
def test_file_names_may_hold_brackets(tmp_path, splits, name):
    assert_same(load_fer2013(write_parquet(tmp_path / name, splits["train"])), splits["train"])


@pytest.fixture(scope="module")
def csv_file(tmp_path_factory, splits) -> Path:
    """Kaggle's CSV with the splits interleaved."""
    usages = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
    lines = []
    for row in range(max(SIZES.values())):
        for split, faces in splits.items():
            if row < len(faces):
                lines.append(f"{faces.labels[row]},{pixel_text(faces.images[row])},{usages[split]}")
    return write_csv(tmp_path_factory.mktemp("kaggle") / "fer2013.csv", lines)


@pytest.mark.parametrize("split", SPLITS)
def test_kaggles_csv_is_read_by_usage(csv_file, splits, split):
    assert_same(load_fer2013(csv_file, split), splits[split])
    assert_same(load_fer2013(csv_file.parent, split), splits[split])


def test_a_csv_may_have_spaces_in_its_header_and_another_order(tmp_path, splits):
    faces = splits["validation"]
    pairs = zip(faces.labels, faces.images, strict=True)
    path = write_csv(
        tmp_path / "icml_face_data.csv", [f"{k},PublicTest,{pixel_text(i)}" for k, i in pairs], "emotion, Usage, pixels"
    )
    assert_same(load_fer2013(path, "validation"), faces)


def rows_of(faces: Faces, *more: str) -> list[str]:
    return [
        ",".join([str(label), pixel_text(image), *more])
        for label, image in zip(faces.labels, faces.images, strict=True)
    ]


def test_the_folder_of_the_challenge_is_read_from_the_table_of_all_splits(tmp_path, csv_file, splits):
    shutil.copy(csv_file, tmp_path / "icml_face_data.csv")
    write_csv(tmp_path / "train.csv", rows_of(splits["train"]), "emotion,pixels")
    write_csv(tmp_path / "test.csv", [pixel_text(image) for image in splits["test"].images], "pixels")
    write_csv(tmp_path / "example_submission.csv", ["0,1"], "id,emotion")
    for split in SPLITS:
        assert_same(load_fer2013(tmp_path, split), splits[split])


def test_a_test_table_without_labels_does_not_hinder_training(tmp_path, splits):
    write_csv(tmp_path / "train.csv", rows_of(splits["train"]), "emotion,pixels")
    write_csv(tmp_path / "test.csv", [pixel_text(image) for image in splits["test"].images], "pixels")
    parts = [load_fer2013(tmp_path, split) for split in ("train", "validation")]
    assert sum(map(len, parts)) == len(splits["train"])
    assert "test.csv: has no column label" in refusal(tmp_path, "test")


@pytest.mark.parametrize("names", [SPLITS, ("train", "val", "test"), ("Training", "public_test", "private_test")])
def test_csv_files_may_be_named_after_splits(tmp_path, splits, names):
    for split, name in zip(SPLITS, names, strict=True):
        write_csv(tmp_path / f"{name}.csv", rows_of(splits[split]), "Emotion, PIXELS")
    for split, name in zip(SPLITS, names, strict=True):
        assert_same(load_fer2013(tmp_path, split), splits[split])
        assert_same(load_fer2013(tmp_path / f"{name}.csv", split), splits[split])


def test_shares_of_a_csv_are_joined(tmp_path, csv_file, splits):
    header, *lines = csv_file.read_text().splitlines()
    for rank, part in enumerate((lines[:7], lines[7:])):
        write_csv(tmp_path / f"out-{rank:05}-of-00002.csv", part, header)
    for split in SPLITS:
        assert_same(load_fer2013(tmp_path, split), splits[split])


def test_two_csv_files_of_all_splits_are_not_guessed_among(tmp_path, csv_file, splits):
    for name in ("a.csv", "b.csv"):
        shutil.copy(csv_file, tmp_path / name)
    assert "several tables of all splits, a.csv, b.csv; point --data at one" in refusal(tmp_path)
    shutil.copy(csv_file, tmp_path / "fer2013.csv")
    assert_same(load_fer2013(tmp_path), splits["train"])


def test_the_votes_of_fer_plus_may_lie_beside(tmp_path, csv_file, splits):
    shutil.copy(csv_file, tmp_path / "fer2013.csv")
    votes = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    write_csv(tmp_path / "fer2013new.csv", ["Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0"], votes)
    assert_same(load_fer2013(tmp_path), splits["train"])


@pytest.mark.parametrize(
    ("header", "line"), [("file,label", "1.png,3"), ("image,emotion", "train/happy/1.png,happy"), ("\0", "")]
)
def test_pictures_by_class_may_have_a_table_beside_them(tmp_path, splits, header, line):
    write_class_folders(tmp_path / "train", splits["train"])
    write_csv(tmp_path / "labels.csv", [line], header)
    assert by_pixels(load_fer2013(tmp_path)) == by_pixels(splits["train"])


def test_a_table_that_names_pictures_alone_is_refused_with_a_remedy(tmp_path):
    write_csv(tmp_path / "labels.csv", ["1.png,3"], "image,emotion")
    assert "names pictures and holds none" in refusal(tmp_path) and "train/happy" in refusal(tmp_path)


def test_parquet_with_usage_is_read_by_it_and_may_hold_categories(tmp_path, csv_file, splits):
    frame = pd.read_csv(csv_file).astype({"Usage": "category", "emotion": "category"}).set_index("Usage")
    frame.reset_index().to_parquet(tmp_path / "train.parquet")
    for split in SPLITS:
        assert_same(load_fer2013(tmp_path, split), splits[split])


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


def test_unquoted_pixels_with_commas_are_told(tmp_path):
    path = write_csv(tmp_path / "train.csv", [f"3,{','.join(['7'] * 2304)}"], "emotion,pixels")
    assert "line 2: has 2305 fields, and the header 2" in refusal(path)


def one_line(tmp_path: Path, pixels: str, emotion: str = "3", usage: str = "Training") -> Path:
    good = f"0,{' '.join(['7'] * 2304)},Training"
    return write_csv(tmp_path / "fer2013.csv", [good, good, f"{emotion},{pixels},{usage}"])


def test_a_row_with_too_few_pixels_is_named_by_line(tmp_path):
    message = refusal(one_line(tmp_path, "1 2 3"))
    assert "fer2013.csv, line 4" in message and "3 pixels" in message and "2304" in message and "remove" in message


@pytest.mark.parametrize("bad", ["many", "1.5", "nan"])
def test_a_row_whose_pixels_are_no_numbers_is_named_by_line(tmp_path, bad):
    message = refusal(one_line(tmp_path, " ".join(["7"] * 2303 + [bad])))
    assert "line 4" in message and "whole numbers" in message


@pytest.mark.parametrize("bad", ["-1", "256"])
def test_a_row_with_pixels_out_of_range_is_named_by_line(tmp_path, bad):
    message = refusal(one_line(tmp_path, " ".join(["7"] * 2303 + [bad])))
    assert "line 4" in message and "0 to 255" in message


def test_a_row_without_pixels_is_named_by_line(tmp_path):
    assert "line 4" in refusal(one_line(tmp_path, ""))


@pytest.mark.parametrize("emotion", ["7", "-1", "bored"])
def test_a_row_with_a_bad_label_is_named_by_line(tmp_path, emotion):
    message = refusal(one_line(tmp_path, " ".join(["7"] * 2304), emotion))
    assert "line 4" in message and "emotion" in message


def test_a_csv_row_with_an_unknown_usage_is_named_by_line(tmp_path):
    message = refusal(one_line(tmp_path, " ".join(["7"] * 2304), usage="Holiday"))
    assert "Holiday" in message and "line 4" in message


def test_a_csv_without_a_split_lists_those_it_has(tmp_path):
    message = refusal(one_line(tmp_path, " ".join(["7"] * 2304)), "test")
    assert "'test'" in message and "train" in message


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


def test_a_wrong_path_is_refused_with_a_remedy(tmp_path):
    message = refusal(tmp_path / "nothing" / "here")
    assert "nothing/here" in message and "no such file or folder" in message and "AutumnQiu/fer2013" in message


def test_a_folder_without_data_is_refused_with_a_remedy(tmp_path):
    (tmp_path / "notes.txt").write_text("no data")
    message = refusal(tmp_path)
    assert str(tmp_path) in message and "Parquet, CSV or image files" in message


@pytest.mark.parametrize("name", ["train.parquet", "fer2013.csv"])
def test_a_damaged_file_is_refused_with_a_remedy(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x00\x01damaged\xff")
    assert name in refusal(tmp_path)


def test_a_missing_split_lists_those_there_are(tmp_path, splits):
    write_parquet(tmp_path / "train-00000-of-00001.parquet", splits["train"])
    message = refusal(tmp_path, "test")
    assert "'test'" in message and "only train" in message


@pytest.mark.parametrize("missing", ["image", "label"])
def test_a_missing_column_lists_those_there_are(tmp_path, missing):
    columns = {"image": [b"x"], "label": [0]}
    columns["stuff"] = columns.pop(missing)
    message = refusal(write_columns(tmp_path / "train.parquet", columns))
    assert missing in message and re.search(r"only .*stuff", message) and "rename" in message


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


@pytest.mark.parametrize("label", [7, -1])
def test_a_label_out_of_range_is_named_by_row(tmp_path, make_faces, label):
    columns = {"image": list(map(png, make_faces(3))), "label": [0, 6, label]}
    message = refusal(write_columns(tmp_path / "train.parquet", columns))
    assert "row 2" in message and str(label) in message and "neutral" in message


def test_fractions_are_pixels_of_which_one_is_white(tmp_path):
    columns = {"pixels": [[0.0, 0.2, 0.6, 1.0] * 576], "emotion": [0]}
    loaded = load_fer2013(write_columns(tmp_path / "train.parquet", columns))
    assert loaded.images[0, 0, :4].tolist() == [0, 51, 153, 255]


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
    monkeypatch.setattr(fer2013, "xopen", lambda path, mode: pytest.fail(f"{path} was opened"))
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


@pytest.mark.parametrize(("source", "answer"), [("user/repo", True), ("a-b/c.d_e", True), ("repo", False)])
def test_hub_ids_are_user_and_repo(source, answer):
    assert is_repo_id(source) is answer


@pytest.mark.parametrize("source", ["a/b/c", "/a", "a/", "./a", "../a", "a b/c", ""])
def test_paths_are_no_hub_ids(source):
    assert not is_repo_id(source)
