"""Teach a universal restorer to tell how noisy a picture is; the first step of its training.

    python -m train.noise_level --out runs/noise-level
    python -m train.noise_level --out runs/noise-level --resume      # after an interruption
    python -m train.universal --init runs/noise-level/model --out runs/universal      # the second step

Only its noise estimator is trained. `--out` receives `model/`, the best epoch by validation loss, beside
`checkpoint.safetensors`, `log.jsonl` and `curves.png`.
"""

import argparse
import time
from dataclasses import asdict, dataclass, replace

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn import functional as F
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from tqdm import tqdm

from fer_denoise.data import Faces
from fer_denoise.models import UniversalRestorer
from fer_denoise.models.noise_estimator import scaled, unscaled
from fer_denoise.noise import RandomNoise
from fer_denoise.options import at_least
from fer_denoise.precision import on_device
from train import run
from train.scenes import Scenes
from train.supervised import WARM_UP_STEPS


@dataclass(frozen=True)
class Recipe:
    """How to train."""

    epochs: int = 8
    batch_size: int = 64
    learning_rate: float = 2e-3
    clip_gradient: float = 1.0
    scenes: float = 0.25
    """Patches of pictures that are no faces, added to each step, as a share of its faces."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    run.add_run_options(parser)
    parser.add_argument("--init", help="restorer to teach: a bundled name, folder or Hub repo; default: a new one")
    parser.add_argument("--epochs", type=at_least(1), default=Recipe.epochs, help="default: %(default)s")
    parser.add_argument("--batch-size", type=at_least(2), default=Recipe.batch_size, help="of all processes together")
    parser.add_argument("--learning-rate", type=float, default=Recipe.learning_rate, help="default: %(default)s")
    return parser.parse_args(argv)


def error(estimates: Tensor, levels: Tensor) -> Tensor:
    """Smooth L1 distance of estimates from sigma and amount, both (B, 2), on the scale of the estimator."""
    return F.smooth_l1_loss(estimates, scaled(levels), beta=0.05)


class LevelledFaces:
    """Train and validation faces, and noise of known levels for them, on one device."""

    def __init__(self, faces: dict[str, Faces], device: torch.device, seed: int, scenes: float) -> None:
        images = faces["train"].images
        self.noise = RandomNoise()
        self.clean = run.as_batch(images, device)
        self._scenes = Scenes(scenes, images.shape[1:], device)
        validation = run.as_float(run.as_batch(faces["validation"].images, device))
        self.validation = self._corrupt(validation, run.generator(seed, device=device))

    def __len__(self) -> int:
        return len(self.clean)

    def draw(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Noisy faces and scenes of a step, float (B, 1, H, W) in [0, 1], and their levels (B, 2)."""
        clean = self._scenes.beside(self.clean[index], rng)
        return self._corrupt(run.random_flips(run.as_float(clean), rng), rng)

    def _corrupt(self, clean: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        levels = self.noise.draw_levels(len(clean), rng)
        noisy = self.noise.corrupt_at(clean, levels, rng)
        return noisy, torch.cat([level.flatten(1) for level in levels[:2]], dim=1)


@torch.no_grad()
def validate(model: UniversalRestorer, faces: LevelledFaces, accelerator: Accelerator) -> tuple[float, list[float]]:
    """Loss over the validation split, and the mean absolute errors of sigma and amount."""
    noisy, levels = faces.validation
    with accelerator.autocast():
        estimates = torch.cat([model.estimate(part) for part in noisy.split(256)])
    return error(estimates, levels).item(), (unscaled(estimates) - levels).abs().mean(dim=0).tolist()


def train(args: argparse.Namespace, recipe: Recipe) -> None:
    accelerator, splits = run.start_run(args)
    device = accelerator.device
    faces = LevelledFaces(splits, device, args.seed, recipe.scenes)
    steps = run.batches_per_epoch(len(faces), recipe.batch_size)
    torch.manual_seed(args.seed)
    model = UniversalRestorer.from_pretrained(args.init) if args.init else UniversalRestorer()
    on_device(model, device)
    estimator = model.noise_estimator
    optimizer = AdamW(estimator.parameters(), lr=recipe.learning_rate)
    scheduler = LambdaLR(optimizer, lambda step: run.warm_up_then_cosine(step, WARM_UP_STEPS, recipe.epochs * steps))
    wrapped, optimizer = accelerator.prepare(estimator, optimizer)
    settings = {
        "script": "train.noise_level",
        "task": "universal",
        "init": args.init,
        "recipe": asdict(recipe),
        "noise": asdict(faces.noise),
        "seed": args.seed,
        "network": model.config,
        "data": splits["train"].record,
    }
    parts = {"model": estimator, "optimizer": optimizer, "scheduler": scheduler}
    log = run.resume(args.out, settings, parts)

    for epoch in range(len(log), recipe.epochs):
        started = time.perf_counter()
        train_loss = torch.zeros((), device=device)
        indices = run.batches(len(faces), recipe.batch_size, args.seed, epoch, accelerator)
        progress = tqdm(indices, f"epoch {epoch + 1}/{recipe.epochs}", steps, disable=not accelerator.is_main_process)
        for step, index in enumerate(progress):
            rng = run.generator(args.seed, epoch, step, accelerator.process_index, device=device)
            noisy, levels = faces.draw(index, rng)
            loss = error(wrapped(model.inputs(noisy)).float(), levels)
            optimizer.zero_grad()
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(estimator.parameters(), recipe.clip_gradient)
            optimizer.step()
            scheduler.step()
            train_loss += loss.detach()
        train_loss = accelerator.reduce(train_loss, reduction="mean").item() / steps
        validation_loss, (sigma_error, amount_error) = validate(model, faces, accelerator)
        best = min((row["validation_loss"] for row in log), default=float("inf"))
        errors = {"sigma_error": sigma_error, "amount_error": amount_error}
        run.log_epoch(log, started, optimizer, train_loss=train_loss, validation_loss=validation_loss, **errors)
        if accelerator.is_main_process:
            tqdm.write(f"epoch {epoch + 1}: mean absolute error of sigma {sigma_error:.4f}, amount {amount_error:.4f}")
            if validation_loss < best:
                scores = {name: round(value, 4) for name, value in errors.items()}
                run.keep_model(model, args.out, settings, best_epoch=epoch + 1, validation_error=scores)
            run.save_progress(args.out, settings, parts, log, "sigma_error")
    accelerator.end_training()


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    recipe = replace(Recipe(), epochs=args.epochs, batch_size=args.batch_size, learning_rate=args.learning_rate)
    run.with_message(train, args, recipe)


if __name__ == "__main__":
    main()
