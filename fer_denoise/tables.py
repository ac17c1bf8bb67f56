"""Datasets with images in a column: worked on in parts, so that an interrupted job goes on and memory stays bounded."""

import errno
import io
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
import numpy as np
import pyarrow.parquet as pq
import torch
from datasets import Features, List, Value
from datasets.distributed import split_dataset_by_node

from fer_denoise.data import IMAGE_COLUMNS, DataError, decode_picture, find_column
from fer_denoise.files import write_whole
from fer_denoise.pictures import Picture, encode_picture, lossless_suffix
from fer_denoise.restore import NoiseLevel
from fer_denoise.work import Estimator, Report, Work

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


@dataclass(frozen=True)
class Share:
    """Which part of the work this process does, of all that were started together."""

    rank: int = 0
    of: int = 1

    def name(self, path: Path) -> Path:
        """`path`, or where there are several processes, the file of this one."""
        return path if self.of == 1 else path.with_name(f"{path.stem}-{self.rank:05}-of-{self.of:05}{path.suffix}")


ALONE = Share()


def process(
    dataset: datasets.Dataset | datasets.IterableDataset,
    output: Path,
    source: str,
    work: Work,
    processes: int = 1,
    share: Share = Share(),
    repo: str | None = None,
) -> Report:
    """Do `work` to the images of a dataset, and write it to `output` in its own columns.

    Damaged rows stay as they are. Finished parts lie beside `output` until all are there, so that the same call goes
    on after an interruption.

    Args:
        output: ends in .parquet or .csv.
        source: what to call the dataset in messages.
        processes: how many work at once on a dataset that is not streamed.
        share: of several machines, each writes its own file.
        repo: the Hub dataset that it is: of the files that it names, only those that came with it are read.

    Raises:
        DataError: no column holds images, or the parts that are there are of other work.
    """
    output = share.name(output)
    if output.exists():
        raise DataError(f"{output}: is there already; choose another output, so that nothing is overwritten")
    column = find_column(dataset, IMAGE_COLUMNS, source)
    features = dataset.features
    if isinstance(features[column], datasets.Image):
        dataset = dataset.cast_column(column, datasets.Image(decode=False))
    folder = output.with_name(output.name + ".parts")
    # The parts of a stream are other rows than those of a dataset of known length.
    streamed = isinstance(dataset, datasets.IterableDataset)
    record = {**work.record, "source": source, "share": [share.rank, share.of], "stream": streamed}
    _open_parts(folder, record, output)
    worker = Worker(work, Estimator(), column, source, repo, one_thread=processes > 1)
    report, files = Report(), []
    for number, (first_row, part) in enumerate(_parts(dataset, share)):
        file = folder / f"{number:06}.parquet"
        files.append(file)
        remarks = file.with_suffix(".json")
        known = remarks.exists()
        if not known:
            with explained(source):
                changed = part.map(
                    worker,
                    batched=True,
                    batch_size=BATCH_ROWS,
                    with_indices=True,
                    fn_kwargs={"first_row": first_row},
                    num_proc=min(processes, len(part)) if processes > 1 else None,
                    keep_in_memory=True,
                    load_from_cache_file=False,
                    # Told, for a process that estimates nothing could not know.
                    features=Features({**part.features, **REPORTED}),
                    desc=f"{work.done}: {source}, from row {first_row}",
                )
            content = io.BytesIO()
            changed.remove_columns(list(REPORTED)).cast(features).to_parquet(content, batch_size=PART_ROWS)
            # Not by Arrow, which ends the whole process where a disk is full.
            write_whole(file, content.getvalue())
            # Last, so that a part with remarks is a whole one.
            write_whole(remarks, json.dumps(_report(changed).as_dict()).encode())
        found = Report.of(json.loads(remarks.read_text(encoding="utf-8")))
        report.add(found.from_before() if known else found)
    if not files:
        # Of few rows, nothing may be left for the last of several processes.
        files.append(folder / "empty.parquet")
        datasets.Dataset.from_dict({name: [] for name in features}, features=features).to_parquet(files[0])
    _join(files, output)
    shutil.rmtree(folder)
    return report


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
    if isinstance(like, str):
        return " ".join(map(str, picture.frames[0].ravel()))
    if isinstance(like, (list, np.ndarray)):
        return picture.frames[0].reshape(np.shape(like)).tolist()
    suffix = lossless_suffix(picture)
    content = encode_picture(picture, suffix)
    if isinstance(like, dict):
        return {"bytes": content, "path": like.get("path") and str(Path(like["path"]).with_suffix(suffix))}
    return content


@contextmanager
def explained(source: str) -> Iterator[None]:
    """Say what to do where a process that works on `source` is lost.

    Raises:
        DataError: it is.
    """
    try:
        yield
    except RuntimeError as error:
        if not (isinstance(error, BrokenProcessPool) or "abruptly died" in str(error)):
            raise
        raise DataError(
            f"{source}: a process that worked on it was killed, perhaps for want of memory; repeat the command, which "
            "goes on, with fewer --processes if it happens again"
        ) from error


def _parts(
    dataset: datasets.Dataset | datasets.IterableDataset, share: Share
) -> Iterator[tuple[int, datasets.Dataset]]:
    """The parts of this process's share, each with the row that it begins with."""
    if isinstance(dataset, datasets.IterableDataset):
        # Rows of a stream are only known by counting: each process takes every so many-th part.
        for number, batch in enumerate(dataset.iter(batch_size=PART_ROWS)):
            if number % share.of == share.rank:
                yield number * PART_ROWS, datasets.Dataset.from_dict(batch, features=dataset.features)
        return
    whole, rest = divmod(len(dataset), share.of)
    first = share.rank * whole + min(share.rank, rest)
    if first >= len(dataset):
        return
    own = split_dataset_by_node(dataset, share.rank, share.of) if share.of > 1 else dataset
    for start in range(0, len(own), PART_ROWS):
        yield first + start, own.select(range(start, min(start + PART_ROWS, len(own))))


def _open_parts(folder: Path, record: dict[str, Any], output: Path) -> None:
    job = folder / "job.json"
    if job.exists():
        begun = json.loads(job.read_text(encoding="utf-8"))
        if begun != json.loads(json.dumps(record)):
            raise DataError(
                f"{folder}: was begun with {begun}; repeat that, remove the folder, or choose another output"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(job, json.dumps(record).encode())


def _report(changed: datasets.Dataset) -> Report:
    skipped = [remark for remark in changed[REMARK] if remark]
    before, after = ([NoiseLevel(*level) for level in changed[name] if level] for name in (BEFORE, AFTER))
    notes = Counter(note for notes in changed[NOTES] for note in notes)
    return Report(len(changed) - len(skipped), skipped, before, after, notes=notes)


def _plain(levels: list[NoiseLevel | None]) -> list[list[float]]:
    return [[] if level is None else list(level) for level in levels]


def _join(files: list[Path], output: Path) -> None:
    """All parts as one file, which appears only once it is whole.

    Raises:
        OSError: the disk has no space for it.
    """
    partial = output.with_name(output.name + ".partial")
    if shutil.disk_usage(output.parent).free < sum(file.stat().st_size for file in files):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(output))
    if output.suffix.lower() == ".csv":
        with partial.open("wb") as target:
            for number, file in enumerate(files):
                # Unlike that of a dataset, the CSV of a frame without rows has its heads.
                frame = pq.read_table(file).to_pandas()
                target.write(frame.to_csv(index=False, header=number == 0).encode())
    else:
        with pq.ParquetWriter(partial, pq.read_schema(files[0])) as writer:
            for file in files:
                # A group without rows is more than readers bear.
                if (table := pq.read_table(file)).num_rows:
                    writer.write_table(table)
    partial.replace(output)
