"""Pictures that Pillow is not to read: their depth and scale are kept, or they are refused."""

import re
import struct
import tracemalloc
import zlib
from contextlib import suppress

import numpy as np
import png
import pytest
import tifffile
from pictures_on_disk import DEEP, DEPTHS, GRADIENT, deep, refusal
from PIL import Image

from fer_denoise.deep_pictures import deep_picture, with_opacity
from fer_denoise.pictures import Picture, PictureError, lossless_suffix, picture_size, read_picture, write_picture


def test_headers_tell_the_sizes_and_frames_are_decoded_later(tmp_path):
    stack = np.zeros((3, 9, 12), np.uint16)
    tifffile.imwrite(tmp_path / "stack.tif", stack, photometric="minisblack")
    write_picture(tmp_path / "colour.png", Picture((deep("16.png", colour=True),), 65535))
    for name, sizes in (("stack.tif", [(12, 9)] * 3), ("colour.png", [(20, 8)])):
        with (tmp_path / name).open("rb") as file:
            opened = deep_picture(file)
            assert opened is not None and opened.sizes == sizes
            assert [frame.shape[1::-1] for frame in opened.decode()] == sizes


@pytest.mark.parametrize("name", ["8.tif", "8.png", "16.png", "8.jpg", "8.bmp", "text.tif"])
def test_what_pillow_reads_as_it_is_stored_is_left_to_it(save_image, tmp_path, name):
    if name == "text.tif":
        (tmp_path / name).write_text("II*\0 and nothing more")
    else:
        save_image(name, Image.fromarray(deep(name) if name in DEPTHS else GRADIENT))
    with (tmp_path / name).open("rb") as file:
        assert deep_picture(file) is None and file.tell() == 0


def test_the_key_colour_alone_is_transparent():
    pixels = np.array([[[1, 2, 3], [1, 2, 4]]], np.uint16)
    np.testing.assert_array_equal(with_opacity(pixels, (1, 2, 3)), [[[1, 2, 3, 0], [1, 2, 4, 65535]]])


@pytest.mark.parametrize("kind", DEPTHS)
@pytest.mark.parametrize("colour", [False, True])
def test_depth_and_scale_are_kept(tmp_path, kind, colour):
    path = tmp_path / (kind.replace("pgm", "ppm") if colour else kind)
    pixels, white = deep(kind, colour), DEPTHS[kind][1]
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


@pytest.mark.parametrize("kind", DEPTHS)
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
    dtype, white = DEPTHS[kind]
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
