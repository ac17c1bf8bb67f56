"""Train one network to restore faces, without an adversary."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from fer_denoise.hub.sources import model_commit
from fer_denoise.models import PretrainedModel
from fer_denoise.noise import Noise
from fer_denoise.precision import on_device
from train.shared import optimisation, setup
from train.shared.epochs import Training, train_epochs
from train.shared.faces import NoisyFaces, validate
from train.shared.run_folder import fix_revision
from train.shared.scenes import Scenes, load_pictures, pictures_commit, shipped_scenes

WARM_UP_STEPS = 200


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
    """Decay per step of the moving average of the weights that is validated and saved."""
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


class PixelLoss(nn.Module):
    """The loss of a network on what `NoisyFaces` draws."""

    def __init__(self, model: PretrainedModel, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, noisy: Tensor, clean: Tensor) -> Tensor:
        return self.loss(self.model(noisy).float(), clean)


class SupervisedTraining(Training):
    """A restorer that learns from the error of what it restores.

    Args:
        model: on its device.
        objective: a module of it that gives the loss of what `faces` draws.
        faces: what it learns from and is validated on.
        recipe: how it learns.
        accelerator: prepares it for the processes and the precision.
        compiled: whether its steps are compiled.
    """

    faces: NoisyFaces

    def __init__(
        self,
        model: PretrainedModel,
        objective: nn.Module,
        faces: NoisyFaces,
        recipe: Recipe,
        accelerator: Accelerator,
        compiled: bool,
    ) -> None:
        super().__init__(model, faces, recipe, accelerator)
        optimizer = optimisation.make_optimizer(recipe.optimizer, model, recipe.learning_rate)
        self.scheduler: LambdaLR | ReduceLROnPlateau
        if recipe.schedule == "cosine":
            self.scheduler = LambdaLR(
                optimizer, lambda step: optimisation.warm_up_then_cosine(step, WARM_UP_STEPS, self.total_steps)
            )
        else:
            self.scheduler = ReduceLROnPlateau(optimizer, patience=3, factor=0.5)
        self.objective, self.optimizer = accelerator.prepare(objective, optimizer)
        if compiled:
            self.objective.compile()
        self.parts |= {"model": model, "optimizer": self.optimizer, "scheduler": self.scheduler}

    def begin(self, epoch: int) -> None:
        self.objective.train()

    def step(self, index: Tensor, rng: torch.Generator, number: int) -> Tensor:
        loss = self.objective(*self.faces.draw(index, rng))
        self.optimizer.zero_grad()
        self.accelerator.backward(loss)
        if self.recipe.clip_gradient:
            self.accelerator.clip_grad_norm_(self.model.parameters(), self.recipe.clip_gradient)
        self.optimizer.step()
        if self.average:
            self.average.update_parameters(self.model)
        return loss.detach()

    def after_step(self) -> None:
        if isinstance(self.scheduler, LambdaLR):
            self.scheduler.step()

    def inputs(self, index: Tensor, rng: torch.Generator) -> Tensor:
        return self.faces.draw(index, rng)[0]

    def validate(self) -> dict[str, float]:
        loss, psnr = validate(self.eval_model, self.faces, LOSSES[self.recipe.loss], self.accelerator)
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(loss)
        return {"validation_loss": loss, "validation_psnr": psnr}


def train_restorer(
    args: argparse.Namespace,
    recipe: Recipe,
    make_model: Callable[[str | None], PretrainedModel],
    noise: Noise,
    settings: dict[str, Any],
    objective: Callable[..., nn.Module] = PixelLoss,
    make_faces: Callable[..., NoisyFaces] = NoisyFaces,
) -> list[dict[str, Any]]:
    """Train and validate; fill the folder `args.out` as the scripts promise. Gives the log, a row per epoch.

    Args:
        args: the options of `setup.add_run_options`.
        recipe: how to train.
        make_model: called once the data is there, with the commit of the model `init` of the settings, if on the Hub.
        noise: what corrupts the faces.
        settings: what else decides the outcome; saved with the weights, and compared where a run is resumed.
        objective: makes a module out of the model and the recipe's loss, which gives the loss of what the faces draw.
        make_faces: the class of the faces.
    """
    accelerator, splits = setup.start_run(args)
    device = accelerator.device
    settings = dict(settings)
    init_revision = fix_revision(args.out, settings, "init", lambda: model_commit(settings["init"]))
    model = on_device(make_model(init_revision), device)
    scenes = None
    if recipe.scenes:
        pictures = shipped_scenes()
        if args.pictures:
            asked = args.pictures_revision
            revision = fix_revision(
                args.out, settings, "pictures", lambda: pictures_commit(args.pictures, asked), asked
            )
            pictures += load_pictures(args.pictures, revision)
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
    of_model = objective(model, LOSSES[recipe.loss])
    training = SupervisedTraining(model, of_model, faces, recipe, accelerator, args.compile)
    return train_epochs(training, args, {**settings, "data": splits["train"].record})
