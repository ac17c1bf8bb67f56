"""Restore from the command line.

    python -m fer_denoise restore noisy.png restored.png
    python -m fer_denoise restore pictures/ restored/ --model attention-unet-salt-pepper
    python -m fer_denoise restore train.parquet restored.parquet --model nl-means --sigma 0.06

Nothing is ever written over what is read.
"""

import argparse
import sys
from pathlib import Path

from fer_denoise.batch import print_report, restore_path
from fer_denoise.data import DataError
from fer_denoise.hub import ModelNotFoundError
from fer_denoise.pictures import PictureError
from fer_denoise.restore import Restorer
from fer_denoise.zoo import DEFAULT_MODEL, list_models


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m fer_denoise", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    restore = commands.add_parser("restore", help="remove the noise from a picture, a folder or a dataset")
    restore.add_argument("source", metavar="IN", help="picture, folder, Parquet or CSV file, or Hub dataset id")
    restore.add_argument("target", metavar="OUT", type=Path, help="where the result goes, in the same layout")
    restore.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help=f"{', '.join(list_models())}, a folder, or a Hub repo id (default: %(default)s)",
    )
    restore.add_argument("--revision", help="commit, tag or branch of a model on the Hub")
    restore.add_argument("--sigma", type=noise_level, help="true noise level on [0, 1], for the models that use it")
    return parser.parse_args(argv)


def noise_level(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must lie in [0, 1], got {text}; divide a level out of 255 by 255")
    return value


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    try:
        restorer = Restorer.from_pretrained(args.model, args.revision)
        report = restore_path(args.source, args.target, restorer, args.sigma)
    except (DataError, ModelNotFoundError, PictureError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print_report(report)
    return 1 if report.skipped else 0


if __name__ == "__main__":
    sys.exit(main())
