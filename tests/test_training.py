import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch.nn import functional as F
from training_data import (
    TRAIN_IMAGES,
    assert_same_tensors,
    options,
    read_checkpoint,
    read_log,
    without_log_seconds,
    write_faces,
)

import train.unet
from fer_denoise.data import load_fer2013
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.models import AttentionUNet
from fer_denoise.noise import TASKS
from fer_denoise.restore import Restorer
from train.shared import epochs, run_folder, sampling, supervised
from train.shared.checkpoint import save_checkpoint
from train.shared.faces import VALIDATION_SEED

EPOCHS = 3
pytestmark = pytest.mark.usefixtures("fresh_accelerator")
LOG_KEYS = {"epoch", "train_loss", "validation_loss", "validation_psnr", "learning_rate", "seconds"}


@pytest.fixture(scope="module")
def data(tmp_path_factory, make_faces) -> Path:
    return write_faces(tmp_path_factory.mktemp("fer2013"), make_faces)


def interrupt_after(saves: int, monkeypatch) -> None:
    """Stop training by a KeyboardInterrupt once that many checkpoints are written."""
    done = []

    def save_then_interrupt(path, state):
        save_checkpoint(path, state)
        done.append(path)
        if len(done) == saves:
            raise KeyboardInterrupt

    monkeypatch.setattr(run_folder, "save_checkpoint", save_then_interrupt)


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory) -> dict[str, Path]:
    """The folder of an uninterrupted run for each preset."""
    folders = {}
    for preset in ("origin", "improved"):
        folders[preset] = tmp_path_factory.mktemp("runs") / preset
        train.unet.main(options(data, folders[preset], "--preset", preset))
    return folders


@pytest.fixture(params=["origin", "improved"])
def preset(request) -> str:
    return request.param


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(data, tmp_path, finished, preset, monkeypatch):
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        interrupt_after(2, patch)
        with pytest.raises(KeyboardInterrupt):
            train.unet.main(options(data, out, "--preset", preset))
    torch.manual_seed(123)
    train.unet.main(options(data, out, "--preset", preset, "--resume"))

    tensors, layout = read_checkpoint(out)
    expected_tensors, expected_layout = read_checkpoint(finished[preset])
    assert_same_tensors(tensors, expected_tensors)
    assert layout == expected_layout
    weights = "model/model.safetensors"
    assert_same_tensors(load_file(out / weights), load_file(finished[preset] / weights))
    config = "model/config.json"
    assert json.loads((out / config).read_text()) == json.loads((finished[preset] / config).read_text())
    assert without_log_seconds(out) == without_log_seconds(finished[preset])


def test_a_run_of_given_minutes_is_one_of_as_many_epochs_as_fit(data, tmp_path, finished, preset, monkeypatch, capsys):
    """What was timed leaves no trace: the weights are those of a run that was told the epochs."""
    monkeypatch.setattr(epochs, "median", lambda seconds: 1.0)
    monkeypatch.setattr(epochs, "TIMED", 2)
    monkeypatch.setattr(epochs, "epochs_after_first", lambda foreseen, *_: foreseen)
    out = tmp_path / "run"
    # Three steps of a second each, and a validation of next to nothing, go nearly four times into twelve seconds.
    in_time = options(data, out, "--preset", preset, "--minutes", "0.2")
    with monkeypatch.context() as patch:
        interrupt_after(1, patch)
        with pytest.raises(KeyboardInterrupt):
            train.unet.main(in_time)
    assert "3 epochs fit into 0.2 minutes" in capsys.readouterr().out
    monkeypatch.setattr(epochs, "epochs_within", None)
    train.unet.main([*in_time, "--resume"])
    assert len(read_log(out)) == 3
    assert_same_tensors(*(load_file(run / "model" / "model.safetensors") for run in (out, finished[preset])))


def test_a_schedule_that_was_foreseen_badly_is_mended_after_the_first_epoch(data, tmp_path, monkeypatch, capsys):
    """And a run that is resumed goes on with the mended one, to the same weights."""
    monkeypatch.setattr(epochs, "epochs_within", lambda *_: 9)
    monkeypatch.setattr(supervised, "WARM_UP_STEPS", 1)
    runs = [tmp_path / "interrupted", tmp_path / "not"]
    for out in runs:
        in_time = options(data, out, "--preset", "improved", "--minutes", "1")
        with monkeypatch.context() as patch:
            # The first epoch took 25 seconds of the minute.
            patch.setattr(epochs, "time", Clock(0, 0, 25))
            if out.name == "interrupted":
                interrupt_after(1, patch)
                with pytest.raises(KeyboardInterrupt):
                    train.unet.main(in_time)
            else:
                train.unet.main(in_time)
    assert "the first epoch took 25.0 seconds: 2 epochs fit, in place of 9" in capsys.readouterr().out
    monkeypatch.setattr(epochs, "epochs_after_first", None)
    train.unet.main([*options(data, runs[0], "--preset", "improved", "--minutes", "1"), "--resume"])
    for out in runs:
        assert json.loads((out / "model" / "config.json").read_text())["training"]["recipe"]["epochs"] == 2
        assert [row["learning_rate"] > 0 for row in read_log(out)] == [True, False], "the cosine has reached its end"
    assert_same_tensors(*(load_file(out / "model" / "model.safetensors") for out in runs))


class Clock:
    """Tells these times, one after the other, and the last ever after."""

    def __init__(self, *seconds: float) -> None:
        self.seconds = list(seconds)

    def perf_counter(self) -> float:
        return self.seconds.pop(0) if len(self.seconds) > 1 else self.seconds[0]


def test_the_log_has_a_row_for_each_epoch(finished, preset):
    rows = read_log(finished[preset])
    assert [row["epoch"] for row in rows] == list(range(EPOCHS))
    for row in rows:
        assert set(row) == LOG_KEYS
        assert np.isfinite(list(row.values())).all()


def test_the_run_folder_holds_what_the_script_promises(finished, preset):
    names = sorted(file.name for file in finished[preset].iterdir())
    assert names == ["checkpoint.previous.safetensors", "checkpoint.safetensors", "curves.png", "log.jsonl", "model"]
    assert (finished[preset] / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_model_folder_loads_and_tells_how_it_was_trained(finished, data, preset):
    model = AttentionUNet.from_pretrained(finished[preset] / "model")
    assert model.config == {"widths": [4, 8], "residual": preset == "improved"}
    record = model.training_record
    assert record["task"] == "low" and record["noise"] == {"sigma": 0.02}
    assert record["preset"] == preset and record["seed"] == 0 and record["recipe"]["epochs"] == EPOCHS
    faces = load_fer2013(data, "train")
    assert record["data"]["images"] == TRAIN_IMAGES and record["data"]["sha256"] == faces.fingerprint


def test_the_recorded_psnr_is_that_of_the_model_folder(finished, data, preset):
    folder = finished[preset] / "model"
    clean = load_fer2013(data, "validation").images
    restored = Restorer.from_pretrained(folder, device="cpu")(TASKS["low"](clean, seed=VALIDATION_SEED))
    record = AttentionUNet.from_pretrained(folder).training_record
    assert mean_psnr(psnr(restored, clean)) == pytest.approx(record["validation_psnr"], abs=0.05)
    best = min(read_log(finished[preset]), key=lambda row: row["validation_loss"])
    assert record["best_epoch"] == best["epoch"] + 1
    assert record["validation_psnr"] == pytest.approx(best["validation_psnr"], abs=1e-3)


def test_training_lowers_the_loss(finished):
    rows = read_log(finished["origin"])
    assert rows[-1]["train_loss"] < 0.6 * rows[0]["train_loss"]


def test_the_improved_recipe_beats_the_noisy_input(data, tmp_path):
    train.unet.main(options(data, tmp_path, "--preset", "improved", "--learning-rate", "0.5", task="high"))
    clean = load_fer2013(data, "validation").images
    noisy = TASKS["high"](clean, seed=VALIDATION_SEED)
    assert read_log(tmp_path)[-1]["validation_psnr"] > mean_psnr(psnr(noisy, clean)) + 0.2


def test_another_seed_trains_another_model(data, tmp_path, finished):
    train.unet.main(options(data, tmp_path, "--seed", "1", epochs=1))
    assert without_log_seconds(tmp_path)[0] != without_log_seconds(finished["origin"])[0]


def test_the_kept_model_is_that_of_the_lowest_validation_loss(data, tmp_path, monkeypatch):
    losses = iter([3.0, 1.0, 2.0])
    heads = []

    def save_and_remember(path, state):
        heads.append(state["model"]["head.weight"].clone())
        save_checkpoint(path, state)

    monkeypatch.setattr(supervised, "validate", lambda *args: (next(losses), 20.0))
    monkeypatch.setattr(run_folder, "save_checkpoint", save_and_remember)
    train.unet.main(options(data, tmp_path))
    kept = AttentionUNet.from_pretrained(tmp_path / "model")
    assert kept.training_record["best_epoch"] == 2
    assert torch.equal(kept.head.weight.half(), heads[1].half())
    assert not torch.equal(heads[1].half(), heads[2].half())


def test_the_origins_recipe_halves_the_rate_and_stops_early(data, tmp_path, monkeypatch):
    monkeypatch.setattr(supervised, "validate", lambda *args: (1.0, 20.0))
    monkeypatch.setattr(sampling, "batches", lambda *args: iter(()))
    train.unet.main(options(data, tmp_path, epochs=20))
    rates = [row["learning_rate"] for row in read_log(tmp_path)]
    assert rates == [1e-3] * 4 + [5e-4] * 2
    train.unet.main(options(data, tmp_path, "--resume", epochs=20))
    assert len(read_log(tmp_path)) == 6


def test_a_model_that_is_there_has_its_widths(data, tmp_path):
    with pytest.raises(SystemExit, match="leave out --widths"):
        train.unet.main(options(data, tmp_path / "run", "--init", "attention-unet-low", "--preset", "improved"))
    for wrong in (["--batch-size", "0"], ["--seed", "-1"], ["--epochs", "0"]):
        with pytest.raises(SystemExit):
            train.unet.main(options(data, tmp_path / "run", *wrong))
    with pytest.raises(SystemExit, match="at least one scale"):
        train.unet.main(options(data, tmp_path / "run", "--widths", "4"))


def test_a_run_is_not_overwritten_without_resume(data, finished):
    before = (finished["origin"] / "checkpoint.safetensors").read_bytes()
    with pytest.raises(SystemExit, match=r"--resume.*--out"):
        train.unet.main(options(data, finished["origin"]))
    assert (finished["origin"] / "checkpoint.safetensors").read_bytes() == before


def test_resuming_a_finished_run_changes_nothing_and_says_so(data, finished, capsys):
    before = (finished["origin"] / "checkpoint.safetensors").read_bytes()
    train.unet.main(options(data, finished["origin"], "--resume"))
    assert (finished["origin"] / "checkpoint.safetensors").read_bytes() == before
    told = capsys.readouterr().out
    assert f"finished, all {EPOCHS} epochs" in told and str(finished["origin"] / "model") in told


def test_resume_without_a_checkpoint_starts_afresh(data, tmp_path, finished):
    train.unet.main(options(data, tmp_path / "new", "--resume", epochs=1))
    assert without_log_seconds(tmp_path / "new") == without_log_seconds(finished["origin"])[:1]


@pytest.mark.parametrize("change", [["--epochs", "4"], ["--learning-rate", "0.1"], ["--preset", "improved"]])
def test_resuming_with_another_recipe_is_refused(data, finished, change):
    with pytest.raises(SystemExit, match="repeat its options"):
        train.unet.main(options(data, finished["origin"], "--resume", *change))


@pytest.mark.parametrize(
    "change",
    [["--task", "salt_pepper", "--init", "none"], ["--seed", "1"], ["--widths", "4", "16"]],
    ids=["task", "seed", "widths"],
)
def test_resuming_with_another_task_seed_or_network_is_refused(data, finished, change):
    interrupted = read_checkpoint(finished["origin"])
    with pytest.raises(SystemExit) as caught:
        train.unet.main(options(data, finished["origin"], "--resume", *change))
    assert "--out" in str(caught.value)
    assert read_checkpoint(finished["origin"])[1] == interrupted[1]


@pytest.mark.parametrize(("task", "before"), [("high", "low"), ("salt_pepper", "high")])
def test_the_origins_later_tasks_ask_for_the_model_to_start_from(data, tmp_path, capsys, task, before):
    with pytest.raises(SystemExit):
        train.unet.main(options(data, tmp_path, task=task))
    message = " ".join(capsys.readouterr().err.split())
    assert "--init" in message and f"starts from its {before} model" in message and "--init none" in message


def test_a_later_task_starts_from_the_earlier_model(data, tmp_path, finished, monkeypatch):
    starts = []
    prepare = Accelerator.prepare

    def remember(self, model, *others):
        starts.append(model.model.head.weight.detach().clone())
        return prepare(self, model, *others)

    monkeypatch.setattr(Accelerator, "prepare", remember)
    init = finished["origin"] / "model"
    train.unet.main(options(data, tmp_path, "--init", str(init), task="high", epochs=1))
    assert torch.equal(starts[0], AttentionUNet.from_pretrained(init).head.weight)
    assert read_log(tmp_path)[0]["learning_rate"] == 1e-4
    record = AttentionUNet.from_pretrained(tmp_path / "model").training_record
    assert record["task"] == "high" and record["init"] == str(init)


def test_the_commit_of_a_start_on_the_hub_is_recorded_and_gone_on_with(connected, data, tmp_path, finished, capsys):
    repo = connected.add_repo("somebody/start", finished["origin"] / "model")
    (first,) = repo.commits
    command = options(data, tmp_path / "run", "--init", "somebody/start", epochs=1)
    train.unet.main(command)
    record = AttentionUNet.from_pretrained(tmp_path / "run" / "model").training_record
    assert (record["init"], record["init_revision"]) == ("somebody/start", first.oid)
    connected.commit(repo, {"README.md": b"Other words."}, "another commit")
    train.unet.main([*command, "--resume"])
    assert "is finished" in capsys.readouterr().out
    # What begins now begins with what the branch is now; a start that is here has no commit.
    for name, init, commit in (
        ("new", "somebody/start", repo.commits[1].oid),
        ("own", str(tmp_path / "run/model"), None),
    ):
        train.unet.main(options(data, tmp_path / name, "--init", init, epochs=1))
        record = AttentionUNet.from_pretrained(tmp_path / name / "model").training_record
        assert record["init"] == init and record.get("init_revision") == commit


def test_a_model_of_the_other_preset_is_no_start(data, tmp_path, finished):
    with pytest.raises(SystemExit, match="origin"):
        train.unet.main(options(data, tmp_path, "--init", str(finished["improved"] / "model"), task="high"))


@pytest.mark.parametrize("init", ["no-such-model", "someone/some-model"])
def test_an_unknown_start_is_refused(data, tmp_path, init):
    with pytest.raises(SystemExit, match=init):
        train.unet.main(options(data, tmp_path, "--init", init))


def test_wrong_data_ends_with_its_remedy(tmp_path):
    with pytest.raises(SystemExit, match="no such file or folder"):
        train.unet.main(options(tmp_path / "nowhere" / "at all", tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_too_large_a_batch_ends_with_a_remedy(data, tmp_path):
    with pytest.raises(SystemExit, match=f"--batch-size of at most {TRAIN_IMAGES}"):
        train.unet.main(options(data, tmp_path, "--batch-size", "64"))


def test_bf16_trains_to_about_the_same(data, tmp_path, finished):
    train.unet.main(options(data, tmp_path, "--precision", "bf16", epochs=1))
    (row,), exact = read_log(tmp_path), read_log(finished["origin"])[0]
    assert row["train_loss"] != exact["train_loss"]
    assert row["train_loss"] == pytest.approx(exact["train_loss"], rel=0.05)
    tensors, _ = read_checkpoint(tmp_path)
    assert {tensor.dtype for tensor in tensors.values() if tensor.is_floating_point()} == {torch.float32}


def test_two_processes_train_together(data, tmp_path, finished):
    out = tmp_path / "run"
    # What `accelerate launch` starts for several GPUs; for processors it starts one process alone.
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command = [*launch, "-m", "train.unet", *options(data, out)]
    root = Path(__file__).parents[1]
    result = subprocess.run(
        command, cwd=root, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=240
    )
    assert result.returncode == 0, result.stderr[-3000:]
    rows = read_log(out)
    assert [row["epoch"] for row in rows] == list(range(EPOCHS))
    assert np.isfinite([row["validation_psnr"] for row in rows]).all()
    # The same batches from the same weights; only batch norm sees half of each.
    assert rows[0]["train_loss"] == pytest.approx(read_log(finished["origin"])[0]["train_loss"], rel=0.1)
    assert AttentionUNet.from_pretrained(out / "model").training_record["recipe"]["batch_size"] == 8


def test_averaged_weights_are_kept_with_batch_norm_statistics_of_their_own(data, tmp_path):
    train.unet.main(options(data, tmp_path, "--preset", "improved", "--learning-rate", "0.05"))
    model = AttentionUNet.from_pretrained(tmp_path / "model")
    faces = load_fer2013(data, "train").images
    noisy = torch.from_numpy(TASKS["low"](faces, seed=0)).unsqueeze(1)
    before_norm = model.encoders[0][:2](noisy)
    norm = model.encoders[0][2]
    torch.testing.assert_close(norm.running_mean, before_norm.mean(dim=(0, 2, 3)), rtol=0.1, atol=0.02)
    variance = before_norm.var(dim=(0, 2, 3))
    convolution = model.encoders[0][0]
    sums = F.conv2d(noisy, convolution.weight.abs(), convolution.bias.abs(), padding=1).mean(dim=(0, 2, 3))
    loud, silent = variance > (sums / 200) ** 2, variance < (sums / 300) ** 2
    torch.testing.assert_close(norm.running_var[loud], variance[loud], rtol=0.3, atol=0.01)
    torch.testing.assert_close(norm.running_var[silent], sums[silent] ** 2, rtol=0.1, atol=0)
