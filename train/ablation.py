"""What each choice in the universal restorer is worth: short trainings that differ in one thing, from several seeds.

    python -m train.ablation                     # writes results/ablation.json and its table; hours on a CPU
    python -m train.ablation --variants "as shipped" "no gates" --seeds 0 1 2

Unless it says otherwise, every variant is trained for one epoch, on the same faces and other pictures. So the figures
rank choices for short trainings; they are no final quality. An interrupted run goes on where it was. Figures are on the
validation split, whose faces all get the same noise of random kinds and levels. Machines round differently, so that the
same seed gives another network: each machine has a table of its own.
"""

import argparse
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import torch

from fer_denoise.command.options import at_least
from fer_denoise.data import DataError, load_fer2013
from fer_denoise.models import UniversalRestorer
from train.reporting import markdown
from train.reporting.report import update_pages
from train.reporting.results import RESULTS, load_previous, save
from train.shared import hardware, setup
from train.shared.faces import WorldFaces
from train.shared.supervised import train_restorer
from train.shared.universal_training import RECIPE, RestoringAndEstimating
from train.shared.variants import BASE, VARIANTS

FILE = "ablation.json"
RUNS = Path("runs/ablation")
EPOCHS = 1


def parse_args(argv: list[str] | None = None) -> Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    setup.add_data_options(parser)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seeds", nargs="+", type=at_least(0), default=[0, 1])
    parser.add_argument("--epochs", type=at_least(1), default=EPOCHS, help="default: %(default)s")
    setup.add_pictures_options(parser)
    parser.add_argument("--device", choices=("auto", "cpu"), default="auto", help="auto takes a GPU where there is one")
    return parser.parse_args(argv)


def train_variant(args: Namespace, name: str, seed: int) -> dict[str, Any]:
    """Train and validate one variant; go on with it where it was interrupted."""
    variant = VARIANTS[name]
    recipe = replace(RECIPE, **{"epochs": args.epochs, **variant.recipe})
    out = RUNS / f"{args.epochs}-epochs" / f"{name.replace(' ', '-').replace('/', '-')}-{seed}"
    chosen = {
        "out": out,
        "seed": seed,
        "resume": True,
        "precision": "auto",
        "compile": False,
        "minutes": None,
        "passes": 1,
    }
    options = Namespace(**vars(args), **chosen)

    def make_model(_: str | None = None) -> UniversalRestorer:
        torch.manual_seed(seed)
        return variant.alter(UniversalRestorer(**variant.network))

    settings = {"script": "train.ablation", "variant": name, "pictures": setup.name_of_pictures(args)}
    rows = train_restorer(options, recipe, make_model, variant.noise, settings, RestoringAndEstimating, WorldFaces)
    parameters = sum(parameter.numel() for parameter in make_model().parameters())
    return {
        "variant": name,
        "seed": seed,
        "parameters": parameters,
        "validation_psnr": round(rows[-1]["validation_psnr"], 3),
    }


def tables(results: dict[str, Any]) -> dict[str, str]:
    """The tables of all machines, by the name of their marks."""
    return {"ablation": markdown_tables(results, BASE)}


def markdown_tables(results: dict[str, Any], base: str) -> str:
    """A table for each machine."""
    tables = (f"On {machine}:\n\n{markdown_table(rows, base)}" for machine, rows in results["machines"].items())
    return "\n\n".join(tables)


def markdown_table(rows: list[dict[str, Any]], base: str) -> str:
    """A row per variant: its mean over the seeds, by how much that differs from `base`, and the single values."""
    by_variant: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_variant.setdefault(row["variant"], []).append(row)
    means = {name: mean(row["validation_psnr"] for row in of_seeds) for name, of_seeds in by_variant.items()}
    shipped = means.get(base)
    lines = []
    for name, of_seeds in by_variant.items():
        values = ", ".join(f"{row['validation_psnr']:.2f}" for row in of_seeds)
        difference = "" if shipped is None or name == base else f"{means[name] - shipped:+z.2f}"
        lines.append((name, f"{of_seeds[0]['parameters']:,}", f"{means[name]:.2f}", difference, values))
    return markdown.table(("change", "parameters", "PSNR, dB", "difference", "of each seed"), lines, left=(0, 4))


def measure(args: Namespace) -> None:
    """Train what is not yet among the results of this machine, and show those of all machines."""
    try:
        faces = load_fer2013(args.data, "validation", args.revision)
    except DataError as error:
        raise SystemExit(str(error)) from None
    data = {"images": len(faces.images), "sha256": faces.fingerprint}
    conditions = {"epochs": args.epochs, "data": data, "pictures": setup.name_of_pictures(args)}
    results = load_previous(RESULTS / FILE, conditions) or {**conditions, "machines": {}}
    rows = results["machines"].setdefault(hardware.describe(hardware.pick_device(args)), [])
    for seed in args.seeds:
        for name in args.variants:
            if any((row["variant"], row["seed"]) == (name, seed) for row in rows):
                continue
            rows.append(train_variant(args, name, seed))
            rows.sort(key=lambda row: (list(VARIANTS).index(row["variant"]), row["seed"]))
            save(RESULTS / FILE, results)
    for name, text in tables(results).items():
        print(text)
        update_pages(name, text)


def main(argv: list[str] | None = None) -> None:
    setup.with_message(measure, parse_args(argv))


if __name__ == "__main__":
    main()
