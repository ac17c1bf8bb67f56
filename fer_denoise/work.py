"""What is done to the images of a folder or dataset, and the report of it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fer_denoise.classical import FILTERS
from fer_denoise.devices import check_device, own_gpu
from fer_denoise.hub import model_commit, model_folder, weights_checksum
from fer_denoise.images import check_sigma, to_dtype
from fer_denoise.noise import Composition, kind_of, mixed_noise
from fer_denoise.restore import NoiseLevel, Restorer
from fer_denoise.zoo import UNIVERSAL

OTHER_KINDS_SEED = 1_000_000
"""Added to the seed of kinds of noise that come after Gaussian noise and impulses."""
ESTIMATED_SHARE = 16
"""The noise of one image in so many is estimated."""


class Work(Protocol):
    """Something that is done to images; it can be sent to other processes."""

    done: str
    """In the past tense, for the report."""

    @property
    def record(self) -> dict[str, Any]:
        """What the results depend on besides the images; JSON."""
        ...

    def __call__(self, images: Sequence[np.ndarray], rows: Sequence[int]) -> list[np.ndarray]:
        """Change uint8 images (H, W) of any sizes, which are the given rows of their source."""
        ...


class Restoration:
    """Removes noise; the restorer is loaded where the work is done."""

    done = "restored"

    def __init__(
        self, model: str | Path, revision: str | None = None, sigma: float | None = None, device: str | None = None
    ) -> None:
        self.model, self.revision, self.device = model, revision, device
        self.sigma = None if sigma is None else check_sigma(sigma)

    def check(self) -> None:
        """Load the restorer and let go of it again, so that a wrong name or device is known before any work.

        Raises:
            ModelNotFoundError: there is no such model.
            DeviceError: there is no such device.
        """
        Restorer.from_pretrained(self.model, self.commit or self.revision, "cpu")
        if self.device is not None:
            check_device(self.device)

    @cached_property
    def commit(self) -> str | None:
        """The commit that `revision` of a Hub repo was when it was first asked for; None for what is not on the Hub.

        All processes of a job take this one, though a branch may move meanwhile.
        """
        return None if str(self.model) in FILTERS else model_commit(self.model, self.revision)

    @property
    def record(self) -> dict[str, Any]:
        """The model, its commit, its weights, and the noise level that it is told."""
        weights = None if str(self.model) in FILTERS else weights_checksum(model_folder(self.model, self.commit))
        return {"model": str(self.model), "revision": self.commit, "weights": weights, "sigma": self.sigma}

    @cached_property
    def restorer(self) -> Restorer:
        """The restorer of this process."""
        return Restorer.from_pretrained(self.model, self.commit or self.revision, self.device or own_gpu())

    def __call__(self, images: Sequence[np.ndarray], rows: Sequence[int]) -> list[np.ndarray]:
        by_shape: dict[tuple[int, ...], list[int]] = {}
        for index, image in enumerate(images):
            by_shape.setdefault(image.shape, []).append(index)
        restored: list[Any] = [None] * len(images)
        for indices in by_shape.values():
            batch = self.restorer(np.stack([images[index] for index in indices]), self.sigma)
            for index, image in zip(indices, batch, strict=True):
                restored[index] = image
        return restored

    def __getstate__(self) -> dict[str, Any]:
        """For another process: with the commit, without the network."""
        state = {**vars(self), "commit": self.commit}
        state.pop("restorer", None)
        return state


@dataclass(frozen=True)
class Corruption:
    """Adds Gaussian noise and impulses, then other kinds in their order; all depend on the seed and the row alone."""

    sigma: float = 0.0
    amount: float = 0.0
    salt_vs_pepper: float = 0.5
    seed: int = 0
    kinds: tuple[str, ...] = ()
    """As `fer_denoise.noise.kind_of` takes them."""

    done = "corrupted"

    @property
    def record(self) -> dict[str, Any]:
        """The levels, the other kinds, and the seed."""
        levels = {name: float(getattr(self, name)) for name in ("sigma", "amount", "salt_vs_pepper")}
        return {**levels, "seed": int(self.seed), "kinds": list(self.kinds)}

    def __call__(self, images: Sequence[np.ndarray], rows: Sequence[int]) -> list[np.ndarray]:
        levels = self.sigma, self.amount, self.salt_vs_pepper
        others = Composition(tuple(kind_of(text) for text in self.kinds))
        corrupted = []
        for image, row in zip(images, rows, strict=True):
            noisy = mixed_noise(image, *levels, seed=self.seed, first_index=row)
            # Another seed, or the second noise would be that of the first again.
            noisy = others(noisy, seed=int(self.seed) + OTHER_KINDS_SEED, first_index=row)
            corrupted.append(to_dtype(noisy, np.dtype(np.uint8)))
        return corrupted


@dataclass
class Report:
    """What was done: how many images, what was left as it was and why, and the noise of some before and after."""

    done: int = 0
    skipped: list[str] = field(default_factory=list)
    before: list[NoiseLevel] = field(default_factory=list)
    after: list[NoiseLevel] = field(default_factory=list)
    earlier: int = 0
    """How many of those that are done were so before this run, which an interruption came before."""
    started: float = field(default_factory=time.perf_counter)

    @classmethod
    def of(cls, record: dict[str, Any]) -> "Report":
        """What `as_dict` gave."""
        before, after = ([NoiseLevel(*level) for level in record[name]] for name in ("before", "after"))
        return cls(record["done"], record["skipped"], before, after)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, to be kept for a run that goes on."""
        return {"done": self.done, "skipped": self.skipped, "before": self.before, "after": self.after}

    def from_before(self) -> "Report":
        """The same, as of an earlier run."""
        return replace(self, earlier=self.done)

    def add(self, part: "Report") -> None:
        """Count `part` in."""
        self.done += part.done
        self.earlier += part.earlier
        self.skipped += part.skipped
        self.before += part.before
        self.after += part.after

    def lines(self, work: Work) -> list[str]:
        """For a person to read."""
        seconds = time.perf_counter() - self.started
        now = self.done - self.earlier
        rate = f", {now / seconds:.0f} images a second" if seconds > 0 and now > 1 else ""
        resumed = f" ({self.earlier} of them before an interruption)" if self.earlier else ""
        lines = [f"{work.done} {self.done}{resumed}, skipped {len(self.skipped)} in {seconds:.1f} s{rate}"]
        if self.before:
            before, after = _mean(self.before), _mean(self.after)
            lines.append(f"estimated noise of {len(self.before)} of them: {before} before, {after} after")
        return lines


class Estimator:
    """Estimates the noise of some images, with the universal restorer, which is loaded when it is needed."""

    @cached_property
    def _restorer(self) -> Restorer:
        return Restorer.from_pretrained(UNIVERSAL, device="cpu")

    def __call__(self, image: np.ndarray, row: int) -> NoiseLevel | None:
        """The noise of an image, or None for the rows that are left out."""
        return None if row % ESTIMATED_SHARE else self._restorer.noise_level(image)

    def __getstate__(self) -> dict[str, Any]:
        return {}


def _mean(levels: list[NoiseLevel]) -> str:
    sigma, amount = np.mean(levels, axis=0)
    return f"sigma {sigma:.3f}, impulses {amount:.1%}"
