"""Train the emotion classifier on the clean faces of FER2013.

    python -m train.emotion --out runs/emotion
    python -m train.emotion --out runs/emotion --resume          # after an interruption
    python -m train.emotion --out runs/emotion-noise --noise     # on noisy faces too, the control
    python -m train.emotion --out runs/votes --votes fer2013new.csv --blocks 2 1 1    # learn what a crowd sees, too

`--out` receives `model/`, the epoch with the best accuracy on the validation split, with `--votes` the best mean of
both accuracies, as a folder that `from_pretrained` loads, beside `checkpoint.safetensors`, `log.jsonl` and
`curves.png`. The test split plays no part.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator
from scipy.stats import beta
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR

from fer_denoise.command.options import at_least
from fer_denoise.data import Faces
from fer_denoise.data.votes import Votes, load_votes
from fer_denoise.models import EmotionClassifier
from fer_denoise.models.emotion import CLASSES
from fer_denoise.noise import RandomNoise
from fer_denoise.precision import on_device
from train.shared import optimisation, sampling, setup
from train.shared.calibration import calibrate, calibrate_votes, lowest_loss
from train.shared.epochs import Training, train_epochs
from train.shared.supervised import WARM_UP_STEPS


@dataclass(frozen=True)
class Recipe:
    """How to train."""

    epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 2e-3
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    mixup: float = 0.2
    """Parameter of the Beta distribution that the weights of two mixed faces come from (Zhang et al. 2018)."""
    ema: float = 0.999
    degrees: float = 15
    """Faces are turned by up to this angle."""
    zoom: float = 0.15
    """Faces are enlarged or reduced by up to this fraction."""
    shift: float = 0.1
    """Faces are moved by up to this fraction of their side."""
    contrast: float = 0.2
    erase: float = 0.25
    """Fraction of faces that a gray rectangle covers a part of (Zhong et al. 2020)."""
    noise: bool = False
    """Half of the faces get noise of random kind and level."""
    distillation: float = 0.0
    """How much of the loss asks for what teachers say instead of for labels and votes (Hinton et al. 2015,
    https://arxiv.org/abs/1503.02531)."""
    logit_adjustment: float = 0.0
    """How much the loss of labels makes up for their frequencies, 1 in full (Menon et al. 2021,
    https://arxiv.org/abs/2007.07314), so that rare emotions are not given up."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    setup.add_run_options(parser)
    parser.add_argument("--epochs", type=at_least(1), default=Recipe.epochs, help="default: %(default)s")
    parser.add_argument("--batch-size", type=at_least(2), default=Recipe.batch_size, help="of all processes together")
    parser.add_argument("--learning-rate", type=float, default=Recipe.learning_rate, help="default: %(default)s")
    parser.add_argument(
        "--widths", type=at_least(1), nargs="+", default=[32, 64, 128, 192], help="channels of each stage"
    )
    parser.add_argument("--blocks", type=at_least(1), nargs="+", help="residual blocks of each stage (default: 1)")
    parser.add_argument("--noise", action="store_true", help="train on noisy faces too")
    parser.add_argument("--votes", metavar="FILE", help="fer2013new.csv of FER+: learn what ten people saw, too")
    parser.add_argument(
        "--teachers", nargs="+", metavar="MODEL", default=[], help="learn what these say on average, too: folders"
    )
    parser.add_argument(
        "--distillation", type=float, default=0.7, help="how much of the loss the teachers have (default: %(default)s)"
    )
    parser.add_argument("--mixup", type=float, default=Recipe.mixup, help="default: %(default)s")
    parser.add_argument(
        "--logit-adjustment",
        type=float,
        default=Recipe.logit_adjustment,
        help="from 0 to 1, how much rare emotions are brought forward (default: %(default)s)",
    )
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
    position = torch.arange(side, device=device)
    covered = between(0, 1, 1, 1) < recipe.erase
    for axis in (-1, -2):
        length, start = between(0.15, 0.4, 1, 1) * side, between(-0.1, 0.8, 1, 1) * side
        along = (position >= start) & (position < start + length)
        covered = covered & (along if axis == -1 else along.transpose(1, 2))
    return torch.where(covered[:, None], torch.full_like(faces, 0.5), faces)


def mix(faces: Tensor, recipe: Recipe, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Each face mixed with another of the batch: the mixtures, the index of the other, and the weight of the first."""
    count, device = len(faces), faces.device
    chance, order = torch.rand(2, count, generator=rng, device=device)
    quantiles = beta_quantiles(recipe.mixup, device)
    alpha, other = quantiles[(chance * len(quantiles)).long()], order.argsort()
    weight = alpha.view(-1, 1, 1, 1)
    return weight * faces + (1 - weight) * faces[other], other, alpha


@cache
def beta_quantiles(shape: float, device: torch.device, count: int = 4096) -> Tensor:
    """Quantiles (count,) of the symmetric Beta distribution, evenly spaced: torch draws from it by no generator."""
    return torch.from_numpy(beta.ppf((np.arange(count) + 0.5) / count, shape, shape)).float().to(device)


class LabelledFaces:
    """Train and validation faces with their labels and, where they are known, the votes on them, on one device."""

    def __init__(self, faces: dict[str, Faces], device: torch.device, votes: dict[str, Votes] | None = None) -> None:
        self.images, self.validation = (
            sampling.as_batch(faces[split].images, device) for split in ("train", "validation")
        )
        self.labels, self.validation_labels = (
            torch.from_numpy(faces[split].labels).to(device) for split in ("train", "validation")
        )
        self.votes = self.validation_votes = None
        if votes:
            self.votes, self.validation_votes = (
                torch.from_numpy(votes[split].distribution).to(device) for split in ("train", "validation")
            )
            self.validation_majority = torch.from_numpy(votes["validation"].majority).to(device)

    def __len__(self) -> int:
        return len(self.images)

    def draw(self, index: Tensor, recipe: Recipe, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Augmented faces of a step, float (B, 1, 48, 48) in [0, 1], clean, and with noise where the recipe has it."""
        clean = augment(sampling.as_float(self.images[index]), recipe, rng)
        faces = clean
        if recipe.noise:
            noisy = RandomNoise().corrupt(clean, rng)
            chosen = torch.rand(len(clean), 1, 1, 1, generator=rng, device=clean.device) < 0.5
            faces = torch.where(chosen, noisy, clean)
        channels_last = torch.channels_last
        return clean.contiguous(memory_format=channels_last), faces.contiguous(memory_format=channels_last)


class Heads(nn.Module):
    """The logits of a classifier for labels and, where it has a head for them, for votes."""

    def __init__(self, model: EmotionClassifier) -> None:
        super().__init__()
        self.model = model

    def forward(self, faces: Tensor) -> tuple[Tensor, ...]:
        if self.model.votes_head is None:
            return (self.model(faces).float(),)
        labels, votes = self.model.both_logits(faces)
        return labels.float(), votes.float()


class HeadScores(NamedTuple):
    """What a head reaches on the validation split: the loss with the temperature that fits best, and accuracy."""

    loss: float
    accuracy: float


def score(logits: Tensor, targets: Tensor, right: Tensor) -> HeadScores:
    """Scores of `logits` (N, 7).

    Args:
        targets: indices (N,), or probabilities (N, 7) of which those that are all 0 play no part.
        right: indices (N,) that are right answers; -1 where there is none.
    """
    if targets.ndim == 2:
        voted_on = targets.sum(dim=1) > 0
        fitted, targets = logits[voted_on], targets[voted_on]
    else:
        fitted = logits
    accuracy = (logits.argmax(dim=1) == right)[right >= 0].float().mean().item()
    return HeadScores(lowest_loss(fitted, targets), accuracy)


@torch.no_grad()
def predict(model: nn.Module, faces: LabelledFaces, accelerator: Accelerator) -> list[Tensor]:
    """Logits (N, 7) on the validation split: for labels and, where `model` has a head for them, for votes."""
    model.eval()
    with accelerator.autocast():
        parts = [model(sampling.as_float(images)) for images in faces.validation.split(256)]
    return [torch.cat(of_head) for of_head in zip(*parts, strict=True)]


def validate(logits: Sequence[Tensor], faces: LabelledFaces) -> list[HeadScores]:
    """Scores of what `predict` gave, for labels and for votes."""
    labels, *votes = logits
    scores = [score(labels, faces.validation_labels, faces.validation_labels)]
    if votes and faces.validation_votes is not None:
        scores.append(score(votes[0], faces.validation_votes, faces.validation_majority))
    return scores


class EmotionTraining(Training):
    """A classifier that learns the labels of augmented and mixed faces, and of its weights the average.

    Args:
        model: on its device.
        faces: what it learns from and is validated on.
        recipe: how it learns.
        accelerator: prepares it for the processes and the precision.
        seed: of the run.
        teachers: on their device; they have a head for votes where it has one.
    """

    faces: LabelledFaces
    average: optimisation.MovingAverage
    metric = "validation_accuracy"

    def __init__(
        self,
        model: EmotionClassifier,
        faces: LabelledFaces,
        recipe: Recipe,
        accelerator: Accelerator,
        seed: int,
        teachers: Sequence[EmotionClassifier] = (),
    ) -> None:
        super().__init__(model, faces, recipe, accelerator)
        self.seed, self.teachers = seed, teachers
        optimizer = optimisation.make_optimizer("adamw", model, recipe.learning_rate, weight_decay=recipe.weight_decay)
        self.scheduler = LambdaLR(
            optimizer, lambda step: optimisation.warm_up_then_cosine(step, WARM_UP_STEPS, self.total_steps)
        )
        self.heads, self.optimizer = accelerator.prepare(Heads(model), optimizer)
        self.frequencies = torch.bincount(faces.labels, minlength=CLASSES)
        self.adjustment = recipe.logit_adjustment * (self.frequencies / len(faces)).clamp(min=1e-6).log()
        self.parts |= {"model": model, "optimizer": self.optimizer, "scheduler": self.scheduler}

    def begin(self, epoch: int) -> None:
        # Dropout draws from torch's own generator.
        torch.manual_seed(sampling.seed_of(self.seed, epoch, self.accelerator.process_index))
        self.heads.train()

    def step(self, index: Tensor, rng: torch.Generator, number: int) -> Tensor:
        clean, faces = self.faces.draw(index, self.recipe, rng)
        mixed, other, alpha = mix(faces, self.recipe, rng)
        heads = self.heads(mixed)
        labels = self.faces.labels[index]
        loss = self._mixed_loss(heads[0] + self.adjustment, labels, other, alpha, self.recipe.label_smoothing)
        if len(heads) > 1 and self.faces.votes is not None:
            # Where nothing can be learned of the votes they are all 0, and so is the loss.
            loss = loss + self._mixed_loss(heads[1], self.faces.votes[index], other, alpha)
        if self.teachers:
            weight = alpha.view(-1, 1, 1, 1)
            targets = self.soft_targets(weight * clean + (1 - weight) * clean[other])
            taught = torch.stack([F.cross_entropy(*pair) for pair in zip(heads, targets, strict=True)]).sum()
            loss = torch.lerp(loss, taught, self.recipe.distillation)
        self.optimizer.zero_grad()
        self.accelerator.backward(loss)
        self.optimizer.step()
        self.average.update_parameters(self.model)
        return loss.detach()

    def after_step(self) -> None:
        self.scheduler.step()

    @torch.no_grad()
    def soft_targets(self, faces: Tensor) -> list[Tensor]:
        """What the teachers say of `faces` on average: probabilities (B, 7), for each head."""
        with self.accelerator.autocast():
            answers = [Heads(teacher)(faces) for teacher in self.teachers]
        return [torch.stack(of_head).softmax(dim=-1).mean(dim=0) for of_head in zip(*answers, strict=True)]

    @staticmethod
    def _mixed_loss(
        logits: Tensor, targets: Tensor, other: Tensor, alpha: Tensor, label_smoothing: float = 0.0
    ) -> Tensor:
        of_each, of_other = (
            F.cross_entropy(logits, target, reduction="none", label_smoothing=label_smoothing)
            for target in (targets, targets[other])
        )
        return (alpha * of_each + (1 - alpha) * of_other).mean()

    def inputs(self, index: Tensor, rng: torch.Generator) -> Tensor:
        return self.faces.draw(index, self.recipe, rng)[1]

    def validate(self) -> dict[str, float]:
        # The calibration of the best epoch goes with its weights.
        self.logits = predict(Heads(self.eval_model), self.faces, self.accelerator)
        labels, *votes = validate(self.logits, self.faces)
        row = {"validation_loss": labels.loss, "validation_accuracy": labels.accuracy}
        return row | ({"votes_accuracy": votes[0].accuracy} if votes else {})

    def improves(self, row: dict[str, Any], log: list[dict[str, Any]]) -> bool:
        def reached(epoch: dict[str, Any]) -> float:
            return epoch["validation_accuracy"] + epoch.get("votes_accuracy", 0.0)

        return reached(row) > max(map(reached, log), default=-1.0)

    def save_best(self, args: argparse.Namespace, settings: dict[str, Any], row: dict[str, Any]) -> None:
        labels, *votes = self.logits
        self.eval_model.config |= calibrate(labels, self.faces.validation_labels, self.frequencies)._asdict()
        if votes and self.faces.validation_votes is not None:
            self.eval_model.config["votes_temperature"] = calibrate_votes(votes[0], self.faces.validation_votes)
        super().save_best(args, settings, row)


def train(args: argparse.Namespace, recipe: Recipe) -> None:
    accelerator, splits = setup.start_run(args)
    votes = {split: load_votes(args.votes, each, split) for split, each in splits.items()} if args.votes else None
    faces = LabelledFaces(splits, accelerator.device, votes)
    torch.manual_seed(args.seed)
    try:
        model = EmotionClassifier(widths=args.widths, blocks=args.blocks, votes=bool(args.votes))
    except ValueError as error:
        raise SystemExit(str(error)) from None
    teachers = [on_device(EmotionClassifier.from_pretrained(name), accelerator.device) for name in args.teachers]
    if args.votes and any(teacher.votes_head is None for teacher in teachers):
        raise SystemExit("a teacher has learned from labels alone: train it with --votes too, or leave --votes out")
    model = on_device(model, accelerator.device)
    training = EmotionTraining(model, faces, recipe, accelerator, args.seed, teachers)
    settings = {
        "script": "train.emotion",
        "task": "emotion",
        "data": splits["train"].record,
        **({"votes": "FER+"} if votes else {}),
        **({"teachers": [teacher.config for teacher in teachers]} if teachers else {}),
    }
    train_epochs(training, args, settings)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    recipe = replace(
        Recipe(),
        epochs=args.epochs,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        mixup=args.mixup,
        distillation=args.distillation if args.teachers else 0.0,
        noise=args.noise,
        logit_adjustment=args.logit_adjustment,
    )
    setup.with_message(train, args, recipe)


if __name__ == "__main__":
    main()
