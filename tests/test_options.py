import argparse

import pytest

from fer_denoise.command.options import at_least, fraction, kind, positive


@pytest.mark.parametrize(("take", "text", "value"), [
    (fraction, "0", 0), (fraction, "1", 1), (fraction, "0.06", 0.06),
    (positive, "1e-9", 1e-9), (positive, "65535", 65535), (at_least(1), "1", 1), (at_least(0), "0", 0),
])  # fmt: skip
def test_what_is_within_the_bounds_is_taken(take, text, value):
    assert take(text) == value


@pytest.mark.parametrize(("take", "text", "words"), [
    (fraction, "-0.01", r"must lie in \[0, 1\], got -0.01"), (fraction, "15", "divide a level out of 255 by 255"),
    (fraction, "nan", "got nan"), (positive, "0", "must be a number above 0, got 0"), (positive, "inf", "got inf"),
    (positive, "nan", "got nan"), (at_least(1), "0", "must be at least 1, got 0"),
    (kind, "fog:sigma=1", "there are gaussian"), (kind, "jpeg:quality=0", "quality"),
])  # fmt: skip
def test_what_is_out_of_bounds_is_refused_with_words(take, text, words):
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        take(text)


@pytest.mark.parametrize("take", [fraction, positive, at_least(1)])
def test_what_is_no_number_is_refused(take):
    with pytest.raises(ValueError, match="'much'"):
        take("much")


def test_a_kind_stays_the_text_that_it_was():
    assert kind("poisson:photons=50") == "poisson:photons=50"
