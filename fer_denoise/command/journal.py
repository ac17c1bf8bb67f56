"""What a job was begun with, and what of it is done: a file beside its results, so that an interrupted one goes on.

JSON lines: first the settings, then the report on each thing that is done, by its name.
"""

import json
import os
from pathlib import Path
from typing import Any

from fer_denoise.command.job import Report
from fer_denoise.files import write_whole


class JobError(RuntimeError):
    """The job cannot go on for now; what is done stays, and the message says what to do."""


class Journal:
    """The journal in `file`, which comes into being when it is opened."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._reports: dict[str, Report] = {}

    @property
    def settings(self) -> dict[str, Any] | None:
        """What the job was begun with; None where none was.

        Raises:
            JobError: that is damaged.
        """
        if not self._file.exists():
            return None
        with open(self._file, "rb") as lines:
            try:
                settings: dict[str, Any] = json.loads(lines.readline())["settings"]
            except (ValueError, KeyError, TypeError) as error:
                raise JobError(f"{self._file}: is damaged; remove its folder, or choose another output") from error
        return settings

    def check(self, settings: dict[str, Any], folder: Path) -> None:
        """Make sure that the job in `folder` was begun with these settings, if it was begun.

        Raises:
            JobError: it was begun with others, or the journal is damaged.
        """
        if (begun := self.settings) not in (None, json.loads(json.dumps(settings))):
            raise JobError(f"{folder}: was begun with {begun}; repeat that, remove it, or choose another output")

    def open(self, settings: dict[str, Any], folder: Path) -> None:
        """Begin the job in `folder`, or go on with what is done of it.

        A line that was broken off while it was written is dropped, and so is what comes after it.

        Raises:
            JobError: as for `check`.
            OSError: the disk is full.
        """
        self.check(settings, folder)
        lines = self._file.read_bytes().splitlines(keepends=True) if self._file.exists() else []
        whole = lines[:1] or [_line({"settings": settings})]
        for line in lines[1:]:
            try:
                # As a whole first, or a part of a line could pass for one.
                entry = json.loads(line) if line.endswith(b"\n") else {}
                self._reports[entry["name"]] = Report.of(entry["report"])
            except (ValueError, KeyError, TypeError):
                break
            whole.append(line)
        if whole != lines:
            write_whole(self._file, b"".join(whole))

    def report(self, name: str) -> Report | None:
        """The report on what has this name, as of an earlier run, or None where it is not done."""
        report = self._reports.get(name)
        return report and report.from_before()

    def reports(self) -> list[Report]:
        """The reports on all that is done, as of an earlier run."""
        return [report.from_before() for report in self._reports.values()]

    def add(self, name: str, report: Report) -> None:
        """Write down that what has this name is done, on the disk when this returns.

        Raises:
            OSError: the disk is full.
        """
        with open(self._file, "ab") as file:
            file.write(_line({"name": name, "report": report.as_dict()}))
            file.flush()
            os.fsync(file.fileno())
        self._reports[name] = report

    def remove(self) -> None:
        """Remove the file of a job that is done with."""
        self._file.unlink(missing_ok=True)


def _line(entry: dict[str, Any]) -> bytes:
    return (json.dumps(entry) + "\n").encode()
