"""Which measurements there are."""

from train.measures import (
    colour,
    estimate,
    generalisation,
    natural_images,
    noise_grid,
    real_noise,
    recognition,
    speed,
    throughput,
    witness,
    world,
)
from train.measures.shared.request import Measurement

MEASUREMENTS: dict[str, Measurement] = {
    "surface": noise_grid,
    "generalisation": generalisation,
    "emotion": recognition,
    "witness": witness,
    "speed": speed,
    "throughput": throughput,
    "pictures": natural_images,
    "colour": colour,
    "world": world,
    "estimate": estimate,
    "real": real_noise,
}
"""The measurements by the names of their options of `train.benchmark`; without any, it measures `tasks`."""
