"""The controls of each kind of noise, and the noise they stand for."""

from dataclasses import dataclass
from typing import Protocol

import gradio as gr
from gradio.components import Component

from fer_denoise.noise import GaussianNoise, Noise, SaltAndPepperNoise, sigma_from_std


class NoiseControls(Protocol):
    """Sliders and the noise that their values make."""

    @property
    def preset(self) -> tuple[float, ...]: ...

    def build(self) -> list[Component]: ...

    def noise(self, *values: float) -> Noise: ...

    def describe(self, *values: float) -> str: ...


@dataclass(frozen=True)
class GaussianControls:
    """The origin's two numbers: `factor * N(0, std)` on [-1, 1]."""

    std: float
    factor: float

    @property
    def preset(self) -> tuple[float, float]:
        return self.std, self.factor

    def build(self) -> list[Component]:
        return [
            gr.Slider(0, 1, self.std, step=0.01, label="Standard deviation", info="How widely the noise spreads."),
            gr.Slider(0, 1, self.factor, step=0.01, label="Factor", info="How strongly it is mixed in."),
        ]

    def noise(self, *values: float) -> GaussianNoise:
        std, factor = values
        return GaussianNoise(sigma=sigma_from_std(std, factor))

    def describe(self, *values: float) -> str:
        sigma = self.noise(*values).sigma
        return f"Noise level: sigma {sigma:.3f} on the scale 0 to 1, that is {sigma * 255:.1f} of 255 gray levels."


@dataclass(frozen=True)
class SaltAndPepperControls:
    """The share of pixels drawn, and the share of white ones among them."""

    amount: float
    salt_vs_pepper: float

    @property
    def preset(self) -> tuple[float, float]:
        return self.amount, self.salt_vs_pepper

    def build(self) -> list[Component]:
        return [
            gr.Slider(0, 0.5, self.amount, step=0.01, label="Amount", info="Share of the pixels that are hit."),
            gr.Slider(
                0, 1, self.salt_vs_pepper, step=0.05, label="Salt share", info="Of those: 0 all black, 1 all white."
            ),
        ]

    def noise(self, *values: float) -> SaltAndPepperNoise:
        amount, salt_vs_pepper = values
        return SaltAndPepperNoise(amount, salt_vs_pepper)

    def describe(self, *values: float) -> str:
        amount, salt_vs_pepper = values
        return (
            f"Noise level: {amount:.0%} of the pixels are hit; {salt_vs_pepper:.0%} of them turn white, others black."
        )


CONTROLS: dict[str, NoiseControls] = {
    "low": GaussianControls(std=0.2, factor=0.2),
    "high": GaussianControls(std=0.4, factor=0.3),
    "salt_pepper": SaltAndPepperControls(amount=0.1, salt_vs_pepper=0.5),
}
