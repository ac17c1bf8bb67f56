"""The three tasks: every method on the same noisy test images, by PSNR and SSIM, ours and the origin's.

`python -m train.benchmark` runs it. Grids of samples go to `outputs/`, which is ignored, since they show FER2013; the
grid of faces that may be shown goes beside the results.
"""

from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fer_denoise import Restorer, list_models
from fer_denoise.data import load_fer2013, stands_in
from fer_denoise.evaluate import NOISY, SELF_ENSEMBLE, SIGMA_GIVEN, restore, score
from fer_denoise.method import KnownNoise, Method
from fer_denoise.noise import TASKS
from fer_denoise.origin import ORIGIN_RECIPE
from fer_denoise.samples import sample_faces
from fer_denoise.zoo import MODELS, UNIVERSAL
from train.measures.shared.cells import made_of
from train.measures.shared.peers import PEERS
from train.measures.shared.request import Request
from train.reporting import overview
from train.reporting.report import markdown_tables, plot_samples
from train.reporting.results import load_previous, save

FILE = "benchmark.json"
HELP = "the three tasks, on all test images"
WITH_PEERS = True
PLACE: str | None = None
methods = list_models
PRIVATE = Path("outputs")
SAMPLES = 6


def measure(request: Request) -> dict[str, Any]:
    """Scores of every method on each task, beside what `FILE` holds already of the same images and noise."""
    clean = request.faces().images
    unseen = ~stands_in(clean, load_fer2013(request.data, "train", request.revision).images)
    conditions = request.conditions(clean)
    conditions["data"]["unseen"] = int(unseen.sum())
    file = request.out / FILE
    before = load_previous(file, conditions).get("tasks", {})
    results = {task: {row["model"]: row for row in rows} for task, rows in before.items()}
    with ProcessPoolExecutor(request.workers) as pool:
        for task in request.tasks:
            noisy = TASKS[task](clean, seed=request.seed)
            rows = results.setdefault(task, {})
            rows[NOISY] = score(NOISY, noisy, clean, unseen).as_dict()
            samples = {}
            for method in tqdm(_methods_of(task, request), task):
                restored = restore(method, noisy, KnownNoise.of(TASKS[task]), pool)
                row = score(method.name, restored, clean, unseen).as_dict()
                rows[method.name] = {**row, **made_of(method)}
                samples[method.name] = restored[:SAMPLES]
                save(file, {**conditions, "tasks": _in_order(results)})
            if request.samples:
                plot_samples(clean[:SAMPLES], noisy[:SAMPLES], samples, PRIVATE / f"samples-{task}.png")
                plot_samples(*restore_showable(task), request.out / f"samples-{task}.png")
            print_table(task, rows)
    if request.samples:
        overview.draw(request.out / overview.FILE)
    return {**conditions, "tasks": _in_order(results)}


def tables(results: dict[str, Any]) -> dict[str, str]:
    return {"results": markdown_tables(results)}


def _methods_of(task: str, request: Request) -> list[Method]:
    """The chosen methods, tuned for the task, and of `UNIVERSAL` its variants, as far as they can do it."""
    chosen: list[Method] = [*request.restorers.values(), *request.peers.values()]
    if request.variants:
        network = request.restorers[UNIVERSAL].model
        chosen += [Restorer(network, SELF_ENSEMBLE, self_ensemble=True)]
        chosen += [Restorer(network, SIGMA_GIVEN, needs=("sigma",))]
    if task in request.origin_recipes:
        chosen.append(request.origin_recipes[task])
    has_sigma = bool(KnownNoise.of(TASKS[task]).sigma)
    return [method.tuned_for(task) for method in chosen if has_sigma or "sigma" not in method.needs]


def _in_order(results: dict[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    order = [NOISY, *MODELS, *PEERS, SELF_ENSEMBLE, SIGMA_GIVEN, ORIGIN_RECIPE]
    return {
        task: sorted(results[task].values(), key=lambda row: order.index(row["model"]))
        for task in TASKS
        if task in results
    }


def restore_showable(task: str) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Clean, noisy and, by every model there is, restored faces that may be shown."""
    clean = np.stack(list(sample_faces().values()))[:SAMPLES]
    noisy = TASKS[task](clean, seed=0)
    methods = {name: Restorer.from_pretrained(name).tuned_for(task) for name in list_models()}
    known = KnownNoise.of(TASKS[task])
    return clean, noisy, {name: restore(method, noisy, known) for name, method in methods.items()}


def print_table(task: str, rows: dict[str, dict[str, Any]]) -> None:
    print(f"\n{task}: PSNR, SSIM | unseen images: PSNR, SSIM | the origin's convention: PSNR, SSIM")
    for row in sorted(rows.values(), key=lambda row: row["psnr"]):
        print(
            f"{row['model']:32} {row['psnr']:6.2f} {row['ssim']:.3f}"
            f" | {row['psnr_unseen']:6.2f} {row['ssim_unseen']:.3f}"
            f" | {row['origin_psnr']:6.2f} {row['origin_ssim']:.3f}"
        )
