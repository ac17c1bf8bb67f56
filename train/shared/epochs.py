"""The epochs of a training: all that is the same, whatever a step of it does."""

import argparse
import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sized
from dataclasses import asdict
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
from train.shared import batch_norm, optimisation, roofline, run_folder, sampling
from train.shared.captured import CapturedStep

WARM_UP, TIMED = 5, 12
"""Steps that are left out, and those that are timed, where a training is to fill a given time."""


class Training(ABC):
    """A way to train, which `train_epochs` repeats.

    Args:
        model: what learns, on its device.
        faces: what it learns from and is validated on.
        recipe: how it learns, a dataclass.
        accelerator: prepares it for the processes and the precision.

    Attributes:
        average: the average of the weights of `model`, where the recipe has its decay.
        eval_model: the network that is validated and saved: that average, or else `model`.
        parts: what a run goes on from: networks, optimisers and schedulers, by name.
        optimizer: the one whose learning rate stands in the log.
        losses: names in the log of what a step gives, the first of them `train_loss`.
        metric: what a validation gives beside its loss, one of `run_folder.METRICS`.
        total_steps: of the whole training, for its schedules; `train_epochs` sets it before the first step.
        can_be_captured: whether each step does the same work, and waits for nothing on the device meanwhile.
    """

    optimizer: AcceleratedOptimizer
    losses: tuple[str, ...] = ("train_loss",)
    metric: str = "validation_psnr"
    total_steps: int = 1
    can_be_captured: bool = True

    def __init__(self, model: PretrainedModel, faces: Sized, recipe: Any, accelerator: Accelerator) -> None:
        self.model, self.faces, self.recipe, self.accelerator = model, faces, recipe, accelerator
        self.average = optimisation.MovingAverage(model, recipe.ema) if recipe.ema else None
        self.eval_model: Any = self.average.module if self.average else model
        self.parts: dict[str, Any] = {"averaged": self.average} if self.average else {}

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
    def after_step(self) -> None:
        """Move the schedules on."""

    @abstractmethod
    def inputs(self, index: Tensor, rng: torch.Generator) -> Tensor:
        """What `eval_model` sees in training, for the statistics of its batch norm."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """`validation_loss` and `metric` of `eval_model` over the validation split."""

    def settle(self, batches: Iterator[Tensor]) -> None:
        """Make the statistics of batch norm fit for use, by what `inputs` gives of an epoch's batches."""
        if self.average:
            # No step ran with it.
            batch_norm.calibrate_batch_norm(self.eval_model, batches)
        else:
            batch_norm.silence_channels(self.eval_model, batches)

    def improves(self, row: dict[str, Any], log: list[dict[str, Any]]) -> bool:
        """Whether the epoch of `row` is to be saved, after those of `log`."""
        return row["validation_loss"] < min((other["validation_loss"] for other in log), default=torch.inf)

    def save_best(self, args: argparse.Namespace, settings: dict[str, Any], row: dict[str, Any]) -> None:
        """Save the best epoch so far."""
        score = round(row[self.metric], run_folder.METRICS[self.metric].digits)
        scores = {"best_epoch": row["epoch"] + 1, self.metric: score}
        run_folder.save_model(self.eval_model, args.out, settings, **scores)


def train_epochs(training: Training, args: argparse.Namespace, settings: dict[str, Any]) -> list[dict[str, Any]]:
    """Train, validate, log and save the best, epoch by epoch, from where a run in `args.out` was.

    Args:
        training: its recipe says how many epochs, the size of a batch, and after how many epochs without a better one
            to end.
        args: the options of `setup.add_run_options`.
        settings: what decides the outcome besides the recipe, the seed and the shape of the network. The training
            record has all of it, and a run that is resumed has to have the same.

    Returns:
        The log, a row per epoch.
    """
    accelerator, images = training.accelerator, len(training.faces)
    batch_size, passes = training.recipe.batch_size, args.passes
    # As JSON has it.
    recipe = {
        name: list(value) if isinstance(value, tuple) else value for name, value in asdict(training.recipe).items()
    }
    settings = {**settings, "recipe": recipe, "seed": args.seed, "network": training.model.config}
    if passes > 1:
        settings = {**settings, "passes": passes}
    steps_per_epoch = passes * sampling.batches_per_epoch(images, batch_size)
    called = time.perf_counter()
    if args.minutes:
        begun = run_folder.begun_settings(args.out)
        epochs = begun["recipe"]["epochs"] if begun else epochs_within(training, args)
        settings = {**settings, "recipe": {**settings["recipe"], "epochs": epochs}}
    epochs = settings["recipe"]["epochs"]
    training.total_steps = epochs * steps_per_epoch
    log = run_folder.resume(args.out, settings, training.parts)
    run_step = step_of(training, args.seed, steps_per_epoch)
    # On a processor that measures for a second, and where nothing is left to train, in vain.
    compared = Roofline(training) if accelerator.device.type == "cuda" else None
    while not run_folder.is_finished(log, settings["recipe"]):
        epoch = len(log)
        started = time.perf_counter()
        training.begin(epoch)
        sums = torch.zeros(len(training.losses), device=accelerator.device)
        indices = sampling.batches(images, batch_size, args.seed, epoch, accelerator, passes)
        progress = tqdm(
            indices, f"epoch {epoch + 1}/{epochs}", steps_per_epoch, disable=not accelerator.is_main_process
        )
        for step, index in enumerate(progress):
            sums += run_step(index, epoch, step)
        means = (accelerator.reduce(sums, reduction="mean") / steps_per_epoch).tolist()
        speed = f" ({compared.compared(steps_per_epoch, time.perf_counter() - started)})" if compared else ""
        indices = sampling.batches(images, batch_size, args.seed, epoch, accelerator, passes)
        rng = sampling.generator(
            args.seed, epoch, steps_per_epoch, accelerator.process_index, device=accelerator.device
        )
        with accelerator.autocast():
            training.settle(training.inputs(index, rng) for index in indices)
        batch_norm.share_buffers(training.eval_model, accelerator)
        measured = {**dict(zip(training.losses, means, strict=True)), **training.validate()}
        row = run_folder.log_row(epoch, started, training.optimizer, **measured)
        if args.minutes and epoch == 0:
            now = time.perf_counter()
            epochs = epochs_after_first(epochs, now - started, 60 * args.minutes - (now - called), accelerator)
            settings = {**settings, "recipe": {**settings["recipe"], "epochs": epochs}}
            training.total_steps = epochs * steps_per_epoch
        if accelerator.is_main_process:
            shown = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in measured.items())
            tqdm.write(f"epoch {epoch + 1}: {shown}{speed}")
            if training.improves(row, log):
                training.save_best(args, settings, row)
        log.append(row)
        if accelerator.is_main_process:
            run_folder.save_progress(args.out, settings, training.parts, log, training.metric)
    if accelerator.is_main_process:
        run_folder.update_curves(args.out, log, training.metric)
    accelerator.end_training()
    return log


def step_of(training: Training, seed: int, steps_per_epoch: int) -> Callable[[Tensor, int, int], Tensor]:
    """One step of `training`, as a function of the faces' index, the epoch, and the step in it.

    On one GPU it is captured, from the states that there are now: make another where these were replaced.
    """
    accelerator, device = training.accelerator, training.accelerator.device
    captured = None
    if device.type == "cuda" and accelerator.num_processes == 1 and training.can_be_captured:
        captured = CapturedStep(lambda index, rng: training.step(index, rng, 0), device)

    def run(index: Tensor, epoch: int, step: int) -> Tensor:
        key = sampling.seed_of(seed, epoch, step, accelerator.process_index)
        if captured:
            result = captured(index.to(device), key)
        else:
            result = training.step(index, torch.Generator(device).manual_seed(key), epoch * steps_per_epoch + step)
        training.after_step()
        return result

    return run


class Roofline:
    """The speed of a training beside what its device could reach, see `train.shared.roofline`."""

    def __init__(self, training: Training) -> None:
        accelerator, batch_size = training.accelerator, training.recipe.batch_size
        device, half = accelerator.device, accelerator.mixed_precision == "bf16"
        index = next(sampling.batches(batch_size, batch_size, 0, 0, accelerator))
        images = training.inputs(index.to(device), sampling.generator(0, device=device))
        self.images = len(images) * accelerator.num_processes
        work = roofline.work_of(training.eval_model, images, 2 if half else 4)
        ceilings = roofline.ceilings_of(device, torch.bfloat16 if half else torch.float32)
        self.at_best = ceilings.images_per_second(work) * accelerator.num_processes
        tqdm.write(
            f"an image asks for {work.operations / 1e9:.2f} Gflop and {work.bytes / 1e6:.1f} MB at least; the device "
            f"does {ceilings.operations / 1e12:.1f} Tflop/s and moves {ceilings.bytes / 1e12:.2f} TB/s"
        )

    def compared(self, steps: int, seconds: float) -> str:
        """The speed of so many steps."""
        speed = self.images * steps / seconds
        return f"{speed:,.0f} images/s, {speed / self.at_best:.0%} of {self.at_best:,.0f} at best"


def epochs_within(training: Training, args: argparse.Namespace) -> int:
    """How many epochs fit into `args.minutes`, at least one, by the time of the first steps and of a validation.

    `training` is afterwards as it was before.
    """
    started = time.perf_counter()
    accelerator, images, batch_size = training.accelerator, len(training.faces), training.recipe.batch_size
    states = {name: copy.deepcopy(part.state_dict()) for name, part in training.parts.items()}
    steps_per_epoch = args.passes * sampling.batches_per_epoch(images, batch_size)
    run_step = step_of(training, args.seed, steps_per_epoch)
    training.begin(0)
    seconds = []
    indices = sampling.batches(images, batch_size, args.seed, 0, accelerator)
    for step, index in enumerate(islice(indices, WARM_UP + TIMED)):
        begun = time.perf_counter()
        # Reading the loss waits for the device.
        run_step(index, 0, step).tolist()
        seconds.append(time.perf_counter() - begun)
    begun = time.perf_counter()
    training.validate()
    finished = time.perf_counter()
    run_folder.set_states(training.parts, states)
    per_epoch = steps_per_epoch * median(seconds[-TIMED:]) + finished - begun
    fitting = max(1, int((60 * args.minutes - (finished - started)) / per_epoch))
    # Every process has to come to the same.
    fitting = min(gather_object([fitting]))
    if accelerator.is_main_process:
        tqdm.write(f"{fitting} epochs fit into {args.minutes:g} minutes, of {per_epoch:.1f} seconds each")
    return fitting


def epochs_after_first(foreseen: int, took: float, left: float, accelerator: Accelerator) -> int:
    """How many epochs a training is to have, once the first is over: as `foreseen`, unless that is far off.

    The first steps, which are timed for seconds, may have met a machine that was busier than it is for most of the
    run, or less busy. The cosine goes on over as many epochs as fit by the time that a whole one takes. It is to reach
    its end, and so at least one epoch follows, except where no more than the first was foreseen.

    Args:
        took, left: seconds of the first epoch, and those that remain.
    """
    fitting = max(min(foreseen, 2), 1 + int(left / took))
    # Every process has to come to the same.
    fitting = min(gather_object([fitting]))
    if abs(fitting - foreseen) <= foreseen / 10:
        return foreseen
    if accelerator.is_main_process:
        tqdm.write(f"the first epoch took {took:.1f} seconds: {fitting} epochs fit, in place of {foreseen}")
    return fitting
