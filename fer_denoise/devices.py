"""Which device a process computes on."""

import os

import torch


class DeviceError(ValueError):
    """There is no such device; the message says what to do."""


def check_device(name: str | torch.device) -> torch.device:
    """The device of that name, once it is sure that torch can compute there, without claiming a GPU.

    Raises:
        DeviceError: it cannot.
    """
    try:
        device = torch.device(name)
        if device.type == "cuda":
            # To make a tensor there, or to ask whether CUDA is available, would break processes that are forked later.
            seen = torch.cuda.device_count()
            if (device.index or 0) >= seen:
                raise RuntimeError(f"{seen} GPUs are seen" if seen else "no GPU is seen")
        else:
            # There and back, for "meta" takes anything and gives nothing.
            torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, ImportError) as error:
        unbuilt = isinstance(error, NotImplementedError | ImportError)
        reason = "this build of it has no such device" if unbuilt else str(error).partition("\n")[0]
        raise DeviceError(f"{name}: torch cannot compute there ({reason}); choose cpu, or leave it out") from None
    return device


def own_gpu() -> str | None:
    """The GPU of this process, of several that `accelerate launch` or `torchrun` started; None where there is none."""
    rank = os.environ.get("LOCAL_RANK")
    if rank is None or not torch.cuda.is_available():
        return None
    return f"cuda:{int(rank) % torch.cuda.device_count()}"
