"""Jobs on what lies on a disk or on the Hub: a picture, a folder, or a dataset; the same layout comes out."""

import logging
import mimetypes
import multiprocessing
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from fer_denoise.command.job import Estimator, Job, Report
from fer_denoise.command.journal import Journal
from fer_denoise.command.tables import ALONE, Rank, explained, forget_parts, process
from fer_denoise.data import DataError
from fer_denoise.data.formats import open_table
from fer_denoise.data.hub_dataset import MAIN, HubDataset, current_commit, is_commit
from fer_denoise.files import is_leftover, walk
from fer_denoise.hub.sources import is_repo_id
from fer_denoise.pictures import LOSSLESS, SUFFIXES, PictureError, read_picture, write_picture

TABLES = (".parquet", ".csv")
ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar"}
# fmt: off
OTHER_PICTURES = {
    ".pam", ".jxl", ".jp2", ".psd", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raw", ".dcm", ".npy", ".npz",
    ".mat", ".h5", ".hdf5", ".nii", ".fits", ".exr", ".hdr", ".czi", ".nd2", ".lif",
}
# fmt: on
"""Suffixes of other pictures, besides those that `mimetypes` knows."""
JOURNAL_FILE = ".fer-denoise.jsonl"
"""The journal in a folder that is being filled."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Execution:
    """How a job is executed.

    Attributes:
        processes: how many run at once.
        stream: read Hub datasets as a stream, for what does not fit on the disk.
        rank: which process this is, of several that were started together.
    """

    processes: int = 1
    stream: bool = False
    rank: Rank = ALONE

    @classmethod
    def of_environment(cls, processes: int = 1, stream: bool = False) -> "Execution":
        """An execution with the rank that `accelerate launch` or `torchrun` gave this process."""
        return cls(processes, stream, Rank(int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))))


def process_path(source: str, target: Path, job: Job, execution: Execution = Execution()) -> Report:
    """Do `job` to `source` and write the results to `target`, never into the source itself.

    A picture gives a picture and a folder a folder, pictures in lossy formats as PNG. Parquet and CSV files in Kaggle's
    layout keep their names and columns; a Hub dataset gives a file for each split, CSV where it is CSV, else Parquet.
    Damaged rows of a dataset stay as they are, damaged pictures are left out; both are in the report. Called again
    after an interruption, it goes on, from the same commit of a Hub dataset.

    Args:
        source: a path, or a Hub dataset, "user/repo" or "user/repo@revision".

    Raises:
        PictureError, DataError, JobError: nothing can be done, or no more; the message says what to do.
        OSError: the disk is full.
    """
    report = Report()
    report.add(_process(source, target, job, execution))
    return report


def _process(source: str, target: Path, job: Job, execution: Execution) -> Report:
    path = Path(source)
    if not path.exists():
        repo, _, revision = source.partition("@")
        if is_repo_id(repo):
            return _process_hub_dataset(repo, revision or None, target, job, execution)
        raise PictureError(f"{source}: no such file or folder; check the path")
    _check_apart(path, target)
    if path.is_file():
        if path.suffix.lower() in TABLES:
            report = _process_table(path, target, job, execution)
            forget_parts(target, execution.rank)
            return report
        if target.exists():
            raise PictureError(f"{target}: is there already; choose another output, so that nothing is overwritten")
        return _process_picture(path, target, 0, job=job, estimate=Estimator())
    return _process_folder(path, target, job, execution)


def process_paths(sources: list[str], target: Path, job: Job, execution: Execution = Execution()) -> Report:
    """As `process_path`, of several pictures, folders, Parquet and CSV files, which all go into the folder `target`.

    It may hold other files already. A folder gives a folder of its name.

    Raises:
        PictureError, DataError: nothing can be done; the message says what to do.
    """
    if target.is_file():
        raise PictureError(f"{target}: is a file, and the results of several need a folder; name one at the end")
    report = Report()
    relative_paths: dict[Path, Path] = {}
    for source in sources:
        path = Path(source)
        if not path.exists():
            raise PictureError(f"{source}: no such file or folder; check the path")
        _check_apart(path, target)
        name = path.resolve().name
        if path.is_file():
            found = {path: Path(name)}
        else:
            below = walk(path, without=target)
            report.skipped += [f"{folder}: {why}" for folder, why in below.closed.items()]
            found = {file: Path(name, file.relative_to(path)) for file in below.files}
        relative_paths |= found
    return _process_files(relative_paths, target, sources, report, job, execution)


def output_of(source: str, target: Path, is_folder: bool = False) -> Path:
    """Where the result of one source goes: of a file, into `target` where that is a folder, or is said to be one."""
    path = Path(source)
    if not (path.is_file() and (is_folder or target.is_dir())):
        return target
    return target / (path.name if path.suffix.lower() in TABLES else _output_name(Path(path.name)))


def _process_folder(folder: Path, target: Path, job: Job, execution: Execution) -> Report:
    below = walk(folder, without=target)
    report = Report(skipped=[f"{folder}: {why}" for folder, why in below.closed.items()])
    relative_paths = {file: file.relative_to(folder) for file in below.files}
    return _process_files(relative_paths, target, str(folder), report, job, execution)


def _process_files(
    relative_paths: dict[Path, Path],
    target: Path,
    source: str | list[str],
    report: Report,
    job: Job,
    execution: Execution,
) -> Report:
    """Do `job` to files, each with its path relative to `target`; `report` holds already what was not looked into."""
    title = source if isinstance(source, str) else ", ".join(source)
    files = [file for file in relative_paths if file.suffix.lower() in (*SUFFIXES, *TABLES)]
    if not files:
        held = ", ".join(sorted({file.suffix.lower() or file.name for file in relative_paths}))
        only = f", only {held}" if held else ""
        raise PictureError(f"{title}: holds no pictures and no Parquet or CSV files{only}; check the path")
    for file, relative_path in relative_paths.items():
        if file.suffix.lower() in (*SUFFIXES, *TABLES):
            continue
        if remedy := _unread(file):
            report.skipped.append(f"{file}: {remedy}")
        else:
            report.left.append(str(relative_path))
    # By the outputs that they become.
    tables: dict[Path, Path] = {}
    pictures: dict[Path, Path] = {}
    for file in files:
        sources = tables if file.suffix.lower() in TABLES else pictures
        output = target / (relative_paths[file] if sources is tables else _output_name(relative_paths[file]))
        if output in sources:
            report.skipped.append(f"{file}: another file already becomes {output.name}; rename one of them")
        else:
            sources[output] = file
    into = None if isinstance(source, str) else [*pictures, *tables]
    with _filling(target, {**job.record, "source": source}, execution.rank, into) as journal:
        own = list(enumerate(pictures.items()))[execution.rank.index :: execution.rank.world_size]
        with explained(title):
            for part in _each(own, job, execution):
                report.add(part)
        for output, file in tables.items():
            try:
                do = partial(_process_table, file, output, job, execution)
                report.add(_once(do, output, target, journal, execution.rank))
            except DataError as error:
                report.skipped.append(str(error))
                forget_parts(output, execution.rank)
    return report


def _check_apart(path: Path, target: Path) -> None:
    if target.resolve().is_relative_to(path.resolve()):
        raise PictureError(f"{target}: lies in {path}, whose files must not be overwritten; choose another place")


def _output_name(relative_path: Path) -> Path:
    """What a picture is called when it is written again: a PNG, unless its format loses nothing."""
    return relative_path if relative_path.suffix.lower() in LOSSLESS else relative_path.with_suffix(".png")


def _unread(file: Path) -> str:
    """What to do with a file that may hold pictures and is not read; nothing for any other."""
    suffix = file.suffix.lower()
    mime_type = mimetypes.guess_type(file.name)[0] or ""
    if suffix in ARCHIVES:
        return "archives are not opened; unpack it"
    if suffix in OTHER_PICTURES or mime_type.startswith(("image/", "video/")):
        return f"{suffix} is not read; save it as PNG or TIFF"
    return ""


def _each(pictures: list[tuple[int, tuple[Path, Path]]], job: Job, execution: Execution) -> Iterator[Report]:
    """The report on each picture, several of them at once."""
    do = partial(_process_numbered, job=job, estimate=Estimator())
    if execution.processes == 1:
        yield from tqdm(map(do, pictures), "pictures", len(pictures), disable=not pictures)
        return
    with ProcessPoolExecutor(execution.processes, _fresh_processes()) as pool:
        yield from tqdm(pool.map(do, pictures, chunksize=8), "pictures", len(pictures), disable=not pictures)


def _fresh_processes() -> multiprocessing.context.BaseContext:
    """Where processes come from: forks of one that imported torch, for those of one that computed with it may hang."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def _process_numbered(picture: tuple[int, tuple[Path, Path]], job: Job, estimate: Estimator) -> Report:
    row, (output, file) = picture
    if output.exists():
        return Report(done=1).from_before()
    try:
        return _process_picture(file, output, row, job, estimate)
    except PictureError as error:
        return Report(skipped=[str(error)])


def _process_picture(file: Path, output: Path, row: int, job: Job, estimate: Estimator) -> Report:
    # By its whole path, for in folders by class many have one name.
    picture = read_picture(file, job.reading.gray, job.reading.white, str(file))
    (changed,) = job([picture], [row])
    output.parent.mkdir(parents=True, exist_ok=True)
    write_picture(output, changed)
    before, after = estimate(picture, row), estimate(changed, row)
    return Report(1, [], [before] if before else [], [after] if after else [], notes=Counter(picture.notes))


@contextmanager
def _filling(target: Path, settings: dict[str, Any], rank: Rank, into: list[Path] | None = None) -> Iterator[Journal]:
    """The journal of the tables in a folder, while it is filled. Once all is done, nothing stays that is no result.

    At first the folder is empty, or where `into` says what goes into it, holds nothing of that. Of several processes,
    each leaves its journal there, so that one which starts late knows what it finds.

    Raises:
        JobError: what an earlier run left is of another job.
        PictureError: there is something that would be written over.
    """
    journals = _journals(target)
    for journal in journals:
        journal.check(settings, target)
    if not journals:
        _check_free(target, into)
    journal = Journal(rank.own_file(target / JOURNAL_FILE))
    journal.open(settings, target)
    yield journal
    if rank.world_size > 1:
        return
    for path in filter(is_leftover, [*target.rglob("*")]):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    journal.remove()


def _check_free(target: Path, into: list[Path] | None) -> None:
    if into is not None:
        taken = next(filter(Path.exists, into), None)
        if taken is not None:
            raise PictureError(f"{taken}: is there already; choose another output, so that nothing is overwritten")
    elif target.is_dir() and not all(map(is_leftover, target.iterdir())):
        raise PictureError(f"{target}: is not empty; choose another output, so that nothing is overwritten")


def _journals(target: Path) -> list[Journal]:
    """The journals of all processes that fill a folder."""
    return list(map(Journal, target.glob(f"{Path(JOURNAL_FILE).stem}*")))


def _once(do: Callable[[], Report], output: Path, target: Path, journal: Journal, rank: Rank) -> Report:
    """The report on a table in `target`: of doing it, or as it was when an earlier run did so."""
    name = str(output.relative_to(target))
    report = journal.report(name) if rank.own_file(output).exists() else None
    if report is None:
        report = do()
        journal.add(name, report)
    forget_parts(output, rank)
    return report


def _process_table(file: Path, output: Path, job: Job, execution: Execution) -> Report:
    if output.suffix.lower() != file.suffix.lower():
        raise DataError(f"{output}: give it the suffix {file.suffix}, since {file} comes out in its own layout")
    return process(open_table(file), output, str(file), job, execution.processes, execution.rank)


def _process_hub_dataset(repo: str, revision: str | None, target: Path, job: Job, execution: Execution) -> Report:
    begun_with = _commit_begun_with(target, repo)
    dataset = HubDataset(repo, revision if is_commit(revision) else begun_with or revision)
    named = f"{repo}@{dataset.commit}"
    if execution.rank.world_size > 1 and revision != dataset.commit:
        raise DataError(
            f"{repo}: each of several processes would ask the Hub anew what {revision or MAIN} is; name the commit, as "
            f"{named}"
        )
    report = Report(source=named)
    tables = dataset.files(execution.stream)
    with _filling(target, {**job.record, "source": repo, "commit": dataset.commit}, execution.rank) as journal:
        if begun_with:
            _say_where_it_moved(dataset, revision)
        for name, table in tables.items():
            output, title = target / name, f"{repo} ({Path(name).stem})"
            do = partial(process, table, output, title, job, execution.processes, execution.rank, repo=repo)
            report.add(_once(do, output, target, journal, execution.rank))
    return report


def _commit_begun_with(target: Path, repo: str) -> str | None:
    """The commit of a Hub dataset that the job in `target` takes, if one was begun there."""
    begun = [journal.settings or {} for journal in _journals(target)]
    return next((settings.get("commit") for settings in begun if settings.get("source") == repo), None)


def _say_where_it_moved(dataset: HubDataset, revision: str | None) -> None:
    with suppress(DataError):
        now = current_commit(dataset.repo, revision)
        if now not in (None, dataset.commit):
            logger.warning(
                "%s: goes on with commit %s, with which it was begun; %s is %s by now",
                dataset.repo,
                dataset.commit,
                revision or MAIN,
                now,
            )
