"""Train the Attention U-Net against a PatchGAN discriminator on one of the three noise tasks.

    python -m train.gan --task low --out runs/gan-low                       # the origin's recipe
    python -m train.gan --task low --out runs/gan-low --preset improved     # ours; starts from attention-unet-low
    python -m train.gan --task low --out runs/gan-low --resume              # after an interruption
    accelerate launch --num_processes 2 -m train.gan --task low --out ...   # several GPUs or machines

`--out` receives `model/`, the generator as a folder that `from_pretrained` loads and the Hub takes, and beside it
`discriminator/`, `checkpoint.safetensors`, `log.jsonl` and `curves.png`.

The generator minimises the squared error plus a weighted adversarial loss, the discriminator learns to tell the
restored face from the clean one (Isola et al. 2017, https://arxiv.org/abs/1611.07004); in the origin's recipe it sees
each beside the noisy one, in ours alone.
"""

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.nn import functional as F
from torch.optim.lr_scheduler import LambdaLR

from fer_denoise.hub.sources import model_commit
from fer_denoise.models import AttentionUNet, PatchGANDiscriminator
from fer_denoise.models.patchgan import NORMS
from fer_denoise.noise import TASKS
from fer_denoise.precision import on_device
from fer_denoise.zoo import specialists
from train.shared import batch_norm, optimisation, setup
from train.shared.epochs import Training, train_epochs
from train.shared.faces import NoisyFaces, validate
from train.shared.run_folder import fix_revision
from train.shared.unets import add_unet_options, make_unet

DISCRIMINATOR_FOLDER = "discriminator"
REAL_LABEL, FAKE_LABEL = 0.9, 0.1
"""Smoothed labels of the origin's loss."""

WARM_UP_STEPS = 100


@dataclass(frozen=True)
class Recipe:
    """How to train; the defaults are the origin's."""

    epochs: int = 20
    batch_size: int = 64
    learning_rate: float = 1e-3
    discriminator_learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    adversarial_weight: float = 0.001 / 4
    """A factor beside the squared error on [0, 1]; that of the origin, 0.001, is beside that on [-1, 1], which is four
    times as large."""
    adversarial_loss: str = "bce"
    """"bce" on smoothed labels, or "relativistic": each patch is to look more real than its restored counterpart."""
    gradient_penalty: float = 0.0
    """Weight of the squared gradient of the score by real and restored faces (R1 and R2)."""
    penalty_every: int = 4
    """Steps between two gradient penalties, each counted as often."""
    conditional: bool = True
    """Whether the discriminator sees the noisy face beside the candidate."""
    high_pass: bool = False
    """Whether the discriminator also sees the candidate's fine texture by itself."""
    discriminator_norm: str = "batch"
    third_block: bool = False
    dense_head: bool = False
    schedule: str = "constant"
    """"constant", or "cosine": the learning rate warms up, then decays to 0."""
    fresh_noise: bool = False
    flips: bool = False
    ema: float | None = None
    """Decay per step of the moving average of the generator's weights that is validated and saved."""
    residual: bool = False
    freeze_batch_norm: bool = False
    """Keep the statistics of batch norm that the generator starts with."""
    keep: str = "best"
    """Which epoch is saved: the "best" by squared error on validation; or the "last", for realism costs that."""


ORIGIN = Recipe()
IMPROVED = Recipe(
    epochs=1,
    batch_size=32,
    learning_rate=1e-4,
    betas=(0.5, 0.99),
    adversarial_weight=1.25e-4,
    adversarial_loss="relativistic",
    gradient_penalty=0.02,
    conditional=False,
    high_pass=True,
    schedule="cosine",
    fresh_noise=True,
    flips=True,
    ema=0.999,
    residual=True,
    freeze_batch_norm=True,
    keep="last",
)
"""Fine-tunes the U-Net of the same task against a relativistic loss with zero-centred gradient penalties (Huang et al.
2024, "The GAN is dead; long live the GAN!", https://arxiv.org/abs/2501.05441)."""
IMPROVED_WEIGHTS = {"high": 5e-4}
"""The adversarial weight, on tasks where it is another."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    setup.add_run_options(parser)
    add_unet_options(parser)
    parser.add_argument("--discriminator-learning-rate", type=float, help="instead of the preset's")
    parser.add_argument("--adversarial-weight", type=float, help="instead of the preset's")
    parser.add_argument("--gradient-penalty", type=float, help="instead of the preset's")
    parser.add_argument("--discriminator-norm", choices=NORMS, help="instead of the preset's")
    for name, meaning in (
        ("third-block", "give the discriminator a third encoder block"),
        ("dense-head", "let it give one score for the whole face"),
        ("conditional", "show it the noisy face beside the candidate"),
        ("high-pass", "show it the fine texture of the candidate by itself"),
    ):
        parser.add_argument(f"--{name}", action=argparse.BooleanOptionalAction, default=None, help=meaning)
    return parser.parse_args(argv)


def make_recipe(args: argparse.Namespace) -> Recipe:
    recipe = ORIGIN
    if args.preset == "improved":
        recipe = replace(IMPROVED, adversarial_weight=IMPROVED_WEIGHTS.get(args.task, IMPROVED.adversarial_weight))
    overrides = {name: getattr(args, name) for name in asdict(recipe) if getattr(args, name, None) is not None}
    return replace(recipe, **overrides)


def make_generator(args: argparse.Namespace, recipe: Recipe, revision: str | None = None) -> AttentionUNet:
    return make_unet(initial(args), args.widths, recipe.residual, revision)


def initial(args: argparse.Namespace) -> str | None:
    """The model to start from, where there is one."""
    return args.init or (specialists(args.task)[0] if args.preset == "improved" else None)


def generator_adversarial_loss(recipe: Recipe, real: Tensor, fake: Tensor) -> Tensor:
    """What the generator minimises, given the logits of clean and restored patches."""
    if recipe.adversarial_loss == "bce":
        return F.binary_cross_entropy_with_logits(fake, torch.full_like(fake, REAL_LABEL))
    return F.softplus(real - fake).mean()


def discriminator_loss(recipe: Recipe, real: Tensor, fake: Tensor) -> Tensor:
    """What the discriminator minimises, given the logits of clean and restored patches."""
    if recipe.adversarial_loss == "bce":
        labelled = ((real, REAL_LABEL), (fake, FAKE_LABEL))
        losses = [
            F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, label)) for scores, label in labelled
        ]
        return (losses[0] + losses[1]) / 2
    return F.softplus(fake - real).mean()


class AdversarialTraining(Training):
    """A generator and a discriminator that learn against each other, each with its own optimiser.

    Args:
        generator, discriminator: on the device.
        faces: what they learn from and are validated on.
        recipe: how they learn.
        accelerator: prepares both for its processes and precision.
    """

    faces: NoisyFaces
    losses = ("train_loss", "adversarial_loss", "discriminator_loss")
    can_be_captured = False

    def __init__(
        self,
        generator: AttentionUNet,
        discriminator: PatchGANDiscriminator,
        faces: NoisyFaces,
        recipe: Recipe,
        accelerator: Accelerator,
    ) -> None:
        super().__init__(generator, faces, recipe, accelerator)
        self.generator, self.discriminator = generator, discriminator
        prepared = accelerator.prepare(
            generator,
            discriminator,
            optimisation.make_optimizer("adam", generator, recipe.learning_rate, betas=recipe.betas),
            optimisation.make_optimizer("adam", discriminator, recipe.discriminator_learning_rate, betas=recipe.betas),
        )
        self._generate, self._judge, self.optimizer, self.discriminator_optimizer = prepared

        def rate(step: int) -> float:
            constant = recipe.schedule == "constant"
            return 1.0 if constant else optimisation.warm_up_then_cosine(step, WARM_UP_STEPS, self.total_steps)

        optimizers = (self.optimizer, self.discriminator_optimizer)
        self.schedulers = [LambdaLR(optimizer.optimizer, rate) for optimizer in optimizers]
        self.parts |= {"generator": generator, "discriminator": discriminator}
        for name, optimizer, scheduler in zip(("generator", "discriminator"), optimizers, self.schedulers, strict=True):
            self.parts |= {f"{name}_optimizer": optimizer, f"{name}_scheduler": scheduler}

    def begin(self, epoch: int) -> None:
        self._generate.train()
        self._judge.train()
        if self.recipe.freeze_batch_norm:
            self.generator.eval()

    def step(self, index: Tensor, rng: torch.Generator, number: int) -> Tensor:
        noisy, clean = self.faces.draw(index, rng)
        restored = self.restore(noisy)
        penalise = self.recipe.gradient_penalty > 0 and number % self.recipe.penalty_every == 0
        judged = self.discriminator_step(noisy, clean, restored, penalise)
        error, adversarial = self.generator_step(noisy, clean, restored)
        if self.average:
            self.average.update_parameters(self.generator)
        return torch.stack([error, adversarial, judged])

    def after_step(self) -> None:
        for scheduler in self.schedulers:
            scheduler.step()

    def inputs(self, index: Tensor, rng: torch.Generator) -> Tensor:
        return self.faces.draw(index, rng)[0]

    def settle(self, batches: Iterator[Tensor]) -> None:
        # The statistics are frozen, or averaged with the weights.
        batch_norm.silence_channels(self.eval_model, batches)

    def validate(self) -> dict[str, float]:
        loss, psnr = validate(self.eval_model, self.faces, F.mse_loss, self.accelerator)
        return {"validation_loss": loss, "validation_psnr": psnr}

    def improves(self, row: dict[str, Any], log: list[dict[str, Any]]) -> bool:
        return self.recipe.keep == "last" or super().improves(row, log)

    def save_best(self, args: argparse.Namespace, settings: dict[str, Any], row: dict[str, Any]) -> None:
        super().save_best(args, settings, row)
        self.discriminator.training_record = self.eval_model.training_record
        self.discriminator.save_pretrained(args.out / DISCRIMINATOR_FOLDER)

    def restore(self, noisy: Tensor) -> Tensor:
        """The generator's output for both steps of a batch."""
        return self._generate(noisy).float()

    def discriminator_step(self, noisy: Tensor, clean: Tensor, restored: Tensor, penalise: bool) -> Tensor:
        """Move the discriminator alone; returns its loss, without the gradient penalty."""
        candidates = torch.cat([clean, restored.detach()]).requires_grad_(penalise)
        scores = self._judge(torch.cat([noisy, noisy]), candidates).float()
        loss = discriminator_loss(self.recipe, *scores.chunk(2))
        penalty = loss.new_zeros(())
        if penalise:
            # Zero-centred, on real and restored faces: Mescheder et al. 2018, https://arxiv.org/abs/1801.04406
            (gradient,) = torch.autograd.grad(scores.flatten(1).mean(1).sum(), candidates, create_graph=True)
            penalty = self.recipe.gradient_penalty / 2 * gradient.square().sum(dim=(1, 2, 3)).mean()
        self.discriminator_optimizer.zero_grad()
        self.accelerator.backward(loss + self.recipe.penalty_every * penalty)
        self.discriminator_optimizer.step()
        return loss.detach()

    def generator_step(self, noisy: Tensor, clean: Tensor, restored: Tensor) -> tuple[Tensor, Tensor]:
        """Move the generator alone; returns its squared error and its adversarial loss."""
        self.discriminator.requires_grad_(False)
        with self.accelerator.autocast():
            scores = self.discriminator(torch.cat([noisy, noisy]), torch.cat([clean, restored])).float()
        error = F.mse_loss(restored, clean)
        adversarial = generator_adversarial_loss(self.recipe, *scores.chunk(2))
        self.optimizer.zero_grad()
        self.accelerator.backward(error + self.recipe.adversarial_weight * adversarial)
        self.optimizer.step()
        self.discriminator.requires_grad_(True)
        return error.detach(), adversarial.detach()


def train(args: argparse.Namespace) -> None:
    recipe, task = make_recipe(args), TASKS[args.task]
    accelerator, splits = setup.start_run(args)
    device = accelerator.device
    faces = NoisyFaces(splits, task, device, seed=args.seed, fresh_noise=recipe.fresh_noise, flips=recipe.flips)
    init: dict[str, Any] = {"init": initial(args)}
    revision = fix_revision(args.out, init, "init", lambda: model_commit(init["init"]))
    torch.manual_seed(args.seed)
    generator = on_device(make_generator(args, recipe, revision), device)
    discriminator = PatchGANDiscriminator(
        third_block=recipe.third_block,
        dense_head=recipe.dense_head,
        conditional=recipe.conditional,
        high_pass=recipe.high_pass,
        norm=recipe.discriminator_norm,
    )
    training = AdversarialTraining(generator, on_device(discriminator, device), faces, recipe, accelerator)
    settings = {
        "script": "train.gan",
        "task": args.task,
        "noise": asdict(task),
        "preset": args.preset,
        **init,
        "data": splits["train"].record,
    }
    train_epochs(training, args, settings)


def main(argv: list[str] | None = None) -> None:
    setup.with_message(train, parse_args(argv))


if __name__ == "__main__":
    main()
