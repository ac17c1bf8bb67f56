"""The contract of every method that restores: a filter and a network are the same thing to whoever calls them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Self

import numpy as np

from fer_denoise.images import AnyImages, Batch, Images, check_sigma
from fer_denoise.noise import GaussianNoise, Noise, SaltAndPepperNoise
from fer_denoise.noise.kind import check_range
from fer_denoise.pictures import MIN_SIDE

ProgressCallback = Callable[[float], None]
"""Called after each part of the work with the fraction that is done, in (0, 1]. What it raises ends the work."""
PRECISIONS = ("auto", "bf16", "fp32")


class UnsupportedError(RuntimeError):
    """A method was asked for what it cannot do; the message says what that is."""


class KnownNoise(NamedTuple):
    """What is known of the noise in pictures; None is what is not known, 0 that there is none of it."""

    sigma: float | None = None
    """Standard deviation of the Gaussian noise on [0, 1]."""
    amount: float | None = None
    """Amount of impulses, as `salt_and_pepper_noise` counts them, in [0, 1]."""

    @classmethod
    def of(cls, noise: Noise) -> Self:
        """All that there is to know of `noise`.

        Raises:
            TypeError: `noise` has no one level.
        """
        match noise:
            case GaussianNoise():
                return cls(noise.sigma, 0.0)
            case SaltAndPepperNoise():
                return cls(0.0, noise.amount)
        raise TypeError(f"{noise} has no one level")

    def checked(self) -> Self:
        """The same, checked, with a sigma that is a Python float.

        Raises:
            TypeError, ValueError: what is known is no level of noise.
        """
        if self.amount is not None:
            check_range("amount", self.amount, 0, 1)
        return self if self.sigma is None else self._replace(sigma=check_sigma(self.sigma))


class FoundNoise(str):
    """Noise of another kind than random noise and impulses, in words for a person.

    Attributes:
        kind: for programs, out of `fer_denoise.noise.KINDS`.
    """

    kind: str

    def __new__(cls, words: str, kind: str = "") -> Self:
        found = super().__new__(cls, words)
        found.kind = kind
        return found


class _Numbers(NamedTuple):
    sigma: float
    amount: float


class NoiseLevel(_Numbers):
    """How noisy a picture is: two numbers, `sigma` and `amount`, and in `others` what else was found, in words.

    `sigma` is the standard deviation of the random noise on [0, 1], `amount` the impulses as `salt_and_pepper_noise`
    counts them, which hits slightly fewer pixels. `others` tells of strong JPEG compression, of stripes, of noise that
    neighbouring pixels share, and of few gray levels; what an estimate gives are `FoundNoise`.
    """

    others: tuple[str, ...]

    def __new__(cls, sigma: float, amount: float, others: tuple[str, ...] = ()) -> Self:
        level = super().__new__(cls, sigma, amount)
        level.others = others
        return level

    def __eq__(self, other: object) -> bool:
        # A plain pair says nothing of others.
        return tuple.__eq__(self, other) is True and self.others == getattr(other, "others", self.others)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    def __repr__(self) -> str:
        return f"NoiseLevel(sigma={self.sigma!r}, amount={self.amount!r}, others={self.others!r})"

    def _replace(self, **changes: Any) -> Self:
        return type(self)(**{**self._asdict(), "others": self.others, **changes})


class NoiseMap(NamedTuple):
    """Where the noise of a picture is, float32 each, of the picture's height and width."""

    sigma: np.ndarray
    """Standard deviation of the random noise at each pixel, on [0, 1]."""
    impulses: np.ndarray
    """Probability that a pixel's value is lost to an impulse or a dead line."""


@dataclass(frozen=True)
class NetworkOptions:
    """How a network is run; the arguments are those of `Restorer`.

    Raises:
        ValueError: the tiles are no multiple of 16, or there is no such precision.
    """

    device: Any
    tile: int = 512
    tile_overlap: int | None = None
    self_ensemble: bool = False
    precision: str = "auto"

    def __post_init__(self) -> None:
        overlap = 0 if self.tile_overlap is None else self.tile_overlap
        if self.tile < 16 or self.tile % 16 or overlap < 0 or overlap % 16:
            raise ValueError(f"tile and tile_overlap must be multiples of 16, got {self.tile} and {overlap}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, got {self.precision!r}")


class Method(ABC):
    """One way of restoring pictures.

    A subclass says how far an input reaches and restores planes. It may also show its attention, and estimate the noise
    of pictures or where that is; if it does not, whoever asks gets an `UnsupportedError`.

    Attributes:
        name: what to call it.
        needs: levels of the noise, out of `KnownNoise._fields`, without which it does not restore.
        blind: whether it is compared with others without knowing the noise, though that is known.
        cpu_only: whether it computes on one core of the CPU, so that many pictures are best spread over processes.
        record: what results say of it besides its name, as for JSON.
    """

    name: str
    needs: Sequence[str] = ()
    blind: bool = False
    cpu_only: bool = False
    record: Mapping[str, Any] = MappingProxyType({})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_needs(cls.needs)

    @property
    @abstractmethod
    def reach(self) -> int | None:
        """How many pixels away an input can change an output; None where that may be the whole picture."""

    @abstractmethod
    def restore_planes(self, planes: np.ndarray, noise: KnownNoise, on_progress: ProgressCallback) -> np.ndarray:
        """Restore float32 (N, H, W) in [0, 1]; the result has that shape and need not be clipped."""

    def restore_pixels(self, pixels: np.ndarray, noise: KnownNoise, on_progress: ProgressCallback) -> np.ndarray:
        """As `restore_planes`, for float32 (N, C, H, W): each channel by itself."""
        planes = pixels.reshape(-1, *pixels.shape[-2:])
        return self.restore_planes(planes, noise, on_progress).reshape(pixels.shape)

    def attention_of(self, plane: np.ndarray) -> list[np.ndarray]:
        """As `attention`, for float32 (H, W) in [0, 1]."""
        raise cannot(self.name, "show where it looks")

    def noise_levels_of(self, pixels: np.ndarray) -> list[NoiseLevel]:
        """As `noise_level`, for float32 (N, C, H, W) in [0, 1]."""
        raise cannot(self.name, "estimate the noise")

    def noise_map_of(self, planes: np.ndarray) -> NoiseMap:
        """As `noise_map`, for float32 (C, H, W) in [0, 1]."""
        raise cannot(self.name, "estimate the noise")

    def as_method(self, options: NetworkOptions) -> "Method":
        """The method itself: only a network has to be run in some way.

        Raises:
            UnsupportedError: it was asked for what only networks can do.
        """
        if options.self_ensemble:
            raise cannot(self.name, "be run with self_ensemble")
        if options.precision == "bf16":
            raise cannot(self.name, "be run in bf16")
        return self

    def tuned_for(self, task: str) -> "Method":
        """The method with what was tuned for the noise of a task; itself where nothing was."""
        return self

    def restore(
        self, images: Images, noise: KnownNoise | None = None, on_progress: ProgressCallback | None = None
    ) -> Images:
        """Restore one picture or a batch; of colour, each channel by itself.

        Args:
            images: an array, torch tensor or Pillow picture: gray (H, W), (N, H, W) or (N, 1, H, W), or colour
                (H, W, 3), (N, H, W, 3) or (N, 3, H, W), H and W at least 8; uint8, or float in [0, 1].
            noise: what is known of their noise. A method that has no use for it works blind all the same.
            on_progress: called after each part of the work with the fraction that is done, in (0, 1]. What it raises
                ends the work.

        Returns:
            The form, shape and dtype of `images`, a tensor on its device and without gradients; floats are clipped to
            [0, 1].

        Raises:
            TypeError, ValueError: `images` or `noise` is not as above, or a level that the method needs is not known.
        """
        batch = _checked(images)
        noise = KnownNoise() if noise is None else noise.checked()
        if missing := self.lacking(noise):
            raise ValueError(f"{self.name} has to be given {' and '.join(missing)} of the noise, on [0, 1]")
        restored = self.restore_pixels(batch.pixels, noise, on_progress or (lambda done: None))
        return batch.like_input(np.clip(restored, 0, 1))

    def lacking(self, noise: KnownNoise) -> list[str]:
        """The levels that the method needs and that are not known."""
        return [level for level in self.needs if getattr(noise, level) is None]

    def __call__(
        self, noisy: Images, sigma: float | None = None, on_progress: ProgressCallback | None = None
    ) -> Images:
        """As `restore`, `sigma` being all that is known of the noise."""
        return self.restore(noisy, KnownNoise(sigma), on_progress)

    def attention(self, noisy: AnyImages) -> list[np.ndarray]:
        """Where the attention gates of a network look at one gray picture (H, W), in any form that `Batch` takes.

        Returns:
            The coefficients in [0, 1], float32 (H, W), of each gate from the finest scale down.

        Raises:
            TypeError, ValueError: `noisy` is not one gray picture.
            UnsupportedError: the method has no gates.
        """
        batch = _checked(noisy)
        if batch.pixels.shape[:2] != (1, 1):
            raise ValueError(f"expected one gray picture (H, W), got shape {batch.shape}; give one at a time")
        return self.attention_of(batch.pixels[0, 0])

    def noise_level(self, noisy: AnyImages) -> Any:
        """Estimate the noise of pictures in any form that can be restored; of colour, the mean over the channels.

        Returns:
            A `NoiseLevel` for one picture, a list of them for a batch.

        Raises:
            TypeError, ValueError: `noisy` is no picture.
            UnsupportedError: the method cannot estimate it.
        """
        batch = _checked(noisy)
        levels = self.noise_levels_of(batch.pixels)
        return levels[0] if batch.single else levels

    def noise_map(self, noisy: AnyImages) -> NoiseMap | None:
        """Where the noise of one picture is; of colour, the mean sigma of its channels, and what is lost in any one.

        Raises:
            TypeError, ValueError: `noisy` is not one picture.
            UnsupportedError: the method cannot estimate it.
        """
        batch = _checked(noisy)
        if not batch.single:
            raise ValueError(f"expected one picture, got shape {batch.shape}; give one at a time")
        return self.noise_map_of(batch.pixels[0])


def check_needs(needs: Sequence[str]) -> None:
    """Refuse what is no level that a method can be given of the noise."""
    if strange := [level for level in needs if level not in KnownNoise._fields]:
        raise ValueError(f"a method can need {' and '.join(KnownNoise._fields)} of the noise, not {', '.join(strange)}")


def cannot(name: str, what: str) -> UnsupportedError:
    """The error of a method that cannot do `what`."""
    return UnsupportedError(f"{name} cannot {what}; take a method that can, such as universal")


def _checked(pictures: AnyImages) -> Batch:
    batch = Batch(pictures)
    if min(batch.pixels.shape[-2:]) < MIN_SIDE:
        height, width = batch.pixels.shape[-2:]
        raise ValueError(f"pictures must be at least {MIN_SIDE}x{MIN_SIDE} pixels, got {height}x{width}; enlarge them")
    return batch
