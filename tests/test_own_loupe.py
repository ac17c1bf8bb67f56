"""The loupe on one's own picture."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from fer_denoise.demo.loupe import LIMIT
from fer_denoise.demo.own_loupe import SIDE, enlarged
from fer_denoise.pictures import Picture

RNG = np.random.default_rng(0)
LARGE = RNG.integers(0, 256, (1500, 2000, 3), dtype=np.uint8)


def seen(html: str) -> list[np.ndarray]:
    """The pictures in it: before, after and their difference."""
    urls = re.findall("src='data:image/png;base64,([^']*)'", html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(url)))) for url in urls]


@pytest.mark.parametrize(
    ("place", "top", "left"),
    [((0.5, 0.5), 726, 976), ((0, 0), 0, 0), ((1, 1), 1500 - SIDE, 2000 - SIDE), ((0.25, 0.8), 1176, 476)],
)
def test_it_shows_the_pixels_of_the_whole_picture_of_both_and_their_difference(place, top, left):
    restored = (LARGE // 2 + 60).astype(np.uint8)
    html = enlarged(Picture.of(LARGE), Picture.of(restored), 1, place)
    cut = np.s_[top : top + SIDE, left : left + SIDE]
    before, after, difference = seen(html)
    np.testing.assert_array_equal(before, LARGE[cut])
    np.testing.assert_array_equal(after, restored[cut])
    expected = 127.5 * (1 + (LARGE[cut].astype(float) - restored[cut]) / LIMIT)
    np.testing.assert_allclose(difference, np.clip(expected, 0, 255), atol=1)
    assert f"Columns {left + 1} to {left + SIDE} of 2000, rows {top + 1} to {top + SIDE} of 1500" in html


def test_it_shows_the_strength_that_is_chosen():
    before, after, difference = seen(enlarged(Picture.of(LARGE), Picture.of(255 - LARGE), 0, (0.5, 0.5)))
    np.testing.assert_array_equal(before, after)
    assert np.ptp(difference) == 0


def test_it_takes_more_bits_gray_many_frames_and_what_is_smaller_than_it():
    small = RNG.integers(0, 4096, (20, 70), dtype=np.uint16)
    picture = Picture((small, small[::-1]), white=4095)
    before, after, _ = seen(enlarged(picture, picture, 0.5, (1, 0.5)))
    np.testing.assert_array_equal(before, picture.in_8_bits()[:, 50:])
    np.testing.assert_array_equal(after, before)


def test_its_colours_have_the_profile_of_the_picture():
    picture = Picture((LARGE[:64, :64],), info={"icc_profile": b"a profile"})
    urls = re.findall("base64,([^']*)'", enlarged(picture, picture, 1, (0.5, 0.5)))
    profiles = [Image.open(io.BytesIO(base64.b64decode(url))).info.get("icc_profile") for url in urls]
    assert profiles == [b"a profile", b"a profile", None]
