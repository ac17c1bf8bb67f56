"""What a universal restorer is trained with, here and in the ablation: its noise, its recipe, and its loss."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_denoise.models import UniversalRestorer
from fer_denoise.models.noise_estimator import MAX_SIGMA, scaled
from fer_denoise.noise import Truth, WorldNoise
from fer_denoise.precision import on_device
from train.shared.supervised import Recipe

NOISE = WorldNoise()

RECIPE = Recipe(
    epochs=30,
    batch_size=16,
    learning_rate=1e-3,
    optimizer="adamw",
    loss="log_mse",
    schedule="cosine",
    early_stop=None,
    fresh_noise=True,
    flips=True,
    ema=0.999,
    clip_gradient=3.0,
    scenes=0.5,
    drawings=True,
)

LEVELS_WEIGHT, IMPULSE_WEIGHT = 16.0, 0.5
"""Weights of the squared error of a whole picture's levels, and of the cross-entropy of impulses, beside the loss of
restored pixels and the error of the level at each."""

DISTILLATION = 0.5
"""How much of the loss of the restored pixels is against what a teacher restored, where there is one."""


class RestoringAndEstimating(nn.Module):
    """The loss of a universal restorer on what `WorldFaces` draws: of its pixels, and of what its estimator says.

    Args:
        model: learns.
        loss: of restored pixels against true ones.
        teacher: restores the same noisy images, where there is one, and what it gives counts as true, too (Hinton et
            al. 2015, https://arxiv.org/abs/1503.02531).
    """

    def __init__(
        self,
        model: UniversalRestorer,
        loss: Callable[[Tensor, Tensor], Tensor],
        teacher: UniversalRestorer | None = None,
    ) -> None:
        super().__init__()
        self.model, self.loss = model, loss
        # A function, for a module would become a part of what learns.
        self.teach = on_device(teacher, next(model.parameters()).device).forward if teacher else None

    def forward(self, noisy: Tensor, clean: Tensor, truth: Truth) -> Tensor:
        restored, estimate = self.model.restore_and_estimate(noisy)
        height, width = noisy.shape[-2:]
        # The mean of what it may be, for most pictures have none of it, and the median would always be 0.
        levels = LEVELS_WEIGHT * F.mse_loss(estimate.levels, scaled(true_levels(truth)))
        root = (truth.sigma / MAX_SIGMA).sqrt()
        distance = F.smooth_l1_loss(estimate.sigma[..., :height, :width], root, beta=0.05, reduction="none")
        intact = 1 - truth.impulses
        of_sigma = (distance * intact).sum() / intact.sum().clamp(min=1)
        of_impulses = F.binary_cross_entropy_with_logits(estimate.impulse[..., :height, :width], truth.impulses)
        of_pixels = self.loss(restored.float(), clean)
        if self.teach:
            with torch.no_grad():
                taught = self.teach(noisy).float()
            of_pixels = torch.lerp(of_pixels, self.loss(restored.float(), taught), DISTILLATION)
        return of_pixels + levels + of_sigma + IMPULSE_WEIGHT * of_impulses


def true_levels(truth: Truth) -> Tensor:
    """What the estimator is to say of each picture: (B, len(LEVELS)), not scaled."""
    sigma = truth.sigma.square().mean(dim=(1, 2, 3)).sqrt()
    # The amount that hits so many pixels when they are drawn with replacement.
    amount = -(1 - truth.impulses.mean(dim=(1, 2, 3)).clamp(max=0.99)).log()
    parts = (sigma, amount, truth.width, truth.stripes, 1 - truth.quality / 100, 1 - truth.levels.log2() / 8)
    return torch.stack(parts, dim=1)
