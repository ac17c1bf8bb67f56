"""What a training step sees: the order of the batches, and everything random in them, by keys instead of states."""

from collections.abc import Iterator

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor


def as_batch(images: np.ndarray, device: torch.device) -> Tensor:
    """Images (N, H, W) as a tensor (N, 1, H, W) of the same dtype on `device`."""
    return torch.from_numpy(np.ascontiguousarray(images)).unsqueeze(1).to(device)


def as_float(images: Tensor) -> Tensor:
    """A uint8 batch as float32 in [0, 1], in the memory layout that convolutions like best."""
    return images.float().div_(255).contiguous(memory_format=torch.channels_last)


def batches(
    count: int, batch_size: int, seed: int, epoch: int, accelerator: Accelerator, passes: int = 1
) -> Iterator[Tensor]:
    """This process's indices into each shuffled batch of an epoch; an incomplete last batch is left out.

    An epoch goes over the images in so many `passes`, each in an order of its own.
    The order depends on (seed, epoch) alone, and `batch_size` counts all processes together, so neither an interruption
    nor the number of processes changes what a step sees.
    """
    for number in range(epoch * passes, (epoch + 1) * passes):
        order = torch.randperm(count, generator=generator(seed, number))
        for batch in order[: batches_per_epoch(count, batch_size) * batch_size].split(batch_size):
            yield batch[accelerator.process_index :: accelerator.num_processes]


def batches_per_epoch(count: int, batch_size: int) -> int:
    """Whole batches in an epoch."""
    if count < batch_size:
        raise SystemExit(f"{count} training images do not fill a batch: choose a --batch-size of at most {count}")
    return count // batch_size


def generator(*key: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator that depends on `key` alone, so that no random state has to be saved."""
    return torch.Generator(device).manual_seed(seed_of(*key))


def seed_of(*key: int) -> int:
    """A seed that depends on `key` alone."""
    # Without its length, a key and the same with zeros behind it would give one seed.
    return int(np.random.SeedSequence([len(key), *key]).generate_state(1, np.uint64)[0])


def random_flips(images: Tensor, rng: torch.Generator) -> Tensor:
    """Each image of (B, C, H, W) mirrored left to right with probability 1/2."""
    flip = torch.rand(len(images), 1, 1, 1, generator=rng, device=images.device) < 0.5
    return torch.where(flip, images.flip(-1), images)
