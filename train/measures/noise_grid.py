"""The noise grid: every method at every pair of the sliders' noise levels, on the same noisy test faces.

`python -m train.benchmark --surface` runs it. Filters know both levels: they are given the true sigma, have parameters
tuned on the validation split at the nearest of a grid of levels, and, where there are impulses, stand behind a
switching median, unless they do better alone. Networks work blind. Published networks, which know no impulses, are
measured on Gaussian noise alone, and given sigma where they take it. What is measured is kept after every cell, so that
an interrupted run goes on. A filter whose parameters have changed at one level is measured anew at all of them.
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fer_denoise import Restorer, list_models
from fer_denoise.classical import FILTERS, level_parameters
from fer_denoise.evaluate import (
    NOISY,
    is_published,
    level_name,
    margin_over_levels,
    psnr_over_levels,
    restore,
    rivals_over_levels,
)
from fer_denoise.method import KnownNoise, Method
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.noise import mixed_noise
from fer_denoise.zoo import UNIVERSAL, UNIVERSAL_LARGE
from train.measures.shared.cells import Cell, NoisyInput, made_of, measure_cells
from train.measures.shared.request import Request
from train.reporting import markdown
from train.reporting.report import by_method
from train.reporting.results import Scores, save

SIGMAS = (0, 0.01, 0.02, 0.04, 0.06, 0.1, 0.15, 0.2, 0.3)
AMOUNTS = (0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
FILE = "surface.json"
HELP = "every pair of levels of Gaussian noise and impulses, on 500 faces"
WITH_PEERS = True
PLACE: str | None = None
methods = list_models

IMAGES = 500
ESTIMATED = 100


def levels() -> list[tuple[float, float]]:
    """All pairs of sigma and amount."""
    return list(product(SIGMAS, AMOUNTS))


def cells(clean: np.ndarray, seed: int) -> Iterator[Cell]:
    """Each pair of levels on images, uint8 (N, H, W)."""
    for sigma, amount in levels():
        noisy = partial(mixed_noise, clean, sigma, amount, seed=seed)
        yield Cell(level_name(sigma, amount), clean, noisy, KnownNoise(sigma, amount))


def measure(request: Request) -> dict[str, Any]:
    """Mean PSNR of every method in each cell, and the errors of the estimated noise level."""
    clean = request.faces(most=IMAGES).images
    file = request.out / FILE
    conditions = {**request.conditions(clean), "sigmas": list(SIGMAS), "amounts": list(AMOUNTS)}
    methods: dict[str, Method] = {NOISY: NoisyInput(), **request.restorers, **request.peers}
    scores = Scores(file, conditions, {name: _made_of(method) for name, method in methods.items()})
    with ProcessPoolExecutor(request.workers) as pool:

        def measure_method(name: str, noisy: np.ndarray, cell: Cell) -> float:
            restored = restore(methods[name], noisy, cell.known, pool)
            return round(mean_psnr(psnr(restored, clean)), 4)

        results = measure_cells(
            cells(clean, request.seed), scores, measure_method, lambda cell: request.peers if cell.known.amount else ()
        )
    if UNIVERSAL in request.restorers:
        results["noise_level"] = measure_noise_level(clean, request.restorers[UNIVERSAL], request.seed)
        save(file, results, indent=None)
    if UNIVERSAL in results["methods"]:
        print_tables(results, UNIVERSAL)
        plot(results, UNIVERSAL, request.out / "surface.png")
    return results


def tables(results: dict[str, Any]) -> dict[str, str]:
    """PSNR of `UNIVERSAL` over the grid, beside published networks, and the errors of its estimate."""
    if UNIVERSAL not in results["methods"]:
        return {}
    shown = {"surface": markdown_table(results, UNIVERSAL), "peers": peers_table(results, UNIVERSAL)}
    if UNIVERSAL_LARGE in results["methods"]:
        shown["surface-large"] = large_table(results)
    if "noise_level" in results:
        shown["noise-level"] = noise_level_table(results)
    return shown


def _made_of(method: Method) -> dict[str, Any]:
    """What decides how a method restores: of a filter, its parameters by the name of the cell."""
    if method.name in FILTERS:
        return {"parameters": {level_name(*each): level_parameters(method.name, *each) for each in levels()}}
    return made_of(method)


def measure_noise_level(clean: np.ndarray, restorer: Restorer, seed: int) -> dict[str, list[list[float]]]:
    """Mean absolute error of the estimated sigma and amount in each cell; of at most `ESTIMATED` faces."""
    clean = clean[:ESTIMATED]
    errors = np.zeros((2, len(SIGMAS), len(AMOUNTS)))
    for sigma, amount in tqdm(levels(), "noise level"):
        noisy = mixed_noise(clean, sigma, amount, seed=seed)
        estimates = np.array([restorer.noise_level(image) for image in noisy])
        errors[:, SIGMAS.index(sigma), AMOUNTS.index(amount)] = np.abs(estimates - (sigma, amount)).mean(axis=0)
    return {name: error.round(4).tolist() for name, error in zip(("sigma", "amount"), errors, strict=True)}


def print_tables(results: dict[str, Any], name: str) -> None:
    """PSNR of `name`, and its margin over the best rival, with that rival's name."""
    rivals = rivals_over_levels(results)
    reached, gains = psnr_over_levels(results, name), margin_over_levels(results, name)
    print(f"{name}: PSNR in dB (margin over the best of {', '.join(rivals)}) on {results['data']['images']} faces")
    print("sigma \\ amount" + "".join(f"{amount:>24g}" for amount in AMOUNTS))
    for row, sigma in enumerate(SIGMAS):
        line = f"{sigma:<14g}"
        for column in range(len(AMOUNTS)):
            values = {rival: table[row, column] for rival, table in rivals.items()}
            best = max(values, key=lambda rival: -math.inf if math.isnan(values[rival]) else values[rival])
            cell = f"{reached[row, column]:.2f} ({gains[row, column]:+.2f} {best})"
            line += f"{cell:>24}"
        print(line)


def markdown_table(results: dict[str, Any], name: str) -> str:
    """PSNR of `name` in each cell, with its margin over the best rival, as a table."""
    values, gains = psnr_over_levels(results, name), margin_over_levels(results, name)
    return _grid(lambda row, column: f"{values[row, column]:.2f} ({gains[row, column]:+.2f})")


def large_table(results: dict[str, Any]) -> str:
    """PSNR of `UNIVERSAL_LARGE` in each cell, with its margin over `UNIVERSAL`, as a table."""
    values, small = (psnr_over_levels(results, name) for name in (UNIVERSAL_LARGE, UNIVERSAL))
    return _grid(lambda row, column: f"{values[row, column]:.2f} ({values[row, column] - small[row, column]:+.2f})")


def peers_table(results: dict[str, Any], name: str) -> str:
    """PSNR at each sigma without impulses: the noisy input, the best filter, the published networks, and `name`."""
    cell_names: dict[tuple[str, ...], str] = {(f"{sigma:g}",): level_name(sigma, 0) for sigma in SIGMAS}
    methods = results["methods"]
    shown = {method: {"cells": methods[method]["cells"]} for method in (NOISY, name)}
    if filters := [methods[method]["cells"] for method in methods if method in FILTERS]:
        best = {
            name: max((cells[name] for cells in filters if name in cells), default=None) for name in cell_names.values()
        }
        shown["best filter, told sigma"] = {"cells": best}
    shown |= {method: record for method, record in methods.items() if is_published(record)}
    return by_method(("sigma",), cell_names, shown)


def noise_level_table(results: dict[str, Any]) -> str:
    """Mean absolute error of the estimates in each cell, sigma then amount, as a table."""
    sigma, amount = (results["noise_level"][name] for name in ("sigma", "amount"))
    return _grid(lambda row, column: f"{sigma[row][column]:.3f}, {amount[row][column]:.1%}")


def _grid(cell: Callable[[int, int], str]) -> str:
    """A Markdown table over both levels; `cell` gives the text at a row and a column."""
    columns = ("sigma \\ impulses", *(f"{amount:.0%}" for amount in AMOUNTS))
    rows = [(f"{sigma:g}", *(cell(row, column) for column in range(len(AMOUNTS)))) for row, sigma in enumerate(SIGMAS)]
    return markdown.table(columns, rows, left=())


def plot(results: dict[str, Any], name: str, path: Path) -> None:
    """Two heat maps of the grid: PSNR of `name`, and its margin over the best rival."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    panels = (
        (psnr_over_levels(results, name), f"{name}: PSNR, dB", "viridis", None),
        (margin_over_levels(results, name), "above the best rival, dB", "RdYlGn", 3.0),
    )
    figure, grid = plt.subplots(1, 2, figsize=(13, 5.2), layout="constrained")
    for axes, (values, title, colours, limit) in zip(grid, panels, strict=True):
        image = axes.imshow(
            np.clip(values, None, 45) if limit is None else values,
            cmap=colours,
            vmin=None if limit is None else -limit,
            vmax=limit,
            aspect="auto",
        )
        for (row, column), value in np.ndenumerate(values):
            shown = f"{value:+.2f}" if limit else f"{value:.1f}"
            red, green, blue, _ = image.cmap(image.norm(value))
            dark = 0.3 * red + 0.59 * green + 0.11 * blue < 0.5
            axes.text(column, row, shown, ha="center", va="center", fontsize=9, color="white" if dark else "black")
        axes.set_xticks(range(len(AMOUNTS)), [f"{amount:.0%}" for amount in AMOUNTS])
        axes.set_yticks(range(len(SIGMAS)), [f"{sigma:g}" for sigma in SIGMAS])
        axes.set(xlabel="impulses: fraction of the pixels", ylabel="Gaussian noise: sigma", title=title)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
