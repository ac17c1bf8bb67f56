"""Where half the bits are as good and faster."""

import torch


def bf16_is_fast(device: torch.device) -> bool:
    """Whether the processor or GPU computes in bfloat16 at more than the speed of float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()
