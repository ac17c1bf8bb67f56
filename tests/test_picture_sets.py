import numpy as np
import pytest
from PIL import Image
from sets_on_disk import write_parquet

from fer_denoise.data import DataError
from train.shared.picture_sets import find_set, read_pairs, read_set


def test_pictures_that_cannot_be_read_end_with_a_message(tmp_path, make_faces):
    (tmp_path / "Set12").mkdir()
    with pytest.raises(DataError, match="holds no pictures"):
        read_set(find_set(tmp_path, "Set12"))
    (tmp_path / "Set12" / "one.png").write_bytes(b"none")
    with pytest.raises(DataError, match=r"one\.png is not a picture"):
        read_set(tmp_path / "Set12")
    (tmp_path / "BSD68.parquet").write_bytes(b"none")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_set(tmp_path / "BSD68.parquet")
    write_parquet(tmp_path / "pairs.parquet", noisy=list(make_faces(1)))
    with pytest.raises(DataError, match="has no column clean, only noisy"):
        read_pairs(tmp_path / "pairs.parquet")
    with pytest.raises(DataError, match="no such file"):
        read_pairs(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="neither Parquet files nor"):
        read_pairs(tmp_path / "empty")


def test_pairs_are_read_from_a_table_or_from_two_folders(pairs, tmp_path):
    noisy, clean = pairs
    write_parquet(tmp_path / "pairs.parquet", noisy=list(noisy), clean=list(clean))
    for name, pictures in (("noisy", noisy), ("clean", clean)):
        (tmp_path / "two" / name).mkdir(parents=True)
        for index, picture in enumerate(pictures):
            Image.fromarray(picture).save(tmp_path / "two" / name / f"{index}.png")
    for place in (tmp_path / "pairs.parquet", tmp_path, tmp_path / "two"):
        found = read_pairs(place)
        np.testing.assert_array_equal([one for one, _ in found], noisy)
        np.testing.assert_array_equal([other for _, other in found], clean)
    (tmp_path / "two" / "noisy" / "1.png").unlink()
    with pytest.raises(DataError, match="1 stands in only one of"):
        read_pairs(tmp_path / "two")
    Image.fromarray(noisy[1][:20]).save(tmp_path / "two" / "noisy" / "1.png")
    with pytest.raises(DataError, match="give pictures of one size"):
        read_pairs(tmp_path / "two")


def test_a_folder_of_pictures_is_walked_as_everywhere_and_none_of_two_is_lost(pairs, tmp_path):
    noisy, clean = pairs
    (tmp_path / "elsewhere").mkdir()
    Image.fromarray(noisy[1]).save(tmp_path / "elsewhere" / "2.png")
    folder = tmp_path / "set"
    folder.mkdir()
    Image.fromarray(noisy[0]).save(folder / "1.png")
    (folder / "._1.png").write_bytes(b"left by a system")
    (folder / "linked").symlink_to("../elsewhere")
    np.testing.assert_array_equal(read_set(folder, colour=True), noisy)
    Image.fromarray(clean[0]).save(folder / "1.tif")
    with pytest.raises(DataError, match="holds 1 in two formats; remove one"):
        read_set(folder)
