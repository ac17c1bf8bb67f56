"""Training that is killed or runs out of space loses nothing."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from safetensors.torch import load_file
from training_data import assert_same_tensors, options, read_log, without_log_seconds, write_faces

ROOT = Path(__file__).parents[1]
KILLS = int(os.environ.get("KILLS", 3))
EPOCHS = 60


def command(arguments: list[str]) -> list[str]:
    return [sys.executable, "-m", "train.unet", *arguments]


def test_a_training_that_is_killed_again_and_again_ends_with_the_same_weights(tmp_path, make_faces):
    data = tmp_path / "data"
    data.mkdir()
    write_faces(data, make_faces)
    once, often = tmp_path / "once", tmp_path / "often"
    subprocess.run(command(options(data, once, epochs=EPOCHS)), cwd=ROOT, check=True, capture_output=True)
    again = command(options(data, often, "--resume", epochs=EPOCHS))
    moments, killed = random.Random(0), 0
    while killed < KILLS:
        log = often / "log.jsonl"
        before = log.stat().st_mtime_ns if log.exists() else 0
        with subprocess.Popen(again, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and (not log.exists() or log.stat().st_mtime_ns == before):
                time.sleep(0.005)
            time.sleep(moments.uniform(0, 3 / KILLS))
            process.kill()
        if process.returncode != -signal.SIGKILL:
            break
        killed += 1
    assert killed >= min(KILLS, 2)
    subprocess.run(again, cwd=ROOT, check=True, capture_output=True)
    weights = [load_file(out / "model" / "model.safetensors") for out in (once, often)]
    assert_same_tensors(*weights)
    assert without_log_seconds(once) == without_log_seconds(often)


def test_a_training_without_space_ends_with_a_message_and_goes_on_later(tmp_path, make_faces):
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    write_faces(data, make_faces)
    # So that the data lie in the cache already.
    subprocess.run(command(options(data, tmp_path / "first", epochs=1)), cwd=ROOT, check=True, capture_output=True)
    arguments = command(options(data, out, "--resume", epochs=3))
    # Files may hold no more than 8 KiB, as on a disk that is full.
    limited = ["bash", "-c", 'ulimit -f 8 && exec "$@"', "bash", *arguments]
    ended = subprocess.run(limited, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "no space left" in ended.stderr and "--resume" in ended.stderr
    assert "Traceback" not in ended.stderr
    subprocess.run(arguments, cwd=ROOT, check=True, capture_output=True)
    assert len(read_log(out)) == 3
