"""Training state in a safetensors file: written atomically, read without pickle."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write nested dicts, lists and tuples of tensors, numbers, text, booleans and None.

    A reader finds the old file or the new one, never a part: the file is flushed to disk before it is renamed.
    """
    tensors: dict[str, Tensor] = {}

    def describe(value: Any) -> Any:
        match value:
            case Tensor():
                key = str(len(tensors))
                tensors[key] = value.detach().cpu().contiguous().clone()
                return {"tensor": key}
            case dict():
                return {"dict": [[key, describe(item)] for key, item in value.items()]}
            case list() | tuple():
                return {type(value).__name__: [describe(item) for item in value]}
            case None | bool() | int() | float() | str():
                return value
        raise TypeError(f"cannot save a {type(value).__name__}")

    layout = json.dumps(describe(state))
    partial = path.with_name(path.name + ".partial")
    save_file(tensors, partial, metadata={"layout": layout})
    with open(partial, "rb") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)


def load_state(path: Path) -> dict[str, Any]:
    """Read what `save_state` wrote."""

    def rebuild(value: Any) -> Any:
        match value:
            case {"tensor": key}:
                return file.get_tensor(key)
            case {"dict": items}:
                return {key: rebuild(item) for key, item in items}
            case {"list": items}:
                return [rebuild(item) for item in items]
            case {"tuple": items}:
                return tuple(rebuild(item) for item in items)
        return value

    with safe_open(path, framework="pt") as file:
        return rebuild(json.loads(file.metadata()["layout"]))


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Restore an optimiser, its moments in the memory layout of their parameters, so that it goes on bit for bit."""
    optimizer.load_state_dict(state)
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if value.shape == parameter.shape:
                moments[name] = torch.empty_like(parameter).copy_(value)
