"""Measure every model and classical filter on the same noisy test images.

    python -m train.benchmark                                  # writes results/benchmark.json and the README's tables
    python -m train.benchmark --models bm3d                    # measures only these; the other rows are kept
    python -m train.benchmark --seed 7 --out outputs/again     # other noise; the README stays as it is
    python -m train.benchmark --images 400 --out results/first-400
    python -m train.benchmark --origin-recipe low=runs/unet-low-origin/model
    python -m train.benchmark --surface                        # every noise level of the sliders, on 500 faces
    python -m train.benchmark --generalisation                 # other pictures, and noise that no network has seen
    python -m train.benchmark --emotion                        # how well emotions are recognised, before and after
    python -m train.benchmark --speed                          # milliseconds per face
    python -m train.benchmark --throughput                     # a whole dataset, cleaned by the command

Filters know the true sigma and have parameters tuned on the validation split (`python -m train.tune_classical`);
networks work blind. Grids of samples go to `outputs/`, which is ignored, since they show FER2013; the grid of faces
that may be shown goes beside the JSON file.
"""

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fer_denoise import Restorer, list_models
from fer_denoise.data import DataError, Faces, load_fer2013, stands_in
from fer_denoise.evaluate import NOISY, SELF_ENSEMBLE, TOLD_SIGMA, restore_task, score
from fer_denoise.hub import ModelNotFoundError, bundled_models, model_folder, weights_checksum
from fer_denoise.models import EmotionClassifier
from fer_denoise.noise import TASKS, GaussianNoise
from fer_denoise.options import at_least
from fer_denoise.origin import ORIGIN_RECIPE
from fer_denoise.samples import sample_faces
from fer_denoise.zoo import CLASSIFIERS, MODELS, UNIVERSAL
from train import generalisation, recognition, run, speed, surface, throughput
from train.report import markdown_tables, plot_samples, update_readme
from train.results import load_previous, save

RESULTS = Path("results")
TABLES = {RESULTS: "results", RESULTS / "first-400": "first-400"}
"""The README's name of the table of what lies in a folder."""
PRIVATE = Path("outputs")
README = Path("README.md")
SAMPLES = 6
SEED = 3
"""Of the test noise; training, validation and tuning draw from 0, 1 and 2."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    run.add_data_options(parser)
    parser.add_argument("--models", nargs="*", metavar="NAME", default=list_models(), help="measure only these")
    parser.add_argument(
        "--origin-recipe",
        nargs="+",
        metavar="TASK=MODEL",
        default=[],
        help="also measure these models, trained by the origin's recipe, each on its task",
    )
    instead = parser.add_mutually_exclusive_group()
    for name, (_, measured) in OTHERS.items():
        instead.add_argument(f"--{name}", action="store_true", help=f"instead of the tasks, measure {measured}")
    parser.add_argument(
        "--variants",
        action="store_true",
        help="also measure `universal` with its mirror image, and told sigma",
    )
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seed", type=at_least(0), default=SEED, help="of the noise (default: %(default)s)")
    parser.add_argument("--images", type=at_least(1), help="only the first so many test images")
    parser.add_argument("--samples", action=argparse.BooleanOptionalAction, default=True, help="draw the grids too")
    parser.add_argument("--workers", type=at_least(1), help="processes for the filters (default: one per core)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for benchmark.json (default: %(default)s)")
    return parser.parse_args(argv)


def origin_recipes(pairs: list[str]) -> dict[str, Restorer]:
    recipes = {}
    for pair in pairs:
        task, _, source = pair.partition("=")
        if task not in TASKS or not source:
            raise SystemExit(f"--origin-recipe {pair}: write TASK=MODEL, with a task out of {', '.join(TASKS)}")
        recipes[task] = Restorer(Restorer.from_pretrained(source).model, ORIGIN_RECIPE)
    return recipes


def check_models(args: argparse.Namespace) -> None:
    """End with a message where what is to be measured needs a model that is not among the chosen ones."""
    if strange := [name for name in args.models if name not in MODELS]:
        raise SystemExit(
            f"no such model: {', '.join(strange)}; there are {', '.join(list_models())}. One that you trained "
            "takes the place of a bundled one: python -m train.bundle NAME=FOLDER"
        )
    if args.variants and UNIVERSAL not in args.models:
        raise SystemExit(f"this needs {UNIVERSAL} among the --models")


def keep_whole(file: Path, args: argparse.Namespace, images: int | None = None) -> None:
    """End with a message where `file` holds more than is to be measured, for that would be lost."""
    if not file.exists():
        return
    text = file.read_text(encoding="utf-8")
    lost = [name for name in MODELS if f'"{name}"' in text and name not in args.models]
    results = json.loads(text)
    before = (
        results["data"]["images"]
        if "data" in results
        else max((row.get("images", 0) for row in results["models"]), default=0)
    )
    if lost or (images is not None and images < before):
        more = ", ".join(lost) or f"{before} images"
        raise SystemExit(f"{file} holds more, namely {more}: measure that too, or choose another --out")


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    check_models(args)
    try:
        test = load_fer2013(args.data, "test", args.revision)
        train = load_fer2013(args.data, "train", args.revision)
        device = "cpu" if args.speed else None
        restorers = {name: Restorer.from_pretrained(name, device=device) for name in args.models}
        recipes = origin_recipes(args.origin_recipe)
    except (DataError, ModelNotFoundError) as error:
        raise SystemExit(str(error)) from None
    args.out.mkdir(parents=True, exist_ok=True)
    for name, (measure, _) in OTHERS.items():
        if getattr(args, name):
            measure(args, test, restorers)
            return
    clean = test.images[: args.images]
    unseen = ~stands_in(clean, train.images)
    measured_on = conditions(args, clean)
    measured_on["data"]["unseen"] = int(unseen.sum())
    file = args.out / "benchmark.json"
    before = load_previous(file, measured_on).get("tasks", {})
    results = {task: {row["model"]: row for row in rows} for task, rows in before.items()}
    variants = []
    if args.variants:
        network = restorers[UNIVERSAL].model
        variants += [Restorer(network, SELF_ENSEMBLE, self_ensemble=True), Restorer(network, TOLD_SIGMA)]

    with ProcessPoolExecutor(args.workers) as pool:
        for task in args.tasks:
            noisy = TASKS[task](clean, seed=args.seed)
            rows = results.setdefault(task, {})
            rows[NOISY] = score(NOISY, noisy, clean, unseen).as_dict()
            chosen = [*restorers.values(), *variants, *([recipes[task]] if task in recipes else [])]
            if not isinstance(TASKS[task], GaussianNoise):
                chosen = [restorer for restorer in chosen if restorer.name != TOLD_SIGMA]
            samples = {}
            for restorer in tqdm(chosen, task):
                restored = restore_task(restorer, task, noisy, pool)
                row = score(restorer.name, restored, clean, unseen).as_dict()
                if restorer.name in bundled_models():
                    row["weights"] = weights_checksum(model_folder(restorer.name))
                rows[restorer.name] = row
                samples[restorer.name] = restored[:SAMPLES]
                write(file, measured_on, results)
            if args.samples:
                plot_samples(clean[:SAMPLES], noisy[:SAMPLES], samples, PRIVATE / f"samples-{task}.png")
                plot_samples(*restore_showable(task), args.out / f"samples-{task}.png")
            print_table(task, rows)
    if table := TABLES.get(args.out):
        update_readme(README, table, markdown_tables(json.loads(file.read_text(encoding="utf-8"))))


def measure_surface(args: argparse.Namespace, test: Faces, restorers: dict[str, Restorer]) -> None:
    clean = test.images[: args.images or surface.IMAGES]
    results = surface.measure(clean, restorers, args.out / surface.FILE, conditions(args, clean), args.workers)
    if UNIVERSAL in restorers:
        results["noise_level"] = surface.measure_noise_level(clean, restorers[UNIVERSAL], args.seed)
        save(args.out / surface.FILE, results, indent=None)
        show(args, "noise-level", surface.noise_level_table(results))
    if UNIVERSAL in results["models"]:
        surface.print_tables(results, UNIVERSAL)
        surface.plot(results, UNIVERSAL, args.out / "surface.png")
        show(args, "surface", surface.markdown_table(results, UNIVERSAL))


def measure_generalisation(args: argparse.Namespace, test: Faces, restorers: dict[str, Restorer]) -> None:
    clean = test.images[: args.images or generalisation.IMAGES]
    measured_on = conditions(args, clean)
    before = load_previous(args.out / generalisation.FILE, measured_on)
    results = {**measured_on, **generalisation.measure(clean, restorers, args.seed, args.workers, before)}
    save(args.out / generalisation.FILE, results)
    show(args, "generalisation", generalisation.markdown_tables(results))


def measure_emotion(args: argparse.Namespace, test: Faces, restorers: dict[str, Restorer]) -> None:
    faces = Faces(test.images[: args.images], test.labels[: args.images], test.source)
    keep_whole(args.out / recognition.FILE, args, len(faces.images))
    try:
        classifiers = {name: EmotionClassifier.from_pretrained(name) for name in CLASSIFIERS}
    except ModelNotFoundError as error:
        raise SystemExit(str(error)) from None
    results: dict[str, Any] = conditions(args, faces.images)
    results["classifiers"] = {
        name: recognition.describe(name, classifier, faces) for name, classifier in classifiers.items()
    }
    with ProcessPoolExecutor(args.workers) as pool:
        rows = recognition.measure(faces, restorers, classifiers, args.seed, pool)
        results["rows"] = list(tqdm(rows, "emotion"))
    results["levels"] = recognition.summary(results["rows"])
    save(args.out / recognition.FILE, results)
    show(args, "emotion", recognition.markdown_tables(results))


def measure_speed(args: argparse.Namespace, test: Faces, restorers: dict[str, Restorer]) -> None:
    keep_whole(args.out / speed.FILE, args)
    workers = args.workers or os.cpu_count() or 1
    with ProcessPoolExecutor(workers) as pool:
        rows = speed.measure(test.images, restorers, args.seed, pool, workers)
    results: dict[str, Any] = {"machine": speed.machine(), "models": rows}
    if UNIVERSAL in restorers:
        results["start"] = speed.measure_start(UNIVERSAL)
    save(args.out / speed.FILE, results)
    show(args, "speed", speed.markdown_table(results))


def measure_throughput(args: argparse.Namespace, test: Faces, restorers: dict[str, Restorer]) -> None:
    faces = load_fer2013(args.data, "train", args.revision)
    faces = Faces(faces.images[: args.images], faces.labels[: args.images], faces.source)
    keep_whole(args.out / throughput.FILE, args, len(faces.images))
    rows = throughput.measure(faces, list(restorers), args.seed, args.workers or os.cpu_count() or 1)
    results = {"machine": speed.machine(), "models": rows}
    save(args.out / throughput.FILE, results)
    show(args, "throughput", throughput.markdown_table(results))


def conditions(args: argparse.Namespace, clean: np.ndarray) -> dict[str, Any]:
    """What the figures depend on besides the methods: the faces, and the seed of their noise."""
    data = {"images": len(clean), "sha256": Faces(clean, np.zeros(len(clean)), "").fingerprint}
    return {"data": data, "seed": args.seed}


def show(args: argparse.Namespace, name: str, text: str) -> None:
    """Print a table, and put it into the README where it is the one of the repository."""
    print(text)
    if args.out == RESULTS:
        update_readme(README, name, text)


def write(file: Path, conditions: dict[str, Any], results: dict[str, dict[str, Any]]) -> None:
    order = [NOISY, *MODELS, SELF_ENSEMBLE, TOLD_SIGMA, ORIGIN_RECIPE]
    tasks = {
        task: sorted(results[task].values(), key=lambda row: order.index(row["model"]))
        for task in TASKS
        if task in results
    }
    save(file, {**conditions, "tasks": tasks})


def restore_showable(task: str) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Clean, noisy and, by every model there is, restored faces that may be shown."""
    clean = np.stack(list(sample_faces().values()))[:SAMPLES]
    noisy = TASKS[task](clean, seed=0)
    return clean, noisy, {name: restore_task(Restorer.from_pretrained(name), task, noisy) for name in list_models()}


def print_table(task: str, rows: dict[str, dict[str, Any]]) -> None:
    print(f"\n{task}: PSNR, SSIM | unseen images: PSNR, SSIM | the origin's convention: PSNR, SSIM")
    for row in sorted(rows.values(), key=lambda row: row["psnr"]):
        print(
            f"{row['model']:32} {row['psnr']:6.2f} {row['ssim']:.3f}"
            f" | {row['psnr_unseen']:6.2f} {row['ssim_unseen']:.3f}"
            f" | {row['origin_psnr']:6.2f} {row['origin_ssim']:.3f}"
        )


OTHERS = {
    "surface": (measure_surface, "every pair of levels of Gaussian noise and impulses, on 500 faces"),
    "generalisation": (measure_generalisation, "other pictures, and noise that no network has seen, on 500 faces"),
    "emotion": (measure_emotion, "how well emotions are recognised in noisy and in restored faces"),
    "speed": (measure_speed, "milliseconds per face"),
    "throughput": (measure_throughput, "how fast the command cleans the training images"),
}
"""What is measured instead of the tasks, by the name of its option."""


if __name__ == "__main__":
    main()
