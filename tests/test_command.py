import io
from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from fer_denoise import Restorer
from fer_denoise.__main__ import main
from fer_denoise.command.job import OTHER_KINDS_SEED
from fer_denoise.data import load_fer2013
from fer_denoise.metrics import psnr
from fer_denoise.noise import TASKS, Composition, JpegCompression, SpeckleNoise, mixed_noise
from fer_denoise.photos import photo_noise_level, restore_photo
from fer_denoise.pictures import read_picture
from fer_denoise.samples import sample_faces


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    return np.stack(list(sample_faces().values()))


@pytest.fixture(scope="module")
def noisy(clean: np.ndarray) -> np.ndarray:
    return np.rint(TASKS["salt_pepper"](clean, seed=0) * 255).astype(np.uint8)


def run(*arguments: object) -> int:
    return main(["restore", *map(str, arguments), "--model", "switching-median"])


def write(path: Path, image: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)
    return path


def read(path: Path | io.BytesIO) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_a_picture_is_restored(tmp_path, noisy, clean):
    source = write(tmp_path / "noisy.png", noisy[0])
    assert run(source, tmp_path / "new" / "restored.png") == 0
    assert psnr(read(tmp_path / "new" / "restored.png"), clean[0]) > psnr(noisy[0], clean[0]) + 6
    assert np.array_equal(read(source), noisy[0])


def test_a_picture_is_not_written_over(tmp_path, noisy, capsys):
    source, other = write(tmp_path / "noisy.png", noisy[0]), write(tmp_path / "other.png", noisy[1])
    assert run(source, other) == 2
    assert "is there already" in capsys.readouterr().err and np.array_equal(read(other), noisy[1])


@pytest.mark.parametrize("device", ["warp", "cuda:77" if torch.cuda.is_available() else "cuda"])
def test_a_device_that_is_not_there_is_told(tmp_path, noisy, capsys, device):
    source = write(tmp_path / "noisy.png", noisy[0])
    assert main(["restore", str(source), str(tmp_path / "out.png"), "--device", device]) == 2
    assert "torch cannot compute there" in capsys.readouterr().err


def test_a_seed_below_zero_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["corrupt", "in.png", "out.png", "--seed", "-1"])
    assert "must be at least 0" in capsys.readouterr().err


def test_other_kinds_of_noise_are_added_in_their_order(tmp_path, clean):
    source = write(tmp_path / "clean.png", clean[0])
    kinds = ["--kind", "speckle:sigma=0.2", "--kind", "jpeg:quality=40"]
    assert main(["corrupt", str(source), str(tmp_path / "out.png"), "--sigma", "0.02", *kinds, "--seed", "3"]) == 0
    out = read(tmp_path / "out.png")
    with_noise = mixed_noise(clean[0], 0.02, 0, seed=3)
    expected = Composition((SpeckleNoise(0.2), JpegCompression(40)))(with_noise, seed=3 + OTHER_KINDS_SEED)
    np.testing.assert_array_equal(out, np.rint(expected * 255))


def test_a_kind_of_noise_that_there_is_not_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["corrupt", "in.png", "out.png", "--kind", "fog:sigma=1"])
    assert "there are gaussian" in capsys.readouterr().err


def test_a_folder_is_restored_with_its_layout_and_damaged_pictures_are_reported(tmp_path, noisy, clean, capsys):
    write(tmp_path / "in" / "happy" / "1.png", noisy[0])
    write(tmp_path / "in" / "sad" / "2.bmp", noisy[1])
    (tmp_path / "in" / "sad" / "broken.png").write_text("no picture")
    (tmp_path / "in" / "notes.csv").write_text("file,comment\n1.png,noisy\n")
    assert run(tmp_path / "in", tmp_path / "out") == 1
    assert psnr(read(tmp_path / "out" / "happy" / "1.png"), clean[0]) > psnr(noisy[0], clean[0]) + 6
    assert (tmp_path / "out" / "sad" / "2.bmp").is_file()
    assert not (tmp_path / "out" / "sad" / "broken.png").exists()
    captured = capsys.readouterr()
    assert "restored 2, skipped 2" in captured.out
    assert "broken.png" in captured.err
    assert "notes.csv: has no column" in captured.err


def test_lossy_pictures_become_png_and_never_overwrite_each_other(tmp_path, noisy, capsys):
    write(tmp_path / "in" / "face.jpg", noisy[0])
    write(tmp_path / "in" / "face.png", noisy[1])
    assert run(tmp_path / "in", tmp_path / "out") == 1
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["face.png"]
    assert "rename" in capsys.readouterr().err


def test_parquet_keeps_its_columns_and_damaged_rows(tmp_path, noisy, clean, capsys):
    folder = tmp_path / "data"
    folder.mkdir()
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["happy", "sad"])})
    encoded = []
    for image in noisy:
        file = write(tmp_path / "face.png", image)
        encoded.append({"bytes": file.read_bytes(), "path": None})
    encoded[2] = {"bytes": b"damaged", "path": None}
    labels = [index % 2 for index in range(len(noisy))]
    datasets.Dataset.from_dict({"image": encoded, "label": labels}, features=features).to_parquet(
        folder / "test-00000-of-00001.parquet"
    )
    assert run(folder, tmp_path / "out") == 1
    result = datasets.load_dataset(
        "parquet", data_files=str(tmp_path / "out" / "test-00000-of-00001.parquet"), split="train"
    )
    assert result.features["label"].names == ["happy", "sad"]
    assert result["label"] == labels
    raw = result.cast_column("image", datasets.Image(decode=False))
    assert raw[2]["image"]["bytes"] == b"damaged"
    for row in (0, 1, 3):
        assert psnr(np.asarray(result[row]["image"]), clean[row]) > psnr(noisy[row], clean[row]) + 6
    assert "row 2" in capsys.readouterr().err


CLEAN_PHOTO = data.astronaut()[50:114, 170:234]


def noisy_photo() -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 12, CLEAN_PHOTO.shape)
    return np.rint(np.clip(CLEAN_PHOTO + noise, 0, 255)).astype(np.uint8)


def estimates(capsys) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if "estimated noise" in line]


@pytest.mark.slow
def test_colours_are_kept_in_files_folders_and_parquet_unless_gray_is_asked_for(tmp_path, capsys):
    source = write(tmp_path / "in" / "a.png", noisy_photo())
    images = [{"bytes": source.read_bytes(), "path": "a.png"}]
    datasets.Dataset.from_dict({"image": images}).to_parquet(tmp_path / "in" / "t.parquet")
    assert run(source, tmp_path / "a.png") == 0
    assert run(tmp_path / "in", tmp_path / "out") == 0
    # Through every door the noise of a picture is estimated alike.
    alone, folder = estimates(capsys)
    level = photo_noise_level(Restorer.from_pretrained("universal"), noisy_photo())
    told = f"sigma {level.sigma:.3f}, impulses {level.amount:.1%} before"
    assert told in alone and told in folder
    expected = restore_photo(Restorer.from_pretrained("switching-median"), noisy_photo())
    (row,) = datasets.Dataset.from_parquet(str(tmp_path / "out" / "t.parquet"))
    for picture in (
        read(tmp_path / "a.png"),
        read(tmp_path / "out" / "a.png"),
        read(io.BytesIO(row["image"]["bytes"])),
    ):
        np.testing.assert_array_equal(picture, expected)
    assert run(tmp_path / "in", tmp_path / "gray", "--gray") == 0
    (row,) = datasets.Dataset.from_parquet(str(tmp_path / "gray" / "t.parquet"))
    assert read(tmp_path / "gray" / "a.png").ndim == read(io.BytesIO(row["image"]["bytes"])).ndim == 2


def test_floats_keep_their_scale_where_noise_goes_beyond_white(tmp_path, noisy, capsys):
    for top in (0.999, 1.01):
        pixels = (0.3 + 0.6 * noisy[0] / 255).astype(np.float32)
        pixels[10, 10] = top
        assert run(write(tmp_path / f"{top}.tif", pixels), tmp_path / f"{top}-out.tif") == 0
        restored = read(tmp_path / f"{top}-out.tif")
        assert restored.dtype == np.float32 and abs(restored.mean() - pixels.mean()) < 0.02
        assert ("pixels beyond black or white were taken for them: 1 picture" in capsys.readouterr().out) == (top > 1)


def test_12_bits_are_refused_until_white_is_told_and_then_keep_their_levels(tmp_path, noisy, clean, capsys):
    raw = np.rint(noisy[0] / 255 * 4095).astype(np.uint16)
    source = write(tmp_path / "in" / "a.tif", raw)
    assert run(source, tmp_path / "b.tif") == 2
    assert "--white" in capsys.readouterr().err and not (tmp_path / "b.tif").exists()
    assert run(source, tmp_path / "b.tif", "--white", 4095) == 0
    assert run(tmp_path / "in", tmp_path / "out", "--white", 4095) == 0
    restored = read(tmp_path / "b.tif")
    np.testing.assert_array_equal(restored, read(tmp_path / "out" / "a.tif"))
    assert restored.dtype == np.uint16 and len(np.unique(restored)) > 100
    assert psnr(restored / 4095, clean[0]) > psnr(raw / 4095, clean[0]) + 6
    with pytest.raises(SystemExit):
        run(source, tmp_path / "c.tif", "--white", 0)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bits_are_kept_in_files_and_parquet(tmp_path, noisy, name):
    deep = noisy[0].astype(np.uint16) * 257
    source = write(tmp_path / name, deep)
    datasets.Dataset.from_dict({"image": [{"bytes": source.read_bytes(), "path": name}]}).to_parquet(
        tmp_path / "t.parquet"
    )
    assert run(source, tmp_path / f"out-{name}") == 0
    assert run(tmp_path / "t.parquet", tmp_path / "out.parquet") == 0
    expected = np.rint(Restorer.from_pretrained("switching-median")((deep / 65535).astype(np.float32)) * 65535)
    (row,) = datasets.Dataset.from_parquet(str(tmp_path / "out.parquet"))
    for picture in (read(tmp_path / f"out-{name}"), read(io.BytesIO(row["image"]["bytes"]))):
        assert picture.dtype == np.uint16
        np.testing.assert_allclose(picture.astype(float), expected, atol=1)


@pytest.mark.slow
def test_a_pgm_keeps_its_maximum_in_files_folders_and_parquet(tmp_path, noisy, clean):
    (tmp_path / "in").mkdir()
    levels = np.rint(noisy[0] / 255 * 100).astype(np.uint8)
    source = tmp_path / "in" / "a.pgm"
    source.write_bytes(b"P5 48 48 100\n" + levels.tobytes())
    datasets.Dataset.from_dict({"image": [source.read_bytes()]}).to_parquet(tmp_path / "in" / "t.parquet")
    assert run(tmp_path / "in", tmp_path / "out") == run(source, tmp_path / "b.pgm") == 0
    (row,) = datasets.Dataset.from_parquet(str(tmp_path / "out" / "t.parquet"))
    for file in (tmp_path / "b.pgm", tmp_path / "out" / "a.pgm", io.BytesIO(row["image"])):
        picture = read_picture(file)
        assert picture.white == 100 and picture.frames[0].dtype == np.uint8
        assert psnr(picture.images[0], clean[0]) > psnr(noisy[0], clean[0]) + 6
    assert run(source, tmp_path / "b.png") == 2


def test_all_frames_are_restored(tmp_path, noisy):
    (tmp_path / "in").mkdir()
    first, *others = map(Image.fromarray, noisy)
    for name in ("stack.tif", "film.gif", "film2.webp"):
        first.save(tmp_path / "in" / name, save_all=True, append_images=others, lossless=True, duration=40)
    assert run(tmp_path / "in", tmp_path / "out") == 0
    expected = Restorer.from_pretrained("switching-median")(noisy)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"stack.tif", "film.png", "film2.png"}
    for path in (tmp_path / "out").iterdir():
        with Image.open(path) as picture:
            assert picture.n_frames == len(noisy)
            for number, frame in enumerate(expected):
                picture.seek(number)
                np.testing.assert_array_equal(np.asarray(picture.convert("L")), frame)


def test_all_that_a_folder_holds_is_restored_or_named_and_counted(tmp_path, noisy, capsys):
    source = tmp_path / "in"
    write(source / "a.png", noisy[0])
    write(tmp_path / "elsewhere" / "f.png", noisy[1])
    for name in ("b.jfif", "c.ppm", "d.avif", "e.webp", "f.jpe", "i.heic"):
        Image.fromarray(noisy[0]).save(source / name, format=None if name != "b.jfif" else "JPEG")
    (source / "linked").symlink_to("../elsewhere")
    (source / "loop").symlink_to(".")
    for name in (
        "g.jxl",
        "h.zip",
        "film.mp4",
        "._a.png",
        "__MACOSX/._a.png",
        ".DS_Store",
        *(f"{n}.txt" for n in range(5)),
    ):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_bytes(b"something")
    assert run(source, tmp_path / "out") == 1
    restored = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.p*")}
    assert restored == {"a.png", "b.png", "c.ppm", "d.png", "e.png", "f.png", "i.png", "linked/f.png"}
    said = capsys.readouterr()
    assert "restored 8, skipped 4" in said.out and "left where they are: 5 other files" in said.out
    for words in ("loop: is a link", "g.jxl: .jxl is not read; save it as PNG", "h.zip: archives are not opened"):
        assert words in said.err
    assert "film.mp4" in said.err and "left: 0.txt, 1.txt, 2.txt and 2 more" in said.err
    assert "DS_Store" not in said.err and "MACOSX" not in said.err and "._a" not in said.err


def test_labels_beside_pictures_are_no_failure(tmp_path, noisy, capsys):
    write(tmp_path / "in" / "a.png", noisy[0])
    (tmp_path / "in" / "labels.json").write_text("{}")
    assert run(tmp_path / "in", tmp_path / "out") == 0
    said = capsys.readouterr()
    assert "left where they are: 1 other file\n" in said.out and "left: labels.json" in said.err


def test_damaged_pictures_of_one_name_are_told_apart(tmp_path, noisy, capsys):
    write(tmp_path / "in" / "happy" / "1.png", noisy[0])
    for emotion in ("sad", "fear"):
        (tmp_path / "in" / emotion).mkdir()
        (tmp_path / "in" / emotion / "1.png").write_text("no picture")
    assert run(tmp_path / "in", tmp_path / "out") == 1
    said = capsys.readouterr().err
    for emotion in ("sad", "fear"):
        assert f"skipped: {tmp_path / 'in' / emotion / '1.png'} is not a picture" in said


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_list_of_labels_that_names_pictures_is_told_once_and_not_row_by_row(tmp_path, noisy, capsys, suffix):
    write(tmp_path / "in" / "a.png", noisy[0])
    labels = datasets.Dataset.from_dict({"image": ["a.png", "b.png"], "label": [3, 4]})
    getattr(labels, f"to_{suffix}")(tmp_path / "in" / f"labels.{suffix}")
    assert run(tmp_path / "in", tmp_path / "out") == 1
    said = capsys.readouterr()
    assert "restored 1, skipped 1 " in said.out and "names pictures and holds none; restore the folder" in said.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


def test_a_folder_without_pictures_tells_what_it_holds(tmp_path, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jxl").write_bytes(b"something")
    assert run(tmp_path / "in", tmp_path / "out") == 2
    assert "holds no pictures and no Parquet or CSV files, only .jxl" in capsys.readouterr().err


def test_a_folder_is_taken_for_a_single_picture_or_table(tmp_path, noisy):
    source = write(tmp_path / "a.jpg", noisy[0])
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine.txt").write_text("mine")
    assert run(source, tmp_path / "there") == 0
    assert run(source, f"{tmp_path}/made/deeper/") == 0
    assert read(tmp_path / "there" / "a.png").shape == read(tmp_path / "made" / "deeper" / "a.png").shape == (48, 48)
    assert run(source, tmp_path / "there") == 2
    images = [{"bytes": source.read_bytes(), "path": "a.jpg"}]
    datasets.Dataset.from_dict({"image": images}).to_parquet(tmp_path / "t.parquet")
    assert run(tmp_path / "t.parquet", tmp_path / "there") == 0
    assert (tmp_path / "there" / "t.parquet").is_file() and (tmp_path / "there" / "mine.txt").read_text() == "mine"


def test_several_go_into_a_folder_as_a_shell_expands_them(tmp_path, noisy, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write(Path("in/a.png"), noisy[0])
    write(Path("in/b.jpg"), noisy[1])
    write(Path("in/sub/c.png"), noisy[2])
    Path("in/notes.txt").write_text("words")
    Path("out").mkdir()
    Path("out/mine.png").write_text("mine")
    assert run(*sorted(Path("in").iterdir()), "out/") == 0
    there = {path.relative_to("out").as_posix() for path in Path("out").rglob("*.*")}
    assert there == {"a.png", "b.png", "mine.png", "sub/c.png"}
    np.testing.assert_array_equal(read(Path("out/sub/c.png")), Restorer.from_pretrained("switching-median")(noisy[2]))
    assert "left: notes.txt" in capsys.readouterr().err
    # Never over anything, and not into itself.
    for arguments, words in (
        (("in/a.png", "in/b.jpg", "out"), "out/a.png: is there already"),
        (("in/a.png", "in/b.jpg", "in"), "in/a.png: is there already"),
        (("in/a.png", "in", "in/sub"), "lies in in"),
        (("in/a.png", "in/b.jpg", "in/sub/c.png"), "is a file"),
        (("in/a.png", "in/none.png", "new"), "no such file"),
        (("in/a.png", "in/b.jpg", "new", "--push-to-hub", "me/it"), "one source"),
    ):
        assert run(*arguments) == 2
        assert words in capsys.readouterr().err
    assert not Path("new").exists() and Path("out/mine.png").read_text() == "mine"
    write(Path("more/a.png"), noisy[1])
    assert run("in/a.png", "more/a.png", "new") == 1
    assert "more/a.png: another file already becomes a.png" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("stem", ["x" * 251, "あ" * 82])
def test_names_may_be_as_long_as_the_disk_allows(tmp_path, noisy, stem):
    source = write(tmp_path / "in" / f"{stem}.png", noisy[0])
    (tmp_path / "in" / f"{stem[:-8]}.csv").write_text(f"pixels\n{' '.join(map(str, noisy[0].ravel()))}\n")
    assert run(tmp_path / "in", tmp_path / "out") == 0
    assert run(source, tmp_path / f"{stem}.png") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in (tmp_path / "in").iterdir()}


def test_what_was_changed_in_reading_is_said(tmp_path, capsys):
    for name in ("a.png", "b.png"):
        Image.new("RGBA", (9, 9), (200, 10, 10, 99)).save(tmp_path / name)
    assert run(tmp_path, tmp_path.with_name(f"{tmp_path.name}-out")) == 0
    assert "transparency was laid on white: 2 pictures" in capsys.readouterr().out


def test_csv_keeps_its_layout(tmp_path, noisy, clean):
    rows = [f"3,{' '.join(map(str, image.ravel()))},PrivateTest" for image in noisy]
    source = tmp_path / "fer2013.csv"
    source.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    assert run(source, tmp_path / "restored.csv") == 0
    faces = load_fer2013(tmp_path / "restored.csv", "test")
    assert (psnr(faces.images, clean) > psnr(noisy, clean) + 6).all()
    assert (faces.labels == 3).all()
    assert run(source, tmp_path / "restored") == 2


def test_the_source_is_never_overwritten(tmp_path, noisy, capsys):
    source = write(tmp_path / "in" / "face.png", noisy[0])
    before = source.read_bytes()
    assert run(source, source) == 2
    assert run(tmp_path / "in", tmp_path / "in") == 2
    assert run(tmp_path / "in", tmp_path / "in" / "deeper") == 2
    assert source.read_bytes() == before
    assert "another place" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["missing.png", "out.png"], "check the path"),
        (["someone/some-dataset", "out"], "HF_TOKEN"),
        (["empty", "out"], "holds no pictures"),
    ],
)
def test_errors_tell_the_remedy(tmp_path, monkeypatch, capsys, arguments, hint):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert run(*arguments) == 2
    error = capsys.readouterr().err
    assert hint in error
    assert "Traceback" not in error


def test_an_unknown_model_is_an_error_that_lists_the_known(tmp_path, noisy, capsys):
    source = write(tmp_path / "face.png", noisy[0])
    assert main(["restore", str(source), str(tmp_path / "out.png"), "--model", "nothing"]) == 2
    assert "attention-unet-low" in capsys.readouterr().err


@pytest.mark.parametrize("sigma", ["-1", "15", "nan", "much"])
def test_a_wrong_sigma_is_refused(tmp_path, noisy, sigma):
    source = write(tmp_path / "face.png", noisy[0])
    with pytest.raises(SystemExit):
        main(["restore", str(source), str(tmp_path / "out.png"), "--sigma", sigma])
