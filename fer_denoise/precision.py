"""How a device computes fastest: in half the bits, with channels last, in fewer steps, on the right number of cores."""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

Network = TypeVar("Network", bound=nn.Module)

ALL_CORES = torch.get_num_threads()
"""How many torch takes by itself."""


def bf16_is_fast(device: torch.device) -> bool:
    """Whether the processor or GPU computes in bfloat16 at more than the speed of float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


class Float32Conv2d(nn.Conv2d):
    """A convolution that computes in float32 under autocast too, for layers that see a picture itself.

    bfloat16 has 8 bits for a number; what it rounds off a pixel is as much as weak noise, and is taken for it.
    """

    def forward(self, images: Tensor) -> Tensor:
        """As `Conv2d`."""
        with torch.autocast(images.device.type, enabled=False):
            return super().forward(at_least_float32(images))


def at_least_float32(values: Tensor) -> Tensor:
    """Out of the half precision that autocast computes in; float64 stays as it is."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def on_device(network: Network, device: torch.device) -> Network:
    """Move `network` to `device`, in the memory layout that convolutions like best."""
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]


@contextmanager
def on_cores(count: int) -> Iterator[None]:
    """Compute on `count` cores in this thread; as a decorator, within a function.

    What torch is told also holds for threads that start meanwhile: whoever cares says so itself.
    """
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(ALL_CORES)


def rounded_to_bf16(network: Network) -> Network:
    """A copy for inference under bfloat16 autocast, which would else round its weights in every call.

    Under autocast it gives what `network` gives.
    """
    network = copy.deepcopy(network)
    for part in network.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and not isinstance(part, Float32Conv2d):
            part.to(torch.bfloat16)
    return network


def fold_batch_norm(network: Network) -> Network:
    """Make each convolution in a sequence do the batch norm after it as well: the same results, for inference alone."""
    for part in network.modules():
        if not isinstance(part, nn.Sequential):
            continue
        for (first, convolution), (second, norm) in pairwise(list(part.named_children())):
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(part, first, fuse_conv_bn_eval(convolution, norm))
                setattr(part, second, nn.Identity())
    return network
