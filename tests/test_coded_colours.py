"""Colours that HEIC, AVIF and PNG describe by numbers, without an ICC profile."""

import io
import struct
import zlib

import numpy as np
import pillow_heif
import png as writer
import pytest
from PIL import Image, ImageCms

from fer_denoise.coded_colours import CURVES, PRIMARIES, UNSAID, described
from fer_denoise.pictures import read_picture, write_picture

COLOURS = np.random.default_rng(0).integers(40, 216, (40, 70, 3), dtype=np.uint8)
P3, SRGB, BT2020, PQ, HLG = 12, 13, 9, 16, 18


def in_srgb(profile: bytes, pixel: tuple[int, int, int]) -> np.ndarray:
    """A pixel that a profile describes, as Little CMS has it in sRGB."""
    source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
    return np.asarray(ImageCms.profileToProfile(Image.new("RGB", (1, 1), pixel), source, target))[0, 0]


def heic(path, codes: tuple[int, int], deep: bool = False, **options):
    names = ("color_primaries", "transfer_characteristics", "matrix_coefficients")
    options |= {"quality": -1, "chroma": 444, **dict(zip(names, (*codes, 0), strict=True))}
    if deep:
        pixels = COLOURS.astype(np.uint16) * 257
        pillow_heif.from_bytes("RGB;16", (70, 40), pixels.tobytes()).save(path, **options)
    else:
        Image.fromarray(COLOURS).save(path, "HEIF", **options)
    return path


def avif(path, codes: tuple[int, int]):
    content = io.BytesIO()
    Image.fromarray(COLOURS).save(content, "AVIF")
    numbers = content.getvalue().index(b"colrnclx") + 8
    changed = bytearray(content.getvalue())
    changed[numbers : numbers + 4] = struct.pack(">HH", *codes)
    path.write_bytes(changed)
    return path


def test_the_profile_of_display_p3_gives_its_known_colours_in_srgb():
    profile, lost = described((P3, SRGB))
    assert profile and not lost
    # By the matrices of CSS Color 4: color(display-p3 0.6 0.4 0.2) is rgb(62.5% 39.6% 14.7%) or so.
    np.testing.assert_allclose(in_srgb(profile, (153, 102, 51)), (161, 100, 38), atol=2)
    for gray in (0, 60, 128, 255):
        np.testing.assert_allclose(in_srgb(profile, (gray,) * 3), (gray,) * 3, atol=1)


@pytest.mark.parametrize("primaries", PRIMARIES)
@pytest.mark.parametrize("curve", CURVES)
def test_white_and_black_are_so_in_every_profile(primaries, curve):
    profile, lost = described((primaries, curve))
    assert not lost
    if profile:
        np.testing.assert_allclose(in_srgb(profile, (255, 255, 255)), 255, atol=1)
        np.testing.assert_allclose(in_srgb(profile, (0, 0, 0)), 0, atol=1)


@pytest.mark.parametrize("codes", [None, (1, 13), (1, 1), (UNSAID, UNSAID)])
def test_of_srgb_nothing_needs_to_be_said(codes):
    assert described(codes) == (None, "")


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("codes", [(P3, SRGB), (BT2020, 1)])
def test_a_heic_keeps_them_as_a_profile(tmp_path, codes, deep):
    picture = read_picture(heic(tmp_path / "coded.heic", codes, deep))
    assert picture.notes == () and picture.deep == deep
    write_picture(tmp_path / "again.png", picture)
    with Image.open(tmp_path / "again.png") as result:
        assert result.info["icc_profile"] == described(codes)[0]


def test_an_avif_keeps_them_as_a_profile(tmp_path):
    picture = read_picture(avif(tmp_path / "coded.avif", (P3, SRGB)))
    assert picture.info["icc_profile"] == described((P3, SRGB))[0] and picture.notes == ()


def test_a_profile_goes_before_numbers_and_gray_has_none(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    coded = heic(tmp_path / "both.heic", (P3, SRGB), icc_profile=profile)
    assert read_picture(coded).info["icc_profile"] == profile
    assert "icc_profile" not in read_picture(heic(tmp_path / "gray.heic", (P3, SRGB)), gray=True).info


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize(("curve", "name"), [(PQ, "PQ"), (HLG, "HLG")])
def test_what_is_lost_of_hdr_is_said(tmp_path, curve, name, deep):
    picture = read_picture(heic(tmp_path / "hdr.heic", (BT2020, curve), deep))
    assert f"HDR displays ({name})" in picture.notes[0] and "icc_profile" not in picture.info
    if not deep:
        assert f"({name})" in read_picture(avif(tmp_path / "hdr.avif", (BT2020, curve))).notes[0]


def test_numbers_that_nobody_knows_are_said():
    profile, lost = described((12, 99))
    assert profile is None and "CICP 12, 99" in lost


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(path, *chunks: bytes, pixels=COLOURS, **options):
    """A PNG with more chunks after its header."""
    content = io.BytesIO()
    if pixels.dtype == np.uint16:
        shape = {"greyscale": pixels.ndim == 2, "bitdepth": 16}
        rows = pixels.reshape(len(pixels), -1)
        writer.Writer(pixels.shape[1], pixels.shape[0], **shape).write(content, rows)
    else:
        Image.fromarray(pixels).save(content, "PNG", **options)
    header, rest = content.getvalue()[:33], content.getvalue()[33:]
    path.write_bytes(header + b"".join(chunks) + rest)
    return path


def gamma_chunk(gamma: float) -> bytes:
    return png_chunk(b"gAMA", struct.pack(">I", round(100_000 * gamma)))


def chromaticity_chunk(*numbers: float) -> bytes:
    return png_chunk(b"cHRM", struct.pack(">8I", *(round(100_000 * number) for number in numbers)))


P3_CODES = png_chunk(b"cICP", bytes((P3, SRGB, 0, 1)))
DISPLAY_P3 = (0.3127, 0.3290, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
DEEP = COLOURS.astype(np.uint16) * 257


@pytest.mark.parametrize("pixels", [COLOURS, DEEP], ids=["8 bits", "16 bits"])
def test_a_png_keeps_its_code_numbers_as_a_profile(tmp_path, pixels):
    picture = read_picture(png(tmp_path / "coded.png", P3_CODES, pixels=pixels))
    assert picture.info["icc_profile"] == described((P3, SRGB))[0] and picture.notes == ()
    write_picture(tmp_path / "again.png", picture)
    with Image.open(tmp_path / "again.png") as result:
        assert result.info["icc_profile"] == described((P3, SRGB))[0]
    hdr = read_picture(png(tmp_path / "hdr.png", png_chunk(b"cICP", bytes((BT2020, PQ, 0, 1))), pixels=pixels))
    assert "HDR displays (PQ)" in hdr.notes[0]


def test_in_a_png_code_numbers_go_before_a_profile_and_that_before_a_gamma(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    linear = gamma_chunk(1)
    both = png(tmp_path / "both.png", P3_CODES, linear, icc_profile=profile)
    assert read_picture(both).info["icc_profile"] == described((P3, SRGB))[0]
    assert read_picture(png(tmp_path / "a.png", linear, icc_profile=profile)).info["icc_profile"] == profile
    srgb = png_chunk(b"sRGB", b"\0")
    assert "icc_profile" not in read_picture(png(tmp_path / "b.png", srgb, linear)).info


@pytest.mark.parametrize("pixels", [COLOURS, DEEP], ids=["8 bits", "16 bits"])
def test_a_png_keeps_its_gamma_and_chromaticities_as_a_profile(tmp_path, pixels):
    chunks = gamma_chunk(1 / 1.8), chromaticity_chunk(*DISPLAY_P3)
    profile = read_picture(png(tmp_path / "old.png", *chunks, pixels=pixels)).info["icc_profile"]
    # As CSS Color 4 has it: linear light by the power, sRGB's red of it by its matrix.
    linear = (np.array((153, 102, 51)) / 255) ** 1.8
    matrix = [[1.2249, -0.2247, 0], [-0.0420, 1.0419, 0], [-0.0197, -0.0786, 1.0979]]
    light = matrix @ linear
    expected = np.where(light > 0.0031308, 1.055 * light.clip(0) ** (1 / 2.4) - 0.055, 12.92 * light)
    np.testing.assert_allclose(in_srgb(profile, (153, 102, 51)), 255 * expected, atol=2)


@pytest.mark.parametrize("pixels", [COLOURS[..., 0], DEEP[..., 0]], ids=["8 bits", "16 bits"])
def test_a_gray_png_keeps_its_gamma_as_a_profile_of_gray(tmp_path, pixels):
    picture = read_picture(png(tmp_path / "gray.png", gamma_chunk(1), chromaticity_chunk(*DISPLAY_P3), pixels=pixels))
    write_picture(tmp_path / "again.png", picture)
    with Image.open(tmp_path / "again.png") as result:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(result.info["icc_profile"]))
    assert profile.profile.xcolor_space.strip() == "GRAY"
    gray = ImageCms.profileToProfile(
        Image.new("L", (1, 1), 55), profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert abs(gray.getpixel((0, 0))[0] - 128) <= 1


@pytest.mark.parametrize(
    "chunks",
    [
        (gamma_chunk(0.45455),),
        (gamma_chunk(0.45455), chromaticity_chunk(0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)),
        (chromaticity_chunk(0, 0, 0, 0, 0, 0, 0, 0),),
        (chromaticity_chunk(0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3),),
        (gamma_chunk(0),),
        (png_chunk(b"cICP", bytes((1, 13, 0, 1))), gamma_chunk(1)),
    ],
)
def test_of_a_png_that_is_as_srgb_or_says_what_cannot_be_nothing_is_made(tmp_path, chunks):
    picture = read_picture(png(tmp_path / "plain.png", *chunks))
    assert "icc_profile" not in picture.info and picture.notes == ()


def test_what_a_text_in_a_png_says_is_no_code_number(tmp_path):
    text = png_chunk(b"tEXt", b"Comment\0why cICP\x0c\x0d is rare")
    assert "icc_profile" not in read_picture(png(tmp_path / "text.png", text)).info
    coded = read_picture(png(tmp_path / "both.png", text, P3_CODES))
    assert coded.info["icc_profile"] == described((P3, SRGB))[0]
