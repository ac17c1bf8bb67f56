"""Checkpoints of a training in safetensors files: written whole, checked when they are read, and never a pickle."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from fer_denoise.files import write_whole


class CheckpointError(ValueError):
    """A checkpoint is damaged; the message says what to do."""


def save_checkpoint(path: Path, checkpoint: dict[str, Any]) -> None:
    """Write nested dicts, lists and tuples of tensors, numbers, text, booleans and None.

    A reader finds the old file or the new one, never a part. The old one stays as `previous(path)`.

    Raises:
        OSError: it cannot be written, as on a full disk; what was there before is untouched.
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

    layout = json.dumps(describe(checkpoint))
    content = save(tensors, metadata={"layout": layout, "sha256": _digest(tensors, layout)})
    if path.exists():
        write_whole(previous(path), path.read_bytes())
    write_whole(path, content)


def previous(path: Path) -> Path:
    """The file of the checkpoint before the last one."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote.

    Raises:
        CheckpointError: it is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            layout = file.metadata()["layout"]
            # Copied, for the next save replaces the file, which Windows refuses while a tensor lies in it.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
            if _digest(tensors, layout) != file.metadata()["sha256"]:
                raise CheckpointError("its checksum is another")
        return _rebuild(json.loads(layout), tensors)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        older = previous(path)
        remedy = f"rename {older} to {path.name}, the epoch before," if older.exists() else f"remove {path}"
        raise CheckpointError(f"{path}: is damaged ({error}); {remedy} and start again") from None


def _rebuild(value: Any, tensors: dict[str, Tensor]) -> Any:
    match value:
        case {"tensor": key}:
            return tensors[key]
        case {"dict": items}:
            return {key: _rebuild(item, tensors) for key, item in items}
        case {"list": items}:
            return [_rebuild(item, tensors) for item in items]
        case {"tuple": items}:
            return tuple(_rebuild(item, tensors) for item in items)
    return value


def _digest(tensors: dict[str, Tensor], layout: str) -> str:
    digest = sha256(layout.encode())
    for name in sorted(tensors):
        digest.update(tensors[name].reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Restore an optimiser, its moments in the memory layout of their parameters, so that it goes on bit for bit."""
    rates = [group["lr"] for group in optimizer.param_groups]
    optimizer.load_state_dict(state)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        if isinstance(rate, Tensor):
            # On its device, where a captured step reads it.
            group["lr"] = rate.copy_(group["lr"])
    for parameter, moments in optimizer.state.items():
        for name, value in moments.items():
            if value.shape == parameter.shape:
                moments[name] = torch.empty_like(parameter).copy_(value)
