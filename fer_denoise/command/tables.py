"""Tables with images in a column: processed in parts, so that an interrupted job goes on and memory stays bounded."""

import errno
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import torch

from fer_denoise.command.job import Estimator, Job, Report
from fer_denoise.command.journal import JobError, Journal
from fer_denoise.data import DataError
from fer_denoise.data.fer2013 import decode_picture
from fer_denoise.data.formats import Rank, Table
from fer_denoise.data.pixels import is_base64, spell_base64, spell_pixels
from fer_denoise.files import part_of, write_whole
from fer_denoise.pictures import Picture, encode_picture, lossless_suffix
from fer_denoise.restore import NoiseLevel

if TYPE_CHECKING:
    import datasets

PART_ROWS = 4096
BATCH_ROWS = 256
REMARK, NOTES, BEFORE, AFTER = "__remark", "__notes", "__before", "__after"
"""Columns that a worker adds for the report: why a row was left as it was, what was changed in reading it, and the
noise that was estimated."""
PARTS_JOURNAL = "journal.jsonl"
"""The journal in a folder of parts."""
ALONE = Rank()


def process(
    table: Table,
    output: Path,
    source: str,
    job: Job,
    processes: int = 1,
    rank: Rank = ALONE,
    repo: str | None = None,
) -> Report:
    """Do `job` to the images of a table, and write it to `output` with all else as it was.

    Damaged rows stay as they are. Finished parts lie beside `output`, so that the same call goes on after an
    interruption, until the caller has recorded the report and calls `forget_parts`.

    Args:
        output: ends in .csv for a CSV file, else in .parquet.
        source: what to call the table in messages.
        processes: how many run at once.
        rank: of several machines, each writes its own file.
        repo: the Hub dataset that it is of: of the files that it names, only those that came with it are read.

    Raises:
        DataError: the table is damaged, or there is such a file already.
        JobError: a process was killed, or the parts that are there are of another job.
        OSError: the disk is full.
    """
    output = rank.own_file(output)
    parts = _parts_of(output)
    journal = Journal(parts / PARTS_JOURNAL)
    if journal.settings is None:
        if output.exists():
            raise DataError(f"{output}: is there already; choose another output, so that nothing is overwritten")
        # Without a journal they are parts of nothing.
        shutil.rmtree(parts, ignore_errors=True)
    own = {"source": source, "rank": [rank.index, rank.world_size]}
    journal.open({**job.record, **own, **table.record}, parts)
    report = Report()
    if output.exists():
        for part in journal.reports():
            report.add(part)
        return report
    worker = Worker(job, Estimator(), table.column, source, repo, one_thread=processes > 1)
    files = []
    for number, (first_row, rows) in enumerate(table.parts(rank, PART_ROWS)):
        file = parts / f"{number:06}{output.suffix}"
        files.append(file)
        done = journal.report(file.stem)
        if done is None:
            changed = _map(worker, rows.images, number, first_row, processes)
            write_whole(file, rows.with_images(changed.data.column(table.column).combine_chunks()))
            done = _report(changed)
            # Last, so that a part with a report is a whole one.
            journal.add(file.stem, done)
        report.add(done)
    _join(table, files, output)
    return report


def forget_parts(output: Path, rank: Rank = ALONE) -> None:
    """Remove the parts of a table that is done with."""
    parts = _parts_of(rank.own_file(output))
    # First, for without it the others are no parts of anything.
    Journal(parts / PARTS_JOURNAL).remove()
    shutil.rmtree(parts, ignore_errors=True)


def _parts_of(output: Path) -> Path:
    """The folder beside an output that holds its finished parts, and their journal."""
    return part_of(output).with_suffix(".parts")


def _map(worker: "Worker", images: pa.Array, number: int, first_row: int, processes: int) -> "datasets.Dataset":
    """The images of a part as `worker` leaves them, with its columns for the report."""
    import datasets
    from datasets import List, Value

    texts, numbers = List(Value("string")), List(Value("float64"))
    reported = {REMARK: Value("string"), NOTES: texts, BEFORE: numbers, AFTER: numbers}
    # Named, for else its content would be hashed.
    dataset = datasets.Dataset(pa.table({worker.column: images}), fingerprint=f"{number:06}")
    with explained(worker.source):
        return dataset.map(
            worker,
            batched=True,
            batch_size=BATCH_ROWS,
            with_indices=True,
            fn_kwargs={"first_row": first_row},
            num_proc=min(processes, len(dataset)) if processes > 1 else None,
            keep_in_memory=True,
            load_from_cache_file=False,
            # Given, for a process that estimates nothing could not know them.
            features=datasets.Features({**dataset.features, **reported}),
            desc=f"{worker.job.done}: {worker.source}, from row {first_row}",
        )


@dataclass
class Worker:
    """Does a job to a batch of rows, in whatever process it is called."""

    job: Job
    estimate: Estimator
    column: str
    source: str
    repo: str | None = None
    one_thread: bool = False
    """Whether it runs beside others. It may be a fork of one in which torch has computed, and would hang with more."""

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
            location = f"{self.source}, row {row}"
            try:
                reading = self.job.reading
                pictures[position] = decode_picture(value, location, self.repo, reading.gray, reading.white)
                notes[position] = list(pictures[position].notes)
            except DataError as error:
                remarks[position] = str(error)
        changed = self.job(list(pictures.values()), [rows[position] for position in pictures])
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
    """Say what to do where a process that handles `source` is lost.

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


def _report(changed: "datasets.Dataset") -> Report:
    skipped = [remark for remark in changed[REMARK] if remark]
    before, after = ([NoiseLevel(*estimate) for estimate in changed[name] if estimate] for name in (BEFORE, AFTER))
    notes = Counter(note for notes in changed[NOTES] for note in notes)
    return Report(len(changed) - len(skipped), skipped, before, after, notes=notes)


def _plain(estimates: list[NoiseLevel | None]) -> list[list[float]]:
    return [[] if estimate is None else list(estimate) for estimate in estimates]


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
