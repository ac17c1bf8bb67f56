"""Train the emotion classifier on the clean faces of FER2013.

    python -m train.emotion --out runs/emotion
    python -m train.emotion --out runs/emotion --resume          # after an interruption
    python -m train.emotion --out runs/emotion-noise --noise     # on noisy faces too, the control

`--out` receives `model/`, the epoch with the best accuracy on the validation split, as a folder that `from_pretrained`
loads, beside `checkpoint.safetensors`, `log.jsonl` and `curves.png`. The test split plays no part.
"""

import argparse
import math
import time
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from fer_denoise.command.options import at_least
from fer_denoise.data import Faces
from fer_denoise.models import EmotionClassifier
from fer_denoise.noise import RandomNoise
from fer_denoise.precision import on_device
from train.shared import setup
from train.shared.supervised import CALIBRATION_BATCHES, WARM_UP_STEPS

TEMPERATURES = np.geomspace(0.25, 4, 121).round(4)


@dataclass(frozen=True)
class Recipe:
    """How to train."""

    epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    mixup: float = 0.2
    """Of the Beta distribution that the shares of two mixed faces come from (Zhang et al. 2018)."""
    ema: float = 0.999
    degrees: float = 15
    """Faces are turned by up to this angle."""
    zoom: float = 0.15
    """Faces are enlarged or reduced by up to this share."""
    shift: float = 0.1
    """Faces are moved by up to this share of their side."""
    contrast: float = 0.2
    erase: float = 0.25
    """Share of faces that a gray rectangle covers a part of (Zhong et al. 2020)."""
    noise: bool = False
    """Half of the faces get noise of random kind and level."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    setup.add_run_options(parser)
    parser.add_argument("--epochs", type=at_least(1), default=Recipe.epochs, help="default: %(default)s")
    parser.add_argument("--batch-size", type=at_least(2), default=Recipe.batch_size, help="of all processes together")
    parser.add_argument("--learning-rate", type=float, default=Recipe.learning_rate, help="default: %(default)s")
    parser.add_argument(
        "--widths", type=at_least(1), nargs="+", default=[32, 64, 128, 192], help="channels of each stage"
    )
    parser.add_argument("--noise", action="store_true", help="train on noisy faces too")
    return parser.parse_args(argv)


def augment(faces: Tensor, recipe: Recipe, rng: torch.Generator) -> Tensor:
    """Faces (B, 1, H, W) in [0, 1], each flipped, turned, zoomed, moved, lightened and partly covered at random."""
    count, device = len(faces), faces.device

    def between(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(count, *shape, generator=rng, device=device)

    angle = between(-recipe.degrees, recipe.degrees) * math.pi / 180
    zoom = 1 + between(-recipe.zoom, recipe.zoom)
    flip = between(0, 1).lt(0.5) * 2 - 1
    cos, sin = angle.cos() / zoom, angle.sin() / zoom
    shift = between(-2 * recipe.shift, 2 * recipe.shift, 2)
    matrix = torch.stack([cos * flip, -sin, shift[:, 0], sin * flip, cos, shift[:, 1]], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(matrix, list(faces.shape), align_corners=False)
    faces = F.grid_sample(faces, grid, padding_mode="reflection", align_corners=False)

    gain = 1 + between(-recipe.contrast, recipe.contrast, 1, 1, 1)
    lift = between(-recipe.contrast / 2, recipe.contrast / 2, 1, 1, 1)
    faces = ((faces - 0.5) * gain + 0.5 + lift).clamp(0, 1)

    side = faces.shape[-1]
    place = torch.arange(side, device=device)
    covered = between(0, 1, 1, 1) < recipe.erase
    for axis in (-1, -2):
        length, start = between(0.15, 0.4, 1, 1) * side, between(-0.1, 0.8, 1, 1) * side
        along = (place >= start) & (place < start + length)
        covered = covered & (along if axis == -1 else along.transpose(1, 2))
    return torch.where(covered[:, None], torch.full_like(faces, 0.5), faces)


def mix(faces: Tensor, recipe: Recipe, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Each face mixed with another of the batch: the mixtures, the index of the other, and the share of the first."""
    count, device = len(faces), faces.device
    seed = int(torch.randint(2**31, (), generator=rng, device=device))
    shares = np.random.default_rng(seed).beta(recipe.mixup, recipe.mixup, count)
    share = torch.from_numpy(shares).float().to(device)
    other = torch.randperm(count, generator=rng, device=device)
    weight = share.view(-1, 1, 1, 1)
    return weight * faces + (1 - weight) * faces[other], other, share


class LabelledFaces:
    """Train and validation faces with their labels, on one device."""

    def __init__(self, faces: dict[str, Faces], device: torch.device) -> None:
        self.images, self.validation = (
            setup.as_batch(faces[split].images, device) for split in ("train", "validation")
        )
        self.labels, self.validation_labels = (
            torch.from_numpy(faces[split].labels).to(device) for split in ("train", "validation")
        )

    def __len__(self) -> int:
        return len(self.images)

    def draw(self, index: Tensor, recipe: Recipe, rng: torch.Generator) -> Tensor:
        """Augmented faces of a step, float (B, 1, 48, 48) in [0, 1]."""
        faces = setup.as_float(self.images[index])
        if recipe.noise:
            noisy = RandomNoise().corrupt(faces, rng)
            chosen = torch.rand(len(faces), 1, 1, 1, generator=rng, device=faces.device) < 0.5
            faces = torch.where(chosen, noisy, faces)
        return augment(faces, recipe, rng).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def validate(model: nn.Module, faces: LabelledFaces, accelerator: Accelerator) -> tuple[float, float, float]:
    """Over the validation split: the temperature that fits it best, the cross entropy with it, and the accuracy."""
    model.eval()
    with accelerator.autocast():
        logits = torch.cat([model(setup.as_float(images)).float() for images in faces.validation.split(256)])
    labels = faces.validation_labels
    losses = {float(t): F.cross_entropy(logits / t, labels).item() for t in TEMPERATURES}
    temperature = min(losses, key=lambda each: losses[each])
    accuracy = (logits.argmax(dim=1) == labels).float().mean().item()
    return temperature, losses[temperature], accuracy


def train(args: argparse.Namespace, recipe: Recipe) -> None:
    accelerator, splits = setup.start_run(args)
    device = accelerator.device
    faces = LabelledFaces(splits, device)
    steps = setup.batches_per_epoch(len(faces), recipe.batch_size)
    torch.manual_seed(args.seed)
    model = on_device(EmotionClassifier(widths=args.widths), device)
    averaged = AveragedModel(model, multi_avg_fn=setup.moving_average(recipe.ema))
    kept: Any = averaged.module
    optimizer = AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
    scheduler = LambdaLR(optimizer, lambda step: setup.warm_up_then_cosine(step, WARM_UP_STEPS, recipe.epochs * steps))
    wrapped, optimizer = accelerator.prepare(model, optimizer)
    settings = {
        "script": "train.emotion",
        "task": "emotion",
        "recipe": asdict(recipe),
        "seed": args.seed,
        "network": model.config,
        "data": splits["train"].record,
    }
    parts = {"model": model, "optimizer": optimizer, "scheduler": scheduler, "averaged": averaged}
    log = setup.resume(args.out, settings, parts)

    for epoch in range(len(log), recipe.epochs):
        started = time.perf_counter()
        # Dropout draws from torch's own generator.
        torch.manual_seed(setup.seed_of(args.seed, epoch, accelerator.process_index))
        wrapped.train()
        train_loss = torch.zeros((), device=device)
        indices = setup.batches(len(faces), recipe.batch_size, args.seed, epoch, accelerator)
        progress = tqdm(indices, f"epoch {epoch + 1}/{recipe.epochs}", steps, disable=not accelerator.is_main_process)
        for step, index in enumerate(progress):
            rng = setup.generator(args.seed, epoch, step, accelerator.process_index, device=device)
            mixed, other, share = mix(faces.draw(index, recipe, rng), recipe, rng)
            logits, labels = wrapped(mixed).float(), faces.labels[index]
            of_each, of_other = (
                F.cross_entropy(logits, target, reduction="none", label_smoothing=recipe.label_smoothing)
                for target in (labels, labels[other])
            )
            loss = (share * of_each + (1 - share) * of_other).mean()
            optimizer.zero_grad()
            accelerator.backward(loss)
            optimizer.step()
            averaged.update_parameters(model)
            scheduler.step()
            train_loss += loss.detach()
        train_loss = accelerator.reduce(train_loss, reduction="mean").item() / steps
        indices = setup.batches(len(faces), recipe.batch_size, args.seed, epoch, accelerator)
        rng = setup.generator(args.seed, epoch, steps, accelerator.process_index, device=device)
        with accelerator.autocast():
            seen = (faces.draw(index, recipe, rng) for index in islice(indices, CALIBRATION_BATCHES))
            setup.calibrate_batch_norm(kept, seen)
        setup.share_buffers(kept, accelerator)
        temperature, validation_loss, accuracy = validate(kept, faces, accelerator)
        best = max((row["validation_accuracy"] for row in log), default=-1.0)
        losses = {"train_loss": train_loss, "validation_loss": validation_loss}
        setup.log_epoch(log, started, optimizer, **losses, validation_accuracy=accuracy)
        if accelerator.is_main_process:
            tqdm.write(f"epoch {epoch + 1}: validation loss {validation_loss:.4f}, accuracy {accuracy:.2%}")
            if accuracy > best:
                scores = {"best_epoch": epoch + 1, "validation_accuracy": round(accuracy, 4)}
                kept.config["temperature"] = temperature
                setup.keep_model(kept, args.out, settings, **scores)
            setup.save_progress(args.out, settings, parts, log, "validation_accuracy")
    accelerator.end_training()


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    recipe = replace(
        Recipe(), epochs=args.epochs, batch_size=args.batch_size, learning_rate=args.learning_rate, noise=args.noise
    )
    setup.with_message(train, args, recipe)


if __name__ == "__main__":
    main()
