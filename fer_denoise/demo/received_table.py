"""A table that a visitor sent: of a bounded size, and its errors in its own name."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow.parquet as pq

from fer_denoise.command.tables import ALONE
from fer_denoise.data import DataError
from fer_denoise.data.csv_file import CsvFile
from fer_denoise.data.fer2013 import decode_picture
from fer_denoise.data.formats import Part, open_table
from fer_denoise.demo.incoming import Incoming
from fer_denoise.demo.uploads import check_size
from fer_denoise.pictures import Picture

MAX_ROWS = 4000
MAX_UNPACKED_MEGABYTES = 100
"""The most that all columns of a Parquet file may unpack to."""
PART_ROWS = 16
"""How many rows are in memory at once: so few that any that are allowed have room there."""


class ReceivedTable:
    """A Parquet or CSV file with images in a column.

    Args:
        file: the table.
        folder: where it may lie for the time.

    Raises:
        PictureError: it cannot be unpacked.
        DataError: it is damaged or too large, or no column holds images.
    """

    def __init__(self, file: Incoming, folder: Path) -> None:
        self.name = file.name
        suffix = PurePosixPath(file.name).suffix.lower()
        self._path = next(path for number in count() if not (path := folder / f"table-{number}{suffix}").exists())
        self._path.write_bytes(file.read())
        with self._named():
            self.table = open_table(self._path)
            self._check_size()

    def parts(self) -> Iterator[tuple[int, Part]]:
        """Some rows at a time, and the number of the first of them.

        Raises:
            DataError: the table is damaged.
        """
        with self._named():
            yield from self.table.parts(ALONE, PART_ROWS)

    def join(self, parts: list[Path], output: Path) -> None:
        """Write a file of all parts, each of which lies in one of its own."""
        self.table.join(parts, output)

    def _check_size(self) -> None:
        if self._path.suffix == ".csv":
            rows, megabytes = sum(1 for _ in CsvFile(self._path).records()), 0.0
        else:
            found = pq.read_metadata(self._path)
            rows = found.num_rows
            megabytes = sum(found.row_group(group).total_byte_size for group in range(found.num_row_groups)) / 1e6
        elsewhere = "split it, or run on your own machine: python -m fer_denoise restore IN OUT"
        if rows > MAX_ROWS:
            raise DataError(f"{self._path}: has {rows} rows, and {MAX_ROWS} are taken; {elsewhere}")
        if megabytes > MAX_UNPACKED_MEGABYTES:
            raise DataError(
                f"{self._path}: holds {megabytes:.0f} MB, and {MAX_UNPACKED_MEGABYTES} are taken; {elsewhere}"
            )

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say what was sent, instead of where it lies here."""
        try:
            yield
        except DataError as error:
            raise DataError(str(error).replace(str(self._path), self.name)) from error


def decode_row(value: Any, location: str, model: str, white: float | None) -> Picture:
    """An image of a table for the restorer `model`; arguments as those of `decode_picture`.

    Raises:
        DataError, PictureError: it is damaged or too large, or it is not in the table.
    """
    # What a table only names would be a file of this machine, or of a host that this one is to call.
    embedded = value.get("bytes") if isinstance(value, dict) else value
    picture = decode_picture(embedded, location, white=white or None)
    height, width = picture.frames[0].shape[:2]
    check_size((width, height, len(picture.frames)), model, location)
    return picture
