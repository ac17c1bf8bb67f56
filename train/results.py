"""Files of results: never half written, and never mixed with what was measured otherwise."""

import json
from pathlib import Path
from typing import Any

from fer_denoise.files import write_whole
from fer_denoise.hub import bundled_models, model_folder, weights_checksum


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
