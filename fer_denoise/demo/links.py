"""Links that open the app with given settings: `?task=high&model=patchgan-high&texture=0.5&seed=3&levels=0.4,0.3`."""

from collections.abc import Mapping
from dataclasses import dataclass

from fer_denoise.demo.noise_controls import CONTROLS
from fer_denoise.zoo import list_models

MAX_SEED = 2**31 - 1

COPY_LINK = """
(model, texture, seed, ...levels) => {{
    const link = new URL(window.location.href.split("?")[0]);
    const settings = {{ task: "{task}", model, texture, seed: seed ?? 0, levels: levels.join(",") }};
    link.search = new URLSearchParams(settings);
    window.history.replaceState(null, "", link);
    navigator.clipboard?.writeText(link.href);
}}
"""
"""Puts the link into the address bar and, where the browser allows it, into the clipboard."""


@dataclass(frozen=True)
class Settings:
    """What a link asks for."""

    task: str
    model: str
    seed: int
    levels: tuple[float, ...]
    texture: float = 1.0
    """Where the dial from truth to texture stands."""


def read_link(query: Mapping[str, str]) -> Settings | None:
    """The settings of a link's query; None where they are missing or wrong in any way."""
    task, model = query.get("task", ""), query.get("model", "")
    if task not in CONTROLS or model not in list_models():
        return None
    try:
        seed = int(query.get("seed", "0"))
        texture = float(query.get("texture", "1"))
        levels = tuple(float(level) for level in query["levels"].split(","))
    except (KeyError, ValueError):
        return None
    limits = CONTROLS[task].limits
    if len(levels) != len(limits) or not 0 <= seed <= MAX_SEED:
        return None
    if not all(low <= value <= high for value, (low, high) in zip((*levels, texture), (*limits, (0, 1)), strict=True)):
        return None
    return Settings(task, model, seed, levels, texture)
