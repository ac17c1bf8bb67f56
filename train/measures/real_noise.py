"""Noise of real sensors: pictures at high ISO beside what they show without noise.

`python -m train.benchmark --real PLACE` runs it; `train.shared.picture_sets.read_pairs` says how the pairs may lie
there. It is made for the PolyU pictures (Xu et al. 2018, "Real-world Noisy Image Denoising: A New Benchmark",
https://arxiv.org/abs/1804.02603), which are for a look at the very end, never for choosing. Nobody knows sigma here:
BM3D and the published networks that have to be told it get an estimate (Donoho & Johnstone 1994). Our networks restore
colour as the app does, published ones each channel by itself; BM3D takes them together. What is measured is kept after
every picture, so that an interrupted run goes on.
"""

import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np
from skimage.restoration import estimate_sigma
from tqdm import tqdm

from fer_denoise import list_models
from fer_denoise.evaluate import NOISY
from fer_denoise.images import Batch, to_dtype
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.photos import restore_photo
from train.measures.natural_images import BM3D, restore_with_bm3d
from train.measures.request import Request
from train.reporting import markdown
from train.reporting.report import heading
from train.reporting.results import Scores, weights_of
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
    return measure_cells(pairs, request, {"data": data})


def tables(results: dict[str, Any]) -> dict[str, str]:
    return {"real": markdown_table(results)}


def measure_cells(pairs: list[Pair], request: Request, conditions: dict[str, Any]) -> dict[str, Any]:
    """PSNR of all methods and of the noisy input on each pair; written to `FILE`, beside what it holds already.

    Args:
        pairs: noisy and clean, uint8 (H, W, 3) or (H, W).
        conditions: what the figures depend on besides the methods.
    """
    networks, peers, with_bm3d = request.blind_networks, request.peers, request.has_bm3d()
    records: dict[str, dict[str, Any]] = {NOISY: {}, **{name: weights_of(name) for name in networks}}
    if with_bm3d:
        records[BM3D] = {"told": GIVEN}
    for name, peer in peers.items():
        records[name] = {**peer.record, **({"told": GIVEN} if peer.needs else {})}
    scores = Scores(request.out / FILE, conditions, records, request.anew)
    with ProcessPoolExecutor(request.workers) as pool:
        todo = {cell: pair for cell, pair in cells(pairs) if BM3D in scores.missing(cell)} if with_bm3d else {}
        of_bm3d = pool.map(with_estimate, [noisy for noisy, _ in todo.values()])
        for (cell, (_, clean)), restored in zip(todo.items(), tqdm(of_bm3d, BM3D, len(todo)), strict=True):
            scores.put(BM3D, cell, _score(restored, clean))
    for cell, (noisy, clean) in tqdm(list(cells(pairs)), "pairs"):
        for name in scores.missing(cell):
            if name == NOISY:
                restored = noisy
            elif name in networks:
                restored = restore_photo(networks[name], noisy)
            else:
                restored = peers[name](noisy, estimated_sigma(noisy) if peers[name].needs else None)
            scores.put(name, cell, _score(restored, clean))
    return scores.results


def cells(pairs: list[Pair]) -> Iterator[tuple[str, Pair]]:
    """Each pair and its name in the results, which is its number."""
    return ((str(number), pair) for number, pair in enumerate(pairs, 1))


def estimated_sigma(picture: np.ndarray) -> float:
    """Sigma on [0, 1] of uint8 (H, W) or (H, W, 3): the mean of its channels'."""
    pixels = Batch(picture).pixels[0]
    with warnings.catch_warnings():
        # Where a channel is flat there is nothing to estimate from, and the result is NaN.
        warnings.simplefilter("ignore", RuntimeWarning)
        return float(np.mean(np.nan_to_num([estimate_sigma(channel) for channel in pixels])))


def with_estimate(picture: np.ndarray) -> np.ndarray:
    """What BM3D, told the estimated sigma, makes of uint8 (H, W) or (H, W, 3)."""
    restored = restore_with_bm3d(picture.astype(np.float32) / 255, estimated_sigma(picture))
    return to_dtype(restored, picture.dtype)


def markdown_table(results: dict[str, Any]) -> str:
    """A row per method: its mean PSNR, and by how much that is above the input."""
    means = {name: mean_psnr(np.array([*record["cells"].values()])) for name, record in results["methods"].items()}
    lines = []
    for name in sorted(means, key=lambda name: -means[name]):
        gain = f"{means[name] - means[NOISY]:+.2f}" if name != NOISY else ""
        lines.append((heading(name, results["methods"][name]), f"{means[name]:.2f}", gain))
    return markdown.table(("method", f"PSNR, {results['data']['pictures']} pictures", "above the input"), lines)


def _score(restored: np.ndarray, clean: np.ndarray) -> float:
    return round(mean_psnr(np.array([psnr(restored, clean)])), 4)
