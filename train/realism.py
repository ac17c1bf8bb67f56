"""Measure how natural restored faces look, beside how true they are: PatchGAN, U-Net, their blends, and sharpening.

    python -m train.realism                                   # writes results/realism.json, .png and the tables
    python -m train.realism --sweep runs/gan-high-*/model     # also models of other adversarial weights; they stay
    python -m train.realism --images 500 --out outputs/quick

Realism is measured in three ways, each 0 or 0.5 where restored and clean faces cannot be told apart: the distance of
their radially averaged power spectra, the distance of the distributions of their gradients, and the accuracy with which
a fresh classifier tells them apart, trained on restored validation faces and scored on test faces. The control is the
U-Net with simple sharpening, its strength tuned on validation for the best spectrum.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from fer_denoise import Restorer
from fer_denoise.command.options import at_least
from fer_denoise.data import DataError, Faces, load_fer2013
from fer_denoise.evaluate import NOISY
from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.images import to_dtype
from fer_denoise.metrics import mean_psnr, psnr, ssim
from fer_denoise.noise import TASKS
from fer_denoise.realism import blend, gradient_distance, sharpness, spectral_distance, unsharp
from fer_denoise.zoo import specialists
from train.measures.shared.detectability import detection_accuracy
from train.reporting.report import plot_realism, realism_tables, update_pages
from train.reporting.results import RESULTS, load_previous, save
from train.shared import setup
from train.shared.faces import TEST_SEED

FILE = "realism.json"
DETECTOR_SEED = 4
"""The seed of the noise on the validation faces that the classifier is trained on."""

BLENDS = (0.25, 0.5, 0.75)
STRENGTHS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    setup.add_data_options(parser)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--sweep", nargs="+", metavar="MODEL", default=[], help="models of other adversarial weights")
    parser.add_argument("--images", type=at_least(1), help="only the first so many images of each split")
    parser.add_argument("--workers", type=at_least(1), help="processes for the classifiers (default: one per core)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the results (default: %(default)s)")
    return parser.parse_args(argv)


class Split:
    """The clean and noisy faces of a split, and what each network makes of them."""

    def __init__(self, clean: np.ndarray, task: str, seed: int) -> None:
        self.clean = clean
        self.noisy = TASKS[task](clean, seed=seed)
        self._restored: dict[str, np.ndarray] = {}

    def restored(self, restorer: Restorer) -> np.ndarray:
        """Float32 (N, H, W) in [0, 1], computed once."""
        if restorer.name not in self._restored:
            self._restored[restorer.name] = restorer(self.noisy)
        return self._restored[restorer.name]


def methods(task: str, sweep: list[str]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Each method's description and a function of a `Split` to its restored faces."""
    fidelity, realism = (Restorer.from_pretrained(name) for name in specialists(task))
    yield {"method": NOISY}, lambda split: split.noisy
    yield {"method": fidelity.name}, lambda split: split.restored(fidelity)
    for strength in STRENGTHS:
        yield (
            {"method": "sharpened", "strength": strength},
            lambda split, strength=strength: unsharp(split.restored(fidelity), strength),
        )
    for alpha in BLENDS:
        yield (
            {"method": "blend", "alpha": alpha},
            lambda split, alpha=alpha: blend(split.restored(fidelity), split.restored(realism), alpha),
        )
    yield {"method": realism.name, "weight": _weight(realism)}, lambda split: split.restored(realism)
    for folder in sweep:
        other = Restorer.from_pretrained(folder)
        if _record(other).get("task") == task:
            yield {"method": "sweep", "weight": _weight(other)}, lambda split, other=other: split.restored(other)


def _record(restorer: Restorer) -> dict[str, Any]:
    """The record of the training of a network; an empty one of a filter."""
    return getattr(restorer.model, "training_record", {})


def _weight(restorer: Restorer) -> float:
    recipe = _record(restorer).get("recipe", {})
    if "adversarial_weight" not in recipe:
        raise SystemExit(f"{restorer.name} was not trained by train.gan, so it has no adversarial weight to draw")
    return recipe["adversarial_weight"]


def measure(
    task: str, test: np.ndarray, validation: np.ndarray, sweep: list[str], pool: Executor
) -> list[dict[str, Any]]:
    """A row per method, complete for those that a table shows; the rest are points of a curve."""
    splits = Split(validation, task, DETECTOR_SEED), Split(test, task, TEST_SEED)
    rows, restorations = [], []
    for description, restore in methods(task, sweep):
        seen, restored = (to_dtype(np.clip(restore(split), 0, 1), np.dtype(np.uint8)) for split in splits)
        rows.append(
            {
                **description,
                "psnr": mean_psnr(psnr(restored, test)),
                "spectral_distance": spectral_distance(restored, test),
                "validation_spectral_distance": spectral_distance(seen, validation),
            }
        )
        restorations.append((seen, restored))
    sharpened = [row for row in rows if row["method"] == "sharpened"]
    tuned = min(sharpened, key=lambda row: row["validation_spectral_distance"])
    jobs = []
    for row, (seen, restored) in zip(rows, restorations, strict=True):
        row["shown"] = row is tuned or (row["method"] not in ("sharpened", "sweep") and row.get("alpha") in (None, 0.5))
        if row["shown"] or row["method"] == "sweep":
            jobs.append((row, restored, pool.submit(detection_accuracy, (seen, validation), (restored, test))))
    for row, restored, future in tqdm(jobs, task):
        row["ssim"] = float(ssim(restored, test).mean())
        row["gradient_distance"] = gradient_distance(restored, test)
        row["sharpness"] = sharpness(restored, test)
        row["detection_accuracy"] = future.result()
    return rows


def keep_sweep(rows: list[dict[str, Any]], before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """New rows, and the old ones of adversarial weights that are not among them."""
    weights = [row["weight"] for row in rows if row["method"] == "sweep"]
    return rows + [row for row in before if row["method"] == "sweep" and row["weight"] not in weights]


def tables(results: dict[str, Any]) -> dict[str, str]:
    """The tables of all tasks, by the name of their marks."""
    return {"realism": realism_tables(results)}


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        test, validation = (load_fer2013(args.data, split, args.revision) for split in ("test", "validation"))
        clean, validation_faces = test.images[: args.images], validation.images[: args.images]
        data = {"images": len(clean), "sha256": Faces(clean, test.labels, "").fingerprint}
        measured_on = {"data": data, "seed": TEST_SEED}
        args.out.mkdir(parents=True, exist_ok=True)
        file = args.out / FILE
        before = load_previous(file, measured_on).get("tasks", {})
        # Small networks gain more from processes than from threads.
        with ProcessPoolExecutor(args.workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
            tasks = {
                task: measure(task, clean, validation_faces, args.sweep, pool) for task in TASKS if task in args.tasks
            }
    except (DataError, ModelNotFoundError) as error:
        raise SystemExit(str(error)) from None
    all_tasks = {**before, **{task: keep_sweep(rows, before.get(task, [])) for task, rows in tasks.items()}}
    results = {**measured_on, "tasks": {task: all_tasks[task] for task in TASKS if task in all_tasks}}
    save(file, results)
    plot_realism(results, args.out / "realism.png")
    for name, text in tables(results).items():
        print(text)
        if args.out == RESULTS:
            update_pages(name, text)


if __name__ == "__main__":
    main()
