import re

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from fer_denoise.pictures import PictureError, read_picture, to_face, write_picture

GRADIENT = (np.arange(12)[:, None] * 10 + np.arange(20)[None] * 5).astype(np.uint8)


def refusal(path) -> str:
    """The message with which a file is refused; it names the file and is one sentence for a person."""
    with pytest.raises(PictureError) as caught:
        read_picture(path)
    message = str(caught.value)
    assert path.name in message
    assert re.search(r"; \w+", message)
    assert "\n" not in message
    return message


def test_gray_png_is_read_as_it_is(save_image):
    result = read_picture(save_image("gray.png", Image.fromarray(GRADIENT)))
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, GRADIENT)


def test_a_path_may_be_text(save_image):
    np.testing.assert_array_equal(read_picture(str(save_image("gray.png", Image.fromarray(GRADIENT)))), GRADIENT)


def test_text_named_png_is_refused(tmp_path):
    path = tmp_path / "note.png"
    path.write_text("this is no picture")
    assert "not a picture" in refusal(path) and "PNG" in refusal(path)


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.png"
    path.touch()
    assert "PNG" in refusal(path)


def test_a_truncated_png_is_refused(save_image):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    path = save_image("cut.png", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[:1500])
    assert "damaged" in refusal(path) and "save it again" in refusal(path)


def test_a_truncated_jpeg_is_refused(save_image):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    path = save_image("cut.jpg", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[:1200])
    assert "damaged" in refusal(path)


@pytest.mark.parametrize("size", [(1, 1), (7, 30), (30, 7)])
def test_too_small_a_picture_is_refused(save_image, size):
    message = refusal(save_image("tiny.png", Image.new("L", size)))
    assert f"{size[0]}x{size[1]}" in message and "8x8" in message


def test_8_by_8_is_large_enough(save_image):
    assert read_picture(save_image("small.png", Image.new("L", (8, 8), 77))).tolist() == [[77] * 8] * 8


@pytest.mark.parametrize("size", [(12000, 12000), (14000, 14000), (6001, 6000)])
def test_too_large_a_picture_is_refused(save_image, size):
    message = refusal(save_image("huge.png", Image.new("1", size)))
    assert "36 megapixels" in message and "smaller" in message


def test_a_missing_file_is_refused(tmp_path):
    assert "no such file" in refusal(tmp_path / "missing.png")


def test_a_folder_is_refused(tmp_path):
    folder = tmp_path / "folder.png"
    folder.mkdir()
    refusal(folder)


def test_svg_is_refused(tmp_path):
    path = tmp_path / "drawing.svg"
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg" width="48" height="48"><rect width="9" height="9"/></svg>')
    assert "PNG" in refusal(path)


def test_colour_becomes_luminance(save_image):
    colours = np.zeros((8, 12, 3), np.uint8)
    for column, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255)]):
        colours[:, 4 * column : 4 * column + 4] = colour
    result = read_picture(save_image("colour.png", Image.fromarray(colours)))
    assert result[0, ::4].tolist() == [76, 150, 29]


def test_rgba_is_laid_on_white(save_image):
    pixels = np.zeros((8, 12, 4), np.uint8)
    pixels[:, 4:8, 3] = 128
    pixels[:, 8:, 3] = 255
    result = read_picture(save_image("clear.png", Image.fromarray(pixels)))
    np.testing.assert_allclose(result[0, ::4], [255, 127, 0], atol=1)


def test_colour_with_alpha_keeps_its_colour(save_image):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[..., 0], pixels[..., 3] = 200, 255
    result = read_picture(save_image("clear.png", Image.fromarray(pixels)), colour=True)
    np.testing.assert_array_equal(result, pixels[..., :3])


def test_postscript_is_not_run_whatever_its_name(tmp_path):
    path = tmp_path / "picture.png"
    Image.new("L", (9, 9)).save(path, "EPS")
    assert "is not a picture" in refusal(path)


def test_gray_with_alpha_is_laid_on_white(save_image):
    pixels = np.full((8, 8, 2), 40, np.uint8)
    pixels[:, :4, 1], pixels[:, 4:, 1] = 0, 255
    result = read_picture(save_image("la.png", Image.fromarray(pixels)))
    np.testing.assert_array_equal(result[0], [255] * 4 + [40] * 4)


def test_a_transparent_palette_is_laid_on_white(save_image):
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([200, 0, 0, 50, 50, 50])
    picture.paste(1, (4, 0, 8, 8))
    result = read_picture(save_image("palette.png", picture, transparency=0))
    np.testing.assert_array_equal(result[0], [255] * 4 + [50] * 4)


def test_an_opaque_palette_gives_its_colours(save_image):
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([10, 10, 10, 50, 50, 50])
    picture.paste(1, (4, 0, 8, 8))
    np.testing.assert_array_equal(read_picture(save_image("palette.png", picture))[0], [10] * 4 + [50] * 4)


def test_one_bit_becomes_black_and_white(save_image):
    picture = Image.new("1", (8, 8), 0)
    picture.paste(1, (4, 0, 8, 8))
    np.testing.assert_array_equal(read_picture(save_image("bits.png", picture))[0], [0] * 4 + [255] * 4)


def test_cmyk_jpeg_becomes_luminance(save_image):
    gray = Image.new("L", (16, 16), 90).convert("RGB").convert("CMYK")
    np.testing.assert_allclose(read_picture(save_image("print.jpg", gray, quality=95)), 90, atol=2)


def test_16_bit_png_is_scaled(save_image):
    values = np.repeat(np.array([0, 257, 32896, 65535], np.uint16), 4)[None].repeat(8, axis=0)
    result = read_picture(save_image("deep.png", Image.fromarray(values)))
    assert result.dtype == np.uint8
    assert result[0, ::4].tolist() == [0, 1, 128, 255]


def test_float_tiff_with_nan_is_refused(save_image):
    pixels = np.full((8, 8), 0.5, np.float32)
    pixels[3, 3] = np.nan
    assert "NaN" in refusal(save_image("nan.tiff", Image.fromarray(pixels)))


def test_float_tiff_out_of_range_is_refused(save_image):
    assert "rescale" in refusal(save_image("wide.tiff", Image.fromarray(np.full((8, 8), 999, np.float32))))


@pytest.mark.parametrize("white", [1, 255])
def test_float_tiff_is_scaled(save_image, white):
    pixels = np.zeros((8, 8), np.float32)
    pixels[:, 4:] = white
    np.testing.assert_array_equal(read_picture(save_image("f.tiff", Image.fromarray(pixels)))[0], [0] * 4 + [255] * 4)


def test_an_animation_gives_its_first_frame(save_image):
    frames = [Image.new("L", (16, 16), value) for value in (60, 120, 240)]
    result = read_picture(save_image("moving.gif", frames[0], save_all=True, append_images=frames[1:]))
    np.testing.assert_array_equal(result, np.full((16, 16), 60))


def rotation() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def test_exif_rotation_of_a_jpeg_is_applied(save_image):
    pixels = np.zeros((16, 32), np.uint8)
    pixels[:8] = 200
    result = read_picture(save_image("phone.jpg", Image.fromarray(pixels), exif=rotation(), quality=95))
    assert result.shape == (32, 16)
    np.testing.assert_allclose(result[:, 9:], 200, atol=4)
    np.testing.assert_allclose(result[:, :7], 0, atol=4)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK"])
def test_exif_rotation_is_applied_in_every_colour_mode(save_image, mode):
    suffix = "jpg" if mode == "CMYK" else "png"
    picture = Image.new(mode, (32, 16))
    assert read_picture(save_image(f"phone.{suffix}", picture, exif=rotation())).shape == (32, 16)


def test_a_png_bomb_of_text_is_refused(save_image):
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "a" * 2_000_000, zip=True)
    refusal(save_image("bomb.png", Image.new("L", (8, 8)), pnginfo=info))


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "pgm"])
def test_lossless_formats_survive_writing_and_reading(tmp_path, suffix):
    path = tmp_path / f"picture.{suffix}"
    write_picture(path, GRADIENT)
    np.testing.assert_array_equal(read_picture(path), GRADIENT)


@pytest.mark.parametrize("name", ["missing/picture.png", "picture.unknown", "picture"])
def test_an_unwritable_picture_is_refused(tmp_path, name):
    with pytest.raises(PictureError, match=r"cannot be written.*choose"):
        write_picture(tmp_path / name, GRADIENT)


def test_a_face_of_48x48_stays_as_it_is(make_faces):
    face = make_faces(1)[0]
    np.testing.assert_array_equal(to_face(face), face)


@pytest.mark.parametrize("shape", [(48, 80), (80, 48), (8, 8), (300, 200)])
def test_to_face_gives_48x48(make_faces, shape):
    face = to_face(make_faces(1, shape=shape)[0])
    assert face.shape == (48, 48) and face.dtype == np.uint8


def test_to_face_takes_the_centred_square():
    picture = np.zeros((50, 150), np.uint8)
    picture[:, 50:100] = 180
    np.testing.assert_allclose(to_face(picture), 180, atol=3)
