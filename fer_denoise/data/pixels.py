"""Pixels that are spelled out in a dataset: as numbers in a text or a list, or as a picture file in base64."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from fer_denoise.images import ROUNDING

EXPECTED = "whole numbers from 0 to 255, or fractions from 0 to 1"
_SIGNS = str.maketrans(",;[]()", " " * 6)
_NUMBER = re.compile(r"[^\s,;\[\]()]+")
_DATA_URL = re.compile(r"\s*(data:[\w/.+-]*;base64,)?")
_STARTS_IN_BASE64 = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "Qk", "SUkq", "TU0A", "UD")
"""The first letters of PNG, JPEG, GIF, WebP, BMP, TIFF and PNM."""


def read_pixels(value: Any) -> np.ndarray:
    """The numbers of a text such as "[0, 17, 255]" or "0 17 255", or of a list: uint8, or float32 in [0, 1]; flat.

    Raises:
        ValueError: they are neither; the message says what was found and what is wanted.
    """
    numbers = np.array(_parsed(value) if isinstance(value, str) else value).ravel()
    if numbers.dtype.kind not in "iuf":
        raise ValueError(f"are no numbers: found {str(value)[:20]!r}; write {EXPECTED}")
    if not np.isfinite(numbers).all():
        raise ValueError(f"are not all numbers: found nan or infinity; write {EXPECTED}")
    if numbers.size and (numbers.min() < -ROUNDING or numbers.max() > 255):
        raise ValueError(f"lie outside 0 to 255: found {numbers.min():g} to {numbers.max():g}; write {EXPECTED}")
    if numbers.dtype.kind != "f":
        return numbers.astype(np.uint8)
    whole = (numbers == np.rint(numbers)).all()
    if whole and numbers.max(initial=0) == 1:
        raise ValueError(f"are 0.0 and 1.0 alone, and 1 may be white or almost black; write {EXPECTED}")
    if whole:
        return numbers.astype(np.uint8)
    if numbers.max() > 1 + ROUNDING:
        raise ValueError(f"are fractions up to {numbers.max():g}; write {EXPECTED}")
    return np.clip(numbers, 0, 1).astype(np.float32)


def spell_pixels(pixels: np.ndarray, like: Any) -> Any:
    """Pixels as `read_pixels` gives them, in the form of a value that it took: text with the same signs, or lists."""
    if not isinstance(like, str):
        return pixels.reshape(np.shape(like)).tolist()
    numbers = pixels.ravel()
    if numbers.dtype == np.uint8 and "." in like:
        numbers = numbers.astype(np.float32)
    spelled: Iterator[Any] = iter(numbers)
    return _NUMBER.sub(lambda _: str(next(spelled)), like)


def is_base64(text: str) -> bool:
    """Whether a text is a picture file in base64, perhaps as the address `data:image/png;base64,...`."""
    start = _DATA_URL.match(text)
    return bool(start and text.startswith(_STARTS_IN_BASE64, start.end()))


def read_base64(text: str) -> bytes:
    """The file.

    Raises:
        ValueError: it is damaged.
    """
    try:
        return base64.b64decode(_DATA_URL.sub("", text, count=1))
    except binascii.Error as error:
        raise ValueError(f"are damaged base64 ({error})") from error


def spell_base64(content: bytes, suffix: str, like: str) -> str:
    """A file with the given suffix, in the form of another."""
    text = base64.b64encode(content).decode()
    return f"data:image/{suffix.removeprefix('.')};base64,{text}" if like.lstrip().startswith("data:") else text


def _parsed(text: str) -> list[int] | list[float]:
    words = text.translate(_SIGNS).split()
    if "..." in words:
        raise ValueError("were cut short, with '...', where they were written; export all of them")
    try:
        return [int(word) for word in words]
    except ValueError:
        pass
    try:
        return [float(word) for word in words]
    except ValueError:
        found = next((word for word in words if not re.fullmatch(r"[-+.\deE]+", word)), words[0])
        raise ValueError(f"are no numbers: found {found[:20]!r}; write {EXPECTED}") from None
