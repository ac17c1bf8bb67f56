"""CSV that is taken apart and put together again loses no byte."""

import csv
import io
import random
from pathlib import Path

import pytest

from fer_denoise.data.columns import DataError
from fer_denoise.data.csv_file import CsvFile


def read(path: Path, content: bytes) -> tuple[CsvFile, list[list[str]]]:
    path.write_bytes(content)
    file = CsvFile(path)
    return file, [[record[index] for index in range(len(record.fields))] for record in file.records()]


@pytest.mark.parametrize(
    ("content", "names", "rows"),
    [
        (b"a,b\n1,2\n3,4", ["a", "b"], [["1", "2"], ["3", "4"]]),
        (b'\xef\xbb\xbf"a","b"\r\n1,"x\r\n""y"""\r\n\r\n3,\r\n', ["a", "b"], [["1", 'x\r\n"y"'], ["3", ""]]),
        (b'\n\na;b\r1;2\r\r3;"4;5"\r', ["a", "b"], [["1", "2"], ["3", "4;5"]]),
        (b"a\tb\n1,0\t\n", ["a", "b"], [["1,0", ""]]),
        (b'a, b\n1, "2,3" \n"q"junk,5 "x\n', ["a", " b"], [["1", "2,3"], ["q", '5 "x']]),
        ("a,b\né,€\n".encode(), ["a", "b"], [["é", "€"]]),
        (b"a,b\n\xe9,NUL \0\n", ["a", "b"], [["\ufffd", "NUL \0"]]),
        (b"a,b\n1\n1,2,3\n", ["a", "b"], [["1"], ["1", "2", "3"]]),
        (b"a,b\n", ["a", "b"], []),
    ],
)
def test_the_fields_are_found_and_every_byte_is_kept(tmp_path, content, names, rows):
    file, found = read(tmp_path / "a.csv", content)
    assert (file.names, found) == (names, rows)
    assert file.header + b"".join(record.content for record in file.records()) == content


def test_rows_tell_the_line_that_they_begin_in(tmp_path):
    file, _ = read(tmp_path / "a.csv", b'\na,b\n1,"x\ny"\n\n3,4\n')
    assert [record.line for record in file.records()] == [3, 6]


def test_one_field_is_replaced_and_keeps_its_quotes(tmp_path):
    file, _ = read(tmp_path / "a.csv", b'a,b\r\n"1" ,x ""y\r\n 2,"y,""z"""\r\n')
    first, second = file.records()
    assert first.with_field(0, "new") == b'"new" ,x ""y\r\n'
    assert second.with_field(0, "new") == b'new,"y,""z"""\r\n'


def test_fields_are_those_of_pythons_csv_module(tmp_path):
    rng = random.Random(0)
    dialects = [("\r\n", csv.QUOTE_MINIMAL), ("\n", csv.QUOTE_ALL), ("\r", csv.QUOTE_ALL)]
    for _ in range(300):
        rows = [["".join(rng.choices('ab",\n\r ;é', k=rng.randint(0, 5))).lstrip(" ") for _ in "xyz"] for _ in range(4)]
        text, (newline, quoting) = io.StringIO(), rng.choice(dialects)
        csv.writer(text, lineterminator=newline, quoting=quoting).writerows([["x", "y", "z"], *rows])
        file, found = read(tmp_path / "a.csv", text.getvalue().encode())
        assert found == rows
        assert file.header + b"".join(record.content for record in file.records()) == text.getvalue().encode()


@pytest.mark.parametrize("content", [b"", b"\n\n", "a,b\n1,2\n".encode("utf-16"), b"\0\1\2"])
def test_what_is_no_csv_is_refused(tmp_path, content):
    with pytest.raises(DataError, match=r"a\.csv: is no CSV text with a header; export it again, as CSV in UTF-8"):
        read(tmp_path / "a.csv", content)


def test_a_quote_that_is_never_closed_is_told_with_its_line(tmp_path):
    with pytest.raises(DataError, match=r"a\.csv, line 3: a quote is never closed"):
        read(tmp_path / "a.csv", b'a,b\n1,2\n3,"4\n5,6\n')
