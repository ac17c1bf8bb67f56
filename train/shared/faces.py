"""The faces that a network trains on and is validated on, with their noise, on one device."""

from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from fer_denoise.data import Faces
from fer_denoise.noise import Noise, TorchDraw, Truth, WorldNoise
from train.shared import sampling
from train.shared.scenes import Scenes

VALIDATION_SEED, TEST_SEED = 1, 3
"""The seeds of the noise on those faces; training and tuning draw from 0 and 2."""
TRAIN_SEEDS = 1000
"""A number added to the seed of a training: below it lie those of the noise on faces that it must not see."""
PSNR_CAP_MSE = 1e-10
"""Where the mean squared error stops to count, so that a perfect image has 100 dB."""


class NoisyFaces:
    """Train and validation faces of one kind of noise.

    Args:
        faces: the splits "train" and "validation".
        noise: what corrupts them.
        device: where they lie, as uint8.
        seed: of the noise that is drawn once per train image, where it is not fresh; never that of another split.
        fresh_noise: draw new noise in every step.
        flips: mirror half of the images of a step.
        scenes: other pictures to add to each step, with fresh noise.
    """

    def __init__(
        self,
        faces: dict[str, Faces],
        noise: Noise,
        device: torch.device,
        *,
        seed: int,
        fresh_noise: bool,
        flips: bool,
        scenes: Scenes | None = None,
    ) -> None:
        images, validation = faces["train"].images, faces["validation"].images
        self.clean = sampling.as_batch(images, device)
        self.validation = sampling.as_batch(validation, device)
        self.validation_noisy = sampling.as_batch(noise(validation, seed=VALIDATION_SEED), device)
        self._fixed_noisy = None if fresh_noise else sampling.as_batch(noise(images, seed=TRAIN_SEEDS + seed), device)
        self._noise = noise
        self._flips = flips
        self._scenes = scenes

    def __len__(self) -> int:
        return len(self.clean)

    def draw(self, index: Tensor, rng: torch.Generator) -> tuple[Any, ...]:
        """Noisy and clean images of a step, float (B, 1, H, W) in [0, 1]; where there are scenes, more than `index`."""
        if self._fixed_noisy is None:
            clean = self._fresh_clean(index, rng)
            return self._noise.corrupt(clean, rng), clean
        pairs = torch.cat([self._fixed_noisy[index], sampling.as_float(self.clean[index])], dim=1)
        noisy, clean = (sampling.random_flips(pairs, rng) if self._flips else pairs).chunk(2, dim=1)
        return noisy, clean

    def _fresh_clean(self, index: Tensor, rng: torch.Generator) -> Tensor:
        clean = self.clean[index]
        clean = sampling.as_float(self._scenes.beside(clean, rng) if self._scenes else clean)
        return sampling.random_flips(clean, rng) if self._flips else clean


class WorldFaces(NoisyFaces):
    """Train and validation faces with the noise that pictures carry, and the truth about it; arguments as above."""

    _noise: WorldNoise

    def draw(self, index: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor, Truth]:
        """As in `NoisyFaces`, and what was done to the images."""
        clean = self._fresh_clean(index, rng)
        noisy, truth = self._noise.with_truth(clean, TorchDraw(rng))
        return noisy, clean, truth


@torch.no_grad()
def validate(model: nn.Module, faces: NoisyFaces, loss, accelerator: Accelerator) -> tuple[float, float]:
    """Loss and mean PSNR per image over the validation split, each process measuring its own part."""
    model.eval()
    sums = torch.zeros(2, dtype=torch.float64, device=faces.validation.device)
    own = slice(accelerator.process_index, None, accelerator.num_processes)
    parts = zip(faces.validation_noisy[own].split(256), faces.validation[own].split(256), strict=True)
    for noisy, clean in parts:
        clean = sampling.as_float(clean)
        with accelerator.autocast():
            restored = model(noisy).float()
        mse = (restored.clamp(0, 1) - clean).square().mean(dim=(1, 2, 3))
        psnr = -10 * mse.clamp(min=PSNR_CAP_MSE).log10()
        sums += torch.stack([loss(restored, clean) * len(clean), psnr.sum()])
    loss_sum, psnr_sum = (accelerator.reduce(sums, reduction="sum") / len(faces.validation)).tolist()
    return loss_sum, psnr_sum
