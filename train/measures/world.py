"""The noise that pictures really carry, kind by kind and level by level, and clean pictures that a restorer may harm.

`python -m train.benchmark --world` runs it, on the first 500 test faces. Networks work blind, published ones too: those
that have to be told sigma have no part in it, since most of this noise has none. Each classical filter stands with the
parameters that are best on these very images (`train/measures/oracle.py`); BM3D, which is slow, on the first 100 of
them. What is measured is kept after every cell, so that an interrupted run goes on.
"""

from collections.abc import Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from fer_denoise import Restorer, list_models
from fer_denoise.evaluate import NOISY, is_published
from fer_denoise.images import to_float
from fer_denoise.method import Method
from fer_denoise.metrics import PSNR_CAP, mean_psnr, psnr
from fer_denoise.noise import (
    CameraNoise,
    Composition,
    CorrelatedNoise,
    DeadLines,
    GaussianNoise,
    ImpulseNoise,
    JpegCompression,
    LocalNoise,
    Noise,
    PoissonNoise,
    Quantization,
    SaltAndPepperNoise,
    SpeckleNoise,
    StripeNoise,
)
from fer_denoise.zoo import MODELS, UNIVERSAL, UNIVERSAL_LARGE
from train.measures import oracle
from train.measures.harmless import HARMLESS, harmless
from train.measures.peers import Peer
from train.measures.request import Request
from train.reporting import markdown
from train.reporting.report import bold_best, heading
from train.reporting.results import Scores, weights_of

FILE = "world.json"
HELP = "the kinds of noise that pictures carry, and harmless pictures, on 500 faces"
WITH_PEERS = True
PLACE: str | None = None

IMAGES = 500
FIRST = 100
"""How many images BM3D is measured on; of the other methods the mean over these is recorded too."""
NEAR = ("near", 0.06)
IN_8_BITS = Quantization(256)

KINDS: dict[str, dict[str, Noise]] = {
    "Gaussian": {f"sigma {sigma:g}": GaussianNoise(sigma) for sigma in (0.02, 0.06, 0.15, 0.3)},
    "Gaussian in 8 bits": {"sigma 0.06": Composition((GaussianNoise(0.06), IN_8_BITS))},
    "salt-and-pepper": {f"{amount:.0%}": SaltAndPepperNoise(amount) for amount in (0.02, 0.1, 0.3)},
    "impulses near black and white": {f"{amount:.0%}": ImpulseNoise(amount, NEAR) for amount in (0.02, 0.1, 0.3)},
    "random impulses": {f"{amount:.0%}": ImpulseNoise(amount) for amount in (0.02, 0.1, 0.3)},
    "Poisson": {f"{photons} photons": PoissonNoise(photons) for photons in (1000, 100, 30)},
    "speckle": {f"sigma {sigma:g}": SpeckleNoise(sigma) for sigma in (0.05, 0.1, 0.2, 0.3)},
    "correlated": {
        f"sigma {sigma:g}, width {width:g}": CorrelatedNoise(sigma, width)
        for sigma in (0.03, 0.06, 0.12)
        for width in (0.7, 1.5)
    },
    "local, smooth": {f"up to sigma {sigma:g}": LocalNoise(sigma) for sigma in (0.06, 0.15, 0.3)},
    "in one half": {f"sigma {sigma:g}": LocalNoise(sigma, 0.5) for sigma in (0.06, 0.15)},
    "stripes, rows": {f"sigma {sigma:g}": StripeNoise(sigma, 0) for sigma in (0.03, 0.06, 0.12)},
    "stripes, columns": {"sigma 0.06": StripeNoise(0.06, 1)},
    "dead lines": {f"{count}": DeadLines(count) for count in (1, 3, 6)},
    "gray levels": {f"{levels}": Quantization(levels) for levels in (32, 16, 8)},
    "JPEG": {f"quality {quality}": JpegCompression(quality) for quality in (80, 60, 40, 20, 10)},
    "Gaussian, then JPEG": {
        f"sigma 0.06, quality {quality}": Composition((GaussianNoise(0.06), JpegCompression(quality)))
        for quality in (90, 60, 30)
    },
    "salt-and-pepper, then JPEG": {"10%, quality 90": Composition((SaltAndPepperNoise(0.1), JpegCompression(90)))},
    "Gaussian and random impulses": {"sigma 0.06, 10%": Composition((GaussianNoise(0.06), ImpulseNoise(0.1)))},
    "camera": {f"gain {gain}": CameraNoise(photons=2000, read_sigma=0.004, gain=gain, quality=90) for gain in (2, 8)},
}
"""Kinds of noise on faces, and their levels."""
HARMLESS_NOISE: dict[str, Noise | None] = {"clean": None, "sigma 0.06": GaussianNoise(0.06)}
"""What is done to pictures in which nothing is wrong."""


class Cell(NamedTuple):
    """Images at one level of a kind of noise.

    Attributes:
        clean: uint8 (N, H, W).
        noise: what is done to them; None for nothing.
    """

    kind: str
    level: str
    clean: np.ndarray
    noise: Noise | None

    @property
    def name(self) -> str:
        """What it is called in the results."""
        return f"{self.kind}: {self.level}"

    def noisy(self, seed: int) -> np.ndarray:
        """Float32 (N, H, W) in [0, 1]; image i draws its noise from `seed` and i alone."""
        return self.noise(self.clean, seed=seed) if self.noise else to_float(self.clean)


def cells(faces: np.ndarray, seed: int) -> Iterator[Cell]:
    """Every kind and level on faces, uint8 (N, 48, 48), then on the harmless pictures."""
    for kind, levels in KINDS.items():
        for level, noise in levels.items():
            yield Cell(kind, level, faces, noise)
    for kind in HARMLESS:
        clean = harmless(kind, faces, seed)
        for level, of_clean in HARMLESS_NOISE.items():
            yield Cell(kind, level, clean, of_clean)


def methods() -> list[str]:
    """What can be listed, and the filters that are simple enough to need no entry there."""
    return [*list_models(), *(name for name in oracle.FILTERS if name not in MODELS)]


def measure(request: Request) -> dict[str, Any]:
    """Mean PSNR of every blind method, and of each filter at its best, in each kind and level."""
    faces = request.faces(most=IMAGES).images
    request.has_bm3d()
    results = measure_cells(
        faces,
        {name: restorer for name, restorer in request.restorers.items() if restorer.blind},
        {name: peer for name, peer in request.peers.items() if not peer.needs},
        [name for name in request.models if name in oracle.FILTERS],
        request.out / FILE,
        request.conditions(faces),
        request.workers,
        request.anew,
    )
    if UNIVERSAL in results["methods"]:
        print_summary(results)
    return results


def tables(results: dict[str, Any]) -> dict[str, str]:
    return {"world": markdown_table(results)} if UNIVERSAL in results["methods"] else {}


def measure_cells(
    faces: np.ndarray,
    networks: dict[str, Restorer],
    peers: dict[str, Peer],
    filters: list[str],
    file: Path,
    conditions: dict[str, Any],
    workers: int | None,
    anew: Collection[str] = (),
) -> dict[str, Any]:
    """Mean PSNR of all methods and of the noisy input in each cell; written to `file`, beside what it holds already.

    Args:
        faces: uint8 (N, 48, 48).
        peers: blind ones.
        filters: names out of `oracle.FILTERS`.
        conditions: what the figures depend on besides the methods: "seed" is that of the noise.
        anew: names of methods that are measured once more, whatever `file` holds.
    """
    methods: dict[str, Method] = {**networks, **peers}
    records: dict[str, dict[str, Any]] = {NOISY: {}, **{name: weights_of(name) for name in networks}}
    records |= {name: peer.record for name, peer in peers.items()}
    records |= {name: {"grid": oracle.FILTERS[name].grid} for name in filters}
    scores = Scores(file, conditions, records, anew)
    with ProcessPoolExecutor(workers) as pool:
        for cell in tqdm(list(cells(faces, conditions["seed"])), "cells"):
            todo = scores.missing(cell.name)
            if not todo:
                continue
            noisy = cell.noisy(conditions["seed"])
            for name in todo:
                row: dict[str, Any] = {}
                restored = noisy
                if name in filters:
                    most = oracle.FILTERS[name].most
                    restored, row["parameters"] = oracle.restore_best(name, noisy[:most], cell.clean[:most], pool)
                elif name != NOISY:
                    restored = methods[name](noisy)
                values = psnr(restored, cell.clean[: len(restored)])
                row["psnr"] = round(mean_psnr(values), 4)
                row["psnr_first"] = round(mean_psnr(values[:FIRST]), 4)
                scores.put(name, cell.name, row)
    return scores.results


def rivals(results: dict[str, Any], cell: str) -> dict[str, float]:
    """The dB by which each rival of `UNIVERSAL` is above it in a cell, on the images that both were measured on.

    `UNIVERSAL_LARGE` is no rival, but the same network.
    """
    ours = results["methods"][UNIVERSAL]["cells"][cell]
    rivals = {}
    for name, method in results["methods"].items():
        if name not in (UNIVERSAL, UNIVERSAL_LARGE) and cell in method["cells"]:
            key = "psnr_first" if name in oracle.FILTERS and oracle.FILTERS[name].most else "psnr"
            rivals[name] = method["cells"][cell][key] - ours[key]
    return rivals


def print_summary(results: dict[str, Any]) -> None:
    """What `UNIVERSAL` leaves of clean pictures, and where something is above it in noise, and by how much."""
    ours = results["methods"][UNIVERSAL]["cells"]
    noisy = [cell for cell in ours if results["methods"][NOISY]["cells"][cell]["psnr"] < PSNR_CAP]
    behind = 0
    for cell in ours:
        above = {name: gain for name, gain in rivals(results, cell).items() if gain > 0}
        if cell not in noisy:
            print(f"{cell}: {UNIVERSAL} leaves {ours[cell]['psnr']:.1f} dB")
        elif above:
            behind += 1
            listed = ", ".join(f"{name} {gain:+.2f}" for name, gain in sorted(above.items(), key=lambda item: -item[1]))
            print(f"{cell}: above {UNIVERSAL}: {listed}")
    print(f"{UNIVERSAL} is above all others in {len(noisy) - behind} of {len(noisy)} noisy cells")


def markdown_table(results: dict[str, Any]) -> str:
    """A row per kind and level: the input, `UNIVERSAL`, the best filter and specialist, and the published networks."""
    methods = results["methods"]
    peers = [name for name, method in methods.items() if is_published(method)]
    filters = [name for name in methods if name in oracle.FILTERS and oracle.FILTERS[name].most is None]
    slow = [name for name in methods if name in oracle.FILTERS and name not in filters]
    specialists = [name for name in methods if name in MODELS and MODELS[name].task]
    larger = [name for name in methods if name == UNIVERSAL_LARGE]
    heads = ["noise", "level", NOISY, *(f"`{name}`" for name in (UNIVERSAL, *larger))]
    heads += ["best filter, oracle", "best specialist"]
    heads += [heading(name, methods[name]) for name in peers]
    heads += [f"`{name}`, oracle, first {FIRST} (`{UNIVERSAL}` there)" for name in slow]
    lines: list[list[str | None]] = []
    for cell in methods[UNIVERSAL]["cells"]:
        kind, _, level = cell.partition(": ")
        reached = {name: method["cells"][cell]["psnr"] for name, method in methods.items() if cell in method["cells"]}
        measured = [[name for name in group if name in reached] for group in (filters, specialists)]
        best = [max(group, key=reached.__getitem__, default="") for group in measured]
        shown = [NOISY, UNIVERSAL, *larger, *best, *peers]
        named = [f" ({name})" if name else "" for name in best]
        notes = ["", "", *("" for _ in larger), *named, *("" for _ in peers)]
        row: list[str | None] = [kind, level, *bold_best([reached.get(name) for name in shown], notes)]
        for name in slow:
            ours = methods[UNIVERSAL]["cells"][cell]["psnr_first"]
            row.append(f"{reached[name]:.2f} ({ours:.2f})" if name in reached else None)
        lines.append(row)
    return markdown.table(heads, lines, left=(0, 1))
