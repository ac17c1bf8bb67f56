"""All models at once: train each in the order of its needs, tune the filters, measure, and bundle weights with cards.

    python -m train.zoo --out runs/zoo                              # with every script's own number of epochs: days
    python -m train.zoo --out runs/zoo --minutes 600                # the same in ten hours
    python -m train.zoo --out runs/zoo --only universal emotion     # these models, and what they start from
    python -m train.zoo --data my-faces/ --out runs/zoo --no-bundle # train alone; this clone's weights stay

The same command goes on after an interruption. `--out` receives a folder for each model, with what its script printed,
and `report.json`; what is on the Hub, faces and photographs, is taken at one commit for all of them. With a bundle,
`fer_denoise/weights`, `fer_denoise/classical.json`, `results` and the pages that show them are those of the new models
afterwards, in this clone.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from fer_denoise.command.options import at_least, positive
from fer_denoise.data.hub_dataset import fixed_dataset
from fer_denoise.files import write_whole
from fer_denoise.hub.sources import is_repo_id
from fer_denoise.zoo import NETWORKS, NetworkInfo
from train.measures.registry import MEASUREMENTS
from train.shared import setup
from train.shared.run_folder import LOG_FILE, METRICS, MODEL_FOLDER

REPORT, COMMITS = "report.json", "commits.json"
OUTPUT = "output.txt"
POLL = 2.0
"""Seconds between two looks at how far a training is."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    setup.add_data_options(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs and the report")
    parser.add_argument("--minutes", type=positive, help="for all trainings together; default: each its own epochs")
    parser.add_argument("--epochs", type=at_least(1), help="of every training, for a trial")
    parser.add_argument("--only", nargs="+", choices=NETWORKS, metavar="NAME", help=f"out of {', '.join(NETWORKS)}")
    setup.add_pictures_options(parser)
    parser.add_argument("--votes", help="fer2013new.csv of FER+, that the classifiers learn from too")
    parser.add_argument("--seed", type=at_least(0), default=0)
    parser.add_argument("--device", choices=("auto", "cpu"), default="auto", help="auto takes a GPU where there is one")
    parser.add_argument("--batch-size", type=at_least(2), help="of every training; default: that of its recipe")
    parser.add_argument("--compile", action="store_true", help="as for the trainings")
    parser.add_argument(
        "--bundle",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="tune, measure, and put weights and cards into this clone",
    )
    return parser.parse_args(argv)


def chosen_models(only: list[str] | None) -> dict[str, NetworkInfo]:
    """The models that were asked for, and what they start from, in order."""
    wanted = set(only or NETWORKS)
    wanted |= {start for name in wanted if (start := NETWORKS[name].start)}
    return {name: network for name, network in NETWORKS.items() if name in wanted}


def fix_commits(args: argparse.Namespace) -> None:
    """Let all commands take Hub datasets at the commit that the zoo was begun with, for a branch may move meanwhile.

    Raises:
        DataError: one is not on the Hub, or nobody answers there.
    """
    file = args.out / COMMITS
    begun = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for option, revision in (("data", "revision"), ("pictures", "pictures_revision")):
        source = getattr(args, option)
        if not source or Path(source).expanduser().exists() or not is_repo_id(source):
            continue
        asked = {"dataset": source, "revision": getattr(args, revision)}
        if {name: begun.get(option, {}).get(name) for name in asked} != asked:
            begun[option] = {**asked, "commit": fixed_dataset(source, asked["revision"]).commit}
            args.out.mkdir(parents=True, exist_ok=True)
            write_whole(file, (json.dumps(begun, indent=1) + "\n").encode())
        setattr(args, revision, begun[option]["commit"])


def training_command(name: str, network: NetworkInfo, minutes: float | None, args: argparse.Namespace) -> list[str]:
    """The command that trains a model, or goes on with it."""
    command = ["--out", str(args.out / name), "--resume", "--data", args.data, "--seed", str(args.seed)]
    command += ["--device", args.device, *network.options]
    start = args.out / network.start / MODEL_FOLDER if network.start else "none"
    values = {**vars(args), "minutes": minutes, "init": start}
    for option in ("revision", "minutes", "epochs", "batch-size", *network.family.takes):
        value = values[option.replace("-", "_")]
        command += [] if value is None else [f"--{option}", str(value)]
    return ["-m", f"train.{network.family.script}", *command, *(["--compile"] if args.compile else [])]


def measuring_commands(models: Collection[str], args: argparse.Namespace) -> Iterator[list[str]]:
    """What tunes the filters, puts the weights into the package, measures all that needs no pictures of others, and
    writes the cards."""
    data = ["--data", args.data, *(["--revision", args.revision] if args.revision else [])]
    yield ["-m", "train.tune_classical", *data]
    yield ["-m", "train.tune_classical", *data, "--levels"]
    yield ["-m", "train.bundle", *(f"{name}={args.out / name / MODEL_FOLDER}" for name in models)]
    yield ["-m", "train.benchmark", *data]
    yield ["-m", "train.benchmark", *data, "--images", "400", "--out", "results/first-400", "--no-samples"]
    for name, measurement in MEASUREMENTS.items():
        if measurement.PLACE is None:
            yield ["-m", "train.benchmark", *data, f"--{name}"]
    yield ["-m", "train.realism", *data]
    yield ["-m", "train.bundle"]


def run(command: list[str], name: str, folder: Path, so_far: str, left: float | None = None) -> None:
    """Run a command of this project, its words kept in `folder`, and show how far it is in one line.

    Ends with its last words where it fails.

    Args:
        left: minutes that this and all later trainings have, where that is known.
    """
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with open(folder / OUTPUT, "a", encoding="utf-8") as output:
        process = subprocess.Popen([sys.executable, *command], stdout=output, stderr=subprocess.STDOUT)
        try:
            while process.poll() is None:
                minutes = (time.monotonic() - started) / 60
                remaining = f", about {max(0.0, left - minutes):.0f} min left for all" if left else ""
                show(f"{so_far} {name}: {progress_of(folder)}{minutes:.1f} min{remaining}")
                with suppress(subprocess.TimeoutExpired):
                    process.wait(POLL)
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        words = (folder / OUTPUT).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise SystemExit("\n".join([f"\n{name} failed:", *words[-5:], f"all it said is in {folder / OUTPUT}"]))


def progress_of(folder: Path) -> str:
    """The last epoch in the log of a run."""
    log = folder / LOG_FILE
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    if not lines:
        return ""
    row = json.loads(lines[-1])
    return f"epoch {row['epoch'] + 1}, {reached(row):.4g} on validation, "


def reached(row: dict[str, Any]) -> float:
    """The metric of a row of a log or of the report."""
    return next(row[name] for name in METRICS if name in row)


def show(line: str) -> None:
    """Write over the line that stood there, on a terminal; else nothing."""
    if sys.stderr.isatty():
        print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)


def describe(name: str, folder: Path) -> dict[str, Any]:
    """What the report says of a trained model: its best epoch, what it reached, and how long it took."""
    rows = [json.loads(line) for line in (folder / LOG_FILE).read_text(encoding="utf-8").splitlines()]
    record = json.loads((folder / MODEL_FOLDER / "config.json").read_text(encoding="utf-8"))["training"]
    scores = {key: record[key] for key in ("best_epoch", *METRICS) if key in record}
    minutes = round(sum(row["seconds"] for row in rows) / 60, 1)
    return {"model": name, "epochs": len(rows), **scores, "minutes": minutes, "hardware": record["hardware"]}


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    setup.with_message(fix_commits, args)
    models = chosen_models(args.only)
    weights = sum(network.time_weight for network in models.values())
    report: list[dict[str, Any]] = []
    for number, (name, network) in enumerate(models.items(), 1):
        minutes = args.minutes and args.minutes * network.time_weight / weights
        command = training_command(name, network, minutes, args)
        left = args.minutes and args.minutes - sum(row["minutes"] for row in report)
        run(command, name, args.out / name, f"{number} of {len(models)},", left)
        report.append(describe(name, args.out / name))
        write_whole(args.out / REPORT, (json.dumps(report, indent=1) + "\n").encode())
        row = report[-1]
        print(f"{name}: {row['epochs']} epochs, {reached(row)} on validation, {row['minutes']} minutes", flush=True)
    if args.bundle:
        for command in measuring_commands(models, args):
            run(command, " ".join(command[1:]), args.out / "measuring", "")
        print("measured; weights, cards, results and pages of this clone are those of the new models")


if __name__ == "__main__":
    main()
