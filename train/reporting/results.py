"""Files of results: never half written, and never mixed with what was measured otherwise."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from fer_denoise.files import write_whole
from fer_denoise.hub.sources import bundled_models, model_folder, weights_checksum

RESULTS = Path("results")
FIRST_400 = RESULTS / "first-400"
"""What is measured on the first images alone, with methods that are slow."""


def load_previous(file: Path, conditions: dict[str, Any]) -> dict[str, Any]:
    """What `file` holds, measured under `conditions`, which are among its entries; empty where there is no file.

    Ends with a message where it was measured under others, for it would be lost.
    """
    if not file.exists():
        return {}
    previous = json.loads(file.read_text(encoding="utf-8"))
    if {name: previous.get(name) for name in conditions} != conditions:
        raise SystemExit(
            f"{file} was measured otherwise, on other faces or from another seed: move it away, or take another folder"
        )
    return previous


def save(file: Path, results: dict[str, Any], indent: int | None = 1) -> None:
    """Write `results` as JSON; who is interrupted finds what was there before."""
    write_whole(file, (json.dumps(results, indent=indent) + "\n").encode())


def weights_of(name: str) -> dict[str, str]:
    """The checksum of a bundled network's weights, as an entry of a record; nothing for other methods."""
    return {"weights": weights_checksum(model_folder(name))} if name in bundled_models() else {}


class Scores:
    """What methods reach in cells, kept in a file after each one, so that an interrupted measurement goes on.

    Args:
        file: where they are kept, beside `conditions`, which are its other entries.
        conditions: as for `load_previous`.
        methods: what decides how each method to be measured restores, as for JSON. What the file holds of one that was
            made of something else is dropped in all cells; what it holds of others stays.
        anew: methods that are measured once more though nothing has changed.
    """

    def __init__(
        self, file: Path, conditions: dict[str, Any], methods: dict[str, dict[str, Any]], anew: Collection[str] = ()
    ) -> None:
        self._file = file
        self._names = list(methods)
        self.results = load_previous(file, conditions) or {**conditions, "methods": {}}
        for name, made_of in methods.items():
            earlier = self.results["methods"].get(name)
            if earlier is None or name in anew or {key: earlier[key] for key in earlier if key != "cells"} != made_of:
                self.results["methods"][name] = {**made_of, "cells": {}}

    def missing(self, cell: str, without: Collection[str] = ()) -> list[str]:
        """The methods that are still to be measured there; those in `without` have no part in it."""
        methods = self.results["methods"]
        return [name for name in self._names if name not in without and cell not in methods[name]["cells"]]

    def put(self, name: str, cell: str, value: Any) -> None:
        """Keep what a method reaches."""
        self.results["methods"][name]["cells"][cell] = value
        save(self._file, self.results, indent=None)
