"""Noise of real sensors: pictures at high ISO beside what they show without noise.

`python -m train.benchmark --real PLACE` runs it; `train.shared.picture_sets.read_pairs` says how the pairs may lie
there. It is made for the PolyU pictures (Xu et al. 2018, "Real-world Noisy Image Denoising: A New Benchmark",
https://arxiv.org/abs/1804.02603), which are for a look at the very end, never for choosing. Nobody knows sigma here:
BM3D and the published networks that have to be told it get an estimate (Donoho & Johnstone 1994). Our networks restore
colour as the app does, published ones each channel by itself; BM3D takes them together. What is measured is kept after
every picture, so that an interrupted run goes on.
"""

import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from skimage.restoration import estimate_sigma

from fer_denoise import list_models
from fer_denoise.evaluate import NOISY
from fer_denoise.images import Batch
from fer_denoise.method import Method
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.photos import restore_photo
from train.measures.natural_images import methods_of
from train.measures.shared.cells import Cell, made_of, measure_cells
from train.measures.shared.request import Request
from train.reporting import markdown
from train.reporting.report import heading
from train.reporting.results import Scores
from train.shared.picture_sets import read_pairs, record_of

FILE = "real.json"
HELP = "noise of real sensors, on pairs of noisy and clean pictures"
WITH_PEERS = True
PLACE: str | None = "PLACE"
methods = list_models

GIVEN = "an estimate of sigma"
"""What a method that needs sigma is given, in words."""
Pair = tuple[np.ndarray, np.ndarray]
"""Noisy and clean."""


def measure(request: Request) -> dict[str, Any]:
    """PSNR of every method made for any level, on each pair that the place holds."""
    pairs = read_pairs(cast(Path, request.place))[: request.images]
    data = record_of(picture for pair in pairs for picture in pair) | {"pictures": len(pairs)}
    networks, methods = request.blind_networks, methods_of(request)
    records = {
        name: {**made_of(method), **({"told": GIVEN} if method.needs else {})} for name, method in methods.items()
    }
    scores = Scores(request.out / FILE, {"data": data}, records, request.anew)
    with ProcessPoolExecutor(request.workers) as pool:
        # What takes one core has begun with all pictures before the networks come to the first.
        begun = {
            (name, cell.name): pool.submit(restore_told, methods[name], cell.noisy())
            for cell in cells(pairs)
            for name in scores.missing(cell.name)
            if methods[name].cpu_only
        }

        def measure_method(name: str, noisy: np.ndarray, cell: Cell) -> float:
            if name in networks:
                restored = restore_photo(networks[name], noisy)
            elif methods[name].cpu_only:
                restored = begun[name, cell.name].result()
            else:
                restored = restore_told(methods[name], noisy)
            return round(mean_psnr(np.array([psnr(restored, cell.clean)])), 4)

        return measure_cells(cells(pairs), scores, measure_method)


def restore_told(method: Method, noisy: np.ndarray) -> Any:
    """What a method makes of uint8 (H, W, 3) or (H, W); one that needs sigma is told the estimate."""
    return method(noisy, estimated_sigma(noisy) if method.needs else None)


def tables(results: dict[str, Any]) -> dict[str, str]:
    return {"real": markdown_table(results)}


def cells(pairs: list[Pair]) -> list[Cell]:
    """Each pair; its name in the results is its number."""
    return [Cell(str(number), clean, partial(np.asarray, noisy)) for number, (noisy, clean) in enumerate(pairs, 1)]


def estimated_sigma(picture: np.ndarray) -> float:
    """Sigma on [0, 1] of uint8 (H, W) or (H, W, 3): the mean of its channels'."""
    pixels = Batch(picture).pixels[0]
    with warnings.catch_warnings():
        # Where a channel is flat there is nothing to estimate from, and the result is NaN.
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(np.mean(np.nan_to_num([estimate_sigma(channel) for channel in pixels])))


def markdown_table(results: dict[str, Any]) -> str:
    """A row per method: its mean PSNR, and by how much that is above the input."""
    means = {name: mean_psnr(np.array([*record["cells"].values()])) for name, record in results["methods"].items()}
    lines = []
    for name in sorted(means, key=lambda name: -means[name]):
        gain = f"{means[name] - means[NOISY]:+.2f}" if name != NOISY else ""
        lines.append((heading(name, results["methods"][name]), f"{means[name]:.2f}", gain))
    return markdown.table(("method", f"PSNR, {results['data']['pictures']} pictures", "above the input"), lines)
