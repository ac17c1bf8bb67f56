"""Train the universal restorer: one blind network for every kind and level of noise.

    python -m train.universal --out runs/universal
    python -m train.universal --out runs/universal --resume      # after an interruption
    accelerate launch --num_processes 2 -m train.universal ...   # several GPUs or machines

`--out` receives `model/`, the best epoch by validation loss as a folder that `from_pretrained` loads and the Hub takes,
beside `checkpoint.safetensors`, `log.jsonl` and `curves.png`.
"""

import argparse
from dataclasses import asdict, replace

import torch

from fer_denoise.models import UniversalRestorer
from fer_denoise.noise import RandomNoise
from train import run
from train.supervised import Recipe, train_restorer

RECIPE = Recipe(
    epochs=30,
    batch_size=16,
    learning_rate=2e-3,
    optimizer="adamw",
    loss="log_mse",
    schedule="cosine",
    early_stop=None,
    fresh_noise=True,
    flips=True,
    ema=0.999,
    clip_gradient=1.0,
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    run.add_run_options(parser)
    parser.add_argument("--init", help="model to start from: a bundled name, folder or Hub repo")
    parser.add_argument("--epochs", type=int, default=RECIPE.epochs, help="default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=RECIPE.batch_size, help="of all processes together")
    parser.add_argument("--learning-rate", type=float, default=RECIPE.learning_rate, help="default: %(default)s")
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 64], help="channels of each level")
    parser.add_argument("--blocks", type=int, nargs="+", default=[2, 3], help="residual blocks of each level")
    return parser.parse_args(argv)


def make_model(args: argparse.Namespace) -> UniversalRestorer:
    torch.manual_seed(args.seed)
    if args.init:
        model = UniversalRestorer.from_pretrained(args.init)
    else:
        model = UniversalRestorer(widths=args.widths, blocks=args.blocks)
    # Trained afterwards, by train.noise_level.
    model.level_head.requires_grad_(False)
    return model


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    recipe = replace(RECIPE, epochs=args.epochs, batch_size=args.batch_size, learning_rate=args.learning_rate)
    noise = RandomNoise()
    settings = {"script": "train.universal", "task": "universal", "noise": asdict(noise), "init": args.init}
    run.with_message(train_restorer, args, recipe, lambda: make_model(args), noise, settings)


if __name__ == "__main__":
    main()
