"""How a training script begins: its options, the faces, the device; and how it ends where a person can help."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

from fer_denoise.command.options import at_least, positive
from fer_denoise.data import HUB_DATASET, DataError, Faces, load_fer2013
from fer_denoise.data.hub_dataset import fixed_dataset, is_commit
from fer_denoise.files import no_space_left
from fer_denoise.hub.sources import ModelNotFoundError, is_repo_id
from train.shared.checkpoint import CheckpointError
from train.shared.hardware import mixed_precision
from train.shared.run_folder import CHECKPOINT_FILE, begun_settings, same_commit

PASSES_ON_GPU = 10


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """The options that every training script has."""
    add_data_options(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder of this run: checkpoint, log, curves, model")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out, if there is one")
    parser.add_argument("--seed", type=at_least(0), default=0)
    parser.add_argument("--device", choices=("auto", "cpu"), default="auto", help="auto takes a GPU where there is one")
    parser.add_argument(
        "--precision", choices=("auto", "bf16", "fp32"), default="auto", help="auto: bf16 where it is fast"
    )
    parser.add_argument(
        "--minutes", type=positive, help="in place of --epochs: as many as fit, by the first steps and the first epoch"
    )
    parser.add_argument(
        "--passes",
        type=at_least(1),
        help=f"over the faces in an epoch; default: 1, and on a GPU, where one takes a second, {PASSES_ON_GPU}",
    )
    parser.add_argument("--compile", action="store_true", help="steps that begin a minute later and run a third faster")


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """The options that tell which faces a script works with."""
    parser.add_argument("--data", default=HUB_DATASET, help="Hub dataset id, folder or file (default: %(default)s)")
    parser.add_argument("--revision", help="revision of the Hub dataset")


def add_pictures_options(parser: argparse.ArgumentParser) -> None:
    """The options that tell which photographs a universal restorer learns from too."""
    parser.add_argument(
        "--pictures", help="folder, Parquet file or Hub dataset of photographs to learn from beside the faces"
    )
    parser.add_argument("--pictures-revision", help="revision of the Hub dataset of --pictures")


def name_of_pictures(args: argparse.Namespace) -> str | None:
    """What a record says of `--pictures`: where a folder lies on this machine means nothing to others."""
    return args.pictures and (Path(args.pictures).name if Path(args.pictures).exists() else args.pictures)


def start_run(args: argparse.Namespace) -> tuple[Accelerator, dict[str, Faces]]:
    """The accelerator and the train and validation faces; ends with a message where a run would be overwritten."""
    if (args.out / CHECKPOINT_FILE).exists() and not args.resume:
        raise SystemExit(f"{args.out} already holds a run: add --resume to go on with it, or choose another --out")
    accelerator = Accelerator(cpu=args.device == "cpu", mixed_precision=mixed_precision(args))
    try:
        commit = data_commit(args)
        with accelerator.main_process_first():
            faces = {split: load_fer2013(args.data, split, commit) for split in ("train", "validation")}
    except DataError as error:
        raise SystemExit(str(error)) from None
    args.out.mkdir(parents=True, exist_ok=True)
    # Every step has the same shapes, so that it pays to find the fastest kernels for them.
    torch.backends.cudnn.benchmark = True
    args.passes = args.passes or (PASSES_ON_GPU if accelerator.device.type == "cuda" else 1)
    return accelerator, faces


def data_commit(args: argparse.Namespace) -> str | None:
    """The commit of the Hub dataset `args.data`, the same in all processes; where it is none, the revision asked for.

    A run that is resumed takes the commit that it was begun with, unless another commit is asked for.
    """
    if Path(args.data).expanduser().exists() or not is_repo_id(args.data):
        return args.revision
    repo, _, begun = begun_settings(args.out).get("data", {}).get("commit", "").partition("@")
    if repo != args.data or is_commit(args.revision):
        begun = ""
    return same_commit(begun, lambda: fixed_dataset(args.data, args.revision).commit)


def with_message(train: Callable[..., Any], *args: Any) -> None:
    """Call `train`; ends with the message of an error that a person can mend."""
    try:
        train(*args)
    except (DataError, ModelNotFoundError, CheckpointError) as error:
        raise SystemExit(str(error)) from None
    except OSError as error:
        if not no_space_left(error):
            raise
        raise SystemExit(f"no space left ({error}); make some, then go on with --resume: nothing is lost") from None
