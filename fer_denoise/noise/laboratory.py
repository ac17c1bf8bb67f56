"""Noise of the laboratory: additive Gaussian, salt-and-pepper, and both together."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from fer_denoise.noise.kind import Draw, Kind, check_range, corrupt_each


@dataclass(frozen=True)
class GaussianNoise(Kind):
    """White Gaussian noise of standard deviation `sigma` on the [0, 1] scale (0.02 is 5.1 of 255), then clipped.

    Not rounded to 8 bits, which would be a second noise.
    """

    sigma: float
    RANGES: ClassVar = {"sigma": (0, 1)}
    EXAMPLE: ClassVar = {"sigma": 0.06}

    def apply(self, clean: Tensor, draw: Draw) -> Tensor:
        return (clean + self.sigma * draw.normal(*clean.shape)).clamp_(0, 1)

    def corrupt_image(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _add_gaussian(image, self.sigma, rng)


@dataclass(frozen=True)
class SaltAndPepperNoise(Kind):
    """Random pixels set to 1 (salt), then random pixels set to 0 (pepper).

    Of n pixels, `int(n * amount * salt_vs_pepper)` salt and `int(n * amount * (1 - salt_vs_pepper))` pepper positions
    are drawn with replacement, so slightly fewer than the fraction `amount` of the pixels change.
    """

    amount: float
    salt_vs_pepper: float = 0.5
    RANGES: ClassVar = {"amount": (0, 1), "salt_vs_pepper": (0, 1)}
    EXAMPLE: ClassVar = {"amount": 0.1}

    def apply(self, clean: Tensor, draw: Draw) -> Tensor:
        noisy = clean.flatten(1).clone()
        batch, pixels = noisy.shape
        for count, value in zip(_impulse_counts(pixels, self.amount, self.salt_vs_pepper), (1.0, 0.0), strict=True):
            noisy.scatter_(1, (pixels * draw.uniform(batch, count)).long(), value)
        return noisy.view_as(clean)

    def corrupt_image(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return _set_impulses(image.copy(), self.amount, self.salt_vs_pepper, rng)


def mixed_noise(
    clean: np.ndarray, sigma: float, amount: float, salt_vs_pepper: float = 0.5, *, seed: int, first_index: int = 0
) -> np.ndarray:
    """White Gaussian noise, and impulses over it; arguments and result as those of the functions of both.

    With `sigma` 0 it is `salt_and_pepper_noise`, with `amount` 0 `gaussian_noise`, down to the last bit.
    """
    check_range("sigma", sigma, 0, 1)
    check_range("amount", amount, 0, 1)
    check_range("salt_vs_pepper", salt_vs_pepper, 0, 1)

    def corrupt(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        noisy = _add_gaussian(image, sigma, rng) if sigma else image.copy()
        return _set_impulses(noisy, amount, salt_vs_pepper, rng)

    return corrupt_each(clean, corrupt, seed, first_index)


@dataclass(frozen=True)
class RandomNoise:
    """Gaussian noise, impulses, both, or none: a kind and a level of its own for each image.

    The logarithm of sigma is uniform, so that each doubling is drawn as often; amount and salt_vs_pepper are uniform.

    Args:
        min_sigma, max_sigma, max_amount: the lowest and highest levels.
        gaussian, impulses, both: fractions of images with that kind alone, or with impulses on Gaussian noise; the rest
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

        return corrupt_each(clean, corrupt, seed, first_index)

    def corrupt(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Corrupt a float batch (B, 1, H, W) in [0, 1] on the generator's device."""
        return self.corrupt_at(clean, self.draw_levels(len(clean), generator), generator)

    def draw_levels(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Sigma, amount and salt_vs_pepper of `count` images, (count, 1, 1, 1) each, on the generator's device."""
        return self._levels(*torch.rand(4, count, 1, 1, 1, generator=generator, device=generator.device))

    def corrupt_at(self, clean: Tensor, levels: tuple[Tensor, Tensor, Tensor], generator: torch.Generator) -> Tensor:
        """As `corrupt`, at levels that `draw_levels` gave."""
        sigma, amount, salt_vs_pepper = levels
        noisy = clean + sigma * torch.randn(clean.shape, generator=generator, device=clean.device)
        noisy = noisy.clamp_(0, 1)
        for fraction, value in ((salt_vs_pepper, 1.0), (1 - salt_vs_pepper, 0.0)):
            # The chance of a pixel to be among positions that are drawn with replacement.
            hit = torch.rand(clean.shape, generator=generator, device=clean.device) < 1 - (-amount * fraction).exp()
            noisy = noisy.masked_fill_(hit, value)
        return noisy

    def _levels(self, choice, strength, amount, salt_vs_pepper):
        """Sigma, amount and salt_vs_pepper out of uniform draws, floats or tensors."""
        # Along the unit interval: Gaussian alone, both, impulses alone, clean.
        with_gaussian = choice < self.gaussian + self.both
        with_impulses = (choice >= self.gaussian) & (choice < self.gaussian + self.both + self.impulses)
        sigma = self.min_sigma * (self.max_sigma / self.min_sigma) ** strength
        return with_gaussian * sigma, with_impulses * self.max_amount * amount, salt_vs_pepper


def sigma_from_std(std: float, factor: float) -> float:
    """`sigma` on [0, 1] of the origin's noise `factor * N(0, std)`, which it adds on [-1, 1]."""
    return std * factor / 2


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
