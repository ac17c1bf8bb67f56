"""The noise that pictures really carry, kind by kind, and clean pictures that a restorer may harm.

`python -m train.benchmark --world` runs it, on the first 500 test faces. Networks work blind, published ones too: those
that have to be told sigma have no part in it, since most of this noise has none. Each classical filter stands with the
parameters that are best on these very images (`train/measures/shared/oracle.py`); BM3D, which is slow, on the first 100
of them. What is measured is kept after every cell, so that an interrupted run goes on.
"""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from fer_denoise import list_models
from fer_denoise.evaluate import NOISY, is_published, restore
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
from train.measures.shared import oracle
from train.measures.shared.cells import Cell, NoisyInput, made_of, measure_cells
from train.measures.shared.harmless import HARMLESS, harmless
from train.measures.shared.request import Request
from train.reporting import markdown
from train.reporting.report import bold_best, heading
from train.reporting.results import Scores

FILE = "world.json"
HELP = "the kinds of noise that pictures carry, and harmless pictures, on 500 faces"
WITH_PEERS = True
PLACE: str | None = None

IMAGES = 500
FIRST = 100
"""How many images BM3D is measured on; of the other methods the mean over these is recorded too."""
NEAR = ("near", 0.06)
IN_8_BITS = Quantization(256)


Lost = Literal["none", "all", "some"]


@dataclass(frozen=True)
class MeasuredKind:
    """A kind of noise that faces are measured with.

    Attributes:
        settings: what its settings are called, and the noise of each.
        lost: which of the pixels that it changes have lost their value: none, all, or some.
        of_recognition: the setting in which the recognition of emotions is measured too; None where it is not.
    """

    settings: dict[str, Noise]
    lost: Lost = "none"
    of_recognition: str | None = None


KINDS: dict[str, MeasuredKind] = {
    "Gaussian": MeasuredKind({f"sigma {sigma:g}": GaussianNoise(sigma) for sigma in (0.02, 0.06, 0.15, 0.3)}),
    "Gaussian in 8 bits": MeasuredKind({"sigma 0.06": Composition((GaussianNoise(0.06), IN_8_BITS))}),
    "salt-and-pepper": MeasuredKind(
        {f"{amount:.0%}": SaltAndPepperNoise(amount) for amount in (0.02, 0.1, 0.3)}, "all"
    ),
    "impulses near black and white": MeasuredKind(
        {f"{amount:.0%}": ImpulseNoise(amount, NEAR) for amount in (0.02, 0.1, 0.3)}, "all"
    ),
    "random impulses": MeasuredKind(
        {f"{amount:.0%}": ImpulseNoise(amount) for amount in (0.02, 0.1, 0.3)}, "all", of_recognition="10%"
    ),
    "Poisson": MeasuredKind(
        {f"{photons} photons": PoissonNoise(photons) for photons in (1000, 100, 30)}, of_recognition="100 photons"
    ),
    "speckle": MeasuredKind(
        {f"sigma {sigma:g}": SpeckleNoise(sigma) for sigma in (0.05, 0.1, 0.2, 0.3)}, of_recognition="sigma 0.2"
    ),
    "correlated": MeasuredKind(
        {
            f"sigma {sigma:g}, width {width:g}": CorrelatedNoise(sigma, width)
            for sigma in (0.03, 0.06, 0.12)
            for width in (0.7, 1.5)
        },
        of_recognition="sigma 0.06, width 1.5",
    ),
    "local, smooth": MeasuredKind(
        {f"up to sigma {sigma:g}": LocalNoise(sigma) for sigma in (0.06, 0.15, 0.3)}, of_recognition="up to sigma 0.3"
    ),
    "in one half": MeasuredKind({f"sigma {sigma:g}": LocalNoise(sigma, 0.5) for sigma in (0.06, 0.15)}),
    "stripes, rows": MeasuredKind(
        {f"sigma {sigma:g}": StripeNoise(sigma, 0) for sigma in (0.03, 0.06, 0.12)}, of_recognition="sigma 0.06"
    ),
    "stripes, columns": MeasuredKind({"sigma 0.06": StripeNoise(0.06, 1)}),
    "dead lines": MeasuredKind({f"{count}": DeadLines(count) for count in (1, 3, 6)}, "all", of_recognition="6"),
    "gray levels": MeasuredKind({f"{levels}": Quantization(levels) for levels in (32, 16, 8)}, of_recognition="8"),
    "JPEG": MeasuredKind(
        {f"quality {quality}": JpegCompression(quality) for quality in (80, 60, 40, 20, 10)},
        of_recognition="quality 20",
    ),
    "Gaussian, then JPEG": MeasuredKind(
        {
            f"sigma 0.06, quality {quality}": Composition((GaussianNoise(0.06), JpegCompression(quality)))
            for quality in (90, 60, 30)
        },
        of_recognition="sigma 0.06, quality 30",
    ),
    "salt-and-pepper, then JPEG": MeasuredKind(
        {"10%, quality 90": Composition((SaltAndPepperNoise(0.1), JpegCompression(90)))}, "some"
    ),
    "Gaussian and random impulses": MeasuredKind(
        {"sigma 0.06, 10%": Composition((GaussianNoise(0.06), ImpulseNoise(0.1)))},
        "some",
        of_recognition="sigma 0.06, 10%",
    ),
    "camera": MeasuredKind(
        {f"gain {gain}": CameraNoise(photons=2000, read_sigma=0.004, gain=gain, quality=90) for gain in (2, 8)},
        of_recognition="gain 8",
    ),
}
"""Kinds of noise on faces, by their titles."""
HARMLESS_NOISE: dict[str, Noise | None] = {"clean": None, "sigma 0.06": GaussianNoise(0.06)}
"""What is done to pictures in which nothing is wrong."""


def cells(faces: np.ndarray, seed: int) -> Iterator[Cell]:
    """Every kind and setting on faces, uint8 (N, 48, 48), then on the harmless pictures.

    The noisy form of picture i, float32 in [0, 1], depends on `seed` and i alone.
    """
    for title, kind in KINDS.items():
        for setting, noise in kind.settings.items():
            yield Cell(cell_name(title, setting), faces, partial(noise, faces, seed=seed))
    for title in HARMLESS:
        clean = harmless(title, faces, seed)
        for setting, of_clean in HARMLESS_NOISE.items():
            noisy = partial(of_clean, clean, seed=seed) if of_clean else partial(to_float, clean)
            yield Cell(cell_name(title, setting), clean, noisy)


def cell_name(kind: str, setting: str) -> str:
    """What a kind at a setting is called in results."""
    return f"{kind}: {setting}"


def methods() -> list[str]:
    """What can be listed, and the filters that are simple enough to need no entry there."""
    return [*list_models(), *(name for name in oracle.FILTERS if name not in MODELS)]


def measure(request: Request) -> dict[str, Any]:
    """Mean PSNR of every blind method, and of each filter at its best, in each kind and setting."""
    faces = request.faces(most=IMAGES).images
    request.say_what_is_not_installed()
    every: list[Method] = [NoisyInput(), *request.restorers.values(), *request.peers.values()]
    methods = {method.name: method for method in every if method.blind}
    filters = [name for name in request.models if name in oracle.FILTERS]
    records = {name: made_of(method) for name, method in methods.items()}
    records |= {name: {"grid": oracle.FILTERS[name].grid} for name in filters}
    scores = Scores(request.out / FILE, request.conditions(faces), records, request.anew)
    with ProcessPoolExecutor(request.workers) as pool:

        def measure_method(name: str, noisy: np.ndarray, cell: Cell) -> dict[str, Any]:
            if name not in filters:
                return _row(methods[name].restore(noisy), cell.clean)
            most = oracle.FILTERS[name].most
            method = oracle.best_method(name, noisy[:most], cell.clean[:most], pool)
            restored = restore(method, noisy[:most], cell.known, pool)
            return {"parameters": method.parameters, **_row(restored, cell.clean)}

        results = measure_cells(cells(faces, request.seed), scores, measure_method)
    if UNIVERSAL in results["methods"]:
        print_summary(results)
    return results


def _row(restored: np.ndarray, clean: np.ndarray) -> dict[str, Any]:
    """Mean PSNR over the images that are restored, and over the first of them."""
    values = psnr(restored, clean[: len(restored)])
    return {"psnr": round(mean_psnr(values), 4), "psnr_first": round(mean_psnr(values[:FIRST]), 4)}


def tables(results: dict[str, Any]) -> dict[str, str]:
    return {"world": markdown_table(results)} if UNIVERSAL in results["methods"] else {}


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
    """A row per cell: the input, `UNIVERSAL`, the best filter and specialist, and the published networks."""
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
        kind, _, setting = cell.partition(": ")
        reached = {name: method["cells"][cell]["psnr"] for name, method in methods.items() if cell in method["cells"]}
        measured = [[name for name in group if name in reached] for group in (filters, specialists)]
        best = [max(group, key=reached.__getitem__, default="") for group in measured]
        shown = [NOISY, UNIVERSAL, *larger, *best, *peers]
        named = [f" ({name})" if name else "" for name in best]
        notes = ["", "", *("" for _ in larger), *named, *("" for _ in peers)]
        row: list[str | None] = [kind, setting, *bold_best([reached.get(name) for name in shown], notes)]
        for name in slow:
            ours = methods[UNIVERSAL]["cells"][cell]["psnr_first"]
            row.append(f"{reached[name]:.2f} ({ours:.2f})" if name in reached else None)
        lines.append(row)
    return markdown.table(heads, lines, left=(0, 1))
