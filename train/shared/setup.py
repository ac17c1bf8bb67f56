"""What every training script shares: its options, the device, the order of the batches, the log and its curves."""

import argparse
import copy
import json
import math
import os
import platform
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator, PartialState
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.utils import broadcast, gather_object
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn
from torch.utils.hooks import RemovableHandle

from fer_denoise.command.options import at_least
from fer_denoise.data import HUB_DATASET, DataError, Faces, load_fer2013
from fer_denoise.files import no_space_left
from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.models import PretrainedModel
from fer_denoise.precision import bf16_is_fast
from train.shared.checkpoint import StateError, load_optimizer, load_state, save_state

CHECKPOINT_FILE = "checkpoint.safetensors"
LOG_FILE = "log.jsonl"
CURVES_FILE = "curves.png"
MODEL_FOLDER = "model"

MEASURES = {
    "validation_psnr": "validation PSNR, dB",
    "validation_accuracy": "validation accuracy",
    "sigma_error": "mean absolute error of sigma",
}
"""What a log may hold beside losses, and how its axis is called."""

UNIT_ROUNDOFF = torch.finfo(torch.bfloat16).eps / 2
SILENCING_BATCHES = 10
"""From which the sums that batch norm normalises are measured; each has thousands of pixels."""


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """The options that every training script has."""
    add_data_options(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder of this run: checkpoint, log, curves, model")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out, if there is one")
    parser.add_argument("--seed", type=at_least(0), default=0)
    parser.add_argument("--device", choices=("auto", "cpu"), default="auto", help="auto takes a GPU where there is one")
    parser.add_argument(
        "--precision", choices=("auto", "bf16", "fp32"), default="auto", help="auto: bf16 where it is fast"
    )
    parser.add_argument("--compile", action="store_true", help="steps that begin a minute later and run a third faster")


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """The options that tell which faces a script works with."""
    parser.add_argument("--data", default=HUB_DATASET, help="Hub dataset id, folder or file (default: %(default)s)")
    parser.add_argument("--revision", help="revision of the Hub dataset")


def start_run(args: argparse.Namespace) -> tuple[Accelerator, dict[str, Faces]]:
    """The accelerator and the train and validation faces; ends with a message where a run would be overwritten."""
    if (args.out / CHECKPOINT_FILE).exists() and not args.resume:
        raise SystemExit(f"{args.out} already holds a run: add --resume to go on with it, or choose another --out")
    accelerator = Accelerator(cpu=args.device == "cpu", mixed_precision=_mixed_precision(args))
    try:
        with accelerator.main_process_first():
            faces = {split: load_fer2013(args.data, split, args.revision) for split in ("train", "validation")}
    except DataError as error:
        raise SystemExit(str(error)) from None
    args.out.mkdir(parents=True, exist_ok=True)
    return accelerator, faces


def with_message(train: Callable[..., Any], *args: Any) -> None:
    """Call `train`; ends with the message of an error that a person can mend."""
    try:
        train(*args)
    except (DataError, ModelNotFoundError, StateError) as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        if not no_space_left(error):
            raise
        raise SystemExit(f"no space left ({error}); make some, then go on with --resume: nothing is lost") from None


def resume(out: Path, settings: dict[str, Any], parts: dict[str, Any]) -> list[dict[str, Any]]:
    """Set `parts` to what `save_progress` left in `out`; gives the log of the epochs done, empty for a fresh run.

    Ends with a message where the run was begun with other settings.
    """
    file = out / CHECKPOINT_FILE
    checkpoint = load_state(file) if file.exists() else {"log": []}
    _same_everywhere(len(checkpoint["log"]))
    if not checkpoint["log"]:
        return []
    if checkpoint["settings"] != settings:
        changed = {name: value for name, value in checkpoint["settings"].items() if settings.get(name) != value}
        raise SystemExit(f"{out} was begun with {changed}: repeat its options, or choose another --out")
    for name, part in parts.items():
        if isinstance(part, AcceleratedOptimizer):
            load_optimizer(part.optimizer, checkpoint[name])
        else:
            part.load_state_dict(checkpoint[name])
    if is_finished(checkpoint["log"], settings["recipe"]) and PartialState().is_main_process:
        epochs = len(checkpoint["log"])
        print(f"{out} is finished, all {epochs} epochs of it, and stays as it is; its model is {out / MODEL_FOLDER}")
    return checkpoint["log"]


def is_finished(log: list[dict[str, Any]], recipe: dict[str, Any]) -> bool:
    """Whether a run with this log has no epoch left to train, by the length or the early stop of its `recipe`."""
    best = min(log, key=lambda row: row["validation_loss"])
    patience = recipe.get("early_stop") or math.inf
    return len(log) >= recipe["epochs"] or len(log) - best["epoch"] > patience


def _same_everywhere(epochs: int) -> None:
    """End with a message where some machine does not see the checkpoint that the others go on from."""
    if len(set(gather_object([epochs]))) > 1:
        raise SystemExit("the machines see different checkpoints: put --out on a folder that all of them share")


def log_epoch(log: list[dict[str, Any]], started: float, optimizer: AcceleratedOptimizer, **measured: float) -> None:
    """Add an epoch to the log: what was measured, the learning rate, and the seconds since `started`."""
    rate = optimizer.param_groups[0]["lr"]
    seconds = round(time.perf_counter() - started, 1)
    log.append({"epoch": len(log), **measured, "learning_rate": rate, "seconds": seconds})


def keep_model(model: PretrainedModel, out: Path, settings: dict[str, Any], **scores: Any) -> None:
    """Save the model of the best epoch so far, with what is known of its training."""
    device = next(model.parameters()).device
    model.training_record = {**settings, "hardware": hardware(device), **scores}
    model.save_pretrained(out / MODEL_FOLDER)


def save_progress(
    out: Path, settings: dict[str, Any], parts: dict[str, Any], log: list[dict[str, Any]], measure: str
) -> None:
    """Keep what a run goes on from: the states of `parts`, the log, and its curves of the loss and of `measure`."""
    states = {name: part.state_dict() for name, part in parts.items()}
    save_state(out / CHECKPOINT_FILE, {**states, "settings": settings, "log": log})
    write_log(out, log, measure)


def pick_device(args: argparse.Namespace) -> torch.device:
    """The GPU where there is one and the options let it."""
    return torch.device("cuda" if args.device == "auto" and torch.cuda.is_available() else "cpu")


def hardware(device: torch.device) -> str:
    """What a training record says of the machine."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{os.cpu_count()} CPU cores, {_processor()}"


def _processor() -> str:
    """The processor's model where the system tells it, else its family."""
    with suppress(OSError):
        if found := re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE):
            return found[1]
    return platform.processor() or platform.machine()


def _mixed_precision(args: argparse.Namespace) -> str:
    if args.precision == "auto":
        return "bf16" if bf16_is_fast(pick_device(args)) else "no"
    return "bf16" if args.precision == "bf16" else "no"


def as_batch(images: np.ndarray, device: torch.device) -> Tensor:
    """Images (N, H, W) as a tensor (N, 1, H, W) of the same dtype on `device`."""
    return torch.from_numpy(np.ascontiguousarray(images)).unsqueeze(1).to(device)


def as_float(images: Tensor) -> Tensor:
    """A uint8 batch as float32 in [0, 1], in the memory layout that convolutions like best."""
    return images.float().div_(255).contiguous(memory_format=torch.channels_last)


def batches(count: int, batch_size: int, seed: int, epoch: int, accelerator: Accelerator) -> Iterator[Tensor]:
    """This process's indices into each shuffled batch of an epoch; an incomplete last batch is left out.

    The order depends on (seed, epoch) alone, and `batch_size` counts all processes together, so neither an interruption
    nor the number of processes changes what a step sees.
    """
    order = torch.randperm(count, generator=generator(seed, epoch))
    for batch in order[: batches_per_epoch(count, batch_size) * batch_size].split(batch_size):
        yield batch[accelerator.process_index :: accelerator.num_processes]


def batches_per_epoch(count: int, batch_size: int) -> int:
    """Whole batches in an epoch."""
    if count < batch_size:
        raise SystemExit(f"{count} training images do not fill a batch: choose a --batch-size of at most {count}")
    return count // batch_size


def generator(*key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that depends on `key` alone, so that no random state has to be saved."""
    return torch.Generator(device).manual_seed(seed_of(*key))


def seed_of(*key: int) -> int:
    """A seed that depends on `key` alone."""
    # Without its length, a key and the same with zeros behind it would give one seed.
    return int(np.random.SeedSequence([len(key), *key]).generate_state(1, np.uint64)[0])


def random_flips(images: Tensor, rng: torch.Generator) -> Tensor:
    """Each image of (B, C, H, W) mirrored left to right with probability 1/2."""
    flip = torch.rand(len(images), 1, 1, 1, generator=rng, device=images.device) < 0.5
    return torch.where(flip, images.flip(-1), images)


def warm_up_then_cosine(step: int, warm_up: int, steps: int) -> float:
    """Factor on the learning rate: linear from 0 to 1 in `warm_up` steps, then a half cosine to 0 at `steps`."""
    if step < warm_up:
        return (step + 1) / warm_up
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm_up) / max(1, steps - warm_up))))


def moving_average(decay: float) -> Callable[..., None]:
    """The update of an exponential moving average for `AveragedModel`, its window growing with the first steps."""

    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], updates: Tensor) -> None:
        weight = 1 - min(decay, (1 + int(updates)) / (10 + int(updates)))
        for average, value in zip(averaged, current, strict=True):
            average.lerp_(value, weight)

    return update


@torch.no_grad()
def calibrate_batch_norm(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Measure the statistics of batch norm for weights that no training step ran with, such as averaged ones.

    Channels that `batches` hardly wake are silenced, as `silence_channels` says.
    """
    seen = list(batches)
    update_bn(seen, model)
    silence_channels(model, seen[:SILENCING_BATCHES])


@torch.no_grad()
def silence_channels(model: nn.Module, batches: Iterable[Tensor]) -> int:
    """Silence the channels of batch norm that would amplify rounding, and what seldom wakes them; gives their number.

    What is normalised is a sum of n terms. Its terms are rounded, to u of their size, so the sum is wrong by about u
    times S, the sum of their magnitudes, and batch norm divides that by the channel's standard deviation. A channel
    whose deviation is less than u * S is thus nothing but rounding, and what wakes it is amplified by up to S over the
    deviation, which further such channels multiply: on pictures unlike the training's, activations reached a million
    deviations, and their rounding in float32 the picture. u is that of bfloat16, 1/256, the least precise arithmetic
    that networks are trained and used with.

    The variance of such a channel becomes the square of S: it stays as it is while nothing wakes it, and reaches about
    1 once something does.

    Args:
        model: in which each batch norm follows a convolution in a sequence, an activation between them or none.
        batches: what it sees in training, from which S is measured.
    """
    sums = _sums_of_magnitudes(model, batches)
    silenced = 0
    for norm, magnitude in sums.items():
        variances = norm.running_var
        if variances is not None:
            silent = variances < (UNIT_ROUNDOFF * magnitude).square()
            variances[silent] = magnitude[silent].square()
            silenced += int(silent.sum())
    return silenced


def _sums_of_magnitudes(model: nn.Module, batches: Iterable[Tensor]) -> dict[nn.BatchNorm2d, Tensor]:
    """For each channel of each batch norm, the mean over pixels of the sum of the magnitudes that make up its input."""
    found: dict[nn.BatchNorm2d, list[Tensor]] = {}

    def watch(convolution: nn.Conv2d, magnitudes: list[Tensor]) -> RemovableHandle:
        positive = copy.deepcopy(convolution)
        for parameter in positive.parameters():
            parameter.abs_()
        return convolution.register_forward_pre_hook(
            lambda _, inputs: magnitudes.append(positive(inputs[0].abs()).float().mean(dim=(0, 2, 3)))
        )

    handles = [
        watch(convolution, found.setdefault(norm, []))
        for sequence in model.modules()
        if isinstance(sequence, nn.Sequential)
        for convolution, norm in pairwise(p for p in sequence if isinstance(p, nn.Conv2d | nn.BatchNorm2d))
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    ]
    training = model.training
    model.eval()
    try:
        for batch in batches:
            model(batch)
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    return {norm: torch.stack(magnitudes).mean(dim=0) for norm, magnitudes in found.items() if magnitudes}


def share_buffers(model: nn.Module, accelerator: Accelerator) -> None:
    """Give every process the first one's buffers, such as the statistics of batch norm, which each gathers alone."""
    if accelerator.num_processes > 1:
        for buffer in model.buffers():
            buffer.copy_(broadcast(buffer.clone()))


def write_log(out: Path, rows: list[dict[str, Any]], measure: str = "validation_psnr") -> None:
    """Write one JSON object per epoch, and the curves made of them."""
    (out / LOG_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    plot_curves(rows, out / CURVES_FILE, measure)


def plot_curves(rows: list[dict[str, Any]], path: Path, measure: str = "validation_psnr") -> None:
    """Loss of train and validation, and the `measure` of the log, one of `MEASURES`, against the epoch."""
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
    right.plot(epochs, [row[measure] for row in rows], marker=".", color="tab:green")
    right.set(xlabel="epoch", ylabel=MEASURES[measure])
    figure.savefig(path, dpi=100)
