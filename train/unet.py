"""Train the Attention U-Net on one of the three noise tasks.

    python -m train.unet --task low --out runs/unet-low                       # the origin's recipe
    python -m train.unet --task low --out runs/unet-low --preset improved     # ours
    python -m train.unet --task low --out runs/unet-low --resume              # after an interruption
    accelerate launch --num_processes 2 -m train.unet --task low --out ...    # several GPUs or machines

`--out` receives `model/`, the best epoch by validation loss as a folder that `from_pretrained` loads and the Hub takes,
beside `checkpoint.safetensors`, `log.jsonl` and `curves.png`.
"""

import argparse
from dataclasses import asdict, replace
from functools import partial

import torch

from fer_denoise.command.options import at_least
from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.models import AttentionUNet
from fer_denoise.noise import TASKS
from train.shared import setup
from train.shared.supervised import Recipe, train_restorer

IMPROVED = Recipe(
    loss="charbonnier", schedule="cosine", early_stop=None, fresh_noise=True, flips=True, ema=0.999, residual=True
)
ORIGIN = Recipe()
ORIGIN_RATES = {"high": 1e-4}
"""The origin's learning rate, on tasks where it is another."""
ORIGIN_INIT = {"high": "low", "salt_pepper": "high"}
"""The task whose weights the origin's recipe starts from."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    setup.add_run_options(parser)
    parser.add_argument("--task", choices=TASKS, required=True)
    parser.add_argument(
        "--preset", choices=("origin", "improved"), default="origin", help="recipe (default: %(default)s)"
    )
    parser.add_argument("--init", help="model to start from: a bundled name, folder or Hub repo; or none")
    parser.add_argument("--epochs", type=at_least(1), help="instead of the preset's")
    parser.add_argument("--batch-size", type=at_least(2), help="instead of the preset's; of all processes together")
    parser.add_argument("--learning-rate", type=float, help="instead of the preset's")
    parser.add_argument(
        "--widths",
        type=at_least(1),
        nargs="+",
        help="channels of each scale; default: 16 32 64 128 256, or those of --init",
    )
    args = parser.parse_args(argv)
    if args.preset == "origin" and args.task in ORIGIN_INIT and not args.init:
        parser.error(
            f"the origin's recipe for {args.task} starts from its {ORIGIN_INIT[args.task]} model: "
            "give that run's model folder as --init, or --init none for fresh weights"
        )
    return args


def make_recipe(args: argparse.Namespace) -> Recipe:
    rate = ORIGIN_RATES.get(args.task, ORIGIN.learning_rate)
    recipe = IMPROVED if args.preset == "improved" else replace(ORIGIN, learning_rate=rate)
    given = {name: getattr(args, name) for name in ("epochs", "batch_size", "learning_rate")}
    return replace(recipe, **{name: value for name, value in given.items() if value is not None})


def make_model(args: argparse.Namespace, recipe: Recipe, revision: str | None = None) -> AttentionUNet:
    torch.manual_seed(args.seed)
    model = make_unet(args.init, args.widths, recipe.residual, revision)
    if model.residual != recipe.residual:
        raise ModelNotFoundError(f"{args.init}: was trained with another preset than {args.preset}; start from its own")
    return model


def make_unet(init: str | None, widths: list[int] | None, residual: bool, revision: str | None = None) -> AttentionUNet:
    """The model called `init`, of a Hub repo at a revision, or where that is none, a fresh one."""
    if init and init != "none":
        model = AttentionUNet.from_pretrained(init, revision)
        if widths not in (None, model.config["widths"]):
            raise SystemExit(f"{init} has widths {model.config['widths']}: leave out --widths, or give --init none")
        return model
    try:
        return AttentionUNet(**({"widths": widths} if widths else {}), residual=residual)
    except ValueError as error:
        raise SystemExit(f"--widths: {error}") from None


def train(args: argparse.Namespace) -> None:
    recipe, noise = make_recipe(args), TASKS[args.task]
    settings = {
        "script": "train.unet",
        "task": args.task,
        "noise": asdict(noise),
        "preset": args.preset,
        "init": args.init,
    }
    train_restorer(args, recipe, partial(make_model, args, recipe), noise, settings)


def main(argv: list[str] | None = None) -> None:
    setup.with_message(train, parse_args(argv))


if __name__ == "__main__":
    main()
