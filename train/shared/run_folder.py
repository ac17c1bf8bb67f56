"""The progress of a run in its folder: the log and its curves, the best model, and what to go on from."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from accelerate import PartialState
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.utils import broadcast_object_list, gather_object

from fer_denoise.data.hub_dataset import is_commit
from fer_denoise.models import PretrainedModel
from train.shared import hardware
from train.shared.checkpoint import load_checkpoint, load_optimizer, save_checkpoint

CHECKPOINT_FILE = "checkpoint.safetensors"
LOG_FILE = "log.jsonl"
CURVES_FILE = "curves.png"
CURVES_AGE = 30.0
"""Seconds after which curves are plotted anew: of a small network, an epoch takes less time than its curves."""
MODEL_FOLDER = "model"


class Metric(NamedTuple):
    """A figure of the log beside its losses: how its axis is called, and to how many digits the record has it."""

    label: str
    digits: int


METRICS = {
    "validation_psnr": Metric("validation PSNR, dB", 3),
    "validation_accuracy": Metric("validation accuracy", 4),
}


def with_script(record: dict[str, Any]) -> dict[str, Any]:
    """A training record that names its script, which earlier runs of `train.unet` left out."""
    return {"script": "train.unet", **record}


def resume(out: Path, settings: dict[str, Any], parts: dict[str, Any]) -> list[dict[str, Any]]:
    """Set `parts` to what `save_progress` left in `out`; gives the log of the epochs done, empty for a fresh run.

    Ends with a message where the run was begun with other settings.
    """
    file = out / CHECKPOINT_FILE
    checkpoint = load_checkpoint(file) if file.exists() else {"log": []}
    _same_everywhere(len(checkpoint["log"]))
    if not checkpoint["log"]:
        return []
    begun = with_script(checkpoint["settings"])
    if begun != with_script(settings):
        changed = {name: value for name, value in begun.items() if settings.get(name) != value}
        raise SystemExit(f"{out} was begun with {changed}: repeat its options, or choose another --out")
    set_states(parts, checkpoint)
    if is_finished(checkpoint["log"], settings["recipe"]) and PartialState().is_main_process:
        epochs = len(checkpoint["log"])
        print(f"{out} is finished, all {epochs} epochs of it, and stays as it is; its model is {out / MODEL_FOLDER}")
    return checkpoint["log"]


def set_states(parts: dict[str, Any], states: dict[str, Any]) -> None:
    """Give each of `parts` its state out of `states`, by name."""
    for name, part in parts.items():
        if isinstance(part, AcceleratedOptimizer):
            load_optimizer(part.optimizer, states[name])
        else:
            part.load_state_dict(states[name])


def begun_settings(out: Path) -> dict[str, Any]:
    """What the run in `out` was begun with; nothing where there is none to go on with."""
    file = out / CHECKPOINT_FILE
    settings: dict[str, Any] = load_checkpoint(file)["settings"] if file.exists() else {}
    return settings


def fix_revision(
    out: Path, settings: dict[str, Any], name: str, look_up: Callable[[], str | None], asked: str | None = None
) -> str | None:
    """The commit of the Hub repo that `settings` name under `name`, written beside it as `NAME_revision`.

    A branch is looked up once, for all processes, and a run that is resumed takes the commit that it was begun with,
    unless another commit is asked for. Of what is not on the Hub, nothing is written.

    Args:
        look_up: gives the commit that it is now, or None where it is not on the Hub.
        asked: commit, tag or branch that a person asks for.
    """
    source = settings.get(name)
    if source in (None, "none"):
        return None
    begun = begun_settings(out)
    goes_on = begun.get(name) == source and not is_commit(asked)
    commit = same_commit(begun.get(f"{name}_revision") if goes_on else None, look_up)
    if commit:
        settings[f"{name}_revision"] = commit
    return commit


def same_commit(begun: str | None, look_up: Callable[[], str | None]) -> str | None:
    """The commit that a run was begun with, or else what `look_up` gives the main process, in all processes."""
    commit = begun if begun or not PartialState().is_main_process else look_up()
    # Others could be told of another, for a branch may move meanwhile.
    return broadcast_object_list([commit])[0]


def is_finished(log: list[dict[str, Any]], recipe: dict[str, Any]) -> bool:
    """Whether a run with this log has no epoch left to train, by the length or the early stop of its `recipe`."""
    patience = recipe.get("early_stop") or math.inf
    best = min(log, key=lambda row: row["validation_loss"])["epoch"] if log else 0
    return len(log) >= recipe["epochs"] or len(log) - best > patience


def _same_everywhere(epochs: int) -> None:
    """End with a message where some machine does not see the checkpoint that the others go on from."""
    if len(set(gather_object([epochs]))) > 1:
        raise SystemExit("the machines see different checkpoints: put --out on a folder that all of them share")


def log_row(epoch: int, started: float, optimizer: AcceleratedOptimizer, **measured: float) -> dict[str, Any]:
    """An epoch as the log has it: what was measured, the learning rate, and the seconds since `started`."""
    seconds = round(time.perf_counter() - started, 1)
    return {"epoch": epoch, **measured, "learning_rate": float(optimizer.param_groups[0]["lr"]), "seconds": seconds}


def save_model(model: PretrainedModel, out: Path, settings: dict[str, Any], **scores: Any) -> None:
    """Save the model of the best epoch so far, with the record of its training."""
    device = next(model.parameters()).device
    model.training_record = {**settings, "hardware": hardware.describe(device), **scores}
    model.save_pretrained(out / MODEL_FOLDER)


def save_progress(
    out: Path, settings: dict[str, Any], parts: dict[str, Any], log: list[dict[str, Any]], metric: str
) -> None:
    """Save what a run goes on from: the states of `parts`, the log, and its curves of the loss and of `metric`."""
    states = {name: part.state_dict() for name, part in parts.items()}
    save_checkpoint(out / CHECKPOINT_FILE, {**states, "settings": settings, "log": log})
    write_log(out, log)
    update_curves(out, log, metric, CURVES_AGE)


def write_log(out: Path, rows: list[dict[str, Any]]) -> None:
    """Write one JSON object per epoch."""
    (out / LOG_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def update_curves(out: Path, rows: list[dict[str, Any]], metric: str, age: float = 0.0) -> None:
    """Plot the log anew, unless the curves there are older than it by at most `age` seconds."""
    log, curves = out / LOG_FILE, out / CURVES_FILE
    if not curves.exists() or (log.exists() and log.stat().st_mtime - curves.stat().st_mtime > age):
        plot_curves(rows, curves, metric)


def plot_curves(rows: list[dict[str, Any]], path: Path, metric: str) -> None:
    """Loss of train and validation, and the `metric` of the log, one of `METRICS`, against the epoch."""
    from matplotlib.figure import Figure

    epochs = [row["epoch"] for row in rows]
    figure = Figure(figsize=(10, 4))
    # A layout that is computed would draw the figure twice, and with a small network take longer than its epoch.
    margins = {"left": 0.08, "right": 0.98, "bottom": 0.14, "top": 0.95, "wspace": 0.25}
    left, right = figure.subplots(1, 2, gridspec_kw=margins)
    losses = {name: [row[name] for row in rows] for name in ("train_loss", "validation_loss")}
    for name, values in losses.items():
        left.plot(epochs, values, marker=".", label=name.replace("_", " "))
    logarithmic = min(min(values) for values in losses.values()) > 0
    left.set(xlabel="epoch", ylabel="loss", yscale="log" if logarithmic else "linear")
    left.legend()
    right.plot(epochs, [row[metric] for row in rows], marker=".", color="tab:green")
    right.set(xlabel="epoch", ylabel=METRICS[metric].label)
    figure.savefig(path, dpi=100)
