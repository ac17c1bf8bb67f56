"""CSV files as they are: the fields are found, and one of them can be replaced while every other byte stays."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import TextIOWrapper
from pathlib import Path

from fer_denoise.data.columns import DataError

BYTES = "latin-1"
"""Makes each byte a character, so that any encoding passes unharmed in which ASCII is ASCII."""
BYTE_ORDER_MARK = "\ufeff".encode().decode(BYTES)
DELIMITERS = ",;\t"


@dataclass(frozen=True)
class Record:
    """A row of a CSV file.

    Attributes:
        line: the number in the file of the line that it begins in, from 1.
        text: its bytes, each as a character, with its line end and the blank lines behind it.
        fields: where each field begins and ends, inside its quotes if it has some.
    """

    line: int
    text: str
    fields: tuple[tuple[int, int], ...]

    def __getitem__(self, index: int) -> str:
        """A field, without its quotes; empty where the row is too short."""
        if index >= len(self.fields):
            return ""
        begin, end = self.fields[index]
        value = self.text[begin:end]
        if begin and self.text[begin - 1] == '"':
            value = value.replace('""', '"')
        return value.encode(BYTES).decode(errors="replace")

    @property
    def content(self) -> bytes:
        """The row as it is."""
        return self.text.encode(BYTES)

    def with_field(self, index: int, value: str) -> bytes:
        """The row with another value in a field, one that needs no quotes which the field has not."""
        begin, end = self.fields[index]
        return (self.text[:begin] + value + self.text[end:]).encode(BYTES)


class CsvFile:
    """A CSV file whose first row names the columns; commas, semicolons or tabs stand between them.

    Attributes:
        header: the bytes before the first row of values.
        names: of the columns, as they are written.
    """

    def __init__(self, path: Path) -> None:
        """Read the header.

        Raises:
            DataError: there is none, or the file is no text in which ASCII is ASCII.
        """
        self.path = path
        with self._open() as lines:
            line = next((line for line in lines if line.strip()), "\0")
        if "\0" in line:
            raise DataError(f"{path}: is no CSV text with a header; export it again, as CSV in UTF-8")
        self._delimiter = max(DELIMITERS, key=line.count)
        within = rf"[^{self._delimiter}\r\n]*"
        self._field = re.compile(rf' *"([^"]*(?:""[^"]*)*)"(?!"){within}|(?! *")({within})')
        first = next(self._rows())
        self.header = first.content
        self.names = [first[index] for index in range(len(first.fields))]

    def records(self) -> Iterator[Record]:
        """The rows below the header.

        Raises:
            DataError: a quote is never closed.
        """
        rows = self._rows()
        next(rows)
        yield from rows

    def _open(self) -> TextIOWrapper:
        # As bytes, for a path to the Hub knows no encodings.
        return TextIOWrapper(self.path.open("rb"), BYTES, newline="")

    def _rows(self) -> Iterator[Record]:
        row: Record | None = None
        blank = ""
        with self._open() as file:
            lines = enumerate(file, 1)
            for number, line in lines:
                if not line.strip(" \r\n"):
                    blank += line
                    continue
                if row is None:
                    start, text = len(blank), blank + line
                    start += len(BYTE_ORDER_MARK) if text.startswith(BYTE_ORDER_MARK, start) else 0
                else:
                    yield replace(row, text=row.text + blank)
                    start, text = 0, line
                blank = ""
                while (fields := self._fields(text, start)) is None:
                    more = [text]
                    for _, line in lines:
                        more.append(line)
                        if '"' in line:
                            break
                    else:
                        raise DataError(f"{self.path}, line {number}: a quote is never closed; close it, or remove it")
                    text = "".join(more)
                row = Record(number, text, fields)
        if row is not None:
            yield replace(row, text=row.text + blank)

    def _fields(self, text: str, start: int) -> tuple[tuple[int, int], ...] | None:
        """Where the fields of a row lie; None where a quote is still open at its end."""
        fields = []
        while match := self._field.match(text, start):
            fields.append(match.span(match.lastindex or 0))
            start = match.end() + 1
            if not text.startswith(self._delimiter, match.end()):
                return tuple(fields)
        return None
