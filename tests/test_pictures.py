import io
import struct

import numpy as np
import png
import pytest
import tifffile
from pictures_on_disk import DEEP, GRADIENT, deep, refusal
from PIL import Image, ImageCms, PngImagePlugin

from fer_denoise.pictures import (
    Picture,
    PictureError,
    lossless_suffix,
    picture_size,
    read_picture,
    to_face,
    write_picture,
)


def read_gray(path) -> np.ndarray:
    """The first frame in 8 bits, as faces are read."""
    return read_picture(path, gray=True).in_8_bits()


def test_gray_png_is_read_as_it_is(save_image):
    result = read_gray(save_image("gray.png", Image.fromarray(GRADIENT)))
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, GRADIENT)


def test_a_path_may_be_text(save_image):
    np.testing.assert_array_equal(read_gray(str(save_image("gray.png", Image.fromarray(GRADIENT)))), GRADIENT)


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
    assert read_gray(save_image("small.png", Image.new("L", (8, 8), 77))).tolist() == [[77] * 8] * 8


@pytest.mark.slow
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
    result = read_gray(save_image("colour.png", Image.fromarray(colours)))
    assert result[0, ::4].tolist() == [76, 150, 29]


def test_rgba_is_laid_on_white(save_image):
    pixels = np.zeros((8, 12, 4), np.uint8)
    pixels[:, 4:8, 3] = 128
    pixels[:, 8:, 3] = 255
    result = read_gray(save_image("clear.png", Image.fromarray(pixels)))
    np.testing.assert_allclose(result[0, ::4], [255, 127, 0], atol=1)


def test_colour_with_alpha_keeps_its_colour(save_image):
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[..., 0], pixels[..., 3] = 200, 255
    result = read_picture(save_image("clear.png", Image.fromarray(pixels)))
    np.testing.assert_array_equal(result.frames[0], pixels[..., :3])
    assert result.notes == ()


def test_postscript_is_not_run_whatever_its_name(tmp_path):
    path = tmp_path / "picture.png"
    Image.new("L", (9, 9)).save(path, "EPS")
    assert "is not a picture" in refusal(path)


def test_gray_with_alpha_is_laid_on_white(save_image):
    pixels = np.full((8, 8, 2), 40, np.uint8)
    pixels[:, :4, 1], pixels[:, 4:, 1] = 0, 255
    result = read_gray(save_image("la.png", Image.fromarray(pixels)))
    np.testing.assert_array_equal(result[0], [255] * 4 + [40] * 4)


def test_a_transparent_palette_is_laid_on_white(save_image):
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([200, 0, 0, 50, 50, 50])
    picture.paste(1, (4, 0, 8, 8))
    result = read_gray(save_image("palette.png", picture, transparency=0))
    np.testing.assert_array_equal(result[0], [255] * 4 + [50] * 4)


def test_an_opaque_palette_gives_its_colours(save_image):
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([10, 10, 10, 50, 50, 50])
    picture.paste(1, (4, 0, 8, 8))
    np.testing.assert_array_equal(read_gray(save_image("palette.png", picture))[0], [10] * 4 + [50] * 4)


def test_one_bit_becomes_black_and_white(save_image):
    picture = Image.new("1", (8, 8), 0)
    picture.paste(1, (4, 0, 8, 8))
    np.testing.assert_array_equal(read_gray(save_image("bits.png", picture))[0], [0] * 4 + [255] * 4)


def test_cmyk_jpeg_becomes_luminance(save_image):
    gray = Image.new("L", (16, 16), 90).convert("RGB").convert("CMYK")
    np.testing.assert_allclose(read_gray(save_image("print.jpg", gray, quality=95)), 90, atol=2)


def test_16_bits_become_8_for_a_face_alone(save_image):
    values = np.repeat(np.array([0, 257, 32896, 65535], np.uint16), 4)[None].repeat(8, axis=0)
    path = save_image("deep.png", Image.fromarray(values))
    np.testing.assert_array_equal(read_picture(path).frames[0], values)
    assert read_gray(path).dtype == np.uint8 and read_gray(path)[0, ::4].tolist() == [0, 1, 128, 255]


def test_float_tiff_with_nan_is_refused(save_image):
    pixels = np.full((8, 8), 0.5, np.float32)
    pixels[3, 3] = np.nan
    assert "NaN" in refusal(save_image("nan.tiff", Image.fromarray(pixels)))


def test_float_tiff_out_of_range_is_refused(save_image):
    assert "rescale" in refusal(save_image("wide.tiff", Image.fromarray(np.full((8, 8), 999, np.float32))))


@pytest.mark.parametrize("white", [1, 255])
def test_float_tiff_keeps_its_scale(save_image, white):
    pixels = np.zeros((8, 8), np.float32)
    pixels[:, 4:] = white
    path = save_image("f.tiff", Image.fromarray(pixels))
    if white == 255:
        assert "--white" in refusal(path)
    picture = read_picture(path, white=white)
    np.testing.assert_array_equal(picture.frames[0], pixels)
    np.testing.assert_array_equal(picture.images[0], pixels / white)
    np.testing.assert_array_equal(picture.in_8_bits()[0], [0] * 4 + [255] * 4)


def test_noise_beyond_white_does_not_change_the_scale_of_floats(save_image):
    pixels = np.full((8, 8), 0.5, np.float32)
    pixels[0, :2] = -0.1, 1.01
    picture = read_picture(save_image("over.tiff", Image.fromarray(pixels)))
    assert picture.white == 1 and picture.images[0][0, :3].tolist() == [0, 1, 0.5]
    assert picture.notes == ("pixels beyond black or white were taken for them",)


def test_pixels_far_beyond_white_are_refused(tmp_path):
    Image.fromarray(DEEP.astype(np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(PictureError, match=r"from 0 to 65535, too far from 0 to 4095; say what number is white"):
        read_picture(tmp_path / "deep.png", white=4095)


def test_white_is_for_deep_pictures_alone(save_image):
    picture = read_picture(save_image("gray.png", Image.fromarray(GRADIENT)), white=4095)
    assert picture.white == 255 and picture.frames[0].dtype == np.uint8


def test_a_small_maximum_that_is_taken_for_255_is_said_where_a_face_is_taken(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 8 8 100\n" + bytes(range(64)))
    face, changes = read_picture(tmp_path / "a.pgm").simplified()
    assert face[0, 1] == 3 and changes == ["white became 255, and was 100"]


FAULTS = [KeyError, AttributeError, NameError, TypeError, ValueError, IndexError, OSError]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("own", "name"),
    [
        ("pictures._kept_info", "a.png"),
        ("pictures._finished", "a.jpg"),
        ("pictures._to_pixels", "a.bmp"),
        ("pictures.deep_picture", "a.webp"),
        ("pictures._turned", "16.tif"),
        ("deep_pictures._check_page", "16.tif"),
        ("deep_pictures._decode_page", "16.tif"),
        ("deep_pictures._plain_numbers", "plain.pgm"),
    ],
)
def test_a_fault_of_our_own_is_not_told_as_a_damaged_file(save_image, monkeypatch, own, name, fault):
    path = save_image(name, Image.fromarray(deep("16.tif") if name == "16.tif" else GRADIENT))
    if name == "plain.pgm":
        path.write_bytes(b"P2 8 8 255 " + b"7 " * 64)

    def broken(*_args: object) -> None:
        raise fault("ours")

    read_picture(path)
    monkeypatch.setattr(f"fer_denoise.{own}", broken)
    with pytest.raises(fault, match="ours") as caught:
        read_picture(path)
    assert not isinstance(caught.value, PictureError)


@pytest.mark.parametrize("error", [KeyError, TypeError, ValueError, IndexError, OSError, SyntaxError, struct.error])
@pytest.mark.parametrize(
    ("decoder", "name"), [("PIL.ImageFile.ImageFile.load", "a.png"), ("tifffile.TiffPage.asarray", "16.tif")]
)
def test_what_a_decoder_raises_is_told_as_a_damaged_file(save_image, monkeypatch, decoder, name, error):
    path = save_image(name, Image.fromarray(deep("16.tif") if name == "16.tif" else GRADIENT))

    def broken(*_args: object) -> None:
        raise error("theirs")

    monkeypatch.setattr(decoder, broken)
    assert "is damaged or incomplete" in refusal(path) and "theirs" in refusal(path)


def test_a_file_that_the_disk_cannot_read_is_refused_alone():
    class Unreadable(io.BytesIO):
        def read(self, *_args: object) -> bytes:
            raise OSError(5, "Input/output error")

    with pytest.raises(PictureError, match="Input/output error"):
        read_picture(Unreadable(b"P5 8 8 255"))


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_keep_black_and_white_and_say_that_they_became_8(tmp_path, save_image, bits):
    values = np.tile(np.arange(8) % 2**bits, (8, 1))
    with (tmp_path / "few.png").open("wb") as file:
        png.Writer(8, 8, greyscale=True, bitdepth=bits).write(file, values.tolist())
    with (tmp_path / "palette.png").open("wb") as file:
        palette = [(level * 255 // (2**bits - 1),) * 3 for level in range(2**bits)]
        png.Writer(8, 8, palette=palette, bitdepth=bits).write(file, values.tolist())
    said = "1 bit became 8" if bits == 1 else f"{bits} bits became 8"
    for name, notes in (("few.png", (said,)), ("palette.png", ())):
        picture = read_picture(tmp_path / name)
        np.testing.assert_array_equal(picture.frames[0], values * 255 // (2**bits - 1))
        assert picture.notes == notes
    if bits == 1:
        for path in (save_image("a.pbm", Image.new("1", (8, 8))), save_image("a.tif", Image.new("1", (8, 8)))):
            assert read_picture(path).notes == (said,)


def write_with_key_colour(path, bits: int, key: int, other: int, colour: bool = False) -> None:
    """A PNG half of which has the colour that is transparent in it."""
    samples = 3 if colour else 1
    row = [key] * 5 * samples + [other] * 5 * samples
    with path.open("wb") as file:
        transparent = (key,) * 3 if colour else key
        png.Writer(10, 8, greyscale=not colour, bitdepth=bits, transparent=transparent).write(file, [row] * 8)


GRAYS = [(1, 0, 1), (2, 1, 2), (4, 5, 7), (8, 40, 60), (16, 40000, 50000)]


@pytest.mark.parametrize(
    ("bits", "key", "other", "colour"), [(*case, False) for case in GRAYS] + [(*case, True) for case in GRAYS[-2:]]
)
def test_a_colour_that_stands_for_transparency_is_laid_on_white(tmp_path, bits, key, other, colour):
    path = tmp_path / "key.png"
    write_with_key_colour(path, bits, key, other, colour)
    picture = read_picture(path)
    white = 65535 if bits == 16 else 255
    expected = np.repeat([[white, other if bits == 16 else other * 255 // (2**bits - 1)]], 5, axis=1)
    np.testing.assert_array_equal(picture.frames[0], np.repeat(expected, 8, axis=0))
    bits_said = {1: ("1 bit became 8",), 2: ("2 bits became 8",), 4: ("4 bits became 8",)}.get(bits, ())
    assert picture.notes == (*bits_said, "transparency was laid on white")


def test_white_that_is_laid_below_is_that_of_the_picture_and_says_nothing_of_it(tmp_path):
    path = tmp_path / "key.png"
    write_with_key_colour(path, 16, 0, 3000)
    assert "may be of many scales" in refusal(path)
    picture = read_picture(path, white=4095)
    np.testing.assert_array_equal(picture.frames[0][0], [4095] * 5 + [3000] * 5)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm"])
def test_colours_are_kept_and_gray_stored_as_rgb_stays_rgb(tmp_path, suffix):
    colours = np.stack([GRADIENT, GRADIENT[::-1], GRADIENT[:, ::-1]], axis=-1)
    gray = np.repeat(GRADIENT[..., None], 3, axis=2)
    for pixels in (colours, gray):
        path, again = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
        Image.fromarray(pixels).save(path)
        picture = read_picture(path)
        assert picture.frames[0].ndim == (3 if pixels is colours else 2)
        write_picture(again, picture)
        with Image.open(again) as result:
            assert result.mode == "RGB"
            np.testing.assert_array_equal(np.asarray(result), pixels)
        write_picture(tmp_path / f"gray.{suffix}", read_picture(path, gray=True))
        with Image.open(tmp_path / f"gray.{suffix}") as result:
            assert result.mode == "L"


def test_what_is_changed_in_reading_is_said(save_image):
    assert read_picture(save_image("clear.png", Image.new("RGBA", (8, 8), (1, 2, 3, 99)))).notes == (
        "transparency was laid on white",
    )
    assert read_picture(save_image("print.jpg", Image.new("CMYK", (8, 8)))).notes == ("CMYK became RGB",)
    assert read_picture(save_image("solid.png", Image.new("RGBA", (8, 8), (1, 2, 3, 255)))).notes == ()


def test_colours_are_not_lost_to_a_suffix(tmp_path):
    with pytest.raises(PictureError, match="lose the colours"):
        write_picture(tmp_path / "a.pgm", np.stack([GRADIENT, GRADIENT, 255 - GRADIENT], axis=-1))


def test_resolution_and_colour_profile_are_kept(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    colours = Image.merge("RGB", [Image.fromarray(pixels) for pixels in (GRADIENT, GRADIENT, 255 - GRADIENT)])
    colours.save(tmp_path / "a.png", dpi=(300, 300), icc_profile=profile)
    write_picture(tmp_path / "b.png", read_picture(tmp_path / "a.png"))
    write_picture(tmp_path / "gray.png", read_picture(tmp_path / "a.png", gray=True))
    with Image.open(tmp_path / "b.png") as result, Image.open(tmp_path / "gray.png") as gray:
        assert result.info["icc_profile"] == profile and round(result.info["dpi"][0]) == 300
        assert "icc_profile" not in gray.info
    for dtype in (np.uint8, np.uint16):
        pixels = DEEP.astype(np.uint16) if dtype == np.uint16 else GRADIENT
        microscope = {"description": "ImageJ=1.54\nunit=micron\n", "resolution": (7.5, 7.5), "resolutionunit": 1}
        tifffile.imwrite(tmp_path / "a.tif", pixels, metadata=None, photometric="minisblack", **microscope)
        write_picture(tmp_path / "b.tif", read_picture(tmp_path / "a.tif"))
        with tifffile.TiffFile(tmp_path / "b.tif") as result:
            assert result.pages[0].description == microscope["description"].strip()
            assert result.pages[0].get_resolution() == (7.5, 7.5)


GRAYS = [np.full((16, 16), value, np.uint8) for value in (60, 120, 90, 240)]
COLOURS = [np.stack([gray, gray // 2, gray], axis=-1) for gray in GRAYS]


@pytest.mark.parametrize("name", ["film.gif", "film.png", "film.webp", "stack.tif", "film.avif"])
@pytest.mark.parametrize("frames", [GRAYS, COLOURS])
def test_all_frames_are_read(save_image, name, frames):
    first, *others = map(Image.fromarray, frames)
    lossless = {"lossless": True} if name == "film.webp" else {}
    path = save_image(name, first, save_all=True, append_images=others, duration=[10, 20, 30, 40], loop=2, **lossless)
    picture = read_picture(path)
    assert len(picture.frames) == 4 and picture_size(path) == (16, 16, 4)
    for frame, pixels in zip(picture.frames, frames, strict=True):
        np.testing.assert_allclose(frame, pixels, atol=4 if name == "film.avif" else 0)
    again = path.with_name(f"again{lossless_suffix(picture)}") if name != "stack.tif" else path.with_name("again.tif")
    write_picture(again, picture)
    repeated = read_picture(again)
    assert all(np.array_equal(*pair) for pair in zip(picture.frames, repeated.frames, strict=True))
    if name not in ("stack.tif", "film.avif"):
        assert [round(time) for time in repeated.info["duration"]] == [10, 20, 30, 40] and repeated.info["loop"]


def test_frames_are_not_lost_to_a_suffix(tmp_path):
    for name in ("a.jpg", "a.bmp", "a.ppm"):
        with pytest.raises(PictureError, match="lose all frames but one"):
            write_picture(tmp_path / name, Picture(tuple(GRAYS)))


def test_too_many_frames_are_refused(save_image, monkeypatch):
    monkeypatch.setattr("fer_denoise.pictures.MAX_TOTAL_PIXELS", 800)
    first, *others = map(Image.fromarray, GRAYS)
    assert "split it into files of 3 at most" in refusal(
        save_image("long.gif", first, save_all=True, append_images=others)
    )


def test_the_preview_in_a_jpeg_is_no_frame(tmp_path):
    first, *others = map(Image.fromarray, COLOURS)
    first.save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=others)
    picture = read_picture(tmp_path / "phone.jpg")
    assert len(picture.frames) == 1 and "the main one was taken" in picture.notes[0]


def rotation() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def test_exif_rotation_of_a_jpeg_is_applied(save_image):
    pixels = np.zeros((16, 32), np.uint8)
    pixels[:8] = 200
    result = read_gray(save_image("phone.jpg", Image.fromarray(pixels), exif=rotation(), quality=95))
    assert result.shape == (32, 16)
    np.testing.assert_allclose(result[:, 9:], 200, atol=4)
    np.testing.assert_allclose(result[:, :7], 0, atol=4)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "CMYK"])
def test_exif_rotation_is_applied_in_every_colour_mode(save_image, mode):
    suffix = "jpg" if mode == "CMYK" else "png"
    picture = Image.new(mode, (32, 16))
    assert read_gray(save_image(f"phone.{suffix}", picture, exif=rotation())).shape == (32, 16)


def test_a_png_bomb_of_text_is_refused(save_image):
    info = PngImagePlugin.PngInfo()
    info.add_text("comment", "a" * 2_000_000, zip=True)
    refusal(save_image("bomb.png", Image.new("L", (8, 8)), pnginfo=info))


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "pgm"])
def test_lossless_formats_survive_writing_and_reading(tmp_path, suffix):
    path = tmp_path / f"picture.{suffix}"
    write_picture(path, GRADIENT)
    np.testing.assert_array_equal(read_gray(path), GRADIENT)


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
