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
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from fer_denoise.hub import ModelNotFoundError
from fer_denoise.models import AttentionUNet
from fer_denoise.noise import TASKS
from train import run
from train.state import load_optimizer, load_state, save_state

VALIDATION_SEED = 1


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


@torch.no_grad()
def validate(model: nn.Module, noisy: Tensor, clean: Tensor, loss, accelerator: Accelerator) -> tuple[float, float]:
    """Loss and mean PSNR per image over the validation split, each process measuring its share."""
    model.eval()
    sums = torch.zeros(2, dtype=torch.float64, device=clean.device)
    share = slice(accelerator.process_index, None, accelerator.num_processes)
    for noisy_batch, clean_batch in zip(noisy[share].split(256), clean[share].split(256), strict=True):
        clean_batch = run.as_float(clean_batch)
        with accelerator.autocast():
            restored = model(noisy_batch).float()
        mse = (restored.clamp(0, 1) - clean_batch).square().mean(dim=(1, 2, 3))
        sums += torch.stack(
            [loss(restored, clean_batch) * len(clean_batch), (-10 * mse.clamp(min=1e-10).log10()).sum()]
        )
    loss_sum, psnr_sum = (accelerator.reduce(sums, reduction="sum") / len(clean)).tolist()
    return loss_sum, psnr_sum


def train(args: argparse.Namespace) -> None:
    recipe, task = make_recipe(args), TASKS[args.task]
    accelerator, faces = run.start_run(args)
    device = accelerator.device
    loss = LOSSES[recipe.loss]

    clean = run.as_batch(faces["train"].images, device)
    fixed_noisy = None if recipe.fresh_noise else run.as_batch(task(faces["train"].images, seed=args.seed), device)
    validation = run.as_batch(faces["validation"].images, device)
    validation_noisy = run.as_batch(task(faces["validation"].images, seed=VALIDATION_SEED), device)
    steps_per_epoch = run.batches_per_epoch(len(clean), recipe.batch_size)

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
        "data": {"name": "FER2013", "images": len(clean), "sha256": faces["train"].fingerprint},
    }

    def draw(index: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Noisy and clean images of a step."""
        target = run.as_float(clean[index])
        if recipe.flips:
            target = run.random_flips(target, rng)
        return (task.corrupt(target, rng) if fixed_noisy is None else fixed_noisy[index]), target

    log: list[dict[str, Any]] = []
    checkpoint_file = args.out / run.CHECKPOINT_FILE
    if checkpoint_file.exists():
        checkpoint = load_state(checkpoint_file)
        if checkpoint["settings"] != settings:
            changed = {name: value for name, value in checkpoint["settings"].items() if settings[name] != value}
            raise SystemExit(f"{args.out} was begun with {changed}: repeat its options, or choose another --out")
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
        indices = run.batches(len(clean), recipe.batch_size, args.seed, epoch, accelerator)
        progress = tqdm(
            indices, f"epoch {epoch + 1}/{recipe.epochs}", steps_per_epoch, disable=not accelerator.is_main_process
        )
        for step, index in enumerate(progress):
            rng = run.generator(args.seed, epoch, step, accelerator.process_index, device=device)
            noisy, target = draw(index, rng)
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
            indices = run.batches(len(clean), recipe.batch_size, args.seed, epoch, accelerator)
            rng = run.generator(args.seed, epoch, steps_per_epoch, accelerator.process_index, device=device)
            with accelerator.autocast():
                seen = (draw(index, rng)[0] for index in islice(indices, CALIBRATION_BATCHES))
                run.calibrate_batch_norm(kept, seen)
        run.share_buffers(kept, accelerator)
        validation_loss, validation_psnr = validate(kept, validation_noisy, validation, loss, accelerator)
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
                kept.training_record = {**settings, **best_scores}
                kept.save_pretrained(args.out / run.MODEL_FOLDER)
            state = {
                "model": model.state_dict(),
                "optimizer": optimizer.state_dict(),
                "scheduler": scheduler.state_dict(),
            }
            if averaged:
                state["averaged"] = averaged.state_dict()
            save_state(checkpoint_file, {**state, "settings": settings, "log": log})
            run.write_log(args.out, log)
    accelerator.end_training()


def main(argv: list[str] | None = None) -> None:
    try:
        train(parse_args(argv))
    except ModelNotFoundError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
