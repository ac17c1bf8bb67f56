"""Clean pictures and datasets from the command line, make reproducible noisy ones, or look for what is wrong in one.

    python -m fer_denoise restore noisy.png restored.png
    python -m fer_denoise restore one.png two.jpg restored/
    python -m fer_denoise restore pictures/ restored/
    python -m fer_denoise restore train.parquet restored.parquet --model nl-means --sigma 0.06 --processes 4
    python -m fer_denoise restore AutumnQiu/fer2013 restored/ --stream
    python -m fer_denoise corrupt clean/ noisy/ --sigma 0.06 --amount 0.1 --seed 3
    python -m fer_denoise corrupt clean/ noisy/ --kind poisson:photons=50 --kind jpeg:quality=40
    python -m fer_denoise inspect fer2013.csv --votes fer2013new.csv
    accelerate launch --num_processes 2 -m fer_denoise restore train.parquet restored.parquet

Installed, it is called `fer-denoise` too. Nothing is ever written over what is read. The same command goes on after an
interruption.
"""

import argparse
import os
import sys
from pathlib import Path

from fer_denoise.command.batch import Execution, output_of, process_path, process_paths
from fer_denoise.command.inspection import PAGE, REPORT, inspect, write_report
from fer_denoise.command.job import Corruption, Job, Reading, Restoration
from fer_denoise.command.journal import JobError
from fer_denoise.command.options import at_least, fraction, kind, positive
from fer_denoise.command.push import prepare_repo, push
from fer_denoise.data import DataError
from fer_denoise.devices import DeviceError
from fer_denoise.files import no_space_left
from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.hub.writing import HubWriteError
from fer_denoise.noise import KINDS
from fer_denoise.pictures import PictureError
from fer_denoise.zoo import DEFAULT_MODEL, list_models


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m fer_denoise", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    restore = commands.add_parser("restore", help="remove the noise from a picture, a folder or a dataset")
    corrupt = commands.add_parser("corrupt", help="add noise to a picture, a folder or a dataset, always the same")
    for command in (restore, corrupt):
        command.add_argument(
            "sources",
            metavar="IN",
            nargs="+",
            help="pictures, folders, Parquet or CSV files, or one Hub dataset, USER/REPO or USER/REPO@REVISION",
        )
        command.add_argument(
            "target", metavar="OUT", help="where the result goes, in the same layout; of several, or with / a folder"
        )
        command.add_argument("--processes", type=at_least(1), default=1, help="how many run at once")
        command.add_argument("--push-to-hub", metavar="USER/REPO", help="also send the result to this dataset repo")
        command.add_argument("--private", action="store_true", help="only you can see a repo that is made for it")
        command.add_argument("--gray", action="store_true", help="take the luminance of pictures in colour")
        command.add_argument(
            "--white",
            type=positive,
            help="the number that is white in pictures of more than 8 bits, such as 4095 for 12 bits in a 16-bit file",
        )
        command.add_argument(
            "--stream", action="store_true", help="read Hub datasets as a stream, without a copy on the disk"
        )
    restore.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help=f"{', '.join(list_models())}, a folder, or a Hub repo id (default: %(default)s)",
    )
    restore.add_argument("--revision", help="commit, tag or branch of a model on the Hub, where it is looked up once")
    restore.add_argument("--sigma", type=fraction, help="true noise level on [0, 1], for the models that use it")
    restore.add_argument("--device", help="where a network runs; by default a GPU where there is one")
    corrupt.add_argument("--sigma", type=fraction, default=0.0, help="of Gaussian noise, on [0, 1]")
    corrupt.add_argument("--amount", type=fraction, default=0.0, help="fraction of the pixels that turn black or white")
    corrupt.add_argument("--salt-vs-pepper", type=fraction, default=0.5, help="fraction of white among those")
    corrupt.add_argument(
        "--kind",
        action="append",
        default=[],
        type=kind,
        metavar="NAME:LEVEL=NUMBER",
        help=f"another kind of noise, can be repeated, done in this order: {', '.join(KINDS)}",
    )
    corrupt.add_argument(
        "--seed", type=at_least(0), default=0, help="the noise of an image depends on it and on its row"
    )
    health = commands.add_parser("inspect", help="look for copies, wrong labels and blank images in a dataset of faces")
    health.add_argument(
        "dataset", metavar="DATASET", help="Hub dataset id, folder, Parquet or CSV file, as to train on"
    )
    health.add_argument("--revision", help="commit, tag or branch of a Hub dataset")
    health.add_argument("--votes", metavar="FILE", help="fer2013new.csv of FER+: what ten people saw in each image")
    health.add_argument(
        "--out",
        type=Path,
        default=Path("outputs/inspection"),
        help="folder for the report and a page of the images that were found (default: %(default)s)",
    )
    return parser.parse_args(argv)


def make_job(args: argparse.Namespace) -> Job:
    """The job that the command is to do.

    Raises:
        ModelNotFoundError: there is no such model.
        DeviceError: there is no such device.
    """
    reading = Reading(args.gray, args.white)
    if args.command == "corrupt":
        return Corruption(args.sigma, args.amount, args.salt_vs_pepper, args.seed, tuple(args.kind), reading)
    job = Restoration(args.model, args.revision, args.sigma, args.device, reading)
    job.check()
    return job


def run_inspection(args: argparse.Namespace) -> int:
    try:
        inspection = inspect(args.dataset, args.revision, args.votes)
        write_report(inspection, args.out)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join(inspection.lines()))
    print(f"every image by name: {args.out / REPORT}; to look at: {args.out / PAGE}")
    return 0


def main(argv: list[str] | None = None) -> int:
    args = parse_args(argv)
    if args.command == "inspect":
        return run_inspection(args)
    execution = Execution.of_environment(args.processes, args.stream)
    target = Path(args.target)
    if len(args.sources) == 1:
        target = output_of(args.sources[0], target, is_folder=args.target.endswith(("/", os.sep)))
    try:
        if args.push_to_hub and execution.rank.world_size > 1:
            raise DataError("--push-to-hub is for one process: send the result of several with hf upload")
        if args.push_to_hub and len(args.sources) > 1:
            raise DataError("--push-to-hub sends the result of one source: put them into a folder, and name that")
        job = make_job(args)
        if execution.rank.world_size > 1 and isinstance(job, Restoration) and job.commit != job.revision:
            raise DataError(
                f"{args.model}: each of several processes would ask the Hub anew what {args.revision or 'main'} is; "
                f"name the commit with --revision {job.commit}"
            )
        if args.push_to_hub:
            prepare_repo(args.push_to_hub, args.private)
        if len(args.sources) > 1:
            report = process_paths(args.sources, target, job, execution)
        else:
            report = process_path(args.sources[0], target, job, execution)
    except (DataError, DeviceError, HubWriteError, JobError, ModelNotFoundError, PictureError, OSError) as error:
        full = isinstance(error, OSError) and no_space_left(error)
        remedy = "; make space and repeat the command, which goes on" if full else ""
        print(f"error: {error}{remedy}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped; the same command goes on", file=sys.stderr)
        return 130
    for line in report.skipped:
        print(f"skipped: {line}", file=sys.stderr)
    for line in report.left_files():
        print(f"left: {line}", file=sys.stderr)
    print("\n".join(report.lines(job)))
    if args.push_to_hub:
        try:
            print(f"sent to {push(target, args.push_to_hub, args.sources[0], job, report)}")
        except HubWriteError as error:
            by_hand = f"hf upload {args.push_to_hub} {target} --repo-type dataset"
            print(f"error: {error}; all is in {target}, and can be sent with: {by_hand}", file=sys.stderr)
            return 2
    return 1 if report.skipped else 0


if __name__ == "__main__":
    sys.exit(main())
