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
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import numpy as np

from fer_denoise import list_models
from fer_denoise.classical import ImageFilter, bm3d
from fer_denoise.evaluate import NOISY, restore
from fer_denoise.method import KnownNoise, Method, ProgressCallback
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.noise import gaussian_noise, jpeg_compression
from train.measures.shared.cells import Cell, NoisyInput, made_of, measure_cells
from train.measures.shared.request import Request
from train.reporting.report import by_method
from train.reporting.results import Scores
from train.shared.picture_sets import SetNotFoundError, find_set, read_set, record_of

FILE = "pictures.json"
HELP = "pictures that are no faces: Set12, BSD68, Kodak24, Classic5"
WITH_PEERS = True
PLACE: str | None = "FOLDER"
methods = list_models

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


def load_sets(folder: Path) -> dict[str, list[np.ndarray]]:
    """The sets that `folder` holds, uint8; those that it does not are named. SetNotFoundError where it holds none."""
    pictures: dict[str, list[np.ndarray]] = {}
    missing: list[SetNotFoundError] = []
    for name, picture_set in SETS.items():
        try:
            pictures[name] = read_set(find_set(folder, name), picture_set.colour)
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
                yield Cell(f"{name}, JPEG {quality}", clean, partial(_saved, clean, quality, seed))
        else:
            for sigma in SIGMAS:
                noisy = partial(_with_noise, clean, sigma / 255, seed)
                yield Cell(f"{name}, sigma {sigma}", clean, noisy, KnownNoise(sigma / 255))


def _saved(clean: list[np.ndarray], quality: int, seed: int) -> list[np.ndarray]:
    return [jpeg_compression(picture, quality, seed=seed) for picture in clean]


def _with_noise(clean: list[np.ndarray], sigma: float, seed: int) -> list[np.ndarray]:
    return [with_noise(picture, sigma, seed, index) for index, picture in enumerate(clean)]


class ColourBM3D(ImageFilter):
    """BM3D, or on colour its form that takes all channels together.

    Dabov et al. 2007, "Color image denoising via sparse 3D collaborative filtering with grouping constraint in
    luminance-chrominance space", https://doi.org/10.1109/ICIP.2007.4378954
    """

    name = "bm3d"
    needs = ("sigma",)
    record = MappingProxyType({"told": "sigma"})

    def restore_image(self, image: np.ndarray, noise: KnownNoise) -> np.ndarray:
        return bm3d(image, cast(float, noise.sigma), strength=1)

    def restore_pixels(self, pixels: np.ndarray, noise: KnownNoise, on_progress: ProgressCallback) -> np.ndarray:
        if pixels.shape[1] == 1:
            return super().restore_pixels(pixels, noise, on_progress)
        from bm3d import bm3d_rgb

        restored = [bm3d_rgb(np.moveaxis(each, 0, -1), max(cast(float, noise.sigma), 1e-4)) for each in pixels]
        on_progress(1)
        return np.moveaxis(np.stack(restored), -1, 1)


def methods_of(request: Request) -> dict[str, Method]:
    """The methods that are made for any level of noise, and the noisy input, by name."""
    request.say_what_is_not_installed()
    of_bm3d = [ColourBM3D()] if ColourBM3D.name in request.models else []
    every = [NoisyInput(), *request.blind_networks.values(), *of_bm3d, *request.peers.values()]
    return {method.name: method for method in every}


def measure(request: Request) -> dict[str, Any]:
    """Mean PSNR of every method made for any level, on each set that the place holds."""
    sets = load_sets(cast(Path, request.place))
    conditions = {"data": {name: record_of(pictures) for name, pictures in sets.items()}, "seed": request.seed}
    methods = methods_of(request)
    records = {name: made_of(method) for name, method in methods.items()}
    scores = Scores(request.out / FILE, conditions, records, request.anew)
    with ProcessPoolExecutor(request.workers) as pool:

        def measure_method(name: str, noisy: list[np.ndarray], cell: Cell) -> float:
            of_each: Any = pool.map if methods[name].cpu_only else map
            restored = of_each(partial(restore, methods[name], noise=cell.known), noisy)
            return round(mean_psnr(np.array(list(map(psnr, restored, cell.clean)))), 4)

        def without(cell: Cell) -> list[str]:
            return [name for name, method in methods.items() if method.lacking(cell.known)]

        return measure_cells(cells(sets, request.seed), scores, measure_method, without)


def tables(results: dict[str, Any]) -> dict[str, str]:
    return {"pictures": markdown_table(results)}


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
