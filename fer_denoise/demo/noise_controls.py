"""The controls of each kind of noise, and the noise they stand for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import gradio as gr

from fer_denoise.demo.components import BoundedSlider
from fer_denoise.noise import TASK_RECORDS, GaussianNoise, Noise, SaltAndPepperNoise, sigma_from_std

NO_NOISE = "Without noise there is nothing to gain: a good restorer leaves the face as it is."


class NoiseControls(Protocol):
    """Sliders and the noise that their values make."""

    @property
    def with_impulses(self) -> bool:
        """Whether pixels are lost, so that it is shown what became of them."""
        ...

    @property
    def level_name(self) -> str:
        """What the axis of noise levels is called."""
        ...

    @property
    def level_limits(self) -> tuple[float, float]: ...

    @property
    def limits(self) -> tuple[tuple[float, float], ...]:
        """Lowest and highest value of each slider."""
        ...

    @property
    def preset(self) -> tuple[float, ...]: ...

    def build(self) -> list[gr.Slider]: ...

    def noise(self, *values: float) -> Noise: ...

    def describe(self, *values: float) -> str: ...

    def sweep(self, *values: float) -> list[tuple[float, Noise]]:
        """Noise from weak to strong, each with its level; what the values say besides the level stays the same."""
        ...


@dataclass(frozen=True)
class GaussianControls:
    """The origin's two numbers: `factor * N(0, std)` on [-1, 1]."""

    with_impulses = False
    level_name = "sigma of the Gaussian noise"
    level_limits = (0, 0.3)
    limits = ((0, 1), (0, 1))

    std: float
    factor: float

    @property
    def preset(self) -> tuple[float, float]:
        return self.std, self.factor

    def build(self) -> list[gr.Slider]:
        return [
            BoundedSlider(
                *self.limits[0], self.std, step=0.01, label="Standard deviation", info="How widely the noise spreads."
            ),
            BoundedSlider(*self.limits[1], self.factor, step=0.01, label="Factor", info="How strongly it is mixed in."),
        ]

    def noise(self, *values: float) -> GaussianNoise:
        std, factor = values
        return GaussianNoise(sigma=sigma_from_std(std, factor))

    def describe(self, *values: float) -> str:
        sigma = self.noise(*values).sigma
        if not sigma:
            return f"Noise level: sigma {sigma:.3f}. {NO_NOISE}"
        return f"Noise level: sigma {sigma:.3f} on the scale 0 to 1, that is {sigma * 255:.1f} of 255 gray levels."

    def sweep(self, *values: float) -> list[tuple[float, Noise]]:
        return [(sigma, GaussianNoise(sigma)) for sigma in (0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3)]


@dataclass(frozen=True)
class SaltAndPepperControls:
    """The fraction of pixels drawn, and the fraction of white ones among them."""

    with_impulses = True
    level_name = "share of the pixels that are hit"
    level_limits = (0, 0.5)
    limits = ((0, 0.5), (0, 1))

    amount: float
    salt_vs_pepper: float

    @property
    def preset(self) -> tuple[float, float]:
        return self.amount, self.salt_vs_pepper

    def build(self) -> list[gr.Slider]:
        return [
            BoundedSlider(
                *self.limits[0], self.amount, step=0.01, label="Amount", info="Share of the pixels that are hit."
            ),
            BoundedSlider(
                *self.limits[1],
                self.salt_vs_pepper,
                step=0.05,
                label="Salt share",
                info="Of those: 0 all black, 1 all white.",
            ),
        ]

    def noise(self, *values: float) -> SaltAndPepperNoise:
        amount, salt_vs_pepper = values
        return SaltAndPepperNoise(amount, salt_vs_pepper)

    def describe(self, *values: float) -> str:
        amount, salt_vs_pepper = values
        if not amount:
            return f"Noise level: none of the pixels are hit. {NO_NOISE}"
        return (
            f"Noise level: {amount:.0%} of the pixels are hit; {salt_vs_pepper:.0%} of them turn white, others black."
        )

    def sweep(self, *values: float) -> list[tuple[float, Noise]]:
        _, salt_vs_pepper = values
        amounts = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
        return [(amount, SaltAndPepperNoise(amount, salt_vs_pepper)) for amount in amounts]


KINDS: dict[type[Noise], Callable[..., NoiseControls]] = {
    GaussianNoise: GaussianControls,
    SaltAndPepperNoise: SaltAndPepperControls,
}
"""The controls of each kind of noise that a task can be of."""

CONTROLS = {key: KINDS[type(task.noise)](*task.sliders) for key, task in TASK_RECORDS.items()}
"""The controls of each task, where its own noise has them."""
