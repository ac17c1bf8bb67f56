"""Training and restoring that are killed or run out of space lose nothing."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import datasets
import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file
from training_data import assert_same_tensors, options, read_log, without_log_seconds, write_faces

from fer_denoise import Restorer
from fer_denoise.__main__ import main
from fer_denoise.command import tables
from fer_denoise.command.batch import Execution, process_path
from fer_denoise.command.job import Restoration
from fer_denoise.command.journal import JobError
from fer_denoise.data import load_fer2013
from train import unet

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="signals and limits as Unix has them"),
]
ROOT = Path(__file__).parents[1]
KILLS = int(os.environ.get("KILLS", 2))
EPOCHS = 4 + 5 * KILLS
"""More than are done before the last kill, each of which comes after one to four."""


def command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "train.unet", *arguments]


@pytest.mark.usefixtures("fresh_accelerator")
def test_a_training_that_is_killed_again_and_again_ends_with_the_same_weights(tmp_path, make_faces):
    data = tmp_path / "data"
    data.mkdir()
    write_faces(data, make_faces)
    once, often = tmp_path / "once", tmp_path / "often"
    unet.main(options(data, once, epochs=EPOCHS))
    seconds = median(row["seconds"] for row in read_log(once))
    again = options(data, often, "--resume", epochs=EPOCHS)
    moments, killed = random.Random(0), 0
    while killed < KILLS:
        log = often / "log.jsonl"
        before = log.stat().st_mtime_ns if log.exists() else 0
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with subprocess.Popen(command(again), cwd=ROOT, **silent) as process:
            while process.poll() is None and (not log.exists() or log.stat().st_mtime_ns == before):
                time.sleep(0.005)
            time.sleep(moments.uniform(0, 3 * seconds))
            process.kill()
        if process.returncode != -signal.SIGKILL:
            break
        killed += 1
    assert killed >= min(KILLS, 2)
    unet.main(again)
    weights = [load_file(out / "model" / "model.safetensors") for out in (once, often)]
    assert_same_tensors(*weights)
    assert without_log_seconds(once) == without_log_seconds(often)


@pytest.mark.usefixtures("fresh_accelerator")
def test_a_training_without_space_ends_with_a_message_and_goes_on_later(tmp_path, make_faces):
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    write_faces(data, make_faces)
    # So that the data lie in the cache already.
    unet.main(options(data, tmp_path / "first", epochs=1))
    arguments = options(data, out, "--resume", epochs=3)
    # Files may hold no more than 8 KiB, as on a disk that is full.
    limited = ["bash", "-c", 'ulimit -f 8 && exec "$@"', "bash", *command(arguments)]
    ended = subprocess.run(limited, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "no space left" in ended.stderr and "--resume" in ended.stderr
    assert "Traceback" not in ended.stderr
    unet.main(arguments)
    assert len(read_log(out)) == 3


class Killed(Restoration):
    """A worker that is killed once, at row 12, as where memory runs out."""

    def __init__(self, mark: Path) -> None:
        super().__init__("median")
        self.mark = mark

    def __call__(self, pictures, rows):
        if 12 in rows and not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(pictures, rows)


@pytest.mark.parametrize("layout", ["parquet", "folder", "folder of a table"])
def test_a_killed_worker_is_told_and_the_next_command_goes_on(tmp_path, make_faces, monkeypatch, layout):
    monkeypatch.setattr(tables, "PART_ROWS", 5)
    faces, (source, target) = make_faces(23), (tmp_path / "in", tmp_path / "out")
    source.mkdir()
    if layout != "folder":
        rows = {"pixels": [face.ravel().tolist() for face in faces], "emotion": [0] * 23}
        datasets.Dataset.from_dict(rows).to_parquet(source / "test.parquet")
        if layout == "parquet":
            source, target = source / "test.parquet", target / "test.parquet"
    else:
        for row, face in enumerate(faces):
            Image.fromarray(face).save(source / f"{row:03}.png")
    job = Killed(tmp_path / "killed")
    with pytest.raises(JobError, match=r"was killed.*repeat the command"):
        process_path(str(source), target, job, Execution(processes=2))
    assert process_path(str(source), target, job, Execution(processes=2)).done == 23
    if layout != "folder":
        restored = load_fer2013(target, "test").images
    else:
        restored = np.stack([np.asarray(Image.open(file)) for file in sorted(target.glob("*.png"))])
    np.testing.assert_array_equal(restored, Restorer.from_pretrained("median")(faces))


def test_restoring_without_space_ends_with_a_message_and_goes_on_later(tmp_path, make_faces, monkeypatch):
    faces = make_faces(200)
    rows = {"pixels": [" ".join(map(str, face.ravel())) for face in faces], "emotion": [0] * len(faces)}
    rows["Usage"] = ["Training"] * len(faces)
    datasets.Dataset.from_dict(rows).to_csv(tmp_path / "test.csv", index=False)
    arguments = ["restore", "test.csv", "out/test.csv", "--model", "median", "--stream"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    limited = ["bash", "-c", 'ulimit -f 8 && exec "$@"', "bash", sys.executable, "-m", "fer_denoise", *arguments]
    ended = subprocess.run(limited, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ended.returncode == 2 and "repeat the command, which goes on" in ended.stderr
    assert "Traceback" not in ended.stderr and not (tmp_path / "out" / "test.csv").exists()
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 0
    restored = load_fer2013(tmp_path / "out" / "test.csv", "train").images
    np.testing.assert_array_equal(restored, Restorer.from_pretrained("median")(faces))


def test_data_on_the_disk_are_read_without_space_for_more(tmp_path, make_faces):
    write_faces(tmp_path, make_faces)
    code = "import sys; from fer_denoise.data.fer2013 import load_fer2013; load_fer2013(sys.argv[1], 'train')"
    limited = ["bash", "-c", 'ulimit -f 1 && exec "$@"', "bash", sys.executable, "-c", code, str(tmp_path)]
    environment = {**os.environ, "HF_HOME": str(tmp_path / "home"), "HF_DATASETS_CACHE": str(tmp_path / "home")}
    subprocess.run(limited, cwd=ROOT, env=environment, check=True)
