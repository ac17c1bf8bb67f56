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
    python -m train.benchmark --peers FOLDER                   # also networks that others published
    python -m train.benchmark --peers FOLDER --models DnCNN-B  # of all methods only this one
    python -m train.benchmark --pictures FOLDER --peers FOLDER # pictures that are no faces
    python -m train.benchmark --world --peers FOLDER           # the kinds of noise that pictures carry, on 500 faces
    python -m train.benchmark --real PLACE --peers FOLDER      # noise of real sensors

Filters know the true sigma and have parameters tuned on the validation split (`python -m train.tune_classical`);
networks work blind, but for published ones that take sigma. Grids of samples go to `outputs/`, which is ignored, since
they show FER2013; the grid of faces that may be shown goes beside the JSON file. How the pictures of an option have to
lie is said in the file of the same name in `train/measures/`.
"""

import argparse
import json
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from fer_denoise import Restorer, list_models
from fer_denoise.classical import FILTERS, available_filters
from fer_denoise.command.options import at_least
from fer_denoise.data import DataError, Faces, load_fer2013, stands_in
from fer_denoise.evaluate import NOISY, SELF_ENSEMBLE, TOLD_SIGMA, Method, restore_task, score
from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.models import EmotionClassifier
from fer_denoise.noise import TASKS, GaussianNoise
from fer_denoise.origin import ORIGIN_RECIPE
from fer_denoise.samples import sample_faces
from fer_denoise.zoo import CLASSIFIERS, MODELS, UNIVERSAL
from train.measures import (
    generalisation,
    natural_images,
    oracle,
    real_noise,
    recognition,
    speed,
    surface,
    throughput,
    world,
)
from train.measures.peers import PEERS, Peer, load_peers
from train.reporting.report import markdown_tables, plot_samples, update_readme
from train.reporting.results import load_previous, save, weights_of
from train.shared import setup
from train.shared.picture_sets import read_pairs, record_of

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
    setup.add_data_options(parser)
    parser.add_argument("--models", nargs="*", metavar="NAME", help="measure only these, and anew where one can go on")
    parser.add_argument("--peers", type=Path, metavar="FOLDER", help="also measure the published networks in it")
    parser.add_argument(
        "--origin-recipe",
        nargs="+",
        metavar="TASK=MODEL",
        default=[],
        help="also measure these models, trained by the origin's recipe, each on its task",
    )
    instead = parser.add_mutually_exclusive_group()
    for name, other in OTHERS.items():
        where: dict[str, Any] = {"type": Path, "metavar": other.place} if other.place else {"action": "store_true"}
        instead.add_argument(f"--{name}", help=f"instead of the tasks, measure {other.what}", **where)
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
    args = parser.parse_args(argv)
    args.anew = args.models or []
    if args.models is None:
        ours = [name for name in list_models() if not args.throughput or name in throughput.METHODS]
        filters = [name for name in oracle.FILTERS if name not in MODELS] if args.world else []
        args.models = [*ours, *filters, *(PEERS if args.peers else ())]
    return args


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
    known = {*MODELS, *PEERS, *(oracle.FILTERS if args.world else ())}
    if strange := [name for name in args.models if name not in known]:
        raise SystemExit(
            f"no such model: {', '.join(strange)}; there are {', '.join(list_models())}. One that you trained "
            "takes the place of a bundled one: python -m train.bundle NAME=FOLDER"
        )
    if not args.peers and (others := [name for name in args.models if name in PEERS]):
        raise SystemExit(f"where are the files of {', '.join(others)}? Add --peers FOLDER; see train/measures/peers.py")
    if args.peers and (other := chosen_measurement(args)) and not other.with_peers:
        raise SystemExit("the published networks have no part in this measurement: leave out --peers")
    if (args.speed or args.throughput) and not args.models:
        raise SystemExit("--models names none, so there is nothing to measure: name some, or leave it out")
    if args.variants and UNIVERSAL not in args.models:
        raise SystemExit(f"this needs {UNIVERSAL} among the --models")


def keep_whole(file: Path, args: argparse.Namespace, images: int | None = None) -> None:
    """End with a message where `file` holds more than is to be measured, for that would be lost."""
    if not file.exists():
        return
    text = file.read_text(encoding="utf-8")
    lost = [name for name in (*MODELS, *PEERS) if f'"{name}"' in text and name not in args.models]
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
    other = chosen_measurement(args)
    measure = other.measure if other else measure_tasks
    try:
        restorers = load_restorers(args)
        args.out.mkdir(parents=True, exist_ok=True)
        measure(args, restorers)
    except (DataError, ModelNotFoundError) as error:
        raise SystemExit(str(error)) from None


def chosen_measurement(args: argparse.Namespace) -> "Measurement | None":
    """What is measured instead of the tasks, if anything."""
    return next((other for name, other in OTHERS.items() if getattr(args, name)), None)


def load_restorers(args: argparse.Namespace) -> dict[str, Restorer]:
    """The chosen networks and filters of this package."""
    device = "cpu" if args.speed else None
    return {name: Restorer.from_pretrained(name, device=device) for name in args.models if name in MODELS}


def chosen_peers(args: argparse.Namespace) -> dict[str, Peer]:
    """The chosen networks that others published."""
    names = [name for name in args.models if name in PEERS]
    return load_peers(args.peers, names, "cpu" if args.speed else None)


def load_test(args: argparse.Namespace) -> Faces:
    return load_fer2013(args.data, "test", args.revision)


def measure_tasks(args: argparse.Namespace, restorers: dict[str, Restorer]) -> None:
    recipes, peers = origin_recipes(args.origin_recipe), chosen_peers(args)
    clean = load_test(args).images[: args.images]
    unseen = ~stands_in(clean, load_fer2013(args.data, "train", args.revision).images)
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
            of_origin = [recipes[task]] if task in recipes else []
            chosen: list[Method] = [*restorers.values(), *peers.values(), *variants, *of_origin]
            if not isinstance(TASKS[task], GaussianNoise):
                told = {TOLD_SIGMA, *(name for name, peer in peers.items() if peer.published.told)}
                chosen = [method for method in chosen if method.name not in told]
            samples = {}
            for method in tqdm(chosen, task):
                restored = restore_task(method, task, noisy, pool)
                row = score(method.name, restored, clean, unseen).as_dict()
                rows[method.name] = {**row, **(method.record if isinstance(method, Peer) else weights_of(method.name))}
                samples[method.name] = restored[:SAMPLES]
                write(file, measured_on, results)
            if args.samples:
                plot_samples(clean[:SAMPLES], noisy[:SAMPLES], samples, PRIVATE / f"samples-{task}.png")
                plot_samples(*restore_showable(task), args.out / f"samples-{task}.png")
            print_table(task, rows)
    if table := TABLES.get(args.out):
        update_readme(README, table, markdown_tables(json.loads(file.read_text(encoding="utf-8"))))


def measure_surface(args: argparse.Namespace, restorers: dict[str, Restorer]) -> None:
    clean = load_test(args).images[: args.images or surface.IMAGES]
    file, measured_on = args.out / surface.FILE, conditions(args, clean)
    results = surface.measure(clean, restorers, chosen_peers(args), file, measured_on, args.workers)
    if UNIVERSAL in restorers:
        results["noise_level"] = surface.measure_noise_level(clean, restorers[UNIVERSAL], args.seed)
        save(args.out / surface.FILE, results, indent=None)
        show(args, "noise-level", surface.noise_level_table(results))
    if UNIVERSAL in results["models"]:
        surface.print_tables(results, UNIVERSAL)
        surface.plot(results, UNIVERSAL, args.out / "surface.png")
        show(args, "surface", surface.markdown_table(results, UNIVERSAL))
        show(args, "peers", surface.peers_table(results, UNIVERSAL))


def measure_generalisation(args: argparse.Namespace, restorers: dict[str, Restorer]) -> None:
    clean = load_test(args).images[: args.images or generalisation.IMAGES]
    measured_on = conditions(args, clean)
    before = load_previous(args.out / generalisation.FILE, measured_on)
    results = {**measured_on, **generalisation.measure(clean, restorers, args.seed, args.workers, before)}
    save(args.out / generalisation.FILE, results)
    show(args, "generalisation", generalisation.markdown_tables(results))


def measure_emotion(args: argparse.Namespace, restorers: dict[str, Restorer]) -> None:
    test = load_test(args)
    faces = Faces(test.images[: args.images], test.labels[: args.images], test.source)
    keep_whole(args.out / recognition.FILE, args, len(faces.images))
    classifiers = {name: EmotionClassifier.from_pretrained(name) for name in CLASSIFIERS}
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


def measure_speed(args: argparse.Namespace, restorers: dict[str, Restorer]) -> None:
    keep_whole(args.out / speed.FILE, args)
    workers = args.workers or os.cpu_count() or 1
    with ProcessPoolExecutor(workers) as pool:
        methods: dict[str, Method] = {**restorers, **chosen_peers(args)}
        rows = speed.measure(load_test(args).images, methods, args.seed, pool, workers)
    results: dict[str, Any] = {"machine": speed.machine(), "models": rows}
    if UNIVERSAL in restorers:
        results["start"] = speed.measure_start(UNIVERSAL)
    save(args.out / speed.FILE, results)
    show(args, "speed", speed.markdown_table(results))


def measure_throughput(args: argparse.Namespace, restorers: dict[str, Restorer]) -> None:
    faces = load_fer2013(args.data, "train", args.revision)
    faces = Faces(faces.images[: args.images], faces.labels[: args.images], faces.source)
    keep_whole(args.out / throughput.FILE, args, len(faces.images))
    rows = throughput.measure(faces, list(restorers), args.seed, args.workers or os.cpu_count() or 1)
    results = {"machine": speed.machine(), "models": rows}
    save(args.out / throughput.FILE, results)
    show(args, "throughput", throughput.markdown_table(results))


def measure_pictures(args: argparse.Namespace, restorers: dict[str, Restorer]) -> None:
    sets = natural_images.load_sets(args.pictures)
    measured_on = {"data": {name: record_of(pictures) for name, pictures in sets.items()}, "seed": args.seed}
    results = natural_images.measure(
        sets,
        blind_networks(restorers),
        chosen_peers(args),
        has_bm3d(args),
        args.out / natural_images.FILE,
        measured_on,
        args.workers,
        args.anew,
    )
    show(args, "pictures", natural_images.markdown_table(results))


def measure_real(args: argparse.Namespace, restorers: dict[str, Restorer]) -> None:
    pairs = read_pairs(args.real)[: args.images]
    results = real_noise.measure(
        pairs,
        blind_networks(restorers),
        chosen_peers(args),
        has_bm3d(args),
        args.out / real_noise.FILE,
        {"data": record_of(picture for pair in pairs for picture in pair) | {"pictures": len(pairs)}},
        args.workers,
        args.anew,
    )
    show(args, "real", real_noise.markdown_table(results))


def measure_world(args: argparse.Namespace, restorers: dict[str, Restorer]) -> None:
    faces = load_test(args).images[: args.images or world.IMAGES]
    has_bm3d(args)
    results = world.measure(
        faces,
        {name: restorer for name, restorer in restorers.items() if name not in FILTERS},
        {name: peer for name, peer in chosen_peers(args).items() if not peer.published.told},
        [name for name in args.models if name in oracle.FILTERS],
        args.out / world.FILE,
        conditions(args, faces),
        args.workers,
        args.anew,
    )
    if UNIVERSAL in results["methods"]:
        world.print_summary(results)
        show(args, "world", world.markdown_table(results))


def blind_networks(restorers: dict[str, Restorer]) -> dict[str, Restorer]:
    """Those that are made for noise of any level."""
    return {name: each for name, each in restorers.items() if name not in FILTERS and MODELS[name].serves(None)}


def has_bm3d(args: argparse.Namespace) -> bool:
    """Whether BM3D is to be measured; says so where it would be but is not installed."""
    if "bm3d" not in available_filters():
        print("bm3d is not installed, so BM3D is left out: pip install bm3d")
    return "bm3d" in args.models


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
    order = [NOISY, *MODELS, *PEERS, SELF_ENSEMBLE, TOLD_SIGMA, ORIGIN_RECIPE]
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


class Measurement(NamedTuple):
    """Something that is measured instead of the tasks.

    Attributes:
        measure: called with the options and the chosen restorers.
        what: it is, in words.
        with_peers: whether published networks are measured too.
        place: what its option takes, where it needs pictures of its own.
    """

    measure: Callable[[argparse.Namespace, dict[str, Restorer]], None]
    what: str
    with_peers: bool = False
    place: str | None = None


OTHERS = {
    "surface": Measurement(
        measure_surface, "every pair of levels of Gaussian noise and impulses, on 500 faces", with_peers=True
    ),
    "generalisation": Measurement(
        measure_generalisation, "other pictures, and noise that no network has seen, on 500 faces"
    ),
    "emotion": Measurement(measure_emotion, "how well emotions are recognised in noisy and in restored faces"),
    "speed": Measurement(measure_speed, "milliseconds per face", with_peers=True),
    "throughput": Measurement(measure_throughput, "how fast the command cleans the training images"),
    "pictures": Measurement(
        measure_pictures, "pictures that are no faces: Set12, BSD68, Kodak24, Classic5", with_peers=True, place="FOLDER"
    ),
    "world": Measurement(
        measure_world, "the kinds of noise that pictures carry, and harmless pictures, on 500 faces", with_peers=True
    ),
    "real": Measurement(
        measure_real, "noise of real sensors, on pairs of noisy and clean pictures", with_peers=True, place="PLACE"
    ),
}
"""By the name of the option."""


if __name__ == "__main__":
    main()
