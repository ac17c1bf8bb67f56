"""How fast a network could learn on this device at best: what an image asks for, over what the device can do.

Williams et al. 2009, "Roofline: an insightful visual performance model for multicore architectures",
https://doi.org/10.1145/1498765.1498785
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

PASSES = 3
"""Forward, and backward for the inputs and for the weights: each as much work as the first."""
REPEATS = 5


@dataclass(frozen=True)
class Work:
    """What an image asks for in a step."""

    operations: float
    """Floating-point operations of convolutions and matrix products."""
    bytes: float
    """Bytes that move at least: what each layer reads and writes, weights aside, once in each pass."""


@dataclass(frozen=True)
class Ceilings:
    """What a device can do, as measured on it."""

    operations: float
    """Floating-point operations per second, in the product of large matrices."""
    bytes: float
    """Bytes that are read and written per second, in a large copy."""

    def images_per_second(self, work: Work) -> float:
        """How many images can be learned from in a second at most."""
        return 1 / max(work.operations / self.operations, work.bytes / self.bytes)


@torch.no_grad()
def work_of(network: nn.Module, images: Tensor, bytes_per_value: int) -> Work:
    """What each of `images` (B, 1, H, W) asks of `network`, its activations of so many bytes."""
    values = 0

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal values
        values += inputs[0].numel() + output.numel()

    layers = [part for part in network.modules() if isinstance(part, nn.Conv2d | nn.ConvTranspose2d)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    counter = FlopCounterMode(display=False)
    try:
        with counter:
            network(images)
    finally:
        for hook in hooks:
            hook.remove()
    operations = PASSES * counter.get_total_flops() / len(images)
    return Work(operations, PASSES * bytes_per_value * values / len(images))


def ceilings_of(device: torch.device, dtype: torch.dtype) -> Ceilings:
    """Measure a device in a second or so."""
    side, size = (8192, 2**30) if device.type == "cuda" else (1024, 2**26)
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    source = torch.empty(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    operations = 2 * side**3 / _seconds(lambda: left @ right, device)
    return Ceilings(operations, 2 * size / _seconds(lambda: target.copy_(source), device))


def _seconds(call: Callable[[], object], device: torch.device) -> float:
    """The shortest time of a few."""

    def once() -> float:
        started = time.perf_counter()
        call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - started

    once()
    return min(once() for _ in range(REPEATS))
