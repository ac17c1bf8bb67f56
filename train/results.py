"""Results that were measured before."""

import json
from pathlib import Path
from typing import Any


def load_previous(file: Path, conditions: dict[str, Any]) -> dict[str, Any]:
    """What `file` holds, measured under `conditions`, which are among its entries; empty where there is no file.

    Ends with a message where it was measured under others, for it would be lost.
    """
    if not file.exists():
        return {}
    previous = json.loads(file.read_text(encoding="utf-8"))
    if {name: previous.get(name) for name in conditions} != conditions:
        raise SystemExit(f"{file} is of other faces or another seed: choose another --out, or remove it")
    return previous
