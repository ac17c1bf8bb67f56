import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from fer_denoise.demo.before_after import before_after
from fer_denoise.demo.face_view import FaceView


def view(impulses: Image.Image | None = None, titles: tuple[str, str] = ("Noisy", "Universal")) -> FaceView:
    """A view whose pictures are each of one gray: 10 left, 20 right, 30 clean, 40 the error."""
    left, right, clean, error = (Image.new("L", (48, 48), 10 * number) for number in range(1, 5))
    return FaceView(titles, left, right, clean, error, impulses, "<p>numbers</p>", "")


def grays(html: str) -> dict[str, int]:
    """The gray of each picture, by what it says for whoever does not see it."""
    found = {}
    for tag in re.findall(r"<img [^>]*>", html):
        url, alt = (re.search(rf"{name}=['\"]([^'\"]*)", tag)[1] for name in ("src", "alt"))
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))))
        assert pixels.min() == pixels.max()
        found[alt] = int(pixels.max())
    return found


def test_each_picture_stands_under_its_own_name():
    html = before_after(view(), "?tab=low")
    assert grays(html) == {"Universal": 20, "Noisy": 10, "Clean face": 30, "Error face": 40}
    assert html.index('class="right"') < html.index('class="left"') and "<p>numbers</p>" in html


def test_impulses_are_shown_where_there_are_some():
    html = before_after(view(Image.new("L", (48, 48), 50)), "?tab=salt_pepper")
    assert grays(html)["Impulses face"] == 50 and "missed" in html
    assert "missed" not in before_after(view(), "?tab=low")


@pytest.mark.parametrize("hostile", ["<b>", 'a"b', "a & b"])
def test_titles_and_links_are_text(hostile):
    html = before_after(view(titles=(hostile, "Universal")), f"?noise={hostile}")
    assert hostile not in html


def test_a_warning_stands_below_the_numbers():
    assert "<p>numbers</p><p>warning</p>" in before_after(view(), "?tab=low", "<p>warning</p>")
