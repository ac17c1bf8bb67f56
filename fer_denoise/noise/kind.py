"""What a kind of noise is: one rule, drawn by NumPy for tests that repeat, or by torch for training."""

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import index as index_of
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from torch import Tensor

from fer_denoise.images import check_sigma, to_float


class Noise(Protocol):
    """A kind of noise at a fixed level."""

    def __call__(self, clean: np.ndarray, *, seed: int, first_index: int = 0) -> np.ndarray: ...

    def corrupt(self, clean: Tensor, generator: torch.Generator) -> Tensor: ...


class Draw(Protocol):
    """Where random numbers come from; each method gives a float32 tensor on the device of the pictures."""

    def normal(self, *shape: int) -> Tensor:
        """Standard normal numbers."""

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers in [0, 1)."""

    def poisson(self, rate: Tensor) -> Tensor:
        """Poisson counts, one for each rate."""


class TorchDraw:
    """Draws from a torch generator, on its device."""

    def __init__(self, generator: torch.Generator) -> None:
        self._options: dict[str, Any] = {"generator": generator, "device": generator.device}
        self._generator = generator

    def normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, **self._options)

    def uniform(self, *shape: int) -> Tensor:
        return torch.rand(shape, **self._options)

    def poisson(self, rate: Tensor) -> Tensor:
        return torch.poisson(rate, self._generator)


class NumpyDraw:
    """Draws from a NumPy generator, whose numbers do not change with the version of torch."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def normal(self, *shape: int) -> Tensor:
        return torch.from_numpy(self._rng.standard_normal(shape, dtype=np.float32))

    def uniform(self, *shape: int) -> Tensor:
        return torch.from_numpy(self._rng.random(shape, dtype=np.float32))

    def poisson(self, rate: Tensor) -> Tensor:
        return torch.from_numpy(self._rng.poisson(rate.numpy()).astype(np.float32))


class Kind:
    """A kind of noise with fixed parameters, by one rule for NumPy and torch.

    A subclass is a frozen dataclass whose fields are its parameters. It gives the rule, `apply`.
    """

    RANGES: ClassVar[dict[str, tuple[float, float]]] = {}
    """The lowest and highest value of each parameter that is a number."""
    EXAMPLE: ClassVar[dict[str, float]]
    """Parameters that give a noise as pictures have it, for the tests that every kind of `KINDS` has to pass."""
    IS_RANDOM: ClassVar[bool] = True
    """Whether another seed gives other noise."""

    def __post_init__(self) -> None:
        for name, (low, high) in self.RANGES.items():
            check_range(name, getattr(self, name), low, high)

    def apply(self, clean: Tensor, draw: Draw) -> Tensor:
        """Corrupt float32 (B, 1, H, W) in [0, 1]; the result has its shape and lies in [0, 1]."""
        raise NotImplementedError

    def corrupt_image(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Corrupt one float32 image (H, W) in [0, 1]."""
        return self.apply(torch.tensor(image)[None, None], NumpyDraw(rng))[0, 0].numpy()

    def __call__(self, clean: np.ndarray, *, seed: int, first_index: int = 0) -> np.ndarray:
        """Corrupt (H, W) or (N, H, W), uint8 or float in [0, 1]; float32 comes back.

        Image `i` draws its noise from (seed, first_index + i) alone.
        """
        return corrupt_each(clean, self.corrupt_image, seed, first_index)

    def corrupt(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Corrupt a float batch (B, 1, H, W) in [0, 1] on the generator's device."""
        return self.apply(clean, TorchDraw(generator))


@dataclass(frozen=True)
class Composition(Kind):
    """Several kinds of noise, one after the other."""

    kinds: tuple[Kind, ...]

    def apply(self, clean: Tensor, draw: Draw) -> Tensor:
        for kind in self.kinds:
            clean = kind.apply(clean, draw)
        return clean

    def corrupt_image(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for kind in self.kinds:
            image = kind.corrupt_image(image, rng)
        return image


def as_function(kind: type[Kind]) -> Callable[..., np.ndarray]:
    """The function `f(clean, <parameters>, *, seed, first_index=0)` of a kind of noise, named after its class."""
    parameters = list(inspect.signature(kind).parameters.values())
    clean = inspect.Parameter("clean", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=np.ndarray)
    seed = inspect.Parameter("seed", inspect.Parameter.KEYWORD_ONLY, annotation=int)
    first_index = inspect.Parameter("first_index", inspect.Parameter.KEYWORD_ONLY, default=0, annotation=int)

    def corrupt(clean: np.ndarray, *args: Any, seed: int, first_index: int = 0, **kwargs: Any) -> np.ndarray:
        return kind(*args, **kwargs)(clean, seed=seed, first_index=first_index)

    signature = inspect.Signature([clean, *parameters, seed, first_index], return_annotation=np.ndarray)
    corrupt.__name__ = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()
    corrupt.__signature__ = signature  # type: ignore[attr-defined]
    corrupt.__doc__ = f"""{kind.__doc__}
    `clean` is (H, W) or (N, H, W), uint8 or float in [0, 1]; float32 of that shape comes back. Image `i` draws its
    noise from (`seed`, `first_index` + i) alone.
    """
    return corrupt


def corrupt_each(
    clean: np.ndarray, corrupt: Callable[[np.ndarray, np.random.Generator], np.ndarray], seed: int, first_index: int
) -> np.ndarray:
    """Each image of (H, W) or (N, H, W) through `corrupt`, with a generator of its own."""
    try:
        # NumPy's whole numbers are of few bits, and begin anew where these end.
        seed, first_index = index_of(seed), index_of(first_index)
    except TypeError:
        raise TypeError(f"seed and first_index must be whole numbers, got {seed!r} and {first_index!r}") from None
    if seed < 0 or first_index < 0:
        raise ValueError(f"seed and first_index must not be negative, got {seed} and {first_index}")
    clean = to_float(clean)
    batch = clean if clean.ndim == 3 else clean[None]
    noisy = np.empty_like(batch)
    for index, image in enumerate(batch):
        noisy[index] = corrupt(image, np.random.default_rng([seed, first_index + index]))
    return noisy.reshape(clean.shape)


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Refuse a level outside [low, high], or that is no finite number."""
    if name.endswith("sigma"):
        # Says how to convert a level out of 255.
        value = check_sigma(value, name)
    if not (low <= value <= high and np.isfinite(value)):
        raise ValueError(f"{name} must lie in [{low}, {high}], got {value}")
