"""Train the Attention U-Net on one of the three noise tasks.

    python -m train.unet --task low --out runs/unet-low                       # the origin's recipe
    python -m train.unet --task low --out runs/unet-low --preset improved     # ours
    python -m train.unet --task low --out runs/unet-low --resume              # after an interruption
    accelerate launch --num_processes 2 -m train.unet --task low --out ...    # several GPUs or machines

`--out` receives `model/`, the best epoch by validation loss as a folder that `from_pretrained` loads and the Hub takes,
beside `checkpoint.safetensors`, `log.jsonl` and `curves.png`.
"""

import argparse
import time
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from fer_denoise.hub import ModelNotFoundError
from fer_denoise.models import AttentionUNet
from fer_denoise.noise import TASKS
from train import run
from train.faces import NoisyFaces, validate
from train.state import load_optimizer, save_state


@dataclass(frozen=True)
class Recipe:
    """How to train; the defaults are the origin's."""

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 1e-3
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


IMPROVED = Recipe(
    loss="charbonnier", schedule="cosine", early_stop=None, fresh_noise=True, flips=True, ema=0.999, residual=True
)
ORIGIN = {"low": Recipe(), "high": Recipe(learning_rate=1e-4), "salt_pepper": Recipe()}
ORIGIN_INIT = {"high": "low", "salt_pepper": "high"}
"""The task whose weights the origin's recipe starts from."""

WARM_UP_STEPS = 200
CALIBRATION_BATCHES = 50
"""From which the statistics of batch norm are measured for averaged weights, which no step ran with."""


def charbonnier(restored: Tensor, clean: Tensor, eps: float = 1e-3) -> Tensor:
    """Charbonnier loss, a smooth L1 (Charbonnier et al. 1994, https://doi.org/10.1109/ICIP.1994.413553)."""
    return torch.sqrt((restored - clean) ** 2 + eps**2).mean()


LOSSES = {"mse": F.mse_loss, "charbonnier": charbonnier}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    run.add_run_options(parser)
    parser.add_argument("--task", choices=TASKS, required=True)
    parser.add_argument(
        "--preset", choices=("origin", "improved"), default="origin", help="recipe (default: %(default)s)"
    )
    parser.add_argument("--init", help="model to start from: a bundled name, folder or Hub repo; or none")
    parser.add_argument("--epochs", type=int, help="instead of the preset's")
    parser.add_argument("--batch-size", type=int, help="instead of the preset's; of all processes together")
    parser.add_argument("--learning-rate", type=float, help="instead of the preset's")
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 32, 64, 128, 256], help="channels of each level")
    args = parser.parse_args(argv)
    if args.preset == "origin" and args.task in ORIGIN_INIT and not args.init:
        parser.error(
            f"the origin's recipe for {args.task} starts from its {ORIGIN_INIT[args.task]} model: "
            "give that run's model folder as --init, or --init none for fresh weights"
        )
    return args


def make_recipe(args: argparse.Namespace) -> Recipe:
    recipe = IMPROVED if args.preset == "improved" else ORIGIN[args.task]
    given = {name: getattr(args, name) for name in ("epochs", "batch_size", "learning_rate")}
    return replace(recipe, **{name: value for name, value in given.items() if value is not None})


def make_model(args: argparse.Namespace, recipe: Recipe) -> AttentionUNet:
    torch.manual_seed(args.seed)
    if args.init and args.init != "none":
        model = AttentionUNet.from_pretrained(args.init)
        if model.residual != recipe.residual:
            raise ModelNotFoundError(
                f"{args.init}: was trained with another preset than {args.preset}; start from its own"
            )
        return model
    return AttentionUNet(widths=args.widths, residual=recipe.residual)


def train(args: argparse.Namespace) -> None:
    recipe, task = make_recipe(args), TASKS[args.task]
    accelerator, splits = run.start_run(args)
    device = accelerator.device
    loss = LOSSES[recipe.loss]

    faces = NoisyFaces(splits, task, device, seed=args.seed, fresh_noise=recipe.fresh_noise, flips=recipe.flips)
    steps_per_epoch = run.batches_per_epoch(len(faces), recipe.batch_size)

    model = make_model(args, recipe).to(device, memory_format=torch.channels_last)
    averaged = None
    if recipe.ema:
        averaged = AveragedModel(model, multi_avg_fn=run.moving_average(recipe.ema))
    optimizer = Adam(model.parameters(), lr=recipe.learning_rate)
    if recipe.schedule == "cosine":
        steps = recipe.epochs * steps_per_epoch
        scheduler = LambdaLR(optimizer, lambda step: run.warm_up_then_cosine(step, WARM_UP_STEPS, steps))
    else:
        scheduler = ReduceLROnPlateau(optimizer, patience=3, factor=0.5)
    kept = averaged.module if averaged else model
    wrapped, optimizer = accelerator.prepare(model, optimizer)

    settings = {
        "task": args.task,
        "noise": asdict(task),
        "preset": args.preset,
        "recipe": asdict(recipe),
        "seed": args.seed,
        "init": args.init,
        "widths": model.config["widths"],
        "data": faces.record,
    }

    log: list[dict[str, Any]] = []
    if checkpoint := run.load_checkpoint(args.out, settings):
        model.load_state_dict(checkpoint["model"])
        if averaged:
            averaged.load_state_dict(checkpoint["averaged"])
        load_optimizer(optimizer.optimizer, checkpoint["optimizer"])
        scheduler.load_state_dict(checkpoint["scheduler"])
        log = checkpoint["log"]

    for epoch in range(len(log), recipe.epochs):
        best = min(log, key=lambda row: row["validation_loss"], default=None)
        if recipe.early_stop and best and epoch - best["epoch"] > recipe.early_stop:
            break
        started = time.perf_counter()
        wrapped.train()
        train_loss = torch.zeros((), device=device)
        indices = run.batches(len(faces), recipe.batch_size, args.seed, epoch, accelerator)
        progress = tqdm(
            indices, f"epoch {epoch + 1}/{recipe.epochs}", steps_per_epoch, disable=not accelerator.is_main_process
        )
        for step, index in enumerate(progress):
            rng = run.generator(args.seed, epoch, step, accelerator.process_index, device=device)
            noisy, target = faces.draw(index, rng)
            step_loss = loss(wrapped(noisy).float(), target)
            optimizer.zero_grad()
            accelerator.backward(step_loss)
            optimizer.step()
            if averaged:
                averaged.update_parameters(model)
            if recipe.schedule == "cosine":
                scheduler.step()
            train_loss += step_loss.detach()
        train_loss = accelerator.reduce(train_loss, reduction="mean").item() / steps_per_epoch
        if averaged:
            indices = run.batches(len(faces), recipe.batch_size, args.seed, epoch, accelerator)
            rng = run.generator(args.seed, epoch, steps_per_epoch, accelerator.process_index, device=device)
            with accelerator.autocast():
                seen = (faces.draw(index, rng)[0] for index in islice(indices, CALIBRATION_BATCHES))
                run.calibrate_batch_norm(kept, seen)
        run.share_buffers(kept, accelerator)
        validation_loss, validation_psnr = validate(kept, faces, loss, accelerator)
        if recipe.schedule == "plateau":
            scheduler.step(validation_loss)
        row = {
            "epoch": epoch,
            "train_loss": train_loss,
            "validation_loss": validation_loss,
            "validation_psnr": validation_psnr,
            "learning_rate": optimizer.param_groups[0]["lr"],
            "seconds": round(time.perf_counter() - started, 1),
        }
        log.append(row)
        if accelerator.is_main_process:
            tqdm.write(f"epoch {epoch + 1}: validation loss {validation_loss:.6f}, PSNR {validation_psnr:.3f} dB")
            if best is None or validation_loss < best["validation_loss"]:
                best_scores = {"best_epoch": epoch + 1, "validation_psnr": round(validation_psnr, 3)}
                kept.training_record = {**settings, "hardware": run.hardware(device), **best_scores}
                kept.save_pretrained(args.out / run.MODEL_FOLDER)
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict(),
            }
            if averaged:
                state["averaged"] = averaged.state_dict()
            save_state(args.out / run.CHECKPOINT_FILE, {**state, "settings": settings, "log": log})
            run.write_log(args.out, log)
    accelerator.end_training()


def main(argv: list[str] | None = None) -> None:
    try:
        train(parse_args(argv))
    except ModelNotFoundError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
