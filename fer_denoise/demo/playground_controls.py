"""The controls of the playground: noise that pictures have in life, as kinds of noise one after the other."""

from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

import gradio as gr
import numpy as np

from fer_denoise.demo.noise_controls import NoiseInputs
from fer_denoise.noise import KINDS, Composition, Noise, kind_of
from fer_denoise.zoo import UNIVERSAL

MAX_KINDS, MAX_LENGTH = 8, 300
"""How many kinds of noise, and how many letters, a mix of one's own may have."""

SWEEP = 9
"""How many noise levels a curve has."""


class Preset(NamedTuple):
    """Noise that a person knows, with one level that a slider sets."""

    title: str
    template: str
    """Kinds of noise as `kind_of` takes them, joined by "+"; "{}" stands for the slider's value."""
    slider_label: str
    """What the slider sets."""
    slider: tuple[float, float, float]
    """Positions for the weakest noise, for the strongest, and at first; whole numbers alone where the last is one."""

    def within(self, position: float) -> str:
        """Where the slider stands, as text; what is typed beyond an end is that end."""
        low, high = sorted(self.slider[:2])
        return f"{min(max(position, low), high):g}"

    def at(self, position: float) -> str:
        """The noise with the slider at `position`."""
        return self.template.format(self.within(position))


class PresetSlider(gr.Slider):
    """A slider whose limits are those of the preset that is chosen, which keeps to them itself."""

    is_template = True

    def preprocess(self, payload: float | None) -> float:  # type: ignore[override]
        return float(self.minimum if payload is None else payload)


PRESETS = {
    "sensor": Preset("Broken sensor", "impulse:amount={}+dead-lines:count=3", "Lost pixels", (0, 0.5, 0.15)),
    "night": Preset("Night shot", "camera:photons=1500,read_sigma=0.002,gain={},quality=85", "Darkness", (1, 48, 24)),
    "print": Preset("Scanned print", "speckle:sigma={}+stripe:sigma=0.04,axis=1", "Paper grain", (0, 0.5, 0.2)),
    "webcam": Preset("Old webcam", "correlated:sigma={},width=0.8+jpeg:quality=30", "Sensor noise", (0, 0.2, 0.06)),
    "saved": Preset("Saved once too often", "jpeg:quality=50+jpeg:quality={}", "JPEG quality", (60, 1, 8)),
}
"""The choices in the order of the page, the most telling first."""
START, OWN = next(iter(PRESETS)), "own"


@dataclass(frozen=True)
class PlaygroundControls:
    """A preset with a slider, or a mix of the visitor's own, written as the command takes it."""

    with_impulses = False
    level_name = "where the slider stands"
    level_limits = None
    reset = "Back to the first noise"
    filters_know = "Such noise has no one level that filters could be told, so they estimate it."

    @property
    def rivals(self) -> list[str]:
        return [UNIVERSAL, "median", "nl-means"]

    @property
    def preset(self) -> tuple[str, float, str]:
        return START, PRESETS[START].slider[-1], ""

    def build(self) -> NoiseInputs:
        preset_key, position, text = self.preset
        choice = gr.Radio(
            [*((preset.title, key) for key, preset in PRESETS.items()), ("A mix of your own", OWN)],
            value=preset_key,
            label="What happened to the picture",
        )
        slider = PresetSlider(value=position, **self._slider(preset_key))
        mix = gr.Textbox(
            text,
            label="Kinds of noise, one after the other",
            info=f"As gaussian:sigma=0.1 + jpeg:quality=10. There are {', '.join(KINDS)}; a wrong level is explained.",
            max_length=MAX_LENGTH,
            visible=False,
        )
        chosen = choice.input(
            self._choose, [choice, slider, mix], [slider, mix], api_visibility="private", show_progress="hidden"
        )
        return NoiseInputs([choice, slider, mix], [slider.input, slider.release, mix.submit, mix.blur], [chosen])

    def updates(self, *values: Any) -> list[Any]:
        preset_key, position, text = values
        if preset_key == OWN:
            return [preset_key, gr.Slider(visible=False), gr.Textbox(text, visible=True)]
        slider = gr.Slider(value=position, visible=True, **self._slider(preset_key))
        return [preset_key, slider, gr.Textbox(text, visible=False)]

    def read(self, text: str) -> tuple[str, float, str]:
        preset_key, _, rest = text.partition(":")
        if preset_key == OWN:
            mixed(rest)
            return preset_key, self.preset[1], rest
        low, high = sorted(PRESETS[preset_key].slider[:2]) if preset_key in PRESETS else (1, 0)
        position = float(rest)
        if not low <= position <= high:
            raise ValueError(f"{text} is no noise of the playground")
        return preset_key, position, ""

    def write(self, *values: Any) -> str:
        preset_key, position, text = values
        return f"{preset_key}:{text if preset_key == OWN else PRESETS[preset_key].within(position)}"

    def noise(self, *values: Any) -> Noise:
        return mixed(self._written(*values))

    def describe(self, *values: Any) -> str:
        kinds = " + ".join(part.strip() for part in self._written(*values).split("+"))
        return f"Noise: <code>{escape(kinds)}</code>"

    def sweep(self, *values: Any) -> list[tuple[float, Noise]]:
        preset_key, _, text = values
        if preset_key == OWN:
            raise ValueError("a mix of your own has no one level to draw curves over: choose one of the presets")
        weakest, strongest, start = PRESETS[preset_key].slider
        positions = np.linspace(weakest, strongest, SWEEP)
        return [
            (float(position), self.noise(preset_key, position, text))
            for position in (positions.round() if isinstance(start, int) else positions)
        ]

    def _written(self, preset_key: str, position: float, text: str | None) -> str:
        return text or "" if preset_key == OWN else PRESETS[preset_key].at(position)

    def _slider(self, preset_key: str) -> dict[str, Any]:
        weakest, strongest, start = PRESETS[preset_key].slider
        return {
            "minimum": min(weakest, strongest),
            "maximum": max(weakest, strongest),
            "step": 1 if isinstance(start, int) else 0.01,
            "label": PRESETS[preset_key].slider_label,
        }

    def _choose(self, preset_key: str, position: float, text: str) -> list[Any]:
        start = self.preset[1] if preset_key == OWN else PRESETS[preset_key].slider[-1]
        # Whoever mixes begins with something.
        return self.updates(preset_key, start, text or PRESETS[START].at(start) if preset_key == OWN else text)[1:]


def mixed(text: str) -> Composition:
    """Kinds of noise, one after the other, out of "KIND:LEVEL=NUMBER + KIND:LEVEL=NUMBER".

    Raises:
        ValueError: that names no such noise; the message says what there is.
    """
    parts = text.split("+")
    if len(parts) > MAX_KINDS or len(text) > MAX_LENGTH:
        raise ValueError(f"a mix takes up to {MAX_KINDS} kinds of noise and {MAX_LENGTH} letters, not this many")
    return Composition(tuple(kind_of(part.strip()) for part in parts))
