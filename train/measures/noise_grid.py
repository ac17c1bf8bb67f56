"""The noise grid: every method at every pair of the sliders' noise levels, on the same noisy test faces.

`python -m train.benchmark --surface` runs it. Filters know both levels: they are given the true sigma, have parameters
tuned on the validation split at the nearest of a grid of levels, and, where there are impulses, stand behind a
switching median, unless they do better alone. Networks work blind. Published networks, which know no impulses, are
measured on Gaussian noise alone, and given sigma where they take it. What is measured is kept after every cell, so that
an interrupted run goes on.
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from fer_denoise import Restorer, list_models
from fer_denoise.classical import FILTERS, level_parameters
from fer_denoise.evaluate import NOISY, restore
from fer_denoise.hub.sources import bundled_models, model_folder, weights_checksum
from fer_denoise.method import KnownNoise
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.noise import gaussian_noise, mixed_noise
from fer_denoise.zoo import UNIVERSAL, UNIVERSAL_LARGE
from train.measures.peers import Peer
from train.measures.request import Request
from train.reporting import markdown
from train.reporting.report import by_method
from train.reporting.results import load_previous, save

SIGMAS = (0, 0.01, 0.02, 0.04, 0.06, 0.1, 0.15, 0.2, 0.3)
AMOUNTS = (0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
FILE = "surface.json"
HELP = "every pair of levels of Gaussian noise and impulses, on 500 faces"
WITH_PEERS = True
PLACE: str | None = None
methods = list_models

IMAGES = 500
ESTIMATED = 100


def cells() -> Iterator[tuple[float, float]]:
    """All pairs of sigma and amount."""
    return ((sigma, amount) for sigma in SIGMAS for amount in AMOUNTS)


def measure(request: Request) -> dict[str, Any]:
    """Mean PSNR of every method in each cell, and the errors of the estimated noise level."""
    clean = request.faces(most=IMAGES).images
    file, conditions = request.out / FILE, request.conditions(clean)
    results = measure_grid(clean, request.restorers, request.peers, file, conditions, request.workers)
    if UNIVERSAL in request.restorers:
        results["noise_level"] = measure_noise_level(clean, request.restorers[UNIVERSAL], request.seed)
        save(file, results, indent=None)
    if UNIVERSAL in results["models"]:
        print_tables(results, UNIVERSAL)
        plot(results, UNIVERSAL, request.out / "surface.png")
    return results


def tables(results: dict[str, Any]) -> dict[str, str]:
    """PSNR of `UNIVERSAL` over the grid, beside published networks, and the errors of its estimate."""
    if UNIVERSAL not in results["models"]:
        return {}
    shown = {"surface": markdown_table(results, UNIVERSAL), "peers": peers_table(results, UNIVERSAL)}
    if UNIVERSAL_LARGE in results["models"]:
        shown["surface-large"] = large_table(results)
    if "noise_level" in results:
        shown["noise-level"] = noise_level_table(results)
    return shown


def measure_grid(
    clean: np.ndarray,
    restorers: dict[str, Restorer],
    peers: dict[str, Peer],
    file: Path,
    conditions: dict[str, Any],
    workers: int | None,
) -> dict[str, Any]:
    """Mean PSNR of `restorers` and of the noisy input in each cell; written to `file`, beside what it holds already.

    Under "peers" stands that of `peers`, for each sigma without impulses.

    Args:
        clean: uint8 (N, H, W).
        conditions: what the figures depend on besides the method: "seed" is that of the noise. What `file` holds of
            other weights or parameters is dropped; where it is of other conditions, this ends with a message.
    """
    conditions = {**conditions, "sigmas": list(SIGMAS), "amounts": list(AMOUNTS)}
    results = load_previous(file, conditions) or {**conditions, "models": {}}
    models = results["models"]
    for name in (NOISY, *restorers):
        weights = weights_checksum(model_folder(name)) if name in bundled_models() else None
        if name not in models or models[name].get("weights") != weights:
            models[name] = {"weights": weights} if weights else {}
            models[name]["psnr"] = _empty()
    measure_peers(clean, peers, results, file)
    with ProcessPoolExecutor(workers) as pool:
        for sigma, amount in tqdm(list(cells()), "cells"):
            row, column = SIGMAS.index(sigma), AMOUNTS.index(amount)
            informed = [name for name, restorer in restorers.items() if not restorer.blind]
            parameters = {name: level_parameters(name, sigma, amount) for name in informed}
            for name, chosen in parameters.items():
                measured_with = models[name].setdefault("parameters", _empty())[row]
                if measured_with[column] != chosen:
                    measured_with[column], models[name]["psnr"][row][column] = chosen, None
            todo = [name for name in (NOISY, *restorers) if models[name]["psnr"][row][column] is None]
            if not todo:
                continue
            noisy = mixed_noise(clean, sigma, amount, seed=conditions["seed"])
            noise = KnownNoise(sigma, amount)
            for name in todo:
                restored = noisy if name == NOISY else restore(restorers[name], noisy, noise, pool)
                models[name]["psnr"][row][column] = round(mean_psnr(psnr(restored, clean)), 4)
                save(file, results, indent=None)
    return results


def measure_peers(clean: np.ndarray, peers: dict[str, Peer], results: dict[str, Any], file: Path) -> None:
    """Put into `results` what published networks reach at each sigma; written to `file` after each."""
    measured = results.setdefault("peers", {})
    for name, peer in tqdm(peers.items(), "peers"):
        earlier = measured.get(name, {})
        if {key: earlier.get(key) for key in peer.record} != peer.record:
            measured[name] = {**peer.record, "psnr": [None] * len(SIGMAS)}
        values = measured[name]["psnr"]
        for row, sigma in enumerate(SIGMAS):
            if values[row] is None:
                restored = peer(gaussian_noise(clean, sigma, seed=results["seed"]), sigma)
                values[row] = round(mean_psnr(psnr(restored, clean)), 4)
                save(file, results, indent=None)


def measure_noise_level(clean: np.ndarray, restorer: Restorer, seed: int) -> dict[str, list[list[float]]]:
    """Mean absolute error of the estimated sigma and amount in each cell; of at most `ESTIMATED` faces."""
    clean = clean[:ESTIMATED]
    errors = np.zeros((2, len(SIGMAS), len(AMOUNTS)))
    for sigma, amount in tqdm(list(cells()), "noise level"):
        noisy = mixed_noise(clean, sigma, amount, seed=seed)
        levels = np.array([restorer.noise_level(image) for image in noisy])
        errors[:, SIGMAS.index(sigma), AMOUNTS.index(amount)] = np.abs(levels - (sigma, amount)).mean(axis=0)
    return {name: error.round(4).tolist() for name, error in zip(("sigma", "amount"), errors, strict=True)}


def rivals(results: dict[str, Any]) -> dict[str, np.ndarray]:
    """PSNR of the noisy input, the filters and the published networks, (sigmas, amounts) each; NaN where unmeasured."""
    tables = {name: _table(results, name) for name in results["models"] if name in (NOISY, *FILTERS)}
    for name, record in results.get("peers", {}).items():
        tables[name] = np.full((len(SIGMAS), len(AMOUNTS)), np.nan)
        tables[name][:, AMOUNTS.index(0)] = np.array(record["psnr"], dtype=float)
    return tables


def margin(results: dict[str, Any], name: str) -> np.ndarray:
    """The dB by which `name` is above the best rival in each cell, (sigmas, amounts); NaN where nothing is measured."""
    with np.errstate(invalid="ignore"):
        return _table(results, name) - np.fmax.reduce(list(rivals(results).values()))


def print_tables(results: dict[str, Any], name: str) -> None:
    """PSNR of `name`, and its margin over the best rival, with that rival's name."""
    of_rivals = rivals(results)
    gains = margin(results, name)
    print(f"{name}: PSNR in dB (margin over the best of {', '.join(of_rivals)}) on {results['data']['images']} faces")
    print("sigma \\ amount" + "".join(f"{amount:>24g}" for amount in AMOUNTS))
    for row, sigma in enumerate(SIGMAS):
        line = f"{sigma:<14g}"
        for column in range(len(AMOUNTS)):
            values = {rival: table[row, column] for rival, table in of_rivals.items()}
            best = max(values, key=lambda rival: -math.inf if math.isnan(values[rival]) else values[rival])
            cell = f"{_table(results, name)[row, column]:.2f} ({gains[row, column]:+.2f} {best})"
            line += f"{cell:>24}"
        print(line)


def markdown_table(results: dict[str, Any], name: str) -> str:
    """PSNR of `name` in each cell, with its margin over the best rival, as a table."""
    values, gains = _table(results, name), margin(results, name)
    return _grid(lambda row, column: f"{values[row, column]:.2f} ({gains[row, column]:+.2f})")


def large_table(results: dict[str, Any]) -> str:
    """PSNR of `UNIVERSAL_LARGE` in each cell, with its margin over `UNIVERSAL`, as a table."""
    values, small = (_table(results, name) for name in (UNIVERSAL_LARGE, UNIVERSAL))
    return _grid(lambda row, column: f"{values[row, column]:.2f} ({values[row, column] - small[row, column]:+.2f})")


def peers_table(results: dict[str, Any], name: str) -> str:
    """PSNR at each sigma without impulses: the noisy input, the best filter, the published networks, and `name`."""
    column = AMOUNTS.index(0)
    models = {model: {"cells": _by_sigma(_table(results, model)[:, column])} for model in (NOISY, name)}
    filters = [_table(results, model)[:, column] for model in results["models"] if model in FILTERS]
    if filters:
        models["best filter, told sigma"] = {"cells": _by_sigma(np.fmax.reduce(filters))}
    models |= {
        peer: {**record, "cells": _by_sigma(np.array(record["psnr"], dtype=float))}
        for peer, record in results.get("peers", {}).items()
    }
    return by_method(("sigma",), {(f"{sigma:g}",): f"{sigma:g}" for sigma in SIGMAS}, models)


def _by_sigma(values: np.ndarray) -> dict[str, float]:
    """The values that are measured, by their sigma."""
    return {f"{sigma:g}": float(value) for sigma, value in zip(SIGMAS, values, strict=True) if not np.isnan(value)}


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
        (_table(results, name), f"{name}: PSNR, dB", "viridis", None),
        (margin(results, name), "above the best rival, dB", "RdYlGn", 3.0),
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


def _empty() -> list[list[Any]]:
    """A grid with nothing in its cells."""
    return [[None] * len(AMOUNTS) for _ in SIGMAS]


def _table(results: dict[str, Any], name: str) -> np.ndarray:
    return np.array(results["models"][name]["psnr"], dtype=float)
