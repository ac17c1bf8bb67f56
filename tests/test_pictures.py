import io
import re
import struct
import tracemalloc
import zlib
from contextlib import suppress

import numpy as np
import png
import pytest
import tifffile
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


DEEP = np.linspace(0, 65535, 160).reshape(8, 20)
KINDS = {
    "16.png": (np.uint16, 65535),
    "16.tif": (np.uint16, 65535),
    "16.pgm": (np.uint16, 65535),
    "32.tif": (np.float32, 1),
    "64.tif": (np.float64, 1),
    "half.tif": (np.float16, 1),
    "32.pfm": (np.float32, 1),
}


def deep(kind: str, colour: bool = False) -> np.ndarray:
    """A picture of many levels, in gray or colour."""
    dtype, white = KINDS[kind]
    pixels = DEEP if white == 65535 else DEEP / 65535
    return (np.stack([pixels, pixels[::-1], pixels[:, ::-1]], axis=-1) if colour else pixels).astype(dtype)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("colour", [False, True])
def test_depth_and_scale_are_kept(tmp_path, kind, colour):
    path = tmp_path / (kind.replace("pgm", "ppm") if colour else kind)
    pixels, white = deep(kind, colour), KINDS[kind][1]
    picture = Picture((pixels,), white)
    if colour and kind == "32.pfm":
        with pytest.raises(PictureError, match="rounded to fewer bits"):
            write_picture(path, picture)
        return
    write_picture(path, picture)
    again = read_picture(path)
    assert again.white == white and again.frames[0].dtype == pixels.dtype
    np.testing.assert_array_equal(again.frames[0], pixels)
    np.testing.assert_allclose(
        again.with_images(again.images).frames[0], pixels, rtol=1e-3 if kind == "half.tif" else 1e-6
    )
    if colour:
        assert read_picture(path, gray=True).frames[0].shape == (8, 20)


@pytest.mark.parametrize("kind", KINDS)
def test_what_others_write_is_read_in_its_depth(tmp_path, kind):
    """By Pillow, tifffile and hand."""
    pixels, path = deep(kind), tmp_path / kind
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels)
    else:
        Image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(read_picture(path).frames[0], pixels)


def test_a_deep_picture_is_not_rounded_without_a_word(tmp_path):
    for suffix in (".jpg", ".webp", ".bmp", ".gif"):
        with pytest.raises(PictureError, match="rounded to fewer bits"):
            write_picture(tmp_path / f"deep{suffix}", Picture((deep("16.png"),), 65535))
    with pytest.raises(PictureError, match="rounded"):
        write_picture(tmp_path / "deep.png", Picture((deep("32.tif"),), 1))


@pytest.mark.parametrize("white", [1023, 4095, 16383])
def test_fewer_bits_in_16_are_told_by_an_option_or_refused(tmp_path, white):
    pixels = np.rint(DEEP * white / 65535).astype(np.uint16)
    for path in (tmp_path / "bits.tif", tmp_path / "bits.png"):
        Image.fromarray(pixels).save(path)
        assert "--white" in refusal(path) and "4095" in refusal(path)
        picture = read_picture(path, white=white)
        np.testing.assert_allclose(picture.images[0], pixels / white, atol=1e-7)
        np.testing.assert_array_equal(picture.with_images(picture.images).frames[0], pixels)
    # What is written says it, so that it can be read again.
    for path in (tmp_path / "again.tif", tmp_path / "again.pgm"):
        write_picture(path, picture)
        assert read_picture(path).white == white
        np.testing.assert_array_equal(read_picture(path).frames[0], pixels)


def test_pixels_far_beyond_white_are_refused(tmp_path):
    Image.fromarray(DEEP.astype(np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(PictureError, match=r"from 0 to 65535, too far from 0 to 4095; say what number is white"):
        read_picture(tmp_path / "deep.png", white=4095)


def test_white_is_for_deep_pictures_alone(save_image):
    picture = read_picture(save_image("gray.png", Image.fromarray(GRADIENT)), white=4095)
    assert picture.white == 255 and picture.frames[0].dtype == np.uint8


def test_numbers_without_a_usual_white_need_it(tmp_path):
    for dtype in (np.int16, np.int32, np.uint32):
        pixels = np.rint(DEEP / 8).astype(dtype)
        tifffile.imwrite(tmp_path / "numbers.tif", pixels)
        assert "--white" in refusal(tmp_path / "numbers.tif")
        picture = read_picture(tmp_path / "numbers.tif", white=8191)
        assert picture.frames[0].dtype == dtype
        write_picture(tmp_path / "again.tif", picture)
        np.testing.assert_array_equal(read_picture(tmp_path / "again.tif", white=8191).frames[0], pixels)


@pytest.mark.parametrize("comment", [b"# a word\n", b"# a word\r", b"#" + 2000 * b" " + b"\n"])
@pytest.mark.parametrize("text", [False, True])
def test_a_ppm_of_12_bits_tells_its_white(tmp_path, text, comment):
    pixels = np.rint(np.stack([DEEP, DEEP[::-1], DEEP], axis=-1) * 4095 / 65535).astype(np.uint16)
    body = " ".join(map(str, pixels.ravel())).encode() if text else pixels.astype(">u2").tobytes()
    (tmp_path / "a.ppm").write_bytes((b"P3" if text else b"P6") + b"\n" + comment + b"20 8\n4095\n" + body)
    picture = read_picture(tmp_path / "a.ppm")
    assert picture.white == 4095
    np.testing.assert_array_equal(picture.frames[0], pixels)


@pytest.mark.parametrize("white", [1, 15, 100, 254, 1000, 4095])
@pytest.mark.parametrize("kind", ["P2", "P3", "P5", "P6"])
def test_a_pgm_or_ppm_keeps_its_own_maximum(tmp_path, kind, white):
    path = tmp_path / ("a.pgm" if kind in ("P2", "P5") else "a.ppm")
    pixels = np.random.default_rng(0).integers(0, white + 1, (8, 9, 3))[..., : 1 if path.suffix == ".pgm" else 3]
    dtype = ">u2" if white > 255 else "u1"
    plain = " ".join(map(str, pixels.ravel())).encode()
    body = plain if kind in ("P2", "P3") else pixels.astype(dtype).tobytes()
    path.write_bytes(f"{kind} 9 8 {white}\n".encode() + body)
    # What is told of deeper pictures of a folder says nothing of 8 bits.
    picture = read_picture(path, white=4095 if white < 256 else None)
    assert picture.white == white and picture.notes == () and picture_size(path) == (9, 8, 1)
    np.testing.assert_array_equal(picture.frames[0], pixels.squeeze())
    np.testing.assert_allclose(picture.images[0], pixels.squeeze() / white, atol=1e-6)
    np.testing.assert_array_equal(picture.in_8_bits(), np.rint(pixels.squeeze() / white * 255))
    assert lossless_suffix(picture) == path.suffix
    write_picture(path, picture.with_images(picture.images))
    again = read_picture(path)
    assert again.white == white and again.frames[0].dtype == picture.frames[0].dtype
    np.testing.assert_array_equal(again.frames[0], picture.frames[0])
    for suffix in (".png", ".bmp", ".jpg") + ((".tif",) if white < 256 else ()):
        with pytest.raises(PictureError, match=r"cannot be written, .*; choose \."):
            write_picture(path.with_suffix(suffix), picture)


def test_a_small_maximum_that_is_taken_for_255_is_said_where_a_face_is_taken(tmp_path):
    (tmp_path / "a.pgm").write_bytes(b"P5 8 8 100\n" + bytes(range(64)))
    face, changes = read_picture(tmp_path / "a.pgm").simplified()
    assert face[0, 1] == 3 and changes == ["white became 255, and was 100"]


def test_a_pgm_whose_pixels_speak_against_its_maximum_is_clipped_with_words_or_refused(tmp_path):
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 8 8 100\n" + bytes([100] * 63 + [101]))
    assert read_picture(path).notes == ("pixels beyond black or white were taken for them",)
    for head, body in ((b"P5 8 8 100\n", bytes([200] * 64)), (b"P2 8 8 100\n", b"300 " * 64)):
        path.write_bytes(head + body)
        assert "correct what its head says is white" in refusal(path)
    for broken in (b"P2 8 8 100 " + b"1 " * 63, b"P2 8 8 100 " + b"1 " * 63 + b"-1", b"P5 8 8 100\n" + bytes(63)):
        path.write_bytes(broken)
        assert "damaged" in refusal(path)


def test_of_several_pictures_in_a_pnm_the_first_is_taken_and_that_is_said(tmp_path):
    for white in (100, 255):
        content = f"P5 8 8 {white}\n".encode() + bytes(64)
        (tmp_path / "a.pgm").write_bytes(content)
        assert read_picture(tmp_path / "a.pgm").notes == ()
        (tmp_path / "a.pgm").write_bytes(2 * content)
        assert read_picture(tmp_path / "a.pgm").notes == ("of several pictures in a file, the first was taken",)


def test_a_pfm_keeps_its_scale_and_one_that_may_mean_two_things_needs_white(tmp_path):
    pixels = np.linspace(0, 255, 64, dtype="<f4").reshape(8, 8)
    (tmp_path / "a.pfm").write_bytes(b"Pf\n8 8\n-255.0\n" + pixels.tobytes())
    assert "scale of 255" in refusal(tmp_path / "a.pfm")
    picture = read_picture(tmp_path / "a.pfm", white=255)
    np.testing.assert_array_equal(picture.frames[0], pixels[::-1])
    write_picture(tmp_path / "again.pfm", picture)
    assert (tmp_path / "again.pfm").read_bytes() == (tmp_path / "a.pfm").read_bytes()


@pytest.mark.parametrize("whites", [32767, (32767, 32767, 32767)])
def test_a_tiff_of_15_bits_tells_its_white_once_or_for_each_channel(tmp_path, whites):
    pixels = np.rint(np.stack([DEEP, DEEP[::-1], DEEP], axis=-1) / 2).clip(0, 32767).astype(np.uint16)
    tag = (281, "H", np.size(whites), whites, True)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extratags=[tag])
    picture = read_picture(tmp_path / "a.tif")
    assert picture.white == 32767 and lossless_suffix(picture) == ".tif"
    with pytest.raises(PictureError, match=r"white would no longer be 32767; choose \.tif"):
        write_picture(tmp_path / "a.png", picture)


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


def test_a_tiff_whose_pages_go_round_in_a_circle_does_not_hang(tmp_path):
    path = tmp_path / "round.tif"
    tifffile.imwrite(path, np.zeros((120, 8, 8), np.uint16), photometric="minisblack", metadata=None, contiguous=False)
    with tifffile.TiffFile(path) as whole:
        last, earlier = whole.pages[-1], whole.pages[105]
        place = last.offset + 2 + 12 * len(last.tags)
    content = bytearray(path.read_bytes())
    assert content[place : place + 4] == bytes(4)
    content[place : place + 4] = struct.pack("<I", earlier.offset)
    path.write_bytes(content)
    with suppress(PictureError):
        read_picture(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_description_in_other_letters_is_kept(tmp_path, dtype):
    described = {"description": "unit=µm, Größe 日本".encode(), "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", np.full((9, 9), np.iinfo(dtype).max, dtype), **described)
    write_picture(tmp_path / "b.tif", read_picture(tmp_path / "a.tif"))
    with tifffile.TiffFile(tmp_path / "b.tif") as result:
        assert result.pages[0].description.encode() == described["description"]


def test_a_unit_of_resolution_that_there_is_not_is_left_out(tmp_path):
    pixels = np.full((9, 9), 65535, np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", pixels, resolution=(7.5, 7.5), resolutionunit=3)
    content = (tmp_path / "a.tif").read_bytes()
    tag = struct.pack("<HHIH", 296, 3, 1, 3)
    assert content.count(tag) == 1
    (tmp_path / "a.tif").write_bytes(content.replace(tag, struct.pack("<HHIH", 296, 3, 1, 32769)))
    write_picture(tmp_path / "b.tif", read_picture(tmp_path / "a.tif"))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), pixels)


def test_a_largest_value_that_a_tiff_of_8_bits_counts_is_not_its_white(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GRADIENT, extratags=[(281, "H", 1, int(GRADIENT.max()), True)])
    picture = read_picture(tmp_path / "a.tif")
    assert picture.white == 255 and (picture.frames[0] == GRADIENT).all()


def test_signed_numbers_of_8_bits_are_not_taken_for_unsigned_ones(tmp_path):
    pixels = np.arange(-60, 60, dtype=np.int8).reshape(10, 12)
    tifffile.imwrite(tmp_path / "signed.tif", pixels)
    assert "int8 pixels from -60 to 59" in refusal(tmp_path / "signed.tif")
    tifffile.imwrite(tmp_path / "signed.tif", np.abs(pixels))
    picture = read_picture(tmp_path / "signed.tif", white=127)
    write_picture(tmp_path / "again.tif", picture)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "again.tif"), np.abs(pixels))


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


def test_deep_colours_that_cannot_be_read_in_their_depth_are_refused(tmp_path):
    tifffile.imwrite(tmp_path / "cmyk.tif", np.zeros((9, 9, 4), np.uint16), photometric="separated")
    assert "save it in gray" in refusal(tmp_path / "cmyk.tif")
    tifffile.imwrite(
        tmp_path / "five.tif", np.zeros((5, 9, 9), np.uint16), photometric="minisblack", planarconfig="separate"
    )
    assert "5 samples a pixel" in refusal(tmp_path / "five.tif")
    tifffile.imwrite(tmp_path / "white0.tif", np.zeros((9, 9), np.uint16), photometric="miniswhite")
    assert "black as 0" in refusal(tmp_path / "white0.tif")


def test_gray_of_16_bits_is_read_however_it_is_compressed(save_image):
    pixels = deep("16.tif")
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "packbits"):
        path = save_image("small.tif", Image.fromarray(pixels), compression=compression)
        np.testing.assert_array_equal(read_picture(path).frames[0], pixels)


@pytest.mark.parametrize("kind", ["16.png", "16.tif", "32.tif"])
def test_deep_colours_with_transparency_are_laid_on_white(tmp_path, kind):
    dtype, white = KINDS[kind]
    pixels = np.full((8, 8, 4), white * 0.3).astype(dtype)
    pixels[:, :4, 3], pixels[:, 4:, 3] = 0, white
    path = tmp_path / kind
    if path.suffix == ".png":
        with path.open("wb") as file:
            png.Writer(8, 8, greyscale=False, alpha=True, bitdepth=16).write(file, pixels.reshape(8, -1))
    else:
        tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["unassalpha"])
    picture = read_picture(path)
    assert picture.notes == ("transparency was laid on white",)
    assert picture.frames[0][0, 0].tolist() == white and picture.frames[0][0, 7] == pixels[0, 7, 0]


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


def jpeg_head(marker: int, bits: int) -> bytes:
    """The beginning of a JPEG up to its frame, with a padded marker before it."""
    comment = b"\xff\xfe" + struct.pack(">H", 2 + 300) + bytes(300)
    frame = struct.pack(">BHBHHB", marker, 11, bits, 8, 8, 1) + b"\1\x11\0"
    return b"\xff\xd8" + comment + b"\xff\xff\xff" + frame


@pytest.mark.parametrize(
    ("marker", "bits", "said"),
    [
        (0xC1, 12, "is a JPEG of 12 bits"),
        (0xC3, 16, "is a JPEG of 16 bits"),
        (0xC3, 8, "lossless JPEG"),
        (0xF7, 8, "lossless JPEG"),
    ],
)
def test_a_jpeg_that_cannot_be_read_is_told_what_it_is(tmp_path, marker, bits, said):
    path = tmp_path / "scan.jpg"
    path.write_bytes(jpeg_head(marker, bits) + bytes(100))
    assert said in refusal(path) and "save it as PNG" in refusal(path)


@pytest.mark.parametrize("broken", [b"\xff\xd8", b"\xff\xd8\xff", b"\xff\xd8\xff\xe0\0\0\0", jpeg_head(0xC0, 8)])
def test_a_jpeg_that_breaks_off_in_its_head_is_refused(tmp_path, broken):
    path = tmp_path / "broken.jpg"
    path.write_bytes(broken)
    assert "picture" in refusal(path) or "damaged" in refusal(path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_pictures_are_turned_as_others_are(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(GRADIENT).save(tmp_path / "plain.png", exif=exif)
    tifffile.imwrite(tmp_path / "deep.tif", GRADIENT / 255, extratags=[(274, "H", 1, orientation, True)])
    np.testing.assert_array_equal(
        read_picture(tmp_path / "deep.tif").in_8_bits(), read_picture(tmp_path / "plain.png").frames[0]
    )


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


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_an_avif_of_more_than_8_bits_says_that_they_became_8(save_image, mode, bits):
    path = save_image("deep.avif", Image.fromarray(GRADIENT).convert(mode))
    content = bytearray(path.read_bytes())
    # Pillow writes 8 bits alone, so the file is made to say otherwise: in its flags, and for each channel.
    for box in re.finditer(rb"av1C", content):
        content[box.end() + 1] |= 0x40 if bits == 12 else 0
        content[box.end() + 2] |= {8: 0, 10: 0x40, 12: 0x60}[bits]
    for box in re.finditer(rb"pixi\0{4}(.)", content):
        content[box.end() : box.end() + box[1][0]] = bytes([bits] * box[1][0])
    path.write_bytes(content)
    assert read_picture(path).notes == (() if bits == 8 else (f"{bits} bits became 8",))


def test_colours_are_not_lost_to_a_suffix(tmp_path):
    with pytest.raises(PictureError, match="lose the colours"):
        write_picture(tmp_path / "a.pgm", np.stack([GRADIENT, GRADIENT, 255 - GRADIENT], axis=-1))


def test_deep_colours_that_are_compressed_in_other_ways_are_refused(tmp_path):
    path = tmp_path / "lzw.tif"
    pixels = deep("16.tif", colour=True)
    tifffile.imwrite(path, pixels, photometric="rgb", compression="zlib", predictor=True)
    np.testing.assert_array_equal(read_picture(path).frames[0], pixels)
    # The same with another number in the tag, whose content Pillow would round to 8 bits.
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags["Compression"].overwrite(5)
    assert "more than 8 bits in several channels" in refusal(path)


def test_what_is_small_on_disk_does_not_fill_the_memory(tmp_path):
    bomb = zlib.compress(bytes(50_000_000))
    with tifffile.TiffWriter(tmp_path / "bomb.tif") as writer:
        writer.write(iter([bomb]), shape=(9, 9, 3), dtype="uint16", photometric="rgb", compression="zlib")
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 16, 2, 0, 0, 0)), (b"IDAT", bomb), (b"IEND", b"")]
    with (tmp_path / "bomb.png").open("wb") as file:
        png.write_chunks(file, chunks)
    tracemalloc.start()
    for name in ("bomb.tif", "bomb.png"):
        assert "holds more pixels than it says" in refusal(tmp_path / name)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


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


def test_a_stack_of_16_bits_keeps_its_pages_and_one_of_two_depths_is_refused(tmp_path):
    stack = np.random.default_rng(0).integers(0, 65536, (5, 9, 12), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    picture = read_picture(tmp_path / "a.tif")
    write_picture(tmp_path / "b.tif", picture)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), stack)
    with pytest.raises(PictureError, match="lose all frames but one"):
        write_picture(tmp_path / "b.png", picture)
    with tifffile.TiffWriter(tmp_path / "two.tif") as writer:
        writer.write(stack[0])
        writer.write(GRADIENT)
    assert "save each as a file of its own" in refusal(tmp_path / "two.tif")


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
