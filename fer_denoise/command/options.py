"""Types of command line options: what is out of range is refused with a message."""

import argparse
from collections.abc import Callable
from math import inf

from fer_denoise.noise import kind_of


def fraction(text: str) -> float:
    """A number in [0, 1]."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must lie in [0, 1], got {text}; divide a level out of 255 by 255")
    return value


def kind(text: str) -> str:
    """A kind of noise, as `fer_denoise.noise.kind_of` takes it."""
    try:
        kind_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def positive(text: str) -> float:
    """A finite number above 0."""
    value = float(text)
    if not 0 < value < inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text}")
    return value


def at_least(least: int) -> Callable[[str], int]:
    """A whole number of at least `least`."""

    def whole_number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}, got {text}")
        return value

    return whole_number
