"""Pictures for a measurement, from Parquet files or folders of picture files that a person has."""

import hashlib
import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from fer_denoise.data import DataError
from fer_denoise.data.fer2013 import tell_changes
from fer_denoise.files import walk
from fer_denoise.pictures import SUFFIXES, PictureError, read_picture


class SetNotFoundError(DataError):
    """A folder does not hold a set."""


def find_set(folder: Path, name: str) -> Path:
    """The Parquet file or subfolder of `folder` whose name holds that of the set.

    Raises:
        SetNotFoundError: there is none; the message says what to do.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give one that holds {name} as a Parquet file or folder of pictures")
    for entry in sorted(folder.iterdir()):
        if name.lower() in entry.stem.lower() and (entry.is_dir() or entry.suffix == ".parquet"):
            return entry
    raise SetNotFoundError(
        f"{folder}: holds no {name}; put it there, as a Parquet file or a folder of pictures of that name"
    )


def read_set(source: Path, colour: bool = False) -> list[np.ndarray]:
    """The pictures of a Parquet file (column "image") or a folder, in the order of their rows or names.

    Args:
        colour: keep it, as uint8 (H, W, 3); else all become uint8 (H, W).

    Raises:
        DataError: nothing there, or one that cannot be read; the message says what to do.
    """
    if source.is_dir():
        return [picture for _, picture in _files(source, colour)]
    return [picture for (picture,) in _rows(source, ("image",), colour)]


def read_pairs(source: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Noisy and clean pictures of the same scenes, uint8 (H, W, 3), or (H, W) where they have no colour.

    Args:
        source: a Parquet file with columns "noisy" and "clean", a folder that holds one, or a folder with subfolders
            "noisy" and "clean" whose files have the same names.

    Raises:
        DataError: nothing there, or pictures that do not belong together; the message says what to do.
    """
    if not source.exists():
        raise DataError(f"{source}: no such file or folder; give a Parquet file or folder of noisy and clean pictures")
    if (source / "noisy").is_dir() and (source / "clean").is_dir():
        noisy, clean = (dict(_files(source / name, colour=True)) for name in ("noisy", "clean"))
        if noisy.keys() != clean.keys():
            alone = ", ".join(sorted(noisy.keys() ^ clean.keys())[:3])
            raise DataError(f"{source}: {alone} stands in only one of noisy/ and clean/; give each picture its pair")
        pairs = [(picture, clean[name]) for name, picture in noisy.items()]
    else:
        tables = [source] if source.is_file() else sorted(source.glob("*.parquet"))
        pairs = [(noisy, clean) for file in tables for noisy, clean in _rows(file, ("noisy", "clean"), colour=True)]
    if not pairs:
        raise DataError(
            f"{source}: holds neither Parquet files nor the folders noisy/ and clean/; give a place that does"
        )
    for row, (one, other) in enumerate(pairs):
        if one.shape != other.shape:
            raise DataError(
                f"{source}, pair {row}: has shapes {one.shape} and {other.shape}; give pictures of one size"
            )
    return pairs


def record_of(pictures: Iterable[np.ndarray]) -> dict[str, Any]:
    """What results say of the pictures they were measured on: how many, and the SHA-256 of their pixels in order."""
    pictures = list(pictures)
    pixels = hashlib.sha256()
    for picture in pictures:
        pixels.update(repr(picture.shape).encode())
        pixels.update(np.ascontiguousarray(picture).data)
    return {"pictures": len(pictures), "sha256": pixels.hexdigest()}


def _files(folder: Path, colour: bool) -> Iterable[tuple[str, np.ndarray]]:
    """Place below the folder, without its suffix, and pixels of each picture in it, in the order of the paths."""
    files = [file for file in walk(folder).files if file.suffix.lower() in SUFFIXES]
    if not files:
        raise DataError(f"{folder}: holds no pictures; put PNG files there")
    places = [file.relative_to(folder).with_suffix("").as_posix() for file in files]
    if twice := [place for place, count in Counter(places).items() if count > 1]:
        raise DataError(f"{folder}: holds {twice[0]} in two formats; remove one of them")
    changes: Counter[str] = Counter()
    for file, place in zip(files, places, strict=True):
        try:
            picture, changed = read_picture(file, name=file.relative_to(folder).as_posix()).simplified(colour)
        except PictureError as error:
            raise DataError(f"{folder}: {error}") from error
        changes.update(changed)
        yield place, picture
    tell_changes(changes, str(folder))


def _rows(file: Path, columns: tuple[str, ...], colour: bool) -> Iterable[list[np.ndarray]]:
    """The pictures of each row of a Parquet file, one for each of `columns`."""
    try:
        table = pq.read_table(file)
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read as Parquet ({error}); download it again") from error
    if missing := [name for name in columns if name not in table.column_names]:
        raise DataError(f"{file}: has no column {' or '.join(missing)}, only {', '.join(table.column_names)}")
    changes: Counter[str] = Counter()
    for row, values in enumerate(zip(*(table[name].to_pylist() for name in columns), strict=True)):
        pictures = []
        for value in values:
            try:
                picture, changed = read_picture(io.BytesIO(_encoded(value)), name=f"row {row}").simplified(colour)
            except PictureError as error:
                raise DataError(f"{file}: {error}") from error
            changes.update(changed)
            pictures.append(picture)
        yield pictures
    tell_changes(changes, str(file))


def _encoded(value: Any) -> bytes:
    """The bytes of a picture, as they are or in the record of a `datasets.Image`; none where there are none."""
    return (value.get("bytes") if isinstance(value, dict) else value) or b""
