"""Measure every model and classical filter on the same noisy test images.

    python -m train.benchmark                                  # writes results/benchmark.json and the tables of it
    python -m train.benchmark --models bm3d                    # measures only these; the other rows are kept
    python -m train.benchmark --seed 7 --out outputs/again     # other noise; the tables stay as they are
    python -m train.benchmark --images 400 --out results/first-400
    python -m train.benchmark --origin-recipe low=runs/unet-low-origin/model
    python -m train.benchmark --surface                        # every noise level of the sliders, on 500 faces
    python -m train.benchmark --generalisation                 # other pictures, and noise that specialists do not know
    python -m train.benchmark --emotion                        # how well emotions are recognised, before and after
    python -m train.benchmark --speed                          # milliseconds per face
    python -m train.benchmark --throughput                     # a whole dataset, cleaned by the command
    python -m train.benchmark --peers FOLDER                   # also networks that others published
    python -m train.benchmark --peers FOLDER --models DnCNN-B  # of all methods only this one
    python -m train.benchmark --pictures FOLDER --peers FOLDER # pictures that are no faces
    python -m train.benchmark --world --peers FOLDER           # the kinds of noise that pictures carry, on 500 faces
    python -m train.benchmark --estimate                       # what `universal` says of the noise of each kind
    python -m train.benchmark --colour FOLDER                  # two ways to restore colour, side by side
    python -m train.benchmark --real PLACE --peers FOLDER      # noise of real sensors

Filters know the true sigma and have parameters tuned on the validation split (`python -m train.tune_classical`);
networks work blind, but for published ones that take sigma. Each measurement is a file of `train/measures/`, which says
what it does, and how pictures of its own have to lie.
"""

import argparse
from pathlib import Path
from typing import Any

from fer_denoise import Restorer, list_models
from fer_denoise.command.options import at_least
from fer_denoise.data import DataError
from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.models.emotion import VotesError
from fer_denoise.noise import TASKS
from fer_denoise.origin import ORIGIN_RECIPE
from fer_denoise.zoo import MODELS, UNIVERSAL
from train.measures import recognition, tasks
from train.measures.registry import MEASUREMENTS
from train.measures.shared.peers import PEERS
from train.measures.shared.request import Measurement, Request
from train.reporting.report import update_pages
from train.reporting.results import FIRST_400, RESULTS
from train.reporting.summary import summary_table
from train.shared import setup
from train.shared.faces import TEST_SEED


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    setup.add_data_options(parser)
    parser.add_argument(
        "--models", nargs="*", metavar="NAME", help="measure only these; --pictures, --world and --real anew"
    )
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="also measure the published networks in it")
    parser.add_argument("--votes", type=Path, metavar="FILE", help="fer2013new.csv of FER+: --emotion by the crowd too")
    parser.add_argument(
        "--origin-recipe",
        nargs="+",
        metavar="TASK=MODEL",
        default=[],
        help="also measure these models, trained by the origin's recipe, each on its task",
    )
    instead = parser.add_mutually_exclusive_group()
    for name, measurement in MEASUREMENTS.items():
        place = measurement.PLACE
        where: dict[str, Any] = {"type": Path, "metavar": place} if place else {"action": "store_true"}
        instead.add_argument(f"--{name}", help=f"instead of the tasks, measure {measurement.HELP}", **where)
    parser.add_argument(
        "--variants",
        action="store_true",
        help="also measure `universal` with its mirror image, and told sigma",
    )
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seed", type=at_least(0), default=TEST_SEED, help="of the noise (default: %(default)s)")
    parser.add_argument("--images", type=at_least(1), help="only the first so many test images")
    parser.add_argument("--samples", action=argparse.BooleanOptionalAction, default=True, help="draw the grids too")
    parser.add_argument("--workers", type=at_least(1), help="processes for the filters (default: one per core)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results (default: %(default)s)")
    args = parser.parse_args(argv)
    args.anew = args.models or []
    if args.models is None:
        args.models = [*chosen_measurement(args).methods(), *(PEERS if args.peers else ())]
    return args


def chosen_measurement(args: argparse.Namespace) -> Measurement:
    return next((measurement for name, measurement in MEASUREMENTS.items() if getattr(args, name)), tasks)


def check_models(args: argparse.Namespace) -> None:
    """End with a message where what is to be measured needs a model that is not among the chosen ones."""
    measurement = chosen_measurement(args)
    measurable = {*MODELS, *PEERS, *measurement.methods()}
    if strange := [name for name in args.models if name not in measurable]:
        raise SystemExit(
            f"no such model: {', '.join(strange)}; there are {', '.join(list_models())}. One that you trained "
            "takes the place of a bundled one: python -m train.bundle NAME=FOLDER"
        )
    if not args.peers and (others := [name for name in args.models if name in PEERS]):
        raise SystemExit(
            f"where are the files of {', '.join(others)}? Add --peers FOLDER; see train/measures/shared/peers.py"
        )
    if args.peers and not measurement.WITH_PEERS:
        raise SystemExit("the published networks have no part in this measurement: leave out --peers")
    if args.votes and measurement is not recognition:
        raise SystemExit("the votes have no part in this measurement: leave out --votes, or add --emotion")
    if args.variants and UNIVERSAL not in args.models:
        raise SystemExit(f"this needs {UNIVERSAL} among the --models")


def origin_recipes(pairs: list[str]) -> dict[str, Restorer]:
    recipes = {}
    for pair in pairs:
        task, _, source = pair.partition("=")
        if task not in TASKS or not source:
            raise SystemExit(f"--origin-recipe {pair}: write TASK=MODEL, with a task out of {', '.join(TASKS)}")
        recipes[task] = Restorer(Restorer.from_pretrained(source).model, ORIGIN_RECIPE)
    return recipes


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    check_models(args)
    measurement = chosen_measurement(args)
    try:
        request = Request(
            args.models,
            args.out,
            args.data,
            args.revision,
            args.seed,
            images=args.images,
            workers=args.workers,
            anew=args.anew,
            peers_folder=args.peers,
            place=next(
                (getattr(args, name) for name, each in MEASUREMENTS.items() if each.PLACE and getattr(args, name)), None
            ),
            votes=args.votes,
            tasks=args.tasks,
            variants=args.variants,
            origin_recipes=origin_recipes(args.origin_recipe),
            samples=args.samples,
        )
        args.out.mkdir(parents=True, exist_ok=True)
        results = measurement.measure(request)
    except (DataError, ModelNotFoundError, VotesError) as error:
        raise SystemExit(str(error)) from None
    for name, text in measurement.tables(results).items():
        show(args.out, name, text)
    if args.out in (RESULTS, FIRST_400) and (summary := summary_table(RESULTS)):
        update_pages("summary", summary)


def show(out: Path, name: str, text: str) -> None:
    """Print a table, and put it on its page where it is one of the repository's."""
    print(text)
    if out == RESULTS:
        update_pages(name, text)
    elif out == FIRST_400 and name == "results":
        update_pages("first-400", text)


if __name__ == "__main__":
    main()
