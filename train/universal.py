"""Train the universal restorer: one blind network for the noise that pictures carry, of every kind and level.

    python -m train.universal --out runs/universal
    python -m train.universal --out runs/universal --resume      # after an interruption
    python -m train.universal --out runs/universal --pictures photos/    # learn from photographs too
    python -m train.universal --out runs/more --init runs/universal/model    # go on from other weights
    python -m train.universal --out runs/deeper --init universal --blocks 3 3 2      # go on with more blocks
    python -m train.universal --out runs/large --large       # five times the operations, for a GPU
    python -m train.universal --out runs/taught --teacher universal-large   # learn from what that restores, too
    accelerate launch --num_processes 2 -m train.universal ...    # several GPUs or machines

Its noise estimator learns from the truth about the noise that was drawn, in the same steps. `--out` receives `model/`,
the best epoch by validation loss as a folder that `from_pretrained` loads and the Hub takes, beside
`checkpoint.safetensors`, `log.jsonl` and `curves.png`.
"""

import argparse
from dataclasses import asdict, replace
from functools import partial
from operator import ge

import torch

from fer_denoise.command.options import at_least
from fer_denoise.hub.sources import model_folder, weights_checksum
from fer_denoise.models import UniversalRestorer
from fer_denoise.models.universal import LARGE
from train.shared import setup
from train.shared.faces import WorldFaces
from train.shared.hardware import pick_device
from train.shared.supervised import train_restorer
from train.shared.universal_training import NOISE, RECIPE, RestoringAndEstimating

BATCH_ON_GPU = 128
"""The faces of a step on a GPU, of which smaller batches leave most idle."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    setup.add_run_options(parser)
    parser.add_argument(
        "--init", help="model to start from: a folder, a bundled name or a Hub repo; default: a new one"
    )
    setup.add_pictures_options(parser)
    parser.add_argument("--epochs", type=at_least(1), default=RECIPE.epochs, help="default: %(default)s")
    parser.add_argument(
        "--batch-size",
        type=at_least(2),
        help=f"of all processes together; default: {RECIPE.batch_size}, and {BATCH_ON_GPU} on a GPU",
    )
    parser.add_argument("--learning-rate", type=float, default=RECIPE.learning_rate, help="default: %(default)s")
    parser.add_argument("--large", action="store_true", help="five times the operations: --widths 64 112 160, ...")
    parser.add_argument(
        "--widths", type=at_least(1), nargs="+", help="channels of each scale of a new model; default: 32 64 96"
    )
    parser.add_argument(
        "--blocks",
        type=at_least(1),
        nargs="+",
        help="residual blocks of each scale; default: 2 3 2, or those of --init, which can be given more",
    )
    parser.add_argument("--teacher", metavar="MODEL", help="learn from what this restores, too: a folder or a name")
    args = parser.parse_args(argv)
    if args.batch_size is None:
        args.batch_size = BATCH_ON_GPU if pick_device(args).type == "cuda" else RECIPE.batch_size
    if args.large:
        args.widths, args.blocks = args.widths or LARGE["widths"], args.blocks or LARGE["blocks"]
    return args


def make_model(args: argparse.Namespace, revision: str | None = None) -> UniversalRestorer:
    torch.manual_seed(args.seed)
    shape = {name: value for name in ("widths", "blocks") if (value := getattr(args, name))}
    if args.init:
        return deepened(UniversalRestorer.from_pretrained(args.init, revision), shape)
    try:
        return UniversalRestorer(**shape)
    except ValueError as error:
        raise SystemExit(str(error)) from None


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
    fresh, trained = deeper.state_dict(), model.state_dict()
    identity = {name: torch.zeros_like(tensor) for name, tensor in fresh.items() if ".second." in name}
    deeper.load_state_dict({**fresh, **identity, **trained}, strict=True)
    return deeper


def train(args: argparse.Namespace) -> None:
    recipe = replace(RECIPE, epochs=args.epochs, batch_size=args.batch_size, learning_rate=args.learning_rate)
    settings = {
        "script": "train.universal",
        "task": "universal",
        "noise": asdict(NOISE),
        "init": args.init,
        "pictures": setup.name_of_pictures(args),
    }
    teacher = None
    if args.teacher:
        # Once, or the checksum could be of other weights, where a branch on the Hub moves in between.
        folder = model_folder(args.teacher)
        teacher = UniversalRestorer.from_pretrained(folder)
        settings["teacher"] = {**teacher.config, "weights": weights_checksum(folder)}
    objective = partial(RestoringAndEstimating, teacher=teacher)
    train_restorer(args, recipe, partial(make_model, args), NOISE, settings, objective, WorldFaces)


def main(argv: list[str] | None = None) -> None:
    setup.with_message(train, parse_args(argv))


if __name__ == "__main__":
    main()
