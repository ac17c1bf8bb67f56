"""Tables with images in a column: worked on in parts, so that an interrupted job goes on and memory stays bounded."""

import errno
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import torch
from datasets import Features, List, Value

from fer_denoise.command.job import Estimator, Report, Work
from fer_denoise.data import DataError
from fer_denoise.data.fer2013 import decode_picture
from fer_denoise.data.formats import Share, Table
from fer_denoise.data.pixels import is_base64, spell_base64, spell_pixels
from fer_denoise.files import part_of, write_whole
from fer_denoise.pictures import Picture, encode_picture, lossless_suffix
from fer_denoise.restore import NoiseLevel

PART_ROWS = 4096
BATCH_ROWS = 256
REMARK, NOTES, BEFORE, AFTER = "__remark", "__notes", "__before", "__after"
"""Columns that a worker adds for the report: why a row was left as it was, what was changed in reading it, and the
noise that was estimated."""
REPORTED = {
    REMARK: Value("string"),
    NOTES: List(Value("string")),
    BEFORE: List(Value("float64")),
    AFTER: List(Value("float64")),
}


PARTS_JOB = "job.json"
"""In a folder of parts: what they are made with."""
ALONE = Share()


class JobError(RuntimeError):
    """The work cannot go on for now; what is done is kept, and the message says what to do."""


def process(
    table: Table,
    output: Path,
    source: str,
    work: Work,
    processes: int = 1,
    share: Share = ALONE,
    repo: str | None = None,
) -> Report:
    """Do `work` to the images of a table, and write it to `output` with all else as it was.

    Damaged rows stay as they are. Finished parts lie beside `output`, so that the same call goes on after an
    interruption, until the caller has kept the report and calls `forget_parts`.

    Args:
        output: ends in .csv for a CSV file, else in .parquet.
        source: what to call the table in messages.
        processes: how many work at once.
        share: of several machines, each writes its own file.
        repo: the Hub dataset that it is of: of the files that it names, only those that came with it are read.

    Raises:
        DataError: the table is damaged, or there is such a file already.
        JobError: a process was killed, or the parts that are there are of other work.
        OSError: the disk is full.
    """
    output = share.name(output)
    folder = _parts_folder(output)
    if output.exists() and not (folder / PARTS_JOB).exists():
        raise DataError(f"{output}: is there already; choose another output, so that nothing is overwritten")
    record = {**work.record, "source": source, "share": [share.rank, share.of], **table.record}
    _open_parts(folder, record)
    if output.exists():
        return _report_of(sorted(folder.glob("[0-9]*.json"))).from_before()
    worker = Worker(work, Estimator(), table.column, source, repo, one_thread=processes > 1)
    report, files = Report(), []
    for number, (first_row, part) in enumerate(table.parts(share, PART_ROWS)):
        file = folder / f"{number:06}{output.suffix}"
        files.append(file)
        remarks = file.with_suffix(".json")
        known = remarks.exists()
        if not known:
            # Named, for else its content would be hashed.
            images = datasets.Dataset(pa.table({table.column: part.images}), fingerprint=file.stem)
            with explained(source):
                changed = images.map(
                    worker,
                    batched=True,
                    batch_size=BATCH_ROWS,
                    with_indices=True,
                    fn_kwargs={"first_row": first_row},
                    num_proc=min(processes, len(images)) if processes > 1 else None,
                    keep_in_memory=True,
                    load_from_cache_file=False,
                    # Told, for a process that estimates nothing could not know.
                    features=Features({**images.features, **REPORTED}),
                    desc=f"{work.done}: {source}, from row {first_row}",
                )
            write_whole(file, part.with_images(changed.data.column(table.column).combine_chunks()))
            # Last, so that a part with remarks is a whole one.
            write_whole(remarks, json.dumps(_report(changed).as_dict()).encode())
        found = _report_of([remarks])
        report.add(found.from_before() if known else found)
    _join(table, files, output)
    return report


def forget_parts(output: Path, share: Share = ALONE) -> None:
    """Remove the parts of a table that is done with."""
    folder = _parts_folder(share.name(output))
    # First, for without it the others are no parts of anything.
    (folder / PARTS_JOB).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Worker:
    """Works on a batch of rows, in whatever process it is called."""

    work: Work
    estimate: Estimator
    column: str
    source: str
    repo: str | None = None
    one_thread: bool = False
    """For a process beside others. It may be a fork of one in which torch has computed, and would hang with more."""

    def __call__(self, batch: dict[str, list[Any]], indices: list[int], first_row: int) -> dict[str, list[Any]]:
        if self.one_thread:
            torch.set_num_threads(1)
        values = list(batch[self.column])
        rows = [first_row + index for index in indices]
        remarks, pictures = [""] * len(rows), {}
        notes: list[list[str]] = [[] for _ in rows]
        before: list[Any] = [None] * len(rows)
        after: list[Any] = [None] * len(rows)
        for position, (row, value) in enumerate(zip(rows, values, strict=True)):
            place = f"{self.source}, row {row}"
            try:
                reading = self.work.reading
                pictures[position] = decode_picture(value, place, self.repo, reading.gray, reading.white)
                notes[position] = list(pictures[position].notes)
            except DataError as error:
                remarks[position] = str(error)
        changed = self.work(list(pictures.values()), [rows[position] for position in pictures])
        for (position, picture), result in zip(pictures.items(), changed, strict=True):
            values[position] = encode(result, values[position])
            before[position] = self.estimate(picture, rows[position])
            after[position] = self.estimate(result, rows[position])
        return {self.column: values, REMARK: remarks, NOTES: notes, BEFORE: _plain(before), AFTER: _plain(after)}


def encode(picture: Picture, like: Any) -> Any:
    """`picture` in the form of the value that it replaces; a file in a format that loses nothing."""
    if isinstance(like, list) or (isinstance(like, str) and not is_base64(like)):
        return spell_pixels(picture.frames[0], like)
    suffix = lossless_suffix(picture)
    content = encode_picture(picture, suffix)
    if isinstance(like, str):
        return spell_base64(content, suffix, like)
    if isinstance(like, dict):
        return {"bytes": content, "path": like.get("path") and str(Path(like["path"]).with_suffix(suffix))}
    return content


@contextmanager
def explained(source: str) -> Iterator[None]:
    """Say what to do where a process that works on `source` is lost.

    Raises:
        JobError: it is.
    """
    try:
        yield
    except RuntimeError as error:
        if not (isinstance(error, BrokenProcessPool) or "abruptly died" in str(error)):
            raise
        raise JobError(
            f"{source}: a process that worked on it was killed, perhaps for want of memory; repeat the command, which "
            "goes on, with fewer --processes if it happens again"
        ) from error


def _parts_folder(output: Path) -> Path:
    return part_of(output).with_suffix(".parts")


def _open_parts(folder: Path, record: dict[str, Any]) -> None:
    job = folder / PARTS_JOB
    if job.exists():
        begun = json.loads(job.read_text(encoding="utf-8"))
        if begun != json.loads(json.dumps(record)):
            raise JobError(
                f"{folder}: was begun with {begun}; repeat that, remove the folder, or choose another output"
            )
        return
    shutil.rmtree(folder, ignore_errors=True)
    write_whole(job, json.dumps(record).encode())


def _report_of(remarks: list[Path]) -> Report:
    report = Report()
    for file in remarks:
        report.add(Report.of(json.loads(file.read_text(encoding="utf-8"))))
    return report


def _report(changed: datasets.Dataset) -> Report:
    skipped = [remark for remark in changed[REMARK] if remark]
    before, after = ([NoiseLevel(*level) for level in changed[name] if level] for name in (BEFORE, AFTER))
    notes = Counter(note for notes in changed[NOTES] for note in notes)
    return Report(len(changed) - len(skipped), skipped, before, after, notes=notes)


def _plain(levels: list[NoiseLevel | None]) -> list[list[float]]:
    return [[] if level is None else list(level) for level in levels]


def _join(table: Table, files: list[Path], output: Path) -> None:
    """All parts as one file, which appears only once it is whole.

    Raises:
        OSError: the disk has no space for it.
    """
    partial = part_of(output)
    if shutil.disk_usage(output.parent).free < sum(file.stat().st_size for file in files):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(output))
    table.join(files, partial)
    partial.replace(output)
