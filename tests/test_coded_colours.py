"""Colours that HEIC and AVIF describe by code numbers, without an ICC profile."""

import io
import struct

import numpy as np
import pillow_heif
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
