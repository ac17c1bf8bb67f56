"""Train one network to restore faces: the loop that every restorer without an adversary shares."""

import argparse
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, AdamW
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from fer_denoise.models import PretrainedModel
from fer_denoise.noise import Noise
from fer_denoise.precision import on_device
from train.shared import setup
from train.shared.faces import NoisyFaces, validate
from train.shared.scenes import Scenes, load_pictures, shipped_scenes

WARM_UP_STEPS = 200
CALIBRATION_BATCHES = 50
"""From which the statistics of batch norm are measured for averaged weights, which no step ran with."""


@dataclass(frozen=True)
class Recipe:
    """How to train; the defaults are the origin's."""

    epochs: int = 20
    batch_size: int = 64
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    clip_gradient: float | None = None
    """The largest norm of a step's gradient."""
    loss: str = "mse"
    schedule: str = "plateau"
    """"plateau" halves the rate after 3 epochs without gain; "cosine" warms up, then decays to 0."""
    early_stop: int | None = 5
    """Stop after this many epochs without gain."""
    fresh_noise: bool = False
    """Draw new noise in every step instead of once per image."""
    flips: bool = False
    ema: float | None = None
    """Decay per step of the moving average of the weights that is validated and kept."""
    residual: bool = False
    scenes: float = 0
    """Other pictures added to each step, as a fraction of its faces; with `fresh_noise` alone."""
    drawings: bool = False
    """Whether text, line art and codes are among them, and some faces in frames."""


def charbonnier(restored: Tensor, clean: Tensor, eps: float = 1e-3) -> Tensor:
    """Charbonnier loss, a smooth L1 (Charbonnier et al. 1994, https://doi.org/10.1109/ICIP.1994.413553)."""
    return torch.sqrt((restored - clean) ** 2 + eps**2).mean()


def log_mse(restored: Tensor, clean: Tensor, floor: float = 1e-5) -> Tensor:
    """Mean of the log of each image's squared error: PSNR itself, so that every noise level weighs the same.

    Below `floor`, 50 dB, better counts for less. Without it the gradient of images that are nearly right already, such
    as those without noise, is ten times and more that of all others.
    """
    return (floor + (restored - clean).square().mean(dim=(1, 2, 3))).log().mean()


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": F.mse_loss,
    "charbonnier": charbonnier,
    "log_mse": log_mse,
}
OPTIMIZERS = {"adam": Adam, "adamw": AdamW}


class PixelLoss(nn.Module):
    """The loss of a network on what `NoisyFaces` draws."""

    def __init__(self, model: PretrainedModel, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, noisy: Tensor, clean: Tensor) -> Tensor:
        return self.loss(self.model(noisy).float(), clean)


def train_restorer(
    args: argparse.Namespace,
    recipe: Recipe,
    make_model: Callable[[], PretrainedModel],
    noise: Noise,
    settings: dict[str, Any],
    objective: Callable[..., nn.Module] = PixelLoss,
    make_faces: Callable[..., NoisyFaces] = NoisyFaces,
) -> list[dict[str, Any]]:
    """Train and validate; fill the folder `args.out` as the scripts promise. Gives the log, a row per epoch.

    Args:
        args: the options of `setup.add_run_options`.
        recipe: how to train.
        make_model: called once the data is there.
        noise: what corrupts the faces.
        settings: what else decides the outcome; kept with the weights, and compared where a run is resumed.
        objective: makes a module out of the model and the recipe's loss, which gives the loss of what the faces draw.
        make_faces: the class of the faces.
    """
    accelerator, splits = setup.start_run(args)
    device = accelerator.device
    loss = LOSSES[recipe.loss]
    scenes = None
    if recipe.scenes:
        pictures = shipped_scenes() + (load_pictures(args.pictures) if args.pictures else [])
        size = splits["train"].images.shape[1:]
        scenes = Scenes(recipe.scenes, size, device, pictures, recipe.drawings)
    faces = make_faces(
        splits,
        noise,
        device,
        seed=args.seed,
        fresh_noise=recipe.fresh_noise,
        flips=recipe.flips,
        scenes=scenes,
    )
    steps_per_epoch = setup.batches_per_epoch(len(faces), recipe.batch_size)

    model = on_device(make_model(), device)
    averaged = None
    if recipe.ema:
        averaged = AveragedModel(model, multi_avg_fn=setup.moving_average(recipe.ema))
    optimizer = OPTIMIZERS[recipe.optimizer](model.parameters(), lr=recipe.learning_rate, fused=True)
    scheduler: LambdaLR | ReduceLROnPlateau
    if recipe.schedule == "cosine":
        steps = recipe.epochs * steps_per_epoch
        scheduler = LambdaLR(optimizer, lambda step: setup.warm_up_then_cosine(step, WARM_UP_STEPS, steps))
    else:
        scheduler = ReduceLROnPlateau(optimizer, patience=3, factor=0.5)
    kept: Any = averaged.module if averaged else model
    wrapped, optimizer = accelerator.prepare(objective(model, loss), optimizer)
    if args.compile:
        wrapped.compile()

    settings = {
        **settings,
        "recipe": asdict(recipe),
        "seed": args.seed,
        "network": model.config,
        "data": splits["train"].record,
    }

    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler}
    if averaged:
        parts["averaged"] = averaged
    log = setup.resume(args.out, settings, parts)

    for epoch in range(len(log), recipe.epochs):
        best = min(log, key=lambda row: row["validation_loss"], default=None)
        if recipe.early_stop and best and epoch - best["epoch"] > recipe.early_stop:
            break
        started = time.perf_counter()
        wrapped.train()
        train_loss = torch.zeros((), device=device)
        indices = setup.batches(len(faces), recipe.batch_size, args.seed, epoch, accelerator)
        progress = tqdm(
            indices, f"epoch {epoch + 1}/{recipe.epochs}", steps_per_epoch, disable=not accelerator.is_main_process
        )
        for step, index in enumerate(progress):
            rng = setup.generator(args.seed, epoch, step, accelerator.process_index, device=device)
            step_loss = wrapped(*faces.draw(index, rng))
            optimizer.zero_grad()
            accelerator.backward(step_loss)
            if recipe.clip_gradient:
                accelerator.clip_grad_norm_(model.parameters(), recipe.clip_gradient)
            optimizer.step()
            if averaged:
                averaged.update_parameters(model)
            if isinstance(scheduler, LambdaLR):
                scheduler.step()
            train_loss += step_loss.detach()
        train_loss = accelerator.reduce(train_loss, reduction="mean").item() / steps_per_epoch
        indices = setup.batches(len(faces), recipe.batch_size, args.seed, epoch, accelerator)
        rng = setup.generator(args.seed, epoch, steps_per_epoch, accelerator.process_index, device=device)
        seen = (faces.draw(index, rng)[0] for index in indices)
        with accelerator.autocast():
            if averaged:
                setup.calibrate_batch_norm(kept, islice(seen, CALIBRATION_BATCHES))
            else:
                setup.silence_channels(kept, islice(seen, setup.SILENCING_BATCHES))
        setup.share_buffers(kept, accelerator)
        validation_loss, validation_psnr = validate(kept, faces, loss, accelerator)
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(validation_loss)
        losses = {"train_loss": train_loss, "validation_loss": validation_loss}
        setup.log_epoch(log, started, optimizer, **losses, validation_psnr=validation_psnr)
        if accelerator.is_main_process:
            tqdm.write(f"epoch {epoch + 1}: validation loss {validation_loss:.6f}, PSNR {validation_psnr:.3f} dB")
            if best is None or validation_loss < best["validation_loss"]:
                scores = {"best_epoch": epoch + 1, "validation_psnr": round(validation_psnr, 3)}
                setup.keep_model(kept, args.out, settings, **scores)
            setup.save_progress(args.out, settings, parts, log, "validation_psnr")
    accelerator.end_training()
    return log
