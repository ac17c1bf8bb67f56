"""The machine: its device and precision, and what a training record says of it."""

import argparse
import os
import platform
import re
from contextlib import suppress
from pathlib import Path

import torch

from fer_denoise.precision import bf16_is_fast


def pick_device(args: argparse.Namespace) -> torch.device:
    """The GPU where there is one and the options let it."""
    return torch.device("cuda" if args.device == "auto" and torch.cuda.is_available() else "cpu")


def describe(device: torch.device) -> str:
    """What a training record says of the machine."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{os.cpu_count()} CPU cores, {_processor()}"


def _processor() -> str:
    """The processor's model where the system tells it, else its family."""
    with suppress(OSError):
        if found := re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE):
            return found[1]
    return platform.processor() or platform.machine()


def mixed_precision(args: argparse.Namespace) -> str:
    """The precision that the options ask for, in the words of accelerate: "bf16" or "no"."""
    if args.precision == "auto":
        return "bf16" if bf16_is_fast(pick_device(args)) else "no"
    return "bf16" if args.precision == "bf16" else "no"
