"""What decoders of pictures end with where a file is broken, told apart from faults of this package."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import png
from PIL import UnidentifiedImageError

BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    RuntimeError,
    TypeError,
    LookupError,
    ArithmeticError,
    MemoryError,
    struct.error,
    zlib.error,
    png.Error,
)
"""What Pillow, pillow-heif, tifffile and pypng are known to raise on files with bytes changed, cut out or cut off."""


class UnreadableError(Exception):
    """A file is of a kind that nothing here reads; the message says how to save it instead."""


class DamagedError(Exception):
    """A file is damaged or incomplete; the message says in what way."""


@contextmanager
def decoding() -> Iterator[None]:
    """A context for decoders alone: what they raise on a broken file is told as such.

    Nothing else is to be done in it, or a fault of our own would pass for one of the file.

    Raises:
        DamagedError: the file is broken.
        UnidentifiedImageError: Pillow knows no such format.
    """
    try:
        yield
    except UnidentifiedImageError:
        raise
    except BROKEN as error:
        raise DamagedError(str(error) or type(error).__name__) from error
