"""What visitors send to have it restored at once: pictures, tables of pictures, and ZIPs of both."""

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath

from fer_denoise.command.batch import ARCHIVES, TABLES
from fer_denoise.files import OF_THE_SYSTEM
from fer_denoise.pictures import SUFFIXES, PictureError

ACCEPTED = sorted({*SUFFIXES, *TABLES, ".zip"})
MAX_FILES = 200
"""How many pictures and tables are taken at once, those in archives counted."""
MAX_MEGABYTES = 30
"""The most that a file may have; one in an archive no more than one that is sent by itself."""
MAX_MEMBERS = 2000
"""How many members an archive may have, whatever they are."""
READ_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Packings that Python unpacks no further than it is asked to."""


@dataclass(frozen=True)
class Incoming:
    """A picture or a table that was sent, by itself or in an archive.

    Attributes:
        name: its own, with folders where it has some, which lie below where it is put.
        read: gives its bytes; may raise `PictureError`.
    """

    name: str
    read: Callable[[], bytes]

    @property
    def is_table(self) -> bool:
        """Whether it holds pictures in a column."""
        return PurePosixPath(self.name).suffix.lower() in TABLES


@dataclass(frozen=True)
class Received:
    """All that was sent.

    Attributes:
        files: the pictures and tables.
        left_out: names of what else there was, and why it is not taken.
    """

    files: list[Incoming]
    left_out: list[tuple[str, str]]


def receive(paths: Iterable[str]) -> Received:
    """What is in uploaded files, of which nothing is read yet but the lists of archives.

    Raises:
        ValueError: there is too much of it.
    """
    received = Received([], [])
    for path in map(Path, paths):
        if path.suffix.lower() == ".zip":
            _look_into(path, received)
        else:
            received.files.append(Incoming(safe_name(path.name), path.read_bytes))
    if len(received.files) > MAX_FILES:
        raise ValueError(
            f"These are {len(received.files)} pictures and tables; {MAX_FILES} go at once. "
            "For more, run: python -m fer_denoise restore IN OUT"
        )
    return received


def safe_name(name: str) -> str:
    """A name that lies below wherever it is put, on any system: without drive, root and steps upwards."""
    path = PureWindowsPath(name)
    parts = [part for part in path.parts if part not in (path.anchor, "..")]
    return "/".join(parts) or "picture"


def _look_into(path: Path, received: Received) -> None:
    """Add what is in an archive; its files are only ever read, one at a time, and never unpacked to a place."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        received.left_out.append((path.name, f"is no ZIP, or damaged ({error}); pack it again"))
        return
    if len(members) > MAX_MEMBERS:
        received.left_out.append((path.name, f"holds {len(members)} files, and {MAX_MEMBERS} may be in one; split it"))
        return
    for member in members:
        name = safe_name(member.filename)
        if any(part in OF_THE_SYSTEM or part.startswith("._") for part in name.split("/")):
            continue
        if reason := _not_taken(member, PurePosixPath(name).suffix.lower()):
            received.left_out.append((name, reason))
        else:
            received.files.append(Incoming(name, partial(_read_member, path, member, name)))


def _not_taken(member: zipfile.ZipInfo, suffix: str) -> str:
    """Why a file in an archive is left out; nothing where it is taken."""
    if suffix in ARCHIVES:
        return "archives in archives are not opened; unpack it"
    if suffix not in (*SUFFIXES, *TABLES):
        return "is no picture and no table that is read here"
    if member.flag_bits & 1:
        return "is encrypted; pack it without a password"
    if member.compress_type not in READ_PACKINGS:
        return "is compressed in a way that is not read; pack it as an ordinary ZIP"
    if member.file_size > MAX_MEGABYTES * 10**6:
        return f"has {member.file_size / 1e6:.0f} MB, and {MAX_MEGABYTES} are taken; make it smaller"
    return ""


def _read_member(path: Path, member: zipfile.ZipInfo, name: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as file:
            # With a limit, whatever the archive says of its size: without one, all would be unpacked at first.
            return file.read(MAX_MEGABYTES * 10**6)
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, RuntimeError, OSError, ValueError) as error:
        raise PictureError(f"{name} cannot be unpacked ({error}); pack it again") from error
