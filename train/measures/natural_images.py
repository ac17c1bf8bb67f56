"""Pictures that are no faces: the field's own test sets, with Gaussian noise or saved as JPEG.

`python -m train.benchmark --pictures FOLDER` runs it. FOLDER holds each set as a Parquet file or a subfolder of
pictures that has its name; they are in https://github.com/cszn/DnCNN and https://github.com/cszn/FFDNet. The noise is
clipped to [0, 1] and not rounded. Networks restore each channel of a colour picture by itself; BM3D, which is told
sigma, takes them together. What is measured is kept after every cell, so that an interrupted run goes on.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from tqdm import tqdm

from fer_denoise import list_models
from fer_denoise.classical import bm3d
from fer_denoise.evaluate import NOISY, restore
from fer_denoise.method import KnownNoise, Method
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.noise import gaussian_noise, jpeg_compression
from train.measures.request import Request
from train.reporting.report import by_method
from train.reporting.results import Scores, weights_of
from train.shared.picture_sets import SetNotFoundError, find_set, read_set, record_of

FILE = "pictures.json"
HELP = "pictures that are no faces: Set12, BSD68, Kodak24, Classic5"
WITH_PEERS = True
PLACE: str | None = "FOLDER"
methods = list_models

BM3D = "bm3d"
SIGMAS = (15, 25, 50)
"""Noise levels, of 255."""
QUALITIES = (10, 20, 30, 40)


class PictureSet(NamedTuple):
    """A test set: whether it is in colour, and whether it is saved as JPEG instead of given Gaussian noise."""

    colour: bool = False
    saved: bool = False


SETS = {
    "Set12": PictureSet(),
    "BSD68": PictureSet(),
    "Classic5": PictureSet(saved=True),
    "Kodak24": PictureSet(colour=True),
}


class Cell(NamedTuple):
    """A set at one level.

    Attributes:
        name: what it is called in the results.
        clean: uint8 (H, W) or (H, W, 3).
        noisy: float32 in [0, 1], of the same shapes.
        sigma: of the Gaussian noise, on [0, 1]; None for JPEG.
    """

    name: str
    clean: list[np.ndarray]
    noisy: list[np.ndarray]
    sigma: float | None


def load_sets(folder: Path) -> dict[str, list[np.ndarray]]:
    """The sets that `folder` holds, uint8; those that it does not are named. SetNotFoundError where it holds none."""
    pictures: dict[str, list[np.ndarray]] = {}
    missing: list[SetNotFoundError] = []
    for name, kind in SETS.items():
        try:
            pictures[name] = read_set(find_set(folder, name), kind.colour)
        except SetNotFoundError as error:
            missing.append(error)
    if not pictures:
        raise missing[0]
    for reason in missing:
        print(f"left out: {reason}")
    return pictures


def cells(sets: dict[str, list[np.ndarray]], seed: int) -> Iterator[Cell]:
    """Each set at each level; picture i draws its noise from `seed` and i alone."""
    for name, clean in sets.items():
        if SETS[name].saved:
            for quality in QUALITIES:
                saved = [jpeg_compression(each, quality, seed=seed) for each in clean]
                yield Cell(f"{name}, JPEG {quality}", clean, saved, None)
        else:
            for sigma in SIGMAS:
                noisy = [with_noise(each, sigma / 255, seed, index) for index, each in enumerate(clean)]
                yield Cell(f"{name}, sigma {sigma}", clean, noisy, sigma / 255)


def measure(request: Request) -> dict[str, Any]:
    """Mean PSNR of every method made for any level, on each set that the place holds."""
    sets = load_sets(cast(Path, request.place))
    conditions = {"data": {name: record_of(pictures) for name, pictures in sets.items()}, "seed": request.seed}
    return measure_cells(sets, request, conditions)


def tables(results: dict[str, Any]) -> dict[str, str]:
    return {"pictures": markdown_table(results)}


def measure_cells(sets: dict[str, list[np.ndarray]], request: Request, conditions: dict[str, Any]) -> dict[str, Any]:
    """Mean PSNR of all methods and of the noisy input in each cell; written to `FILE`, beside what it holds already.

    Args:
        sets: by name, out of `SETS`.
        conditions: what the figures depend on besides the methods: "seed" is that of the noise.
    """
    networks, peers, with_bm3d = request.blind_networks, request.peers, request.has_bm3d()
    methods: dict[str, Method] = {**networks, **peers}
    records: dict[str, dict[str, Any]] = {NOISY: {}, **{name: weights_of(name) for name in networks}}
    if with_bm3d:
        records[BM3D] = {"told": "sigma"}
    records |= {name: peer.record for name, peer in peers.items()}
    told_sigma = [name for name, made_of in records.items() if made_of.get("told") == "sigma"]
    scores = Scores(request.out / FILE, conditions, records, request.anew)
    with ProcessPoolExecutor(request.workers) as pool:
        for cell in tqdm(cells(sets, conditions["seed"]), "cells"):
            for name in scores.missing(cell.name, told_sigma if cell.sigma is None else ()):
                if name == NOISY:
                    restored = cell.noisy
                elif name == BM3D:
                    restored = list(pool.map(partial(restore_with_bm3d, sigma=cell.sigma or 0.0), cell.noisy))
                else:
                    known = KnownNoise(cell.sigma)
                    restored = [restore(methods[name], picture, known) for picture in cell.noisy]
                scores.put(name, cell.name, round(mean_psnr(np.array(list(map(psnr, restored, cell.clean)))), 4))
    return scores.results


def restore_with_bm3d(picture: np.ndarray, sigma: float) -> np.ndarray:
    """What BM3D, told sigma, makes of float (H, W), or its form for colour of (H, W, 3), in [0, 1].

    Dabov et al. 2007, "Color image denoising via sparse 3D collaborative filtering with grouping constraint in
    luminance-chrominance space", https://doi.org/10.1109/ICIP.2007.4378954
    """
    if picture.ndim == 2:
        return np.clip(bm3d(picture, sigma, strength=1), 0, 1)
    from bm3d import bm3d_rgb

    return np.clip(bm3d_rgb(picture, max(sigma, 1e-4)), 0, 1)


def markdown_table(results: dict[str, Any]) -> str:
    """A row per set and level, a column per method."""
    names = results["methods"][NOISY]["cells"]
    return by_method(("pictures, noise",), {(name,): name for name in names}, results["methods"])


def with_noise(picture: np.ndarray, sigma: float, seed: int, index: int) -> np.ndarray:
    """The `index`-th picture of a set with Gaussian noise; each channel of colour is an image of its own."""
    if picture.ndim == 2:
        return gaussian_noise(picture, sigma, seed=seed, first_index=index)
    channels = np.moveaxis(picture, -1, 0)
    return np.moveaxis(gaussian_noise(channels, sigma, seed=seed, first_index=3 * index), 0, -1)
