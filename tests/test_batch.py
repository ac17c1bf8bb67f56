"""Folders and whole datasets: in several processes, interrupted, and their report."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import datasets
import numpy as np
import pytest
from jobs_on_tables import MEDIAN, ROWS, Broken, images_of, leftovers, median_of, write_table
from PIL import Image

from fer_denoise.__main__ import main
from fer_denoise.command import batch, tables
from fer_denoise.command.batch import JOURNAL_FILE, Execution, process_path, process_paths
from fer_denoise.command.job import Restoration
from fer_denoise.command.journal import JobError
from fer_denoise.command.tables import ALONE, Rank
from fer_denoise.pictures import PictureError

ROOT = Path(__file__).parents[1]


pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.mark.slow
def test_an_interrupted_hub_dataset_goes_on_with_the_split_that_was_broken(tmp_path, parquet, faces, publish):
    part = datasets.Dataset.from_parquet(str(parquet))
    damaged = datasets.Dataset.from_dict({"pixels": [[1, 2, 3]], "emotion": [0]}, features=part.features)
    first = datasets.concatenate_datasets([part.select(range(9)), damaged])
    publish({"validation": first, "test": part})
    with pytest.raises(KeyboardInterrupt):
        process_path("somebody/faces", tmp_path / "out", Broken("median"))
    done = (tmp_path / "out" / "validation.parquet").read_bytes()
    with pytest.raises(JobError, match="was begun with"):
        process_path("somebody/faces", tmp_path / "out", Restoration("tv"))
    with pytest.raises(JobError, match=r"was begun with .*'stream': False"):
        process_path("somebody/faces", tmp_path / "out", MEDIAN, Execution(stream=True))
    report = process_path("somebody/faces", tmp_path / "out", MEDIAN)
    assert (tmp_path / "out" / "validation.parquet").read_bytes() == done and leftovers(tmp_path) == []
    np.testing.assert_array_equal(images_of(tmp_path / "out"), median_of(faces))
    # What was done and found before the interruption is told too, but makes this run no faster.
    assert (report.done, report.earlier, len(report.skipped)) == (9 + ROWS, 9 + 10, 1)
    assert "validation), row 9" in report.skipped[0]
    assert f"restored {9 + ROWS} (19 of them before an interruption), skipped 1" in report.lines(MEDIAN)[0]


def test_several_processes_fill_a_folder_and_never_a_strange_one(tmp_path, faces):
    (tmp_path / "in").mkdir()
    for row, face in enumerate(faces):
        Image.fromarray(face).save(tmp_path / "in" / f"{row:03}.png")
    for rank in range(2):
        process_path(str(tmp_path / "in"), tmp_path / "out", MEDIAN, Execution(rank=Rank(rank, 2)))
    restored = np.stack([np.asarray(Image.open(path)) for path in sorted((tmp_path / "out").glob("*.png"))])
    np.testing.assert_array_equal(restored, median_of(faces))
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "000.png").write_bytes(b"mine")
    with pytest.raises(PictureError, match="is not empty"):
        process_path(str(tmp_path / "in"), tmp_path / "strange", MEDIAN, Execution(rank=Rank(1, 2)))


@pytest.mark.slow
def test_two_processes_that_were_launched_together_share_the_work(tmp_path, parquet, faces):
    # What `accelerate launch` starts for several GPUs; for processors it starts one process alone.
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        "2",
        "-m",
        "fer_denoise",
    ]
    command = ["restore", str(parquet), str(tmp_path / "out" / "test.parquet"), "--model", "median"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run([*launch, *command], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / "out").iterdir())) == 2
    np.testing.assert_array_equal(images_of(tmp_path / "out"), median_of(faces))


@pytest.mark.slow
def test_a_killed_command_goes_on(tmp_path, make_faces, monkeypatch):
    """Killed for good while it works; the next one takes what is there."""
    faces = make_faces(2000)
    write_table(tmp_path / "test.parquet", faces)
    # Many parts, so that some are left when it is killed.
    code = """if True:
        from fer_denoise.__main__ import main
        from fer_denoise.command import tables
        tables.PART_ROWS = 50
        main()
    """
    arguments = ["restore", str(tmp_path / "test.parquet"), str(tmp_path / "out" / "test.parquet"), "--model", "median"]
    with subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT) as process:
        while process.poll() is None and not list((tmp_path / "out").glob("*.parts/000001.parquet")):
            time.sleep(0.01)
        process.kill()
    assert not (tmp_path / "out" / "test.parquet").exists()
    monkeypatch.setattr(tables, "PART_ROWS", 50)
    assert main(arguments) == 0
    np.testing.assert_array_equal(images_of(tmp_path / "out" / "test.parquet"), median_of(faces))


def test_a_folder_of_pictures_goes_on_where_it_was_interrupted(tmp_path, faces):
    (tmp_path / "in").mkdir()
    for row, face in enumerate(faces):
        Image.fromarray(face).save(tmp_path / "in" / f"{row:03}.png")
    with pytest.raises(KeyboardInterrupt):
        process_path(str(tmp_path / "in"), tmp_path / "out", Broken("median"))
    with pytest.raises(JobError, match="was begun with"):
        process_path(str(tmp_path / "in"), tmp_path / "out", Restoration("tv"))
    report = process_path(str(tmp_path / "in"), tmp_path / "out", MEDIAN)
    restored = np.stack([np.asarray(Image.open(path)) for path in sorted((tmp_path / "out").glob("*.png"))])
    np.testing.assert_array_equal(restored, median_of(faces))
    assert (report.done, report.earlier) == (ROWS, 12) and leftovers(tmp_path) == []
    with pytest.raises(PictureError, match="not empty"):
        process_path(str(tmp_path / "in"), tmp_path / "out", MEDIAN)


def test_several_named_pictures_go_on_where_they_were_interrupted(tmp_path, faces):
    (tmp_path / "in").mkdir()
    for row, face in enumerate(faces):
        Image.fromarray(face).save(tmp_path / "in" / f"{row:03}.png")
    sources = sorted(map(str, (tmp_path / "in").iterdir()))
    with pytest.raises(KeyboardInterrupt):
        process_paths(sources, tmp_path / "out", Broken("median"))
    with pytest.raises(JobError, match="was begun with"):
        process_paths(sources[:-1], tmp_path / "out", MEDIAN)
    report = process_paths(sources, tmp_path / "out", MEDIAN)
    restored = np.stack([np.asarray(Image.open(path)) for path in sorted((tmp_path / "out").glob("*.png"))])
    np.testing.assert_array_equal(restored, median_of(faces))
    assert (report.done, report.earlier) == (ROWS, 12) and leftovers(tmp_path) == []


@pytest.mark.slow
def test_pictures_are_restored_by_several_processes(tmp_path, faces):
    (tmp_path / "in").mkdir()
    for row, face in enumerate(faces):
        Image.fromarray(face).save(tmp_path / "in" / f"{row:03}.png")
    (tmp_path / "in" / "broken.png").write_text("no picture")
    report = process_path(str(tmp_path / "in"), tmp_path / "out", MEDIAN, Execution(processes=2))
    assert report.done == ROWS and len(report.skipped) == 1
    restored = np.stack([np.asarray(Image.open(path)) for path in sorted((tmp_path / "out").glob("*.png"))])
    np.testing.assert_array_equal(restored, median_of(faces))


@pytest.mark.slow
def test_the_report_tells_how_many_how_noisy_and_how_fast(tmp_path, parquet, capsys):
    assert main(["restore", str(parquet), str(tmp_path / "out.parquet")]) == 0
    printed = capsys.readouterr().out
    assert f"restored {ROWS}, skipped 0 in" in printed and "images a second" in printed
    assert "estimated noise of 2 of them: sigma" in printed and "before" in printed and "after" in printed


def test_a_process_knows_its_share_from_its_environment(monkeypatch):
    assert Execution.of_environment().rank == ALONE
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert Execution.of_environment(3, True) == Execution(3, True, Rank(1, 4))


@pytest.fixture
def folder(tmp_path, parquet, faces) -> Path:
    """Two pictures and a table of 23 rows, in a folder with the name of a table."""
    folder = tmp_path / "in" / "train.parquet"
    folder.mkdir(parents=True)
    parquet.rename(folder / "test.parquet")
    for row in range(2):
        Image.fromarray(faces[row]).save(folder / f"{row}.png")
    return folder.parent


def restore(source: Path, target: Path, *more: str) -> int:
    return main(["restore", str(source), str(target), "--model", "median", *more])


def assert_whole(target: Path, faces: np.ndarray) -> None:
    names = ["0.png", "1.png", "test.parquet"]
    assert sorted(path.name for path in target.rglob("*")) == [*names, "train.parquet"]
    np.testing.assert_array_equal(images_of(target / "train.parquet" / "test.parquet"), median_of(faces))


def test_a_folder_may_have_the_name_of_a_table(tmp_path, folder, faces, capsys):
    assert restore(folder, tmp_path / "out") == 0
    assert f"restored {ROWS + 2}, skipped 0" in capsys.readouterr().out
    assert_whole(tmp_path / "out", faces)


@pytest.mark.parametrize("broken", ["_join", "forget_parts", "write_picture"])
def test_a_folder_goes_on_when_the_disk_was_full_wherever_that_was(
    tmp_path, folder, faces, capsys, monkeypatch, broken
):
    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(tables if broken == "_join" else batch, broken, full)
        assert restore(folder, tmp_path / "out") == 2
    assert "make space and repeat the command, which goes on" in capsys.readouterr().err
    # What is on the disk now is never sent.
    assert (tmp_path / "out" / JOURNAL_FILE).exists()
    (tmp_path / "out" / f".{'0' * 32}.partial").write_bytes(b"broken off")
    assert restore(folder, tmp_path / "out") == 0
    assert f"restored {ROWS + 2}" in capsys.readouterr().out
    assert_whole(tmp_path / "out", faces)


def test_a_table_that_was_whole_when_the_command_was_stopped_is_told_as_done(tmp_path, parquet, monkeypatch, capsys):
    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(batch, "forget_parts", stop)
        assert restore(parquet, tmp_path / "out.parquet") == 130
    assert "stopped; the same command goes on" in capsys.readouterr().err
    whole = (tmp_path / "out.parquet").read_bytes()
    assert restore(parquet, tmp_path / "out.parquet") == 0
    assert f"restored {ROWS} ({ROWS} of them before an interruption)" in capsys.readouterr().out
    assert (tmp_path / "out.parquet").read_bytes() == whole and leftovers(tmp_path) == []
    assert restore(parquet, tmp_path / "out.parquet") == 2


def test_a_table_of_a_folder_that_is_damaged_further_down_leaves_nothing(tmp_path, faces, capsys):
    (tmp_path / "in").mkdir()
    rows = "".join(f"3,{' '.join(map(str, face.ravel()))}\n" for face in faces)
    (tmp_path / "in" / "a.csv").write_text(f'emotion,pixels\n{rows}3,"1 2\n')
    (tmp_path / "in" / "b.csv").write_text(f"emotion,pixels\n{rows}")
    assert restore(tmp_path / "in", tmp_path / "out") == 1
    captured = capsys.readouterr()
    assert f"restored {ROWS}, skipped 1" in captured.out and "a.csv, line 25: a quote is never closed" in captured.err
    assert [path.name for path in (tmp_path / "out").rglob("*")] == ["b.csv"]


def test_the_time_that_is_told_begins_before_the_work(tmp_path, faces, monkeypatch):
    Image.fromarray(faces[0]).save(tmp_path / "face.png")
    began = []
    restored = Restoration.__call__

    def note(self, pictures, rows):
        began.append(time.perf_counter())
        return restored(self, pictures, rows)

    monkeypatch.setattr(Restoration, "__call__", note)
    report = process_path(str(tmp_path / "face.png"), tmp_path / "out.png", MEDIAN)
    assert report.done == 1 and report.started < began[0]
