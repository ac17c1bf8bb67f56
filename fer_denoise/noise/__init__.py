"""Kinds of noise, for tests that repeat and for training.

Every kind comes in two forms. The functions take NumPy images and a seed: image `i` of a call draws its noise from
(seed, first_index + i) alone, so neither the size of a batch nor its order changes a test image. The classes hold the
parameters; called, they do the same, and their `corrupt` takes a torch batch and a generator: fresh noise for training,
drawn on the batch's own device.

A new kind is a class with a rule, a line in `KINDS`, by which the command, the app and the tests have it, and a line
for its function.
"""

from dataclasses import fields
from typing import Any

from fer_denoise.noise.camera import CameraNoise
from fer_denoise.noise.impulses import DeadLines, ImpulseNoise
from fer_denoise.noise.kind import Composition, Kind, Noise, TorchDraw, as_function
from fer_denoise.noise.laboratory import (
    GaussianNoise,
    RandomNoise,
    SaltAndPepperNoise,
    mixed_noise,
    sigma_from_std,
)
from fer_denoise.noise.sensor import CorrelatedNoise, LocalNoise, PoissonNoise, SpeckleNoise, StripeNoise
from fer_denoise.noise.storage import JpegCompression, Quantization
from fer_denoise.noise.tasks import TASK_RECORDS, TASKS, Task, task_at
from fer_denoise.noise.world import Truth, WorldNoise

KINDS: dict[str, type[Kind]] = {
    "gaussian": GaussianNoise,
    "salt-and-pepper": SaltAndPepperNoise,
    "poisson": PoissonNoise,
    "speckle": SpeckleNoise,
    "correlated": CorrelatedNoise,
    "local": LocalNoise,
    "stripe": StripeNoise,
    "impulse": ImpulseNoise,
    "dead-lines": DeadLines,
    "quantization": Quantization,
    "jpeg": JpegCompression,
    "camera": CameraNoise,
}
"""What `kind_of` takes, and the command."""

gaussian_noise = as_function(GaussianNoise)
salt_and_pepper_noise = as_function(SaltAndPepperNoise)
poisson_noise = as_function(PoissonNoise)
speckle_noise = as_function(SpeckleNoise)
correlated_noise = as_function(CorrelatedNoise)
local_noise = as_function(LocalNoise)
stripe_noise = as_function(StripeNoise)
impulse_noise = as_function(ImpulseNoise)
dead_lines = as_function(DeadLines)
quantization = as_function(Quantization)
jpeg_compression = as_function(JpegCompression)
camera_noise = as_function(CameraNoise)


def kind_of(text: str) -> Kind:
    """A kind of noise out of its name and parameters, as "speckle:sigma=0.2" or "impulse:amount=0.1,values=near-0.06".

    Raises:
        ValueError: there is no such kind or parameter, or it is out of range; the message says what there is.
    """
    name, _, parameters = text.partition(":")
    if name not in KINDS:
        raise ValueError(f"no kind of noise is called {name!r}; there are {', '.join(KINDS)}")
    names = [field.name for field in fields(KINDS[name])]  # type: ignore[arg-type]
    given: dict[str, Any] = {}
    for part in filter(None, parameters.split(",")):
        parameter, _, value = part.partition("=")
        if parameter not in names or not value:
            raise ValueError(f"{part!r}: {name} has {', '.join(names)}; write {name}:{names[0]}=NUMBER")
        given[parameter] = _value(value)
    try:
        return KINDS[name](**given)
    except TypeError:
        raise ValueError(f"{text!r}: {name} needs {', '.join(names)}; write {name}:{names[0]}=NUMBER") from None


def _value(text: str) -> int | float | str | tuple[str, float]:
    """A whole number, a number, ("near", width), or a word."""
    word, _, width = text.partition("-")
    try:
        if word == "near":
            return word, float(width)
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text
