from pathlib import Path

import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from fer_denoise.__main__ import main
from fer_denoise.data import load_fer2013
from fer_denoise.metrics import psnr
from fer_denoise.noise import TASKS, Composition, JpegCompression, SpeckleNoise, mixed_noise
from fer_denoise.samples import sample_faces
from fer_denoise.work import OTHER_KINDS_SEED


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


def read(path: Path) -> np.ndarray:
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
