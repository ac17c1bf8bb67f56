"""Two ways in which a network restores colour: each channel by itself, and luminance before chrominance.

`python -m train.benchmark --colour FOLDER` runs it. FOLDER holds Kodak24, as that of `--pictures` does. The noise is
Gaussian, other in each channel. The ways take turns on every picture, on one core, and what is counted is the time that
they compute, so that it is the same on a busy machine.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
from tqdm import tqdm

from fer_denoise.colour import restore_colour
from fer_denoise.evaluate import NOISY
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.precision import on_cores
from fer_denoise.restore import Restorer
from fer_denoise.zoo import UNIVERSAL
from train.measures.natural_images import with_noise
from train.measures.shared.request import NOTHING_TO_MEASURE, Request
from train.measures.speed import machine
from train.reporting import markdown
from train.reporting.report import bold_best
from train.reporting.results import load_previous, save
from train.shared.picture_sets import find_set, read_set, record_of

FILE = "colour.json"
HELP = "two ways to restore colour, side by side, and their time"
WITH_PEERS = False
PLACE: str | None = "FOLDER"

SET = "Kodak24"
SIGMAS = (0, 25)
"""Noise levels, of 255."""
EACH_CHANNEL, BY_LUMINANCE = "each channel", "luminance, chrominance"
WAYS: dict[str, Callable[..., Any]] = {EACH_CHANNEL: Restorer.__call__, BY_LUMINANCE: restore_colour}


def methods() -> list[str]:
    """The one that the app restores colour with."""
    return [UNIVERSAL]


@on_cores(1)
def measure(request: Request) -> dict[str, Any]:
    """PSNR and seconds of both ways at each noise level."""
    if UNIVERSAL not in request.restorers:
        raise SystemExit(NOTHING_TO_MEASURE)
    clean = read_set(find_set(cast(Path, request.place), SET), colour=True)[: request.images]
    conditions = {"data": {SET: record_of(clean), "pictures": len(clean)}, "seed": request.seed}
    load_previous(request.out / FILE, conditions)
    rows = measure_rows(clean, request.restorers[UNIVERSAL], request.seed)
    results = {**conditions, "machine": machine(), "rows": rows}
    save(request.out / FILE, results)
    return results


def tables(results: dict[str, Any]) -> dict[str, str]:
    return {"colour": markdown_table(results)}


def measure_rows(clean: list[np.ndarray], restorer: Restorer, seed: int) -> list[dict[str, Any]]:
    """A row per noise level: mean PSNR of the noisy pictures, and that and the seconds of either way.

    Args:
        clean: uint8 (H, W, 3).
    """
    # The first call of a shape takes longer.
    for way in WAYS.values():
        way(restorer, clean[0])
    rows = []
    for sigma in SIGMAS:
        noisy = [with_noise(picture, sigma / 255, seed, index) for index, picture in enumerate(clean)]
        scores: dict[str, list[Any]] = {NOISY: list(map(psnr, noisy, clean)), **{name: [] for name in WAYS}}
        seconds = dict.fromkeys(WAYS, 0.0)
        for one, truth in zip(tqdm(noisy, f"sigma {sigma}"), clean, strict=True):
            for name, way in WAYS.items():
                started = time.process_time()
                restored = way(restorer, one)
                seconds[name] += time.process_time() - started
                scores[name].append(psnr(restored, truth))
        of_all = {name: round(mean_psnr(np.array(each)), 4) for name, each in scores.items()}
        rows.append({"sigma": sigma, "psnr": of_all, "seconds": {way: round(s, 2) for way, s in seconds.items()}})
    return rows


def markdown_table(results: dict[str, Any]) -> str:
    """PSNR of either way, and how long they take."""
    lines = []
    for row in results["rows"]:
        of_ways = [row["seconds"][way] for way in WAYS]
        values = [row["psnr"][name] for name in (NOISY, *WAYS)]
        # A clean picture is right as it is.
        shown = bold_best(values) if row["sigma"] else ["", *bold_best(values[1:])]
        times = [f"{seconds:.1f}" for seconds in of_ways]
        lines.append([str(row["sigma"]), *shown, *times, f"{of_ways[1] / of_ways[0]:.2f}"])
    columns = ("sigma, of 255", NOISY, *WAYS, *(f"{way}, s" for way in WAYS), "part of the time")
    return (
        f"{markdown.table(columns, lines)}\n\n{results['data']['pictures']} pictures of {SET}, in seconds of one core, "
        f"measured on {results['machine']}."
    )
