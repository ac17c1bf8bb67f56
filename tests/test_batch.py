"""Whole datasets at work: in parts, in several processes, interrupted, streamed."""

import errno
import io
import os
import pickle
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fer_denoise import Restorer
from fer_denoise.__main__ import main
from fer_denoise.command import batch, tables
from fer_denoise.command.batch import JOURNAL_FILE, Execution, process_path, process_paths
from fer_denoise.command.job import Corruption, Restoration
from fer_denoise.command.journal import JobError
from fer_denoise.command.tables import ALONE, Rank
from fer_denoise.data import DataError, load_fer2013
from fer_denoise.files import is_leftover
from fer_denoise.noise import mixed_noise
from fer_denoise.pictures import Picture, PictureError

ROOT = Path(__file__).parents[1]
ROWS = 23
MEDIAN = Restoration("median")


@pytest.fixture
def faces(make_faces) -> np.ndarray:
    return make_faces(ROWS)


@pytest.fixture
def parquet(tmp_path, faces) -> Path:
    """FER2013-shaped: pixels and labels, in one file."""
    rows = {"pixels": [face.ravel().tolist() for face in faces], "emotion": [row % 7 for row in range(ROWS)]}
    datasets.Dataset.from_dict(rows).to_parquet(tmp_path / "test.parquet")
    return tmp_path / "test.parquet"


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(tables, "PART_ROWS", 5)


def images_of(path: Path) -> np.ndarray:
    return load_fer2013(path, "test").images


def median_of(faces: np.ndarray) -> np.ndarray:
    return Restorer.from_pretrained("median")(faces)


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.name == JOURNAL_FILE or is_leftover(path)]


@pytest.mark.parametrize(
    "execution",
    [Execution(), Execution(stream=True), pytest.param(Execution(processes=2), marks=pytest.mark.slow)],
)
def test_a_dataset_comes_out_whole_and_in_order(tmp_path, parquet, faces, execution):
    report = process_path(str(parquet), tmp_path / "out" / "test.parquet", MEDIAN, execution)
    np.testing.assert_array_equal(images_of(tmp_path / "out" / "test.parquet"), median_of(faces))
    assert load_fer2013(tmp_path / "out" / "test.parquet", "test").labels.tolist() == [row % 7 for row in range(ROWS)]
    assert report.done == ROWS and report.skipped == [] and len(report.before) == len(report.after) == 2
    assert leftovers(tmp_path) == []


class Broken(Restoration):
    """Fails at a row, as where a machine is switched off."""

    def __call__(self, pictures, rows):
        if 12 in rows:
            raise KeyboardInterrupt
        return super().__call__(pictures, rows)


@pytest.mark.parametrize("execution", [Execution(), Execution(stream=True)])
def test_an_interrupted_job_goes_on_with_the_parts_that_are_there(tmp_path, parquet, faces, execution, monkeypatch):
    output = tmp_path / "out" / "test.parquet"
    with pytest.raises(KeyboardInterrupt):
        process_path(str(parquet), output, Broken("median"), execution)
    assert not output.exists()
    worked: list[int] = []
    restored = Restoration.__call__

    def note(self, pictures, rows):
        worked.extend(rows)
        return restored(self, pictures, rows)

    with monkeypatch.context() as patch:
        patch.setattr(Restoration, "__call__", note)
        report = process_path(str(parquet), output, MEDIAN, execution)
    assert worked == list(range(10, ROWS))
    np.testing.assert_array_equal(images_of(output), median_of(faces))
    assert (report.done, report.earlier) == (ROWS, 10) and leftovers(tmp_path) == []


def test_parts_of_other_work_are_not_taken(tmp_path, parquet):
    output = tmp_path / "out" / "test.parquet"
    with pytest.raises(KeyboardInterrupt):
        process_path(str(parquet), output, Broken("median"))
    with pytest.raises(JobError, match=r"was begun with .*median"):
        process_path(str(parquet), output, Restoration("median", sigma=0.1))


def test_a_result_is_never_written_over(tmp_path, parquet):
    output = tmp_path / "out" / "test.parquet"
    process_path(str(parquet), output, MEDIAN)
    with pytest.raises(DataError, match="is there already"):
        process_path(str(parquet), output, MEDIAN)


@pytest.mark.slow
def test_damaged_rows_stay_and_are_told_in_several_processes_too(tmp_path, faces):
    pixels = [face.ravel().tolist() for face in faces]
    pixels[3], pixels[17] = [1, 2, 3], [300] * 2304
    datasets.Dataset.from_dict({"pixels": pixels, "emotion": [0] * ROWS}).to_parquet(tmp_path / "test.parquet")
    source = str(tmp_path / "test.parquet")
    report = process_path(source, tmp_path / "out.parquet", MEDIAN, Execution(processes=2))
    assert report.done == ROWS - 2
    assert [f"row {row}" in text for row, text in zip((3, 17), report.skipped, strict=True)] == [True, True]
    result = datasets.Dataset.from_parquet(str(tmp_path / "out.parquet"))
    assert result[3]["pixels"] == [1, 2, 3]
    np.testing.assert_array_equal(np.reshape(result[4]["pixels"], (48, 48)), median_of(faces[4:5])[0])


def test_several_machines_each_write_their_share(tmp_path, parquet, faces):
    for rank in range(3):
        process_path(str(parquet), tmp_path / "out" / "test.parquet", MEDIAN, Execution(rank=Rank(rank, 3)))
    names = [f"test-{rank:05}-of-00003.parquet" for rank in range(3)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    np.testing.assert_array_equal(images_of(tmp_path / "out"), median_of(faces))


@pytest.mark.parametrize("execution", [Execution(), Execution(stream=True)])
def test_a_process_without_rows_writes_an_empty_file(tmp_path, parquet, faces, execution):
    few = tmp_path / "few.parquet"
    datasets.Dataset.from_parquet(str(parquet)).select(range(2)).to_parquet(few)
    for rank in range(3):
        own = replace(execution, rank=Rank(rank, 3))
        process_path(str(few), tmp_path / "out" / "test.parquet", MEDIAN, own)
    parts = [pq.read_table(path) for path in sorted((tmp_path / "out").glob("*.parquet"))]
    assert len(parts) == 3 and parts[2].num_rows == 0 and parts[2].schema == parts[0].schema
    np.testing.assert_array_equal(images_of(tmp_path / "out"), median_of(faces[:2]))


def test_a_process_without_rows_writes_the_heads_of_a_csv(tmp_path, faces):
    (tmp_path / "few.csv").write_text(f"emotion,pixels\n3,{' '.join(map(str, faces[0].ravel()))}\n")
    for rank in range(2):
        process_path(str(tmp_path / "few.csv"), tmp_path / "out" / "few.csv", MEDIAN, Execution(rank=Rank(rank, 2)))
    first, second = (path.read_text().splitlines() for path in sorted((tmp_path / "out").iterdir()))
    assert len(first) == 2 and second == ["emotion,pixels"] == first[:1]


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


def test_images_that_are_files_are_read_where_they_are(tmp_path, faces, publish, monkeypatch):
    archive = tmp_path / "faces.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for row, face in enumerate(faces):
            buffer = io.BytesIO()
            Image.fromarray(face).save(buffer, "PNG")
            file.writestr(f"{row:02}.png", buffer.getvalue())
    strange = ["http://127.0.0.1:9/face.png", f"http://127.0.0.1:9/face.png::{archive}", str(tmp_path / "no.png")]
    paths = [f"zip://{row:02}.png::{archive}" for row in range(ROWS)] + strange
    column = [{"bytes": None, "path": path} for path in paths]
    table = datasets.Dataset.from_dict({"image": column}, datasets.Features({"image": datasets.Image(decode=False)}))
    # Without a batch size, datasets would ask for the size of each file.
    table.to_parquet(tmp_path / "test.parquet", batch_size=100)
    report = process_path(str(tmp_path / "test.parquet"), tmp_path / "out" / "test.parquet", MEDIAN)
    assert report.done == ROWS and len(report.skipped) == len(strange)
    assert all("is no file here or on the Hub" in line for line in report.skipped)
    # Somebody else's dataset does not choose which files of this machine are read, and perhaps published.
    publish({"test": datasets.Dataset.from_parquet(str(tmp_path / "test.parquet"))})
    report = process_path("somebody/faces", tmp_path / "theirs", MEDIAN)
    assert report.done == 0 and "did not come with somebody/faces" in report.skipped[0]
    # What was downloaded is such a file too.
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    report = process_path("somebody/faces", tmp_path / "downloaded", MEDIAN)
    assert report.done == ROWS


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
def test_a_killed_command_goes_on(tmp_path, make_faces):
    """Killed for good while it works; the next one takes what is there."""
    faces = make_faces(9000)
    rows = {"pixels": [face.ravel().tolist() for face in faces], "emotion": [0] * len(faces)}
    datasets.Dataset.from_dict(rows).to_parquet(tmp_path / "test.parquet")
    command = [sys.executable, "-m", "fer_denoise", "restore", str(tmp_path / "test.parquet")]
    command += [str(tmp_path / "out" / "test.parquet"), "--model", "median"]
    environment = {**os.environ, "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        while process.poll() is None and not list((tmp_path / "out").glob("*.parts/000001.parquet")):
            time.sleep(0.01)
        process.kill()
    assert not (tmp_path / "out" / "test.parquet").exists()
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
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
def test_noise_depends_on_seed_and_row_alone(tmp_path, parquet, faces):
    expected = np.rint(mixed_noise(faces, 0.05, 0.1, 0.3, seed=7) * 255).astype(np.uint8)
    levels = ["--sigma", "0.05", "--amount", "0.1", "--salt-vs-pepper", "0.3", "--seed", "7"]
    for number, more in enumerate([[], ["--processes", "2"], ["--stream"]]):
        output = tmp_path / str(number) / "test.parquet"
        assert main(["corrupt", str(parquet), str(output), *levels, *more]) == 0
        np.testing.assert_array_equal(images_of(output), expected)
    for rank in range(2):
        execution = Execution(rank=Rank(rank, 2))
        process_path(str(parquet), tmp_path / "two" / "test.parquet", Corruption(0.05, 0.1, 0.3, 7), execution)
    np.testing.assert_array_equal(images_of(tmp_path / "two"), expected)


def test_csv_goes_through_in_parts(tmp_path, faces):
    rows = [f"3,{' '.join(map(str, face.ravel()))},PrivateTest" for face in faces]
    (tmp_path / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    for execution, name in ((Execution(), "one.csv"), (Execution(stream=True), "two.csv")):
        process_path(str(tmp_path / "fer2013.csv"), tmp_path / "out" / name, MEDIAN, execution)
        np.testing.assert_array_equal(images_of(tmp_path / "out" / name), median_of(faces))
        assert (tmp_path / "out" / name).read_text().splitlines()[0] == "emotion,pixels,Usage"


def test_the_report_tells_how_many_how_noisy_and_how_fast(tmp_path, parquet, capsys):
    assert main(["restore", str(parquet), str(tmp_path / "out.parquet")]) == 0
    printed = capsys.readouterr().out
    assert f"restored {ROWS}, skipped 0 in" in printed and "images a second" in printed
    assert "estimated noise of 2 of them: sigma" in printed and "before" in printed and "after" in printed


def test_work_is_sent_to_other_processes_without_its_network():
    job = Restoration("universal", device="cpu")
    job([Picture.of(np.zeros((9, 9), np.uint8))], [0])
    assert "restorer" in vars(job) and "restorer" not in job.__getstate__()
    assert len(pickle.dumps(job)) < 1000


def test_a_process_knows_its_share_from_its_environment(monkeypatch):
    assert Execution.of_environment().rank == ALONE
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert Execution.of_environment(3, True) == Execution(3, True, Rank(1, 4))


def test_parts_are_not_joined_where_the_disk_has_no_space(tmp_path, parquet, monkeypatch):
    output = tmp_path / "out" / "test.parquet"
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: full)
        assert main(["restore", str(parquet), str(output), "--model", "median"]) == 2
    assert not output.exists()
    assert main(["restore", str(parquet), str(output), "--model", "median"]) == 0
    assert leftovers(tmp_path) == []


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


def test_a_table_may_have_a_name_as_long_as_names_can_be(tmp_path, parquet, faces):
    long = parquet.rename(parquet.with_name("n" * 243 + ".parquet"))
    output = tmp_path / "out" / long.name
    process_path(str(long), output, MEDIAN)
    assert pq.read_table(output).num_rows == ROWS and leftovers(tmp_path) == []
