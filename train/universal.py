"""Train the universal restorer: one blind network for every kind and level of noise.

    python -m train.noise_level --out runs/noise-level    # first, it learns to tell how noisy a picture is
    python -m train.universal --out runs/universal --init runs/noise-level/model
    python -m train.universal --out runs/universal --init runs/noise-level/model --resume    # after an interruption
    python -m train.universal --out runs/deeper --init runs/universal/model --blocks 3 5     # go on with more blocks
    accelerate launch --num_processes 2 -m train.universal ...    # several GPUs or machines

`--out` receives `model/`, the best epoch by validation loss as a folder that `from_pretrained` loads and the Hub takes,
beside `checkpoint.safetensors`, `log.jsonl` and `curves.png`.
"""

import argparse
from dataclasses import asdict, replace
from operator import ge

import torch

from fer_denoise.models import UniversalRestorer
from fer_denoise.noise import RandomNoise
from fer_denoise.options import at_least
from train import run
from train.supervised import Recipe, train_restorer

NOISE = RandomNoise(gaussian=0.65, impulses=0.1, both=0.2)

RECIPE = Recipe(
    epochs=30,
    batch_size=16,
    learning_rate=1e-3,
    optimizer="adamw",
    loss="log_mse",
    schedule="cosine",
    early_stop=None,
    fresh_noise=True,
    flips=True,
    ema=0.999,
    clip_gradient=3.0,
    scenes=0.125,
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    run.add_run_options(parser)
    parser.add_argument(
        "--init", required=True, help="model to start from: what train.noise_level wrote, a bundled name or a Hub repo"
    )
    parser.add_argument("--epochs", type=at_least(1), default=RECIPE.epochs, help="default: %(default)s")
    parser.add_argument("--batch-size", type=at_least(2), default=RECIPE.batch_size, help="of all processes together")
    parser.add_argument("--learning-rate", type=float, default=RECIPE.learning_rate, help="default: %(default)s")
    parser.add_argument(
        "--widths", type=at_least(1), nargs="+", help="channels of each level; default: 32 64, or those of --init"
    )
    parser.add_argument(
        "--blocks", type=at_least(0), nargs="+", help="residual blocks of each level; default: 2 5, or those of --init"
    )
    return parser.parse_args(argv)


def make_model(args: argparse.Namespace) -> UniversalRestorer:
    torch.manual_seed(args.seed)
    shape = {name: value for name in ("widths", "blocks") if (value := getattr(args, name))}
    model = deepened(UniversalRestorer.from_pretrained(args.init), shape)
    model.noise_estimator.requires_grad_(False)
    return model


def deepened(model: UniversalRestorer, shape: dict[str, list[int]]) -> UniversalRestorer:
    """A model of another shape that restores as `model` does: blocks that it has more of begin as the identity.

    Chen et al. 2016, "Net2Net: Accelerating Learning via Knowledge Transfer", https://arxiv.org/abs/1511.05641.
    """
    config = {**model.config, **shape}
    more = len(config["blocks"]) == len(model.config["blocks"]) and all(
        map(ge, config["blocks"], model.config["blocks"])
    )
    if not more or config["widths"] != model.config["widths"]:
        raise SystemExit(f"--init has the shape {model.config}: it can be given more --blocks, and nothing else")
    deeper = UniversalRestorer(**config)
    fresh, known = deeper.state_dict(), model.state_dict()
    identity = {name: torch.zeros_like(tensor) for name, tensor in fresh.items() if ".second." in name}
    deeper.load_state_dict({**fresh, **identity, **known}, strict=True)
    return deeper


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    recipe = replace(RECIPE, epochs=args.epochs, batch_size=args.batch_size, learning_rate=args.learning_rate)
    settings = {"script": "train.universal", "task": "universal", "noise": asdict(NOISE), "init": args.init}
    run.with_message(train_restorer, args, recipe, lambda: make_model(args), NOISE, settings)


if __name__ == "__main__":
    main()
