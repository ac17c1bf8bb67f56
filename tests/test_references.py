import io
import zipfile
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from pictures_on_disk import GRADIENT, save
from PIL import Image

from fer_denoise.demo.incoming import Incoming
from fer_denoise.demo.references import References, quality
from fer_denoise.metrics import mean_psnr, psnr, ssim
from fer_denoise.pictures import Picture, PictureError

COLOURS = np.stack([GRADIENT, GRADIENT[::-1], GRADIENT[:, ::-1]], axis=-1)


def clean_of(references: References, name: str, folder: Path):
    """The clean one of a noisy picture of that name."""
    return next(references.of(Incoming(name, lambda: b""), None, folder))


def pack(path: Path, members: dict[str, np.ndarray]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, pixels in members.items():
            content = io.BytesIO()
            Image.fromarray(pixels).save(content, "PNG")
            archive.writestr(name, content.getvalue())
    return path


def test_a_clean_one_is_found_by_its_name_whatever_its_format_and_case(tmp_path):
    references = References([str(save(tmp_path / "One.bmp", GRADIENT)), str(save(tmp_path / "two.png", GRADIENT))])
    np.testing.assert_array_equal(clean_of(references, "folder/one.jpg", tmp_path).picture.frames[0], GRADIENT)
    assert clean_of(references, "three.png", tmp_path).remark == "no clean one has its name, to compare it with"
    assert references.unused() == ["two.png"]


def test_of_two_of_one_name_the_folder_decides_and_else_neither_is_taken(tmp_path):
    packed = pack(tmp_path / "clean.zip", {"happy/1.png": GRADIENT, "sad/1.png": 255 - GRADIENT})
    references = References([str(packed)])
    np.testing.assert_array_equal(clean_of(references, "sad/1.png", tmp_path).picture.frames[0], 255 - GRADIENT)
    assert clean_of(references, "other/1.png", tmp_path).picture is None


def test_where_there_are_no_clean_ones_nothing_is_said_of_them(tmp_path):
    clean = clean_of(References(), "a.png", tmp_path)
    assert clean.picture is None and clean.remark == ""


def test_there_is_always_one_more_and_one_that_cannot_be_read_says_why(tmp_path):
    (tmp_path / "a.png").write_text("no picture")
    first, second, _ = islice(References([str(tmp_path / "a.png")]).of(Incoming("a.png", bytes), None, tmp_path), 3)
    assert first.remark.startswith("the clean one cannot be compared: a.png is not a picture")
    assert second.picture is None and "no clean one" in second.remark


def test_a_table_is_compared_row_by_row_and_not_with_a_picture_of_its_name(tmp_path, make_faces):
    faces = make_faces(2)
    lines = [f"{' '.join(map(str, face.ravel()))},0" for face in faces]
    (tmp_path / "faces.csv").write_text("\n".join(["pixels,emotion", *lines, ""]))
    references = References([str(tmp_path / "faces.csv")])
    assert clean_of(references, "faces.png", tmp_path).picture is None
    rows = list(islice(references.of(Incoming("faces.csv", bytes), None, tmp_path), 3))
    np.testing.assert_array_equal([row.picture.frames[0] for row in rows[:2]], faces)
    assert rows[2].picture is None


def test_quality_is_that_of_the_metrics_and_of_several_frames_the_mean():
    clean = Picture((COLOURS, COLOURS))
    noisy = Picture((COLOURS // 2, COLOURS))
    found = quality(noisy, clean, clean)
    assert found["noisy_psnr"] == f"{mean_psnr(np.array([psnr(COLOURS // 2, COLOURS), np.inf])):.2f}"
    assert found["noisy_ssim"] == f"{(ssim(COLOURS // 2, COLOURS) + 1) / 2:.4f}"
    assert (found["restored_psnr"], found["restored_ssim"]) == ("100.00", "1.0000")
    alone = Picture.of(COLOURS)
    assert quality(Picture.of(COLOURS // 2), alone, alone)["restored_psnr"] == "∞"


def test_a_clean_gray_picture_is_compared_with_noise_in_colour():
    found = quality(Picture.of(COLOURS), Picture.of(COLOURS), Picture.of(GRADIENT))
    assert found["noisy_psnr"] == f"{psnr(COLOURS, np.repeat(GRADIENT[..., None], 3, axis=2)):.2f}"


def test_below_the_window_of_ssim_there_is_none():
    small = Picture.of(GRADIENT[:10])
    assert quality(small, small, small).keys() == {"noisy_psnr", "restored_psnr"}


@pytest.mark.parametrize("other", [Picture.of(GRADIENT[:, 1:]), Picture.of(COLOURS), Picture((GRADIENT, GRADIENT))])
def test_what_is_not_like_it_is_not_compared(other):
    with pytest.raises(PictureError, match="another size, other frames or other colours"):
        quality(Picture.of(GRADIENT), Picture.of(GRADIENT), other)
