"""How well a fresh classifier, trained for the purpose, tells restored faces from clean ones."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn

from fer_denoise.models.patchgan import high_pass
from fer_denoise.precision import bf16_is_fast, on_device
from train.shared import sampling

EPOCHS = 5
BATCH_SIZE = 64
LEARNING_RATE = 2e-3


class Textured(nn.Module):
    """Adds a channel of fine texture, without which a small classifier takes long to find it, or never does."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.cat([images, high_pass(images)], dim=1)


def make_classifier() -> nn.Sequential:
    """A small convolutional classifier of (B, 1, H, W) to one logit, high for clean."""

    def block(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        return [convolution, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.1, inplace=True)]

    blocks = [*block(2, 24, 1), *block(24, 32, 2), *block(32, 48, 1), *block(48, 64, 2), *block(64, 96, 1)]
    return nn.Sequential(Textured(), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(96, 1))


def detection_accuracy(
    train: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> float:
    """Accuracy on `test` of a classifier fitted to `train`; 0.5 means indistinguishable, 1 always told apart.

    Args:
        train, test: restored and clean faces, each uint8 (N, H, W): floats would betray the restored ones, since clean
            faces lie on the grid of 8 bits.
        seed: of the classifier's weights, the order of its batches and their flips.
        device: where it is trained.
    """
    device = torch.device(device)
    torch.manual_seed(seed)
    model = on_device(make_classifier(), device)
    images, labels = _labelled(*train, device)
    per_epoch = sampling.batches_per_epoch(len(images), BATCH_SIZE)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=1e-2)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=EPOCHS * per_epoch)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(images), generator=sampling.generator(seed, epoch))
        for step, index in enumerate(order[: per_epoch * BATCH_SIZE].split(BATCH_SIZE)):
            batch = sampling.random_flips(_centred(images[index]), sampling.generator(seed, epoch, step, device=device))
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16_is_fast(device)):
                logits = model(batch.contiguous(memory_format=torch.channels_last))
            loss = F.binary_cross_entropy_with_logits(logits.float().squeeze(1), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
    # What batch norm gathered on the way belongs to weights that have moved since.
    shuffled = torch.randperm(len(images), generator=sampling.generator(seed, EPOCHS))
    update_bn((_centred(images[index]) for index in shuffled.split(256)), model)
    model.eval()
    images, labels = _labelled(*test, device)
    with torch.inference_mode():
        logits = torch.cat([model(_centred(part)).squeeze(1) for part in images.split(256)])
    return float(((logits > 0) == (labels > 0.5)).float().mean())


def _labelled(restored: np.ndarray, clean: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    for faces in (restored, clean):
        if faces.dtype != np.uint8:
            raise TypeError(f"expected uint8 faces, got {faces.dtype}; round them first")
    labels = torch.cat([torch.zeros(len(restored)), torch.ones(len(clean))])
    return sampling.as_batch(np.concatenate([restored, clean]), device), labels.to(device)


def _centred(images: Tensor) -> Tensor:
    """About zero mean and unit variance, as networks like their inputs."""
    return (sampling.as_float(images) - 0.5) * 4
