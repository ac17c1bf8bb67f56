"""Give each classical filter its best parameters on the validation split, by mean PSNR per image, the true sigma known.

    python -m train.tune_classical --data ../fer2013
    python -m train.tune_classical --levels --images 40       # also for Gaussian noise and impulses at many levels

Writes `fer_denoise/classical.json`, which the filters take their defaults from.
"""

import argparse
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from tqdm import tqdm

from fer_denoise.classical import FILTERS, TUNED_FILE, ClassicalFilter, available_filters
from fer_denoise.command.options import at_least
from fer_denoise.data import DataError, load_fer2013
from fer_denoise.method import KnownNoise
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.noise import TASKS, GaussianNoise, mixed_noise
from train.measures.noise_grid import SIGMAS
from train.reporting.results import save
from train.shared import setup

SEED = 2
IMPULSE_SIGMAS = [0.1, 0.2, 0.3, 0.4]
"""The sigma that a filter for Gaussian noise is given when the noise is salt and pepper."""

LEVEL_AMOUNTS = (0, 0.02, 0.1, 0.3)
REMAINING_SIGMAS = [0, 0.01, 0.03]
"""The sigma that such a filter is given where only impulses were, which the switching median has removed."""
IMPULSE_THRESHOLDS = [0.02, 0.1, 0.2, 0.3, 0.5]
"""Thresholds of the switching median that stands before a filter for Gaussian noise where there are impulses."""
ALONE_FROM = 0.1
"""The sigma from which up such a filter is also tried alone: below, impulses outweigh what it is made for by far."""


def candidates(name: str, sigmas: list[float]) -> Iterator[dict[str, Any]]:
    grid = dict(FILTERS[name].grid)
    if FILTERS[name].takes_sigma:
        grid["sigma"] = sigmas
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def score(parameters: dict[str, Any], name: str, noisy: np.ndarray, clean: np.ndarray) -> float:
    return mean_psnr(psnr(ClassicalFilter(name, parameters).restore(noisy, KnownNoise(0.0)), clean))


def tune_task(name: str, task: str, clean: np.ndarray, pool: ProcessPoolExecutor) -> dict[str, Any]:
    clean = clean[: FILTERS[name].tuned_on]
    noise = TASKS[task]
    sigma = noise.sigma if isinstance(noise, GaussianNoise) else None
    choices = candidates(name, IMPULSE_SIGMAS if sigma is None else [sigma])
    return without_sigma(tune(name, choices, noise(clean, seed=SEED), clean, pool), sigma)


def tune_levels(
    name: str, clean: np.ndarray, pool: ProcessPoolExecutor, sigmas: Sequence[float] = SIGMAS
) -> list[dict[str, Any]]:
    """Tune a filter for both noises at once, at many levels.

    Where there are impulses, a filter for Gaussian noise first gets the best switching median before it, itself tuned
    as without impulses; then its own parameters, behind that one or alone.
    """
    clean = clean[: FILTERS[name].tuned_on]
    entries = []
    for sigma in tqdm(sigmas, name):
        own = list(candidates(name, [sigma] if sigma else REMAINING_SIGMAS))
        without_impulses: dict[str, Any] = {}
        for amount in LEVEL_AMOUNTS:
            noisy = mixed_noise(clean, sigma, amount, seed=SEED)
            choices = own
            if amount and FILTERS[name].takes_sigma:
                before = [{**without_impulses, "impulse_threshold": threshold} for threshold in IMPULSE_THRESHOLDS]
                threshold = tune(name, before, noisy, clean, pool)["parameters"]["impulse_threshold"]
                choices = [{**each, "impulse_threshold": threshold} for each in own]
                if sigma >= ALONE_FROM:
                    choices += own
            best = tune(name, choices, noisy, clean, pool)
            if not amount:
                without_impulses = best["parameters"]
            entries.append({"sigma": sigma, "amount": amount, **without_sigma(best, sigma)})
    return entries


def tune(
    name: str, choices: Iterable[dict[str, Any]], noisy: np.ndarray, clean: np.ndarray, pool: ProcessPoolExecutor
) -> dict[str, Any]:
    """The best of `choices` of parameters, and how good it is."""
    choices = list(choices)
    scores = list(pool.map(partial(score, name=name, noisy=noisy, clean=clean), choices))
    best = int(np.argmax(scores))
    return {
        "parameters": choices[best],
        "validation_psnr": round(scores[best], 3),
        "images": len(clean),
        "tried": len(choices),
    }


def without_sigma(tuned: dict[str, Any], sigma: float | None) -> dict[str, Any]:
    """What is recorded: where the noise has a sigma, the caller's takes its place among the parameters."""
    if not sigma:
        return tuned
    return {**tuned, "parameters": {key: value for key, value in tuned["parameters"].items() if key != "sigma"}}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    setup.add_data_options(parser)
    parser.add_argument(
        "--images", type=at_least(1), default=200, help="validation images to tune on (default: %(default)s)"
    )
    parser.add_argument(
        "--filters", nargs="+", choices=list(FILTERS), default=available_filters(), help="tune only these"
    )
    parser.add_argument("--levels", action="store_true", help="tune for many levels of both noises, not for the tasks")
    parser.add_argument("--sigmas", type=float, nargs="+", default=SIGMAS, help="of the levels, only these")
    parser.add_argument("--workers", type=at_least(1), help="processes (default: one per core)")
    args = parser.parse_args(argv)

    try:
        clean = load_fer2013(args.data, "validation", args.revision).images[: args.images]
    except DataError as error:
        raise SystemExit(str(error)) from None
    record = json.loads(TUNED_FILE.read_text(encoding="utf-8")) if TUNED_FILE.exists() else {}
    record = {"split": "validation", "seed": SEED, "filters": {}, "levels": {}, **record}
    with ProcessPoolExecutor(args.workers) as pool:
        for name in args.filters:
            if args.levels:
                others = [entry for entry in record["levels"].get(name, []) if entry["sigma"] not in args.sigmas]
                entries = others + tune_levels(name, clean, pool, args.sigmas)
                record["levels"][name] = sorted(entries, key=lambda entry: (entry["sigma"], entry["amount"]))
                print(name, json.dumps(record["levels"][name]))
            else:
                record["filters"][name] = {task: tune_task(name, task, clean, pool) for task in tqdm(TASKS, name)}
                print(name, json.dumps(record["filters"][name]))
            save(TUNED_FILE, record, indent=2)


if __name__ == "__main__":
    main()
