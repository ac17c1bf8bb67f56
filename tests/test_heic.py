"""HEIC, as phones and cameras write it: read with its colours, turned, in its depth, and written without loss."""

import io

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from fer_denoise.demo.uploads import read_face, read_upload
from fer_denoise.pictures import Picture, PictureError, lossless_suffix, picture_size, read_picture, write_picture

COLOURS = np.random.default_rng(0).integers(0, 256, (40, 70, 3), dtype=np.uint8)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LOSSLESS = {"quality": -1, "chroma": 444, "matrix_coefficients": 0}


def write_deep(path, pixels: np.ndarray, bits: int, monkeypatch, **options) -> None:
    """uint16 (H, W) or (H, W, 3), of which the upper bits are written."""
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", bits == 12)
    height, width = pixels.shape[:2]
    mode = "L;16" if pixels.ndim == 2 else "RGB;16"
    pillow_heif.from_bytes(mode, (width, height), pixels.tobytes()).save(path, **LOSSLESS, **options)


def test_its_colours_turn_and_profile_are_kept_by_what_is_written(save_image, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = save_image("phone.heic", Image.fromarray(COLOURS), exif=exif.tobytes(), icc_profile=PROFILE, **LOSSLESS)
    picture = read_picture(path)
    turned = np.rot90(COLOURS, -1)
    np.testing.assert_array_equal(picture.frames[0], turned)
    assert picture_size(path) == (40, 70, 1) and picture.notes == () and not picture.deep
    assert lossless_suffix(picture) == ".png"
    for suffix in ("png", "heic", "heif", "hif"):
        write_picture(tmp_path / f"again.{suffix}", picture)
        with Image.open(tmp_path / f"again.{suffix}") as result:
            np.testing.assert_array_equal(np.asarray(result), turned)
            assert result.info["icc_profile"] == PROFILE and result.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("channels", [(), (3,)])
def test_more_than_8_bits_are_read_as_16_with_their_profile(tmp_path, monkeypatch, bits, channels):
    pixels = np.random.default_rng(0).integers(0, 65536, (40, 70, *channels), dtype=np.uint16)
    pixels[0, :2] = [[0], [65535]] if channels else [0, 65535]
    write_deep(tmp_path / "deep.heic", pixels, bits, monkeypatch)
    picture = read_picture(tmp_path / "deep.heic")
    assert picture.white == 65535 and picture.frames[0].dtype == np.uint16
    assert picture.frames[0].min() == 0 and picture.frames[0].max() == 65535
    np.testing.assert_allclose(picture.frames[0], pixels, atol=2 ** (16 - bits))
    write_picture(tmp_path / "deep.png", picture)
    np.testing.assert_array_equal(read_picture(tmp_path / "deep.png").frames[0], picture.frames[0])
    with pytest.raises(PictureError, match="fewer bits"):
        write_picture(tmp_path / "again.heic", picture)


@pytest.mark.parametrize("suffix", ["heic", "png"])
def test_deep_colours_keep_their_profile(tmp_path, monkeypatch, suffix):
    path = tmp_path / f"deep.{suffix}"
    deep = COLOURS.astype(np.uint16) * 257
    if suffix == "heic":
        write_deep(path, deep, 10, monkeypatch, icc_profile=PROFILE)
    else:
        write_picture(path, Picture((deep,), 65535, info={"icc_profile": PROFILE, "dpi": (300, 300)}))
    write_picture(tmp_path / "again.png", read_picture(path))
    with Image.open(tmp_path / "again.png") as result:
        assert result.info["icc_profile"] == PROFILE
        assert suffix == "heic" or round(result.info["dpi"][0]) == 300


def test_of_several_pictures_the_main_one_is_taken_and_that_is_said(save_image):
    first, *others = (Image.new("L", (20 + number, 16), 60 * number) for number in range(3))
    path = save_image("burst.heic", first, save_all=True, append_images=others, primary_index=1)
    picture = read_picture(path)
    assert picture_size(path) == (21, 16, 1) and picture.frames[0].shape == (16, 21)
    assert "the main one was taken" in picture.notes[0]
    assert read_face(path)[1].startswith("Taken as FER2013 has faces: of several pictures")


def test_an_avif_that_calls_itself_by_the_common_name_is_read(tmp_path):
    content = io.BytesIO()
    Image.fromarray(COLOURS).save(content, "AVIF")
    deep = bytearray(content.getvalue())
    deep[8:12] = b"mif1"
    deep[deep.index(b"av1C") + 6] |= 0x40
    # The bits of each of the three channels, behind their number.
    depths = deep.index(b"pixi") + 9
    deep[depths : depths + 3] = bytes([10] * 3)
    (tmp_path / "a.avif").write_bytes(deep)
    assert read_picture(tmp_path / "a.avif").notes == ("10 bits became 8",)


def test_damaged_ones_are_refused(save_image):
    path = save_image("cut.heic", Image.fromarray(COLOURS))
    content = path.read_bytes()
    for length in (20, 300, len(content) - 500):
        path.write_bytes(content[:length])
        with pytest.raises(PictureError, match=r"cut.heic is (not a picture|damaged)"):
            read_picture(path)


def test_a_visitor_may_send_one(save_image):
    path = save_image("phone.heic", Image.fromarray(COLOURS), **LOSSLESS)
    np.testing.assert_array_equal(read_upload(path, "universal").frames[0], COLOURS)
