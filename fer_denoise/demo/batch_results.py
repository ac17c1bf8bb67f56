"""The files that many pictures come back in: a ZIP, or of a table alone that table, and the report."""

import zipfile
from pathlib import Path, PurePosixPath

from fer_denoise.demo.batch_report import ReportRow, as_csv

REPORT = "restored.csv"
LONGEST_NAME = 240
"""The longest name of a file on a disk, in bytes."""


class BatchResults:
    """Fills a ZIP in `folder`, whose files have their own names, with a number behind those that are there already."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._path = folder, folder / "restored.zip"
        self._archive = zipfile.ZipFile(self._path, "w", zipfile.ZIP_STORED)
        self._tables: list[Path] = []
        self._taken = {REPORT}

    def add_picture(self, name: str, suffix: str, content: bytes) -> str:
        """Add a restored picture, whose own name may have another suffix; what it is called then."""
        free = self._free_name(str(PurePosixPath(name).with_suffix(suffix)))
        self._archive.writestr(free, content)
        return free

    def path_for_table(self, name: str) -> Path:
        """Where a restored table is to be written, in a folder of its own, before `add_table`."""
        folder = self._folder / f"restored-{len(self._tables)}"
        folder.mkdir(exist_ok=True)
        # An archive may have longer names than a folder.
        return folder / PurePosixPath(name).name.encode(errors="ignore")[-LONGEST_NAME:].decode(errors="ignore")

    def add_table(self, name: str, path: Path) -> str:
        """Add a restored table; what it is called then."""
        free = self._free_name(name)
        self._archive.write(path, free)
        self._tables.append(path)
        return free

    def finish(self, rows: list[ReportRow], alone: bool) -> list[str]:
        """Close the ZIP; the files to hand out.

        Args:
            rows: of the report.
            alone: what was sent is one file: if a table, it comes back as such.
        """
        report = self._folder / REPORT
        report.write_text(as_csv(rows), encoding="utf-8", newline="")
        with self._archive:
            self._archive.write(report, REPORT)
        if len(self._taken) == 1:
            return [str(report)]
        return [str(self._tables[0] if alone and self._tables else self._path), str(report)]

    def _free_name(self, name: str) -> str:
        path, number, free = PurePosixPath(name), 2, name
        # Some systems take capitals for small letters.
        while free.lower() in self._taken:
            free, number = str(path.with_stem(f"{path.stem}-{number}")), number + 1
        self._taken.add(free.lower())
        return free
