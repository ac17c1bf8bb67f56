"""Synthetic noise: additive Gaussian and salt-and-pepper, and the three tasks made of them.

Every kind of noise comes in two forms. The functions take NumPy images and a seed: image `i` of a call draws its noise
from (seed, first_index + i) alone, so neither the size of a batch nor its order changes a test image. The `corrupt`
methods take a torch batch and a generator: fresh noise for training, drawn on the batch's own device.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from fer_denoise.images import to_float


class Noise(Protocol):
    """A kind of noise at a fixed level."""

    def __call__(self, clean: np.ndarray, *, seed: int, first_index: int = 0) -> np.ndarray: ...

    def corrupt(self, clean: Tensor, generator: torch.Generator) -> Tensor: ...


def gaussian_noise(clean: np.ndarray, sigma: float, *, seed: int, first_index: int = 0) -> np.ndarray:
    """Add white Gaussian noise, then clip to [0, 1].

    Args:
        clean: (H, W) or (N, H, W), uint8 or float in [0, 1].
        sigma: standard deviation on the [0, 1] scale (0.02 is 5.1 of 255).
        seed: non-negative integer.
        first_index: the index of the first image, for a large set that is corrupted in parts.

    Returns:
        float32, the shape of `clean`, also for uint8: rounding to 8 bits would be a second noise.
    """
    _check_range("sigma", sigma, 0, np.inf)

    def corrupt(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _add_gaussian(image, sigma, rng)

    return _corrupt_each(clean, corrupt, seed, first_index)


def salt_and_pepper_noise(
    clean: np.ndarray, amount: float, salt_vs_pepper: float = 0.5, *, seed: int, first_index: int = 0
) -> np.ndarray:
    """Set random pixels to 1 (salt), then random pixels to 0 (pepper).

    Of n pixels, `int(n * amount * salt_vs_pepper)` salt and `int(n * amount * (1 - salt_vs_pepper))` pepper positions
    are drawn with replacement, so slightly fewer than `amount` of the pixels change.

    Args:
        clean: (H, W) or (N, H, W), uint8 or float in [0, 1].
        amount: share of the pixels drawn, in [0, 1].
        salt_vs_pepper: share of salt among them, in [0, 1].
        seed: non-negative integer.
        first_index: the index of the first image, for a large set that is corrupted in parts.

    Returns:
        float32, the shape of `clean`.
    """
    _check_range("amount", amount, 0, 1)
    _check_range("salt_vs_pepper", salt_vs_pepper, 0, 1)

    def corrupt(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _set_impulses(image.copy(), amount, salt_vs_pepper, rng)

    return _corrupt_each(clean, corrupt, seed, first_index)


@dataclass(frozen=True)
class GaussianNoise:
    """`gaussian_noise` at a fixed `sigma`."""

    sigma: float

    def __call__(self, clean: np.ndarray, *, seed: int, first_index: int = 0) -> np.ndarray:
        return gaussian_noise(clean, self.sigma, seed=seed, first_index=first_index)

    def corrupt(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Corrupt a float batch (B, 1, H, W) in [0, 1] on the generator's device."""
        noise = torch.randn(clean.shape, generator=generator, device=clean.device)
        return (clean + self.sigma * noise).clamp_(0, 1)


@dataclass(frozen=True)
class SaltAndPepperNoise:
    """`salt_and_pepper_noise` at a fixed `amount`."""

    amount: float
    salt_vs_pepper: float = 0.5

    def __call__(self, clean: np.ndarray, *, seed: int, first_index: int = 0) -> np.ndarray:
        return salt_and_pepper_noise(clean, self.amount, self.salt_vs_pepper, seed=seed, first_index=first_index)

    def corrupt(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Corrupt a float batch (B, 1, H, W) in [0, 1] on the generator's device."""
        noisy = clean.flatten(1).clone()
        batch, pixels = noisy.shape
        for count, value in zip(_impulse_counts(pixels, self.amount, self.salt_vs_pepper), (1.0, 0.0), strict=True):
            positions = torch.randint(pixels, (batch, count), generator=generator, device=clean.device)
            noisy.scatter_(1, positions, value)
        return noisy.view_as(clean)


def mixed_noise(
    clean: np.ndarray, sigma: float, amount: float, salt_vs_pepper: float = 0.5, *, seed: int, first_index: int = 0
) -> np.ndarray:
    """White Gaussian noise, and impulses over it; arguments and result as those of the two above.

    With `sigma` 0 it is `salt_and_pepper_noise`, with `amount` 0 `gaussian_noise`, down to the last bit.
    """
    _check_range("sigma", sigma, 0, np.inf)
    _check_range("amount", amount, 0, 1)
    _check_range("salt_vs_pepper", salt_vs_pepper, 0, 1)

    def corrupt(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        noisy = _add_gaussian(image, sigma, rng) if sigma else image.copy()
        return _set_impulses(noisy, amount, salt_vs_pepper, rng)

    return _corrupt_each(clean, corrupt, seed, first_index)


@dataclass(frozen=True)
class RandomNoise:
    """Gaussian noise, impulses, both, or none: a kind and a level of its own for each image.

    The logarithm of sigma is uniform, so that each doubling is drawn as often; amount and salt share are uniform.

    Args:
        min_sigma, max_sigma, max_amount: the lowest and highest levels.
        gaussian, impulses, both: shares of images with that kind alone, or with impulses on Gaussian noise; the rest
            stays clean.
    """

    min_sigma: float = 0.005
    max_sigma: float = 0.3
    max_amount: float = 0.5
    gaussian: float = 0.45
    impulses: float = 0.25
    both: float = 0.25

    def __call__(self, clean: np.ndarray, *, seed: int, first_index: int = 0) -> np.ndarray:
        """Corrupt (H, W) or (N, H, W); image `i` draws kind, level and noise from (seed, first_index + i) alone."""

        def corrupt(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
            sigma, amount, salt_vs_pepper = self._levels(*rng.random(4))
            return _set_impulses(_add_gaussian(image, sigma, rng), amount, salt_vs_pepper, rng)

        return _corrupt_each(clean, corrupt, seed, first_index)

    def corrupt(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Corrupt a float batch (B, 1, H, W) in [0, 1] on the generator's device."""
        return self.corrupt_at(clean, self.draw_levels(len(clean), generator), generator)

    def draw_levels(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Sigma, amount and salt share of `count` images, (count, 1, 1, 1) each, on the generator's device."""
        return self._levels(*torch.rand(4, count, 1, 1, 1, generator=generator, device=generator.device))

    def corrupt_at(self, clean: Tensor, levels: tuple[Tensor, Tensor, Tensor], generator: torch.Generator) -> Tensor:
        """As `corrupt`, at levels that `draw_levels` gave."""
        sigma, amount, salt_vs_pepper = levels
        noisy = clean + sigma * torch.randn(clean.shape, generator=generator, device=clean.device)
        noisy = noisy.clamp_(0, 1)
        for share, value in ((salt_vs_pepper, 1.0), (1 - salt_vs_pepper, 0.0)):
            # The chance of a pixel to be among positions that are drawn with replacement.
            hit = torch.rand(clean.shape, generator=generator, device=clean.device) < 1 - (-amount * share).exp()
            noisy = noisy.masked_fill_(hit, value)
        return noisy

    def _levels(self, kind, level, amount, salt_vs_pepper):
        """Sigma, amount and salt share out of uniform draws, floats or tensors."""
        # Along the unit interval: Gaussian alone, both, impulses alone, clean.
        with_gaussian = kind < self.gaussian + self.both
        with_impulses = (kind >= self.gaussian) & (kind < self.gaussian + self.both + self.impulses)
        sigma = self.min_sigma * (self.max_sigma / self.min_sigma) ** level
        return with_gaussian * sigma, with_impulses * self.max_amount * amount, salt_vs_pepper


def sigma_from_std(std: float, factor: float) -> float:
    """`sigma` on [0, 1] of the origin's noise `factor * N(0, std)`, which it adds on [-1, 1]."""
    return std * factor / 2


TASKS: dict[str, GaussianNoise | SaltAndPepperNoise] = {
    "low": GaussianNoise(sigma=0.02),
    "high": GaussianNoise(sigma=0.06),
    "salt_pepper": SaltAndPepperNoise(amount=0.1),
}


def _corrupt_each(clean, corrupt, seed: int, first_index: int) -> np.ndarray:
    if seed < 0 or first_index < 0:
        raise ValueError(f"seed and first_index must not be negative, got {seed} and {first_index}")
    clean = to_float(clean)
    batch = clean if clean.ndim == 3 else clean[None]
    noisy = np.empty_like(batch)
    for index, image in enumerate(batch):
        noisy[index] = corrupt(image, np.random.default_rng([seed, first_index + index]))
    return noisy.reshape(clean.shape)


def _add_gaussian(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    noise = rng.standard_normal(image.shape, dtype=np.float32)
    return np.clip(image + np.float32(sigma) * noise, 0, 1)


def _set_impulses(image: np.ndarray, amount: float, salt_vs_pepper: float, rng: np.random.Generator) -> np.ndarray:
    """`image` itself, with impulses in it."""
    salt, pepper = _impulse_counts(image.size, amount, salt_vs_pepper)
    image.flat[rng.integers(image.size, size=salt)] = 1
    image.flat[rng.integers(image.size, size=pepper)] = 0
    return image


def _impulse_counts(pixels: int, amount: float, salt_vs_pepper: float) -> tuple[int, int]:
    return int(pixels * amount * salt_vs_pepper), int(pixels * amount * (1 - salt_vs_pepper))


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not (low <= value <= high and np.isfinite(value)):
        raise ValueError(f"{name} must lie in [{low}, {high}], got {value}")
