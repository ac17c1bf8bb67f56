"""The controls of each task's noise, and the noise they stand for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

from fer_denoise.demo.components import BoundedSlider
from fer_denoise.noise import TASK_RECORDS, GaussianNoise, Noise, SaltAndPepperNoise, sigma_from_std
from fer_denoise.zoo import UNIVERSAL, specialists

NO_NOISE = "Without noise there is nothing to gain: a good restorer leaves the face as it is."


class NoiseInputs(NamedTuple):
    """What stands on the page for a noise."""

    values: list[Component]
    """Components whose values make the noise."""
    triggers: list[Any]
    """Events with which a visitor sets one of them."""
    set_by_others: Sequence[Dependency] = ()
    """Events that set one, after a visitor used another control."""


class NoiseControls(Protocol):
    """Controls and the noise that their values make."""

    @property
    def with_impulses(self) -> bool:
        """Whether pixels are lost, so that it is shown what became of them."""
        ...

    @property
    def level_name(self) -> str:
        """What the axis of noise levels is called."""
        ...

    @property
    def level_limits(self) -> tuple[float, float] | None:
        """The ends of that axis, where they are the same for all noise."""
        ...

    @property
    def filters_know(self) -> str:
        """What filters know of the noise, for a person to read."""
        ...

    @property
    def reset(self) -> str:
        """What the button says that puts the controls back to `preset`."""
        ...

    @property
    def rivals(self) -> list[str]:
        """Names of the restorers whose curves are drawn unless others are chosen."""
        ...

    @property
    def preset(self) -> tuple[Any, ...]: ...

    def build(self) -> NoiseInputs: ...

    def updates(self, *values: Any) -> list[Any]:
        """What sets the controls to these values."""
        ...

    def read(self, text: str) -> tuple[Any, ...]:
        """The values that `write` wrote.

        Raises:
            ValueError: it can have written nothing like this.
        """
        ...

    def write(self, *values: Any) -> str:
        """The values as they stand in a link."""
        ...

    def noise(self, *values: Any) -> Noise: ...

    def describe(self, *values: Any) -> str:
        """The noise in words, as HTML."""
        ...

    def sweep(self, *values: Any) -> list[tuple[float, Noise]]:
        """Noise from weak to strong, each with its level; what the values say besides the level stays the same."""
        ...


class SliderControls:
    """Controls that are sliders, each with its limits."""

    limits: tuple[tuple[float, float], ...]
    reset = "Back to the task's own noise"
    filters_know = (
        "Filters are told the true noise level; those for Gaussian noise stand behind the switching median where there "
        "are impulses."
    )

    def updates(self, *values: float) -> list[Any]:
        return list(values)

    def read(self, text: str) -> tuple[float, ...]:
        values = tuple(float(value) for value in text.split(","))
        if not all(low <= value <= high for value, (low, high) in zip(values, self.limits, strict=True)):
            raise ValueError(f"{text} is out of range")
        return values

    def write(self, *values: float) -> str:
        return ",".join(f"{value:g}" for value in values)


SYNCED = """
(sigma, std, factor) => {{
    const own = {own};
    for (const pair of [[std, factor], own]) if (Math.abs(pair[0] * pair[1] / 2 - sigma) < 1e-6) return pair;
    const short = (number) => Number(number.toFixed(4));
    const kept = Math.max(factor, 2 * sigma);
    return [kept ? short(2 * sigma / kept) : std, short(kept)];
}}
"""
"""The origin's two numbers for a sigma: as they are, or the task's own, or with the factor as it is if that can be."""

SIGMA = "(std, factor) => Number((std * factor / 2).toFixed(6))"
"""`sigma_from_std`, for the browser."""


@dataclass(frozen=True)
class GaussianControls(SliderControls):
    """Sigma on [0, 1]; behind it the origin's two numbers, `factor * N(0, std)` on [-1, 1], of which it is the half."""

    with_impulses = False
    level_name = "sigma of the Gaussian noise"
    level_limits = (0, 0.3)
    limits = ((0, 0.5),)

    task: str
    std: float
    factor: float

    @property
    def preset(self) -> tuple[float]:
        return (round(sigma_from_std(self.std, self.factor), 6),)

    @property
    def rivals(self) -> list[str]:
        return [UNIVERSAL, specialists(self.task)[0], "nl-means"]

    def build(self) -> NoiseInputs:
        sigma = BoundedSlider(
            *self.limits[0],
            *self.preset,
            step=0.005,
            label="Noise strength (sigma)",
            info="Standard deviation, where black is 0 and white is 1.",
        )
        with gr.Accordion("As the origin sets it: std and factor", open=False):
            std = BoundedSlider(
                0, 1, self.std, step=0.01, label="Standard deviation", info="How widely the noise spreads."
            )
            factor = BoundedSlider(
                0, 1, self.factor, step=0.01, label="Factor", info="How strongly it is mixed in; sigma is half of both."
            )
        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        events = [std.input, std.release, factor.input, factor.release]
        set_by_origin = gr.on(events, None, [std, factor], sigma, js=SIGMA, **quiet)
        sigma.change(None, [sigma, std, factor], [std, factor], js=SYNCED.format(own=[self.std, self.factor]), **quiet)
        return NoiseInputs([sigma], [sigma.input, sigma.release], [set_by_origin])

    def noise(self, *values: float) -> GaussianNoise:
        return GaussianNoise(*values)

    def describe(self, *values: float) -> str:
        (sigma,) = values
        if not sigma:
            return f"Noise level: sigma {sigma:.3f}. {NO_NOISE}"
        return f"Noise level: sigma {sigma:.3f} on the scale 0 to 1, that is {sigma * 255:.1f} of 255 gray levels."

    def sweep(self, *values: float) -> list[tuple[float, Noise]]:
        return [(sigma, GaussianNoise(sigma)) for sigma in (0.005, 0.01, 0.02, 0.04, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3)]


@dataclass(frozen=True)
class SaltAndPepperControls(SliderControls):
    """The fraction of pixels drawn, and the fraction of white ones among them."""

    with_impulses = True
    level_name = "fraction of the pixels that are hit"
    level_limits = (0, 0.5)
    limits = ((0, 0.5), (0, 1))

    task: str
    amount: float
    salt_vs_pepper: float

    @property
    def preset(self) -> tuple[float, float]:
        return self.amount, self.salt_vs_pepper

    @property
    def rivals(self) -> list[str]:
        return [UNIVERSAL, specialists(self.task)[0], "switching-median"]

    def build(self) -> NoiseInputs:
        amount = BoundedSlider(
            *self.limits[0], self.amount, step=0.01, label="Amount", info="Fraction of the pixels that are hit."
        )
        salt = BoundedSlider(
            *self.limits[1],
            self.salt_vs_pepper,
            step=0.05,
            label="Fraction of salt",
            info="Of those: 0 all black, 1 all white.",
        )
        return NoiseInputs([amount, salt], [event for part in (amount, salt) for event in (part.input, part.release)])

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


CONTROLS_OF: dict[type[Noise], Callable[..., NoiseControls]] = {
    GaussianNoise: GaussianControls,
    SaltAndPepperNoise: SaltAndPepperControls,
}
"""The controls of each kind of noise that a task can be of."""

CONTROLS = {key: CONTROLS_OF[type(task.noise)](key, *task.sliders) for key, task in TASK_RECORDS.items()}
"""The controls of each task, where its own noise has them."""
