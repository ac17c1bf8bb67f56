"""GPUs that Hugging Face lends for the time of a call (ZeroGPU).

There, torch sees a GPU from the start, but only a function that is marked may use it.
"""

import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def lends_gpus() -> bool:
    """Whether this is a Space with ZeroGPU."""
    return bool(os.environ.get("SPACES_ZERO_GPU")) and find_spec("spaces") is not None


def with_lent_gpu(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a function that uses a GPU where one is lent; elsewhere it stays as it is."""
    return import_module("spaces").GPU(function) if lends_gpus() else function
