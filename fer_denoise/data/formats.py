"""Tables with images in a column: read in parts, and written with other images and everything else as it was."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from fer_denoise.data.columns import IMAGE_COLUMNS, DataError, MissingColumnError, find_column
from fer_denoise.data.csv_file import CsvFile, Record
from fer_denoise.pictures import SUFFIXES

if TYPE_CHECKING:
    import datasets

ROWS_AT_ONCE = 1024
Reader = Callable[["Rank", int], Iterator[tuple[int, pa.Table]]]
"""Gives so many rows of a process at a time, and the number of the first of them."""


@dataclass(frozen=True)
class Rank:
    """Which of several processes, started together, this one is; each does its own part of a job."""

    index: int = 0
    world_size: int = 1

    def own_file(self, path: Path) -> Path:
        """`path`, or where there are several processes, the file of this one."""
        if self.world_size == 1:
            return path
        return path.with_name(f"{path.stem}-{self.index:05}-of-{self.world_size:05}{path.suffix}")

    def rows(self, count: int) -> range:
        """The rows of this process, of so many: as many as any other has, or one more."""
        whole, rest = divmod(count, self.world_size)
        first = self.index * whole + min(self.index, rest)
        return range(first, first + whole + (self.index < rest))


class Part(Protocol):
    """Some rows of a table."""

    @property
    def images(self) -> pa.Array:
        """The values of the rows in the column of images."""
        ...

    def with_images(self, images: pa.Array) -> bytes:
        """The rows with other images, in the format of the table."""
        ...


class Table(Protocol):
    """Rows in some format."""

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        ...

    @property
    def column(self) -> str:
        """The column that holds the images."""
        ...

    @property
    def record(self) -> dict[str, Any]:
        """What tells the table from others, and from what it was at another time; JSON."""
        ...

    def parts(self, rank: Rank, size: int) -> Iterator[tuple[int, Part]]:
        """The parts of a process, of `size` rows, each with the number of its first row.

        Raises:
            DataError: the table is damaged.
        """
        ...

    def join(self, parts: list[Path], output: Path) -> None:
        """Write a file of all parts, which lie in files of their own."""
        ...

    def iter_rows(self, columns: Sequence[str]) -> Iterator[tuple[str, Sequence[Any]]]:
        """The values of some columns, and where they stand, row by row.

        Raises:
            DataError: the table is damaged.
        """
        ...

    def class_names(self, column: str) -> list[str] | None:
        """What the numbers in a column stand for, if the table tells."""
        ...


class CsvTable:
    """A CSV file: what is no image keeps its bytes, with quotes, line ends and a byte order mark.

    Args:
        path: where it lies; something like a path that opens what is elsewhere will do.
        record: what tells it from others; by default its size and when it was written.
    """

    def __init__(self, path: Path, record: dict[str, Any] | None = None) -> None:
        self._file = CsvFile(path)
        self.names = self._file.names
        self.column = find_column(self.names, IMAGE_COLUMNS, str(path))
        self._index = self.names.index(self.column)
        self.record = _version(path) if record is None else record
        _check_holds_images(self, str(path))

    def parts(self, rank: Rank, size: int) -> Iterator[tuple[int, Part]]:
        first, end = 0, None
        with _explained(self._file.path):
            if rank.world_size > 1:
                own = rank.rows(sum(1 for _ in self._file.records()))
                first, end = own.start, own.stop
            records = islice(self._file.records(), first, end)
            while chosen := list(islice(records, size)):
                yield first, CsvPart(chosen, self._index)
                first += len(chosen)

    def join(self, parts: list[Path], output: Path) -> None:
        with output.open("wb") as target:
            target.write(self._file.header)
            for part in parts:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, target)

    def iter_rows(self, columns: Sequence[str]) -> Iterator[tuple[str, Sequence[Any]]]:
        indices = [self.names.index(column) for column in columns]
        with _explained(self._file.path):
            for record in self._file.records():
                location = f"line {record.line}"
                if len(record.fields) > len(self.names):
                    raise DataError(
                        f"{self._file.path}, {location}: has {len(record.fields)} fields, and the header "
                        f"{len(self.names)}; put what holds commas in quotes"
                    )
                yield location, [record[index] for index in indices]

    def class_names(self, column: str) -> None:
        return None


class CsvPart:
    """Some rows of a CSV file."""

    def __init__(self, records: list[Record], index: int) -> None:
        self._records, self._index = records, index
        self.images = pa.array([record[index] for record in records], pa.large_string())

    def with_images(self, images: pa.Array) -> bytes:
        pairs = zip(self._records, self.images.to_pylist(), images.to_pylist(), strict=True)
        return b"".join(
            record.content if new == old else record.with_field(self._index, new) for record, old, new in pairs
        )


@dataclass(frozen=True)
class ArrowTable:
    """Columns of the types of Arrow, which come out in the same types, with all that the schema says of them."""

    schema: pa.Schema
    column: str
    record: dict[str, Any]
    read: Reader

    @property
    def names(self) -> list[str]:
        return self.schema.names

    def parts(self, rank: Rank, size: int) -> Iterator[tuple[int, Part]]:
        for first, rows in self.read(rank, size):
            yield first, ArrowPart(rows, self.column)

    def join(self, parts: list[Path], output: Path) -> None:
        with pq.ParquetWriter(output, self.schema) as writer:
            for part in parts:
                # Not `read_table`, which cannot tell two columns of one name apart.
                with pq.ParquetFile(part) as rows:
                    writer.write_table(rows.read())

    def iter_rows(self, columns: Sequence[str]) -> Iterator[tuple[str, Sequence[Any]]]:
        for first, rows in self.read(Rank(), ROWS_AT_ONCE):
            values = [_plain(rows.column(column)).to_pylist() for column in columns]
            for offset, row in enumerate(zip(*values, strict=True)):
                yield f"row {first + offset}", row

    def class_names(self, column: str) -> list[str] | None:
        field = self.schema.field(column)
        if not pa.types.is_integer(field.type):
            return None
        import datasets

        features = datasets.Features.from_arrow_schema(pa.schema([field], metadata=self.schema.metadata))
        return getattr(features[column], "names", None)


class ArrowPart:
    """Some rows of columns with types."""

    def __init__(self, rows: pa.Table, column: str) -> None:
        self._rows, self._index = rows, rows.schema.get_field_index(column)
        self._type = rows.schema.field(self._index).type
        self.images = _plain(rows.column(self._index))

    def with_images(self, images: pa.Array) -> bytes:
        if isinstance(self._type, pa.BaseExtensionType):
            column = self._type.wrap_array(images.cast(self._type.storage_type))
        else:
            column = images.cast(self._type)
        content = BytesIO()
        # To memory first, for Arrow ends the whole process where a disk is full.
        pq.write_table(self._rows.set_column(self._index, self._rows.schema.field(self._index), column), content)
        return content.getvalue()


def _plain(column: pa.ChunkedArray) -> pa.Array:
    """The values themselves, of a type of Python or of `datasets` and of categories."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    elif pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.combine_chunks()


def open_table(path: Path) -> Table:
    """A Parquet or CSV file, by its suffix.

    Raises:
        DataError: it cannot be read, or no column holds images.
    """
    with _explained(path):
        if path.suffix.lower() == ".csv":
            return CsvTable(path)
        schema = pq.read_schema(path)
    column = find_column(schema.names, IMAGE_COLUMNS, str(path))
    table = ArrowTable(schema, column, _version(path), partial(_rows_of_parquet, path))
    _check_holds_images(table, str(path))
    return table


def table_of(dataset: "datasets.Dataset | datasets.IterableDataset", source: str) -> Table:
    """A dataset of `datasets`, whose images are not decoded, so that no file is read that they name.

    Raises:
        DataError: no column holds images.
    """
    import datasets

    column = find_column(list(dataset.features), IMAGE_COLUMNS, source)
    # The parts of a stream are other rows than those of a dataset of known length.
    streamed = isinstance(dataset, datasets.IterableDataset)
    read: Reader = partial(_rows_of_stream if streamed else _rows_of_dataset, dataset)
    table = ArrowTable(dataset.features.arrow_schema, column, {"stream": streamed}, read)
    # Looked at only where it may be so, for the first row of a stream has to be fetched.
    arrow_type = table.schema.field(column).type
    if pa.types.is_string(arrow_type) or pa.types.is_large_string(arrow_type):
        _check_holds_images(table, source)
    return table


def _check_holds_images(table: Table, source: str) -> None:
    """Refuse a list of labels, which has the names of pictures in the column of images.

    Raises:
        MissingColumnError: it is one, by its first row.
    """
    first = next((part.images[0].as_py() for _, part in table.parts(Rank(), 1)), None)
    if isinstance(first, str) and Path(first[:300]).suffix.lower() in SUFFIXES:
        raise MissingColumnError(
            f"{source}: names pictures and holds none; restore the folder that they lie in, or to train, put them into "
            "folders by split and emotion, such as train/happy"
        )


def _rows_of_parquet(path: Path, rank: Rank, size: int) -> Iterator[tuple[int, pa.Table]]:
    with _explained(path), pq.ParquetFile(path) as file:
        own_rows = rank.rows(file.metadata.num_rows)
        position, first, pending = 0, own_rows.start, file.schema_arrow.empty_table()
        for batch in file.iter_batches(size):
            begin, end = (min(max(row - position, 0), len(batch)) for row in (own_rows.start, own_rows.stop))
            position += len(batch)
            pending = pa.concat_tables([pending, pa.Table.from_batches([batch.slice(begin, end - begin)])])
            while pending.num_rows >= size or (pending.num_rows and position >= own_rows.stop):
                yield first, pending.slice(0, size).unify_dictionaries()
                first, pending = first + size, pending.slice(size)
            if position >= own_rows.stop:
                return


def _rows_of_dataset(dataset: "datasets.Dataset", rank: Rank, size: int) -> Iterator[tuple[int, pa.Table]]:
    own_rows = rank.rows(len(dataset))
    for first in range(own_rows.start, own_rows.stop, size):
        yield first, dataset.with_format("arrow")[first : min(first + size, own_rows.stop)]


def _rows_of_stream(dataset: "datasets.IterableDataset", rank: Rank, size: int) -> Iterator[tuple[int, pa.Table]]:
    # Rows of a stream are only known by counting: each process takes every so many-th part.
    for number, rows in enumerate(dataset.with_format("arrow").iter(batch_size=size)):
        if number % rank.world_size == rank.index:
            yield number * size, rows


def _version(path: Path) -> dict[str, Any]:
    """What tells whether a file is still as it was when a job began."""
    found = path.stat()
    return {"bytes": found.st_size, "modified": found.st_mtime_ns}


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what Arrow and the system say of a file into a message.

    Raises:
        DataError: it cannot be read.
    """
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read ({error}); download or export it again") from error
