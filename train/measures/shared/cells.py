"""Cells, in each of which all methods are measured, and the loop over them, which goes on after an interruption."""

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from fer_denoise.evaluate import NOISY
from fer_denoise.method import KnownNoise, Method, ProgressCallback
from train.reporting.results import Scores, weights_of


class Cell(NamedTuple):
    """Pictures with noise of one kind at one level.

    Attributes:
        name: what it is called in the results.
        clean: uint8 (N, H, W), or a picture, or a list of them.
        noisy: called for their noisy form.
        known: what may be told of the noise.
    """

    name: str
    clean: Any
    noisy: Callable[[], Any]
    known: KnownNoise = KnownNoise()


class NoisyInput(Method):
    """The method that leaves pictures as they are."""

    name = NOISY
    blind = True
    reach = 0

    def restore_planes(self, planes: np.ndarray, noise: KnownNoise, on_progress: ProgressCallback) -> np.ndarray:
        return planes


def made_of(method: Method) -> dict[str, Any]:
    """What decides how a method restores, as `Scores` takes it."""
    return {**weights_of(method.name), **method.record}


def measure_cells(
    cells: Iterable[Cell],
    scores: Scores,
    measure: Callable[[str, Any, Cell], Any],
    without: Callable[[Cell], Collection[str]] = lambda cell: (),
) -> dict[str, Any]:
    """Measure what `scores` lacks, cell by cell, and give its results.

    Args:
        measure: gives what is kept of a method, by its name, the noisy pictures, and their cell.
        without: names of the methods that have no part in a cell.
    """
    for cell in tqdm(list(cells), "cells"):
        if missing := scores.missing(cell.name, without(cell)):
            noisy = cell.noisy()
            for name in missing:
                scores.put(name, cell.name, measure(name, noisy, cell))
    return scores.results
