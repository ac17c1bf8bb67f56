"""Writing files so that a reader finds the old one or the new one, never a part; and what to do without space."""

import errno
import hashlib
import os
from pathlib import Path
from uuid import uuid4


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` beside `path`, flush it to disk, and only then give it the name.

    Raises:
        OSError: it cannot be written, as on a full disk; what was there before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own length: that of `path` may be as long as names can be.
    part = path.with_name(f".{uuid4().hex}.partial")
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def part_of(path: Path) -> Path:
    """Where `path` is written until it is whole: always the same place, so that what was broken off is written over."""
    return path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}.partial")


def no_space_left(error: BaseException | None) -> bool:
    """Whether a full disk, or a file that may not grow, is behind `error`."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return True
        error = error.__cause__ or error.__context__
    return False
