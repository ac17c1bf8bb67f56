"""The statistics of batch norm: measured for averaged weights, the same everywhere, silent where they are rounding."""

import copy
from collections.abc import Iterable
from itertools import islice, pairwise

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn
from torch.utils.hooks import RemovableHandle

UNIT_ROUNDOFF = torch.finfo(torch.bfloat16).eps / 2
CALIBRATION_BATCHES = 50
"""How many batches tell the statistics of batch norm for averaged weights, which no step ran with."""
SILENCING_BATCHES = 10
"""How many batches tell the sums that batch norm normalises; each has thousands of pixels."""


@torch.no_grad()
def calibrate_batch_norm(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Measure the statistics of batch norm for weights that no training step ran with, such as averaged ones.

    Channels that `batches` hardly wake are silenced, as `silence_channels` says.
    """
    seen = list(islice(batches, CALIBRATION_BATCHES))
    update_bn(seen, model)
    silence_channels(model, seen)


@torch.no_grad()
def silence_channels(model: nn.Module, batches: Iterable[Tensor]) -> int:
    """Silence the channels of batch norm that would amplify rounding, and what seldom wakes them; gives their number.

    What is normalised is a sum of n terms. Its terms are rounded, to u of their size, so the sum is wrong by about u
    times S, the sum of their magnitudes, and batch norm divides that by the channel's standard deviation. A channel
    whose deviation is less than u * S is thus nothing but rounding, and what wakes it is amplified by up to S over the
    deviation, which further such channels multiply: on pictures unlike the training's, activations reached a million
    deviations, and their rounding in float32 the picture. u is that of bfloat16, 1/256, the least precise arithmetic
    that networks are trained and used with.

    The variance of such a channel becomes the square of S: it stays as it is while nothing wakes it, and reaches about
    1 once something does.

    Args:
        model: in which each batch norm follows a convolution in a sequence, an activation between them or none.
        batches: what it sees in training; S is measured from the first of them.
    """
    sums = _sums_of_magnitudes(model, islice(batches, SILENCING_BATCHES))
    silenced = 0
    for norm, magnitude in sums.items():
        variances = norm.running_var
        if variances is not None:
            silent = variances < (UNIT_ROUNDOFF * magnitude).square()
            variances[silent] = magnitude[silent].square()
            silenced += int(silent.sum())
    return silenced


def _sums_of_magnitudes(model: nn.Module, batches: Iterable[Tensor]) -> dict[nn.BatchNorm2d, Tensor]:
    """The sum of the magnitudes that make up an input of batch norm, its mean over pixels for each channel of each."""
    found: dict[nn.BatchNorm2d, list[Tensor]] = {}

    def watch(convolution: nn.Conv2d, magnitudes: list[Tensor]) -> RemovableHandle:
        positive = copy.deepcopy(convolution)
        for parameter in positive.parameters():
            parameter.abs_()
        return convolution.register_forward_pre_hook(
            lambda _, inputs: magnitudes.append(positive(inputs[0].abs()).float().mean(dim=(0, 2, 3)))
        )

    handles = [
        watch(convolution, found.setdefault(norm, []))
        for sequence in model.modules()
        if isinstance(sequence, nn.Sequential)
        for convolution, norm in pairwise(p for p in sequence if isinstance(p, nn.Conv2d | nn.BatchNorm2d))
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    ]
    training = model.training
    model.eval()
    try:
        for batch in batches:
            model(batch)
    finally:
        model.train(training)
        for handle in handles:
            handle.remove()
    return {norm: torch.stack(magnitudes).mean(dim=0) for norm, magnitudes in found.items() if magnitudes}


def share_buffers(model: nn.Module, accelerator: Accelerator) -> None:
    """Give every process the first one's buffers, such as the statistics of batch norm, which each gathers alone."""
    if accelerator.num_processes > 1:
        for buffer in model.buffers():
            buffer.copy_(broadcast(buffer.clone()))
