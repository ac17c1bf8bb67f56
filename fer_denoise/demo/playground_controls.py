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
    noise: str
    """Kinds of noise as `kind_of` takes them, joined by "+"; "{}" stands for the slider's value."""
    level: str
    """What the slider sets."""
    slider: tuple[float, float, float]
    """Its values for the weakest noise, for the strongest, and at first; it has whole numbers where they are whole."""

    def within(self, level: float) -> str:
        """What the slider stands at, as text; what is typed beyond an end is that end."""
        low, high = sorted(self.slider[:2])
        return f"{min(max(level, low), high):g}"

    def at(self, level: float) -> str:
        """The noise with the slider at `level`."""
        return self.noise.format(self.within(level))


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
        kind, level, text = self.preset
        choice = gr.Radio(
            [*((preset.title, key) for key, preset in PRESETS.items()), ("A mix of your own", OWN)],
            value=kind,
            label="What happened to the picture",
        )
        slider = PresetSlider(value=level, **self._slider(kind))
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
        kind, level, text = values
        if kind == OWN:
            return [kind, gr.Slider(visible=False), gr.Textbox(text, visible=True)]
        return [kind, gr.Slider(value=level, visible=True, **self._slider(kind)), gr.Textbox(text, visible=False)]

    def read(self, text: str) -> tuple[str, float, str]:
        kind, _, rest = text.partition(":")
        if kind == OWN:
            mixed(rest)
            return kind, self.preset[1], rest
        low, high = sorted(PRESETS[kind].slider[:2]) if kind in PRESETS else (1, 0)
        level = float(rest)
        if not low <= level <= high:
            raise ValueError(f"{text} is no noise of the playground")
        return kind, level, ""

    def write(self, *values: Any) -> str:
        kind, level, text = values
        return f"{kind}:{text if kind == OWN else PRESETS[kind].within(level)}"

    def noise(self, *values: Any) -> Noise:
        return mixed(self._written(*values))

    def describe(self, *values: Any) -> str:
        kinds = " + ".join(part.strip() for part in self._written(*values).split("+"))
        return f"Noise: <code>{escape(kinds)}</code>"

    def sweep(self, *values: Any) -> list[tuple[float, Noise]]:
        kind, _, text = values
        if kind == OWN:
            raise ValueError("a mix of your own has no one level to draw curves over: choose one of the presets")
        weakest, strongest, start = PRESETS[kind].slider
        levels = np.linspace(weakest, strongest, SWEEP)
        return [
            (float(level), self.noise(kind, level, text))
            for level in (levels.round() if isinstance(start, int) else levels)
        ]

    def _written(self, kind: str, level: float, text: str | None) -> str:
        return text or "" if kind == OWN else PRESETS[kind].at(level)

    def _slider(self, kind: str) -> dict[str, Any]:
        weakest, strongest, start = PRESETS[kind].slider
        return {
            "minimum": min(weakest, strongest),
            "maximum": max(weakest, strongest),
            "step": 1 if isinstance(start, int) else 0.01,
            "label": PRESETS[kind].level,
        }

    def _choose(self, kind: str, level: float, text: str) -> list[Any]:
        start = self.preset[1] if kind == OWN else PRESETS[kind].slider[-1]
        # Whoever mixes begins with something.
        return self.updates(kind, start, text or PRESETS[START].at(start) if kind == OWN else text)[1:]


def mixed(text: str) -> Composition:
    """Kinds of noise, one after the other, out of "KIND:LEVEL=NUMBER + KIND:LEVEL=NUMBER".

    Raises:
        ValueError: that names no such noise; the message says what there is.
    """
    parts = text.split("+")
    if len(parts) > MAX_KINDS or len(text) > MAX_LENGTH:
        raise ValueError(f"a mix takes up to {MAX_KINDS} kinds of noise and {MAX_LENGTH} letters, not this many")
    return Composition(tuple(kind_of(part.strip()) for part in parts))
