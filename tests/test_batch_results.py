import csv
import zipfile
from pathlib import Path

import pytest

from fer_denoise.demo.batch_report import ReportRow
from fer_denoise.demo.batch_results import REPORT, BatchResults


def names_in(archive: str) -> list[str]:
    with zipfile.ZipFile(archive) as results:
        return results.namelist()


def test_no_two_files_have_one_name_on_any_system(tmp_path):
    results = BatchResults(tmp_path)
    sent = ["a.jpg", "A.png", "b/a.png", "a-2.png", "a.tif", REPORT.replace(".csv", ".png")]
    given = [results.add_picture(name, ".png", name.encode()) for name in sent]
    assert given == ["a.png", "A-2.png", "b/a.png", "a-2-2.png", "a-3.png", "restored.png"]
    archive, _ = results.finish([], alone=False)
    assert names_in(archive) == [*given, REPORT]
    with zipfile.ZipFile(archive) as content:
        assert [content.read(name).decode() for name in given] == sent


@pytest.mark.parametrize("alone", [True, False])
def test_a_table_that_came_alone_comes_back_as_such(tmp_path, alone):
    results = BatchResults(tmp_path)
    path = results.path_for_table("folder/faces.csv")
    path.write_bytes(b"a table")
    assert results.add_table("folder/faces.csv", path) == "folder/faces.csv"
    first, report = results.finish([ReportRow("faces.csv, row 0", remark="left, as it was")], alone)
    assert Path(first).name == ("faces.csv" if alone else "restored.zip")
    with open(report, newline="", encoding="utf-8") as file:
        assert next(csv.DictReader(file))["remark"] == "left, as it was"


def test_a_table_does_not_take_the_name_of_the_report(tmp_path):
    results = BatchResults(tmp_path)
    path = results.path_for_table(REPORT)
    path.write_bytes(b"a table")
    assert results.add_table(REPORT, path) == "restored-2.csv"
    archive, report = results.finish([], alone=False)
    assert names_in(archive) == ["restored-2.csv", REPORT] and Path(report) != path


def test_two_tables_of_one_name_have_a_place_each(tmp_path):
    results = BatchResults(tmp_path)
    first = results.path_for_table("a/faces.csv")
    first.write_bytes(b"1")
    results.add_table("a/faces.csv", first)
    assert results.path_for_table("b/faces.csv") not in (first, tmp_path / "faces.csv")


def test_where_nothing_was_restored_the_report_comes_alone(tmp_path):
    assert BatchResults(tmp_path).finish([ReportRow("a.txt", remark="no picture")], alone=True) == [
        str(tmp_path / REPORT)
    ]
