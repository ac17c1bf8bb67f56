"""What is done to the images of a folder or dataset, and the report of it."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fer_denoise.classical import FILTERS
from fer_denoise.devices import check_device, own_gpu
from fer_denoise.hub.sources import model_commit, model_folder, weights_checksum
from fer_denoise.images import check_sigma, to_dtype
from fer_denoise.noise import Composition, kind_of, mixed_noise
from fer_denoise.photos import picture_noise_level, restore_pictures
from fer_denoise.pictures import Picture
from fer_denoise.restore import NoiseLevel, Restorer
from fer_denoise.zoo import UNIVERSAL

OTHER_KINDS_SEED = 1_000_000
"""A number added to the seed of kinds of noise that come after Gaussian noise and impulses."""
ESTIMATED_EVERY = 16
"""The noise of one image in so many is estimated."""
NAMED = 3
"""How many of the other files with one suffix are named."""


@dataclass(frozen=True)
class Reading:
    """How pictures are read.

    Attributes:
        gray: take the luminance of those in colour.
        white: the number that is white in pictures of more than 8 bits, for those that do not tell.
    """

    gray: bool = False
    white: float | None = None


class Job(Protocol):
    """Something to do to images; it can be sent to other processes."""

    done: str
    """The job in the past tense, for the report."""

    @property
    def record(self) -> dict[str, Any]:
        """What the results depend on besides the images; JSON."""
        ...

    @property
    def reading(self) -> Reading:
        """How pictures are to be read for it."""
        ...

    def __call__(self, pictures: Sequence[Picture], rows: Sequence[int]) -> list[Picture]:
        """Change pictures of any sizes, depths and colours, which are the given rows of their source."""
        ...


class Restoration:
    """Removes noise; each process loads the restorer when it needs it."""

    done = "restored"

    def __init__(
        self,
        model: str | Path,
        revision: str | None = None,
        sigma: float | None = None,
        device: str | None = None,
        reading: Reading = Reading(),
    ) -> None:
        self.model, self.revision, self.device = model, revision, device
        self.sigma = None if sigma is None else check_sigma(sigma)
        self.reading = reading

    def check(self) -> None:
        """Load the restorer and let go of it again, so that a wrong name or device shows at once.

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
        """The model, its commit, its weights, the noise level that is given, and how pictures are read."""
        weights = None if str(self.model) in FILTERS else weights_checksum(model_folder(self.model, self.commit))
        model = {"model": str(self.model), "revision": self.commit, "weights": weights, "sigma": self.sigma}
        return {**model, **vars(self.reading)}

    @cached_property
    def restorer(self) -> Restorer:
        """The restorer of this process."""
        return Restorer.from_pretrained(self.model, self.commit or self.revision, self.device or own_gpu())

    def __call__(self, pictures: Sequence[Picture], rows: Sequence[int]) -> list[Picture]:
        return restore_pictures(self.restorer, pictures, self.sigma)

    def __getstate__(self) -> dict[str, Any]:
        """What another process needs: the commit, and not the network."""
        state = {**vars(self), "commit": self.commit}
        state.pop("restorer", None)
        return state


@dataclass(frozen=True)
class Corruption:
    """Adds Gaussian noise and impulses, then other kinds in their order.

    All depend on the seed and the row alone, and are others in each channel of a picture in colour.
    """

    sigma: float = 0.0
    amount: float = 0.0
    salt_vs_pepper: float = 0.5
    seed: int = 0
    kinds: tuple[str, ...] = ()
    """As `fer_denoise.noise.kind_of` takes them."""
    reading: Reading = Reading()

    done = "corrupted"

    @property
    def record(self) -> dict[str, Any]:
        """The levels, the other kinds, the seed, and how pictures are read."""
        levels = {name: float(getattr(self, name)) for name in ("sigma", "amount", "salt_vs_pepper")}
        return {**levels, "seed": int(self.seed), "kinds": list(self.kinds), **vars(self.reading)}

    def __call__(self, pictures: Sequence[Picture], rows: Sequence[int]) -> list[Picture]:
        return [self._corrupt(picture, row) for picture, row in zip(pictures, rows, strict=True)]

    def _corrupt(self, picture: Picture, row: int) -> Picture:
        other_noise = Composition(tuple(kind_of(text) for text in self.kinds))
        numbers = count()

        def noisy(channel: np.ndarray) -> np.ndarray:
            # The first channel of the first frame has the noise of a gray picture.
            seed, number = int(self.seed), next(numbers)
            if number:
                seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
            levels = self.sigma, self.amount, self.salt_vs_pepper
            noisy = mixed_noise(channel, *levels, seed=seed, first_index=row)
            # Another seed, or the second noise would be that of the first again.
            return to_dtype(other_noise(noisy, seed=seed + OTHER_KINDS_SEED, first_index=row), channel.dtype)

        def noisy_image(image: np.ndarray) -> np.ndarray:
            return noisy(image) if image.ndim == 2 else np.stack(list(map(noisy, np.moveaxis(image, -1, 0))), axis=-1)

        return picture.with_images([noisy_image(image) for image in picture.images])


@dataclass
class Report:
    """What was done: how many images, what was left as it was and why, and the noise of some before and after."""

    done: int = 0
    skipped: list[str] = field(default_factory=list)
    before: list[NoiseLevel] = field(default_factory=list)
    after: list[NoiseLevel] = field(default_factory=list)
    earlier: int = 0
    """How many of those that are done were so before this run, which an interruption came before."""
    left: list[str] = field(default_factory=list)
    """Other files of a folder, which hold no pictures."""
    notes: Counter[str] = field(default_factory=Counter)
    """What was changed in reading pictures, and in how many of them."""
    source: str = ""
    """The commit of a Hub dataset that the images are of."""
    started: float = field(default_factory=time.perf_counter)

    @classmethod
    def of(cls, record: dict[str, Any]) -> "Report":
        """What `as_dict` gave."""
        before, after = ([NoiseLevel(*estimate) for estimate in record[name]] for name in ("before", "after"))
        return cls(record["done"], record["skipped"], before, after, notes=Counter(record["notes"]))

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON takes it, from which a run that goes on has it."""
        names = ("done", "skipped", "before", "after", "notes")
        return {name: getattr(self, name) for name in names}

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
        self.notes += part.notes
        self.left += part.left
        self.source = self.source or part.source

    def lines(self, job: Job) -> list[str]:
        """The report in lines for a person to read."""
        seconds = time.perf_counter() - self.started
        now = self.done - self.earlier
        rate = f", {now / seconds:.0f} images a second" if seconds > 0 and now > 1 else ""
        resumed = f" ({self.earlier} of them before an interruption)" if self.earlier else ""
        lines = [f"{job.done} {self.done}{resumed}, skipped {len(self.skipped)} in {seconds:.1f} s{rate}"]
        if self.source:
            lines.append(f"taken from {self.source}")
        if self.before:
            before, after = _mean(self.before), _mean(self.after)
            lines.append(f"estimated noise of {len(self.before)} of them: {before} before, {after} after")
        if self.left:
            lines.append(f"left where they are: {len(self.left)} other file{'s' * (len(self.left) > 1)}")
        return lines + [f"{note}: {count} picture{'s' * (count > 1)}" for note, count in self.notes.items()]

    def left_files(self) -> list[str]:
        """The names of other files, for a person to read: the first few of each suffix, and how many more."""
        by_suffix: dict[str, list[str]] = {}
        for name in self.left:
            by_suffix.setdefault(Path(name).suffix.lower(), []).append(name)
        return [
            ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
            for names in by_suffix.values()
        ]


class Estimator:
    """Estimates the noise of some images, with the universal restorer, which is loaded when it is needed."""

    @cached_property
    def _restorer(self) -> Restorer:
        return Restorer.from_pretrained(UNIVERSAL, device="cpu")

    def __call__(self, picture: Picture, row: int) -> NoiseLevel | None:
        """The noise of a picture, or None for the rows that are left out."""
        return None if row % ESTIMATED_EVERY else picture_noise_level(self._restorer, picture)

    def __getstate__(self) -> dict[str, Any]:
        return {}


def _mean(estimates: list[NoiseLevel]) -> str:
    sigma, amount = np.mean(estimates, axis=0)
    return f"sigma {sigma:.3f}, impulses {amount:.1%}"
