import math

import pytest

from fer_denoise.demo.numbers import fixed


@pytest.mark.parametrize(
    ("value", "digits", "plain", "signed"),
    [
        (1.2345, 2, "1.23", "+1.23"),
        (-1.2345, 2, "-1.23", "-1.23"),
        (0, 1, "0.0", "0.0"),
        (-0.0, 1, "0.0", "0.0"),
        (-4e-5, 4, "0.0000", "0.0000"),
        (4e-5, 4, "0.0000", "0.0000"),
        (math.inf, 2, "∞", "+∞"),
        (-math.inf, 2, "-∞", "-∞"),
    ],
)
def test_numbers_are_written_for_a_person(value, digits, plain, signed):
    assert (fixed(value, digits), fixed(value, digits, signed=True)) == (plain, signed)
