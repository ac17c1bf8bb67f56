"""What the scripts that train an Attention U-Net share: its options, and the network that a run begins with."""

import argparse

from fer_denoise.command.options import at_least
from fer_denoise.models import AttentionUNet
from fer_denoise.noise import TASKS


def add_unet_options(parser: argparse.ArgumentParser) -> None:
    """The options of a run that trains one for a task."""
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
