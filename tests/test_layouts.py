import re
import shutil

import pandas as pd
import pytest
from datasets_on_disk import (
    assert_same,
    by_pixels,
    one_line,
    pixel_text,
    refusal,
    rows_of,
    write_class_folders,
    write_csv,
    write_parquet,
)
from PIL import Image

from fer_denoise.data import EMOTIONS, Faces, load_fer2013
from fer_denoise.data.columns import SPLITS


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


@pytest.mark.parametrize("split", SPLITS)
def test_kaggles_csv_is_read_by_usage(csv_file, splits, split):
    assert_same(load_fer2013(csv_file, split), splits[split])
    assert_same(load_fer2013(csv_file.parent, split), splits[split])


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


def test_unquoted_pixels_with_commas_are_told(tmp_path):
    path = write_csv(tmp_path / "train.csv", [f"3,{','.join(['7'] * 2304)}"], "emotion,pixels")
    assert "line 2: has 2305 fields, and the header 2" in refusal(path)


def test_a_csv_row_with_an_unknown_usage_is_named_by_line(tmp_path):
    message = refusal(one_line(tmp_path, " ".join(["7"] * 2304), usage="Holiday"))
    assert "Holiday" in message and "line 4" in message


def test_a_folder_without_data_is_refused_with_a_remedy(tmp_path):
    (tmp_path / "notes.txt").write_text("no data")
    message = refusal(tmp_path)
    assert str(tmp_path) in message and "Parquet, CSV or image files" in message


@pytest.mark.parametrize("name", ["train.parquet", "fer2013.csv"])
def test_a_damaged_file_is_refused_with_a_remedy(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x00\x01damaged\xff")
    assert name in refusal(tmp_path)
