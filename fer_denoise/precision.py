"""How a device computes fastest: in half the bits, and with channels last."""

from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def bf16_is_fast(device: torch.device) -> bool:
    """Whether the processor or GPU computes in bfloat16 at more than the speed of float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def on_device(network: Network, device: torch.device) -> Network:
    """Move `network` to `device`, in the memory layout that convolutions like best."""
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
