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

from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.models import AttentionUNet
from fer_denoise.noise import TASKS
from train.shared import setup
from train.shared.supervised import Recipe, train_restorer
from train.shared.unets import add_unet_options, make_unet

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
    add_unet_options(parser)
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
    overrides = {name: getattr(args, name) for name in ("epochs", "batch_size", "learning_rate")}
    return replace(recipe, **{name: value for name, value in overrides.items() if value is not None})


def make_model(args: argparse.Namespace, recipe: Recipe, revision: str | None = None) -> AttentionUNet:
    torch.manual_seed(args.seed)
    model = make_unet(args.init, args.widths, recipe.residual, revision)
    if model.residual != recipe.residual:
        raise ModelNotFoundError(f"{args.init}: was trained with another preset than {args.preset}; start from its own")
    return model


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
