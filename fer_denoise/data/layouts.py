"""Where the faces of a dataset lie on a disk, and which split each is of, in the layouts of the common copies."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fer_denoise.data.columns import (
    LABEL_COLUMNS,
    SPLITS,
    USAGE_COLUMNS,
    DataError,
    MissingColumnError,
    canonical_split,
    emotion_index,
    find_column,
    match_split,
)
from fer_denoise.data.formats import Table, open_table
from fer_denoise.files import walk
from fer_denoise.pictures import SUFFIXES

TABLES = (".parquet", ".csv")
KAGGLE_STEMS = ("fer2013", "icml_face_data")
"""The tables of all splits, the better known first, which lie beside others of the challenge."""


@dataclass(frozen=True)
class LabelledImage:
    """A face: its image as the dataset has it, the index of its emotion, and where it stands."""

    image: Any
    label: int
    location: str


class Rows(Protocol):
    """Some faces of a dataset."""

    @property
    def splits(self) -> set[str]:
        """The splits that they are of.

        Raises:
            DataError: one is unknown.
        """
        ...

    def of(self, split: str) -> Iterator[LabelledImage]:
        """The images of a split, in order.

        Raises:
            DataError: there is no column of labels, or a label is none.
        """
        ...


class TableRows:
    """The rows of a table: of the split that it is named after, unless a column tells for each."""

    def __init__(self, table: Table, split: str, source: str) -> None:
        self._table, self._split, self._source = table, split, source
        self.usage = _usage_column(table)

    @property
    def splits(self) -> set[str]:
        if self.usage is None:
            return {self._split}
        return {self._named(usage, location) for location, (usage,) in self._table.iter_rows([self.usage])}

    def of(self, split: str) -> Iterator[LabelledImage]:
        if self.usage is None and split != self._split:
            # Its labels are not asked for, which the challenge's test.csv has none of.
            return
        label_column = find_column(self._table.names, LABEL_COLUMNS, self._source)
        class_names = self._table.class_names(label_column)
        columns = [self._table.column, label_column, *([self.usage] if self.usage else [])]
        for location, (image, label, *usage) in self._table.iter_rows(columns):
            if split == (self._named(usage[0], location) if usage else self._split):
                location = f"{self._source}, {location}"
                yield LabelledImage(image, emotion_index(label, class_names, location), location)

    def _named(self, usage: Any, location: str) -> str:
        try:
            return canonical_split(str(usage))
        except DataError as error:
            raise DataError(f"{self._source}, {location}: {self.usage}: {error}") from error


@dataclass(frozen=True)
class PictureRows:
    """Picture files in folders that are named after emotions, by split."""

    files: dict[str, list[Path]]

    @property
    def splits(self) -> set[str]:
        return set(self.files)

    def of(self, split: str) -> Iterator[LabelledImage]:
        for file in self.files.get(split, []):
            label = emotion_index(file.parent.name, None, f"{file}: folder")
            try:
                yield LabelledImage(file.read_bytes(), label, str(file))
            except OSError as error:
                raise DataError(f"{file}: cannot be read ({error}); replace or remove it") from error


def find_rows(path: Path) -> list[Rows]:
    """The faces of a file or a folder: those of Parquet files, else of CSV files, else of pictures by class.

    Tables of something else are left out, such as a list of labels beside pictures.

    Raises:
        DataError: there are none, or it cannot be told which are meant.
    """
    if path.is_file():
        if path.suffix.lower() not in TABLES:
            raise DataError(f"{path}: is no Parquet or CSV file; point --data at one, or at a folder")
        return [TableRows(open_table(path), _splits_of([path], path.parent)[path], str(path))]
    files = walk(path).files
    all_errors: list[DataError] = []
    for suffix in TABLES:
        tables: dict[Path, Table] = {}
        errors: list[DataError] = []
        for file in files:
            if file.suffix.lower() == suffix:
                try:
                    tables[file] = open_table(file)
                except DataError as error:
                    errors.append(error)
        damaged = [error for error in errors if not isinstance(error, MissingColumnError)]
        if tables and damaged:
            raise damaged[0]
        if tables:
            return _rows_of_tables(tables, path)
        all_errors += errors
    if pictures := [file for file in files if file.suffix.lower() in SUFFIXES]:
        return [PictureRows(_pictures_by_split(pictures, path))]
    if all_errors:
        raise all_errors[0]
    raise DataError(f"{path}: holds no Parquet, CSV or image files; point --data at the folder that does")


def _usage_column(table: Table) -> str | None:
    try:
        return find_column(table.names, USAGE_COLUMNS, "")
    except MissingColumnError:
        return None


def _rows_of_tables(tables: dict[Path, Table], root: Path) -> list[Rows]:
    whole = [file for file in tables if _usage_column(tables[file])]
    stems = {file: _stem(file).lower() for file in whole}
    if len(set(stems.values())) > 1 and not all(match_split(*_words(file, root)) for file in whole):
        present = [stem for stem in KAGGLE_STEMS if stem in stems.values()]
        if not present:
            names = ", ".join(file.name for file in whole)
            raise DataError(f"{root}: holds several tables of all splits, {names}; point --data at one of them")
        whole = [file for file in whole if stems[file] == present[0]]
    files = whole or list(tables)
    splits = dict.fromkeys(files, "train") if whole else _splits_of(files, root)
    return [TableRows(tables[file], splits[file], str(file)) for file in files]


def _pictures_by_split(files: list[Path], root: Path) -> dict[str, list[Path]]:
    splits = _splits_of(files, root)
    if "validation" not in splits.values():
        # The most downloaded copy has both in one folder, and tells them apart in the names of the files.
        public = [file for file in files if splits[file] == "test" and re.match("public[-_ ]?test", file.stem, re.I)]
        splits.update(dict.fromkeys(public, "validation"))
    return {split: chosen for split in SPLITS if (chosen := [file for file in files if splits[file] == split])}


def _splits_of(files: Iterable[Path], root: Path) -> dict[Path, str]:
    """The split that each file, or a folder that it lies in, is named after; all are train where none is named.

    Raises:
        DataError: only some are named.
    """
    found = {file: match_split(*_words(file, root)) for file in files}
    unnamed = [file for file, split in found.items() if split is None]
    if unnamed and len(unnamed) < len(found):
        raise DataError(
            f"{unnamed[0]}: it cannot be told which split it is of, as of the others; name it or its folder after one "
            "(train, validation, test), or remove it"
        )
    return {file: split or "train" for file, split in found.items()}


def _words(file: Path, root: Path) -> list[str]:
    """What may tell the split of a file: the folders, then its name, then the words of that."""
    return [*file.relative_to(root).parts[:-1], _stem(file), *re.split(r"[^a-zA-Z]+", file.stem)]


def _stem(file: Path) -> str:
    """The name of a table of which the file may be one of several shards."""
    return re.sub(r"-\d{5}-of-\d{5}$", "", file.stem)
