"""Links that open the app with given settings: `?task=high&model=universal&seed=3&levels=0.4,0.3`."""

from collections.abc import Mapping
from dataclasses import dataclass

from fer_denoise.demo.noise_controls import CONTROLS
from fer_denoise.zoo import list_models

MAX_SEED = 2**31 - 1

COPY_LINK = """
(model, seed, ...levels) => {{
    const link = new URL(window.location.href.split("?")[0]);
    link.search = new URLSearchParams({{ task: "{task}", model, seed: seed ?? 0, levels: levels.join(",") }});
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


def read_link(query: Mapping[str, str]) -> Settings | None:
    """The settings of a link's query; None where they are missing or wrong in any way."""
    task, model = query.get("task", ""), query.get("model", "")
    if task not in CONTROLS or model not in list_models():
        return None
    try:
        seed = int(query.get("seed", "0"))
        levels = tuple(float(level) for level in query["levels"].split(","))
    except (KeyError, ValueError):
        return None
    limits = CONTROLS[task].limits
    if len(levels) != len(limits) or not 0 <= seed <= MAX_SEED:
        return None
    if not all(low <= level <= high for level, (low, high) in zip(levels, limits, strict=True)):
        return None
    return Settings(task, model, seed, levels)
