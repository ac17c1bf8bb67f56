"""The epochs of a training: all that is the same, whatever a step of it does."""

import argparse
import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice
from statistics import median
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.utils import gather_object
from torch import Tensor
from tqdm import tqdm

from fer_denoise.models import PretrainedModel
from train.shared import batch_norm, run_folder, sampling

WARM_UP, TIMED = 3, 12
"""Steps that are left out, and those that are timed, where a training is to fill a given time."""


class Training(ABC):
    """A way to train, which `train_epochs` repeats.

    Attributes:
        best: the network that is validated and saved: the one that learns, or the average of its weights.
        averaged: whether it is such an average, which no step ran with.
        parts: what a run goes on from: networks, optimisers and schedulers, by name.
        optimizer: the one whose learning rate stands in the log.
        losses: names in the log of what a step gives, the first of them `train_loss`.
        measure: what a validation gives beside its loss, one of `run_folder.MEASURES`.
        total_steps: of the whole training, for its schedules; `train_epochs` sets it before the first step.
    """

    best: PretrainedModel
    averaged: bool = False
    parts: dict[str, Any]
    optimizer: AcceleratedOptimizer
    losses: tuple[str, ...] = ("train_loss",)
    measure: str = "validation_psnr"
    total_steps: int = 1

    @abstractmethod
    def begin(self, epoch: int) -> None:
        """Put what learns into training mode."""

    @abstractmethod
    def step(self, index: Tensor, rng: torch.Generator, number: int) -> Tensor:
        """Learn from the faces of `index` (B,); `rng` draws all that is random, `number` counts from the first epoch.

        Returns:
            A value for each of `losses`, detached, () or (len(losses),).
        """

    @abstractmethod
    def inputs(self, index: Tensor, rng: torch.Generator) -> Tensor:
        """What `best` sees in training, for the statistics of its batch norm."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """`validation_loss` and `measure` of `best` over the validation split."""

    def settle(self, batches: Iterator[Tensor]) -> None:
        """Make the statistics of batch norm fit for use, by what `inputs` gives of an epoch's batches."""
        if self.averaged:
            batch_norm.calibrate_batch_norm(self.best, batches)
        else:
            batch_norm.silence_channels(self.best, batches)

    def improves(self, row: dict[str, Any], log: list[dict[str, Any]]) -> bool:
        """Whether the epoch of `row` is to be saved, after those of `log`."""
        return row["validation_loss"] < min((other["validation_loss"] for other in log), default=torch.inf)

    def keep(self, args: argparse.Namespace, settings: dict[str, Any], row: dict[str, Any]) -> None:
        """Save the best epoch so far."""
        digits = 4 if self.measure == "validation_accuracy" else 3
        scores = {"best_epoch": row["epoch"] + 1, self.measure: round(row[self.measure], digits)}
        run_folder.save_model(self.best, args.out, settings, **scores)


def train_epochs(
    training: Training,
    accelerator: Accelerator,
    args: argparse.Namespace,
    settings: dict[str, Any],
    images: int,
) -> list[dict[str, Any]]:
    """Train, validate, log and keep, epoch by epoch, from where a run in `args.out` was.

    Args:
        args: the options of `setup.add_run_options`.
        settings: what decides the outcome, for the training record; a run that is resumed has to have the same. Its
            `recipe` says how many epochs, the size of a batch, and after how many epochs without a better one to end.
        images: how many there are to train on.

    Returns:
        The log, a row per epoch.
    """
    batch_size = settings["recipe"]["batch_size"]
    steps = sampling.batches_per_epoch(images, batch_size)
    if args.minutes:
        epochs = run_folder.epochs_begun(args.out) or epochs_within(training, accelerator, args, images, batch_size)
        settings = {**settings, "recipe": {**settings["recipe"], "epochs": epochs}}
    epochs = settings["recipe"]["epochs"]
    training.total_steps = epochs * steps
    log = run_folder.resume(args.out, settings, training.parts)
    while not run_folder.is_finished(log, settings["recipe"]):
        epoch = len(log)
        started = time.perf_counter()
        training.begin(epoch)
        sums = torch.zeros(len(training.losses), device=accelerator.device)
        indices = sampling.batches(images, batch_size, args.seed, epoch, accelerator)
        progress = tqdm(indices, f"epoch {epoch + 1}/{epochs}", steps, disable=not accelerator.is_main_process)
        for step, index in enumerate(progress):
            rng = sampling.generator(args.seed, epoch, step, accelerator.process_index, device=accelerator.device)
            sums += training.step(index, rng, epoch * steps + step)
        means = (accelerator.reduce(sums, reduction="mean") / steps).tolist()
        indices = sampling.batches(images, batch_size, args.seed, epoch, accelerator)
        rng = sampling.generator(args.seed, epoch, steps, accelerator.process_index, device=accelerator.device)
        with accelerator.autocast():
            training.settle(training.inputs(index, rng) for index in indices)
        batch_norm.share_buffers(training.best, accelerator)
        measured = {**dict(zip(training.losses, means, strict=True)), **training.validate()}
        row = run_folder.log_row(epoch, started, training.optimizer, **measured)
        if accelerator.is_main_process:
            shown = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in measured.items())
            tqdm.write(f"epoch {epoch + 1}: {shown}")
            if training.improves(row, log):
                training.keep(args, settings, row)
        log.append(row)
        if accelerator.is_main_process:
            run_folder.save_progress(args.out, settings, training.parts, log, training.measure)
    accelerator.end_training()
    return log


def epochs_within(
    training: Training, accelerator: Accelerator, args: argparse.Namespace, images: int, batch_size: int
) -> int:
    """How many epochs fit into `args.minutes`, at least one, by the time of the first steps and of a validation.

    `training` is afterwards as it was before.
    """
    started = time.perf_counter()
    states = {name: copy.deepcopy(part.state_dict()) for name, part in training.parts.items()}
    steps = sampling.batches_per_epoch(images, batch_size)
    training.begin(0)
    seconds = []
    indices = sampling.batches(images, batch_size, args.seed, 0, accelerator)
    for step, index in enumerate(islice(indices, WARM_UP + TIMED)):
        begun = time.perf_counter()
        rng = sampling.generator(args.seed, 0, step, accelerator.process_index, device=accelerator.device)
        # Reading the loss waits for the device.
        training.step(index, rng, step).tolist()
        seconds.append(time.perf_counter() - begun)
    begun = time.perf_counter()
    training.validate()
    finished = time.perf_counter()
    run_folder.set_states(training.parts, states)
    per_epoch = steps * median(seconds[-TIMED:]) + finished - begun
    fitting = max(1, int((60 * args.minutes - (finished - started)) / per_epoch))
    # Every process has to come to the same.
    fitting = min(gather_object([fitting]))
    if accelerator.is_main_process:
        tqdm.write(f"{fitting} epochs fit into {args.minutes:g} minutes, of {per_epoch:.1f} seconds each")
    return fitting
