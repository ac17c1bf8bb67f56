"""Finding all files below a folder; writing them so that a reader finds the old or the new, never a part of one."""

import errno
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

OF_THE_SYSTEM = {"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"}
"""What macOS and Windows leave in folders and archives, besides files that begin with "._"."""


@dataclass(frozen=True)
class Below:
    """What lies below a folder.

    Attributes:
        files: sorted; those that systems add are left out.
        closed: the folders that were not looked into, and why.
    """

    files: list[Path]
    closed: dict[Path, str]


def walk(folder: Path, without: Path | None = None) -> Below:
    """What lies below `folder`, also in linked folders, but not in one that leads back up, or in `without`."""
    below = Below([], {})
    _walk(folder, (), without and without.resolve(), below)
    below.files.sort()
    return below


def _walk(folder: Path, above: tuple[Path, ...], without: Path | None, below: Below) -> None:
    real = folder.resolve()
    if real in above:
        below.closed[folder] = "is a link to a folder that it lies in"
        return
    if real == without:
        below.closed[folder] = "is where the results go"
        return
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        below.closed[folder] = f"cannot be opened ({error.strerror})"
        return
    for entry in entries:
        if entry.name in OF_THE_SYSTEM or entry.name.startswith("._"):
            continue
        if entry.is_dir():
            _walk(entry, (*above, real), without, below)
        else:
            below.files.append(entry)


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
    # A name of its own length, as above.
    return path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}.partial")


def is_leftover(path: Path) -> bool:
    """Whether `path` is one of those that `write_whole` and `part_of` name: of something that was broken off."""
    return re.fullmatch(r"\.[0-9a-f]{16}([0-9a-f]{16})?\.(partial|parts)", path.name) is not None


def no_space_left(error: BaseException | None) -> bool:
    """Whether a full disk, or a file that may not grow, is behind `error`."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            return True
        error = error.__cause__ or error.__context__
    return False
