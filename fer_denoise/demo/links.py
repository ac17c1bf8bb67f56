"""Links that open the app as it stood: `?tab=high&face=drawing&left=noisy&right=patchgan-high&seed=3&noise=0.06`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import numpy as np

from fer_denoise.demo.face_view import CLEAN, NOISY
from fer_denoise.demo.noise_controls import CONTROLS, NoiseControls
from fer_denoise.demo.playground_controls import PlaygroundControls
from fer_denoise.samples import sample_faces
from fer_denoise.zoo import list_models

MAX_SEED = 2**31 - 1

PLAYGROUND = "playground"
FACE_CONTROLS: dict[str, NoiseControls] = {PLAYGROUND: PlaygroundControls(), **CONTROLS}
"""The controls of each tab that shows a face, in the order of the tabs."""

ADDRESS = """
(query) => {
    const address = new URL(window.location.href);
    const theme = address.searchParams.get("__theme");
    address.search = theme ? `${query}&__theme=${theme}` : query;
    window.history.replaceState(null, "", address);
}
"""
"""Puts a link's query into the address bar, where a reload finds it; the colours stay."""

FOLLOW_TABS = f"""
() => {{
    let open = null;
    document.addEventListener("click", () => setTimeout(() => {{
        const tab = document.querySelector("[data-tab-id][aria-selected=true]")?.dataset.tabId;
        if (!tab || tab === open) return;
        open = tab;
        const shown = document.querySelector(`[data-link^="?tab=${{tab}}&"]`);
        ({ADDRESS})(shown ? shown.dataset.link : `?tab=${{tab}}`);
    }}));
}}
"""
"""Lets the address follow the tab that a visitor opens."""

COPY_LINK = """
async () => {
    const shown = [...document.querySelectorAll("[data-link]")].find((each) => each.offsetParent);
    const address = window.location.href.replace(/[?&]__theme=[^&#]*/, "");
    const link = shown ? address.replace(/([?#].*)?$/, shown.dataset.link) : address;
    try {
        await navigator.clipboard.writeText(link);
        return link.includes("tab=") && !link.includes("&face=") ? "Link copied, without the face" : "Link copied";
    } catch {
        return "The link is in the address bar";
    }
}
"""
"""Puts the link into the clipboard; what the button says then."""

COPY, SAY_COPY_AGAIN = "Copy a link to this", "() => new Promise((say) => setTimeout(() => say('{}'), 2500))"


@dataclass(frozen=True)
class LinkSettings:
    """What a link asks for."""

    tab: str
    left: str
    right: str
    seed: int
    values: tuple[Any, ...]
    """The values of the tab's controls."""
    sample_title: str | None = None
    """The title of a sample face."""
    texture: float = 1.0
    """Where the dial from truth to texture stands."""


def sample_titled(face: np.ndarray) -> str | None:
    """The title of a face, uint8 (48, 48), where it is one of the samples."""
    return next((title for title, sample in sample_faces().items() if np.array_equal(sample, face)), None)


def slug(title: str) -> str:
    """A title as it stands in a link."""
    return re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")


def write_link(settings: LinkSettings) -> str:
    """The query of a link, "?" in front. A face that is no sample cannot be linked to, so it is left out."""
    query = {"tab": settings.tab}
    if settings.sample_title is not None:
        query["face"] = slug(settings.sample_title)
    query |= {"left": settings.left, "right": settings.right}
    if settings.texture != 1:
        query["texture"] = f"{settings.texture:g}"
    query |= {"seed": str(settings.seed), "noise": FACE_CONTROLS[settings.tab].write(*settings.values)}
    return f"?{urlencode(query, safe=':,=')}"


def read_link(query: Mapping[str, str]) -> LinkSettings | None:
    """The settings of a link's query; None where they are missing or wrong in any way."""
    tab, left, right = query.get("tab", ""), query.get("left", NOISY), query.get("right", "")
    faces = {slug(title): title for title in sample_faces()}
    face = query.get("face")
    sides = NOISY, CLEAN, *list_models()
    if tab not in FACE_CONTROLS or left not in sides or right not in sides or face not in (None, *faces):
        return None
    try:
        seed, texture = int(query.get("seed", "0")), float(query.get("texture", "1"))
        values = FACE_CONTROLS[tab].read(query["noise"])
    except (KeyError, ValueError):
        return None
    if not (0 <= seed <= MAX_SEED and 0 <= texture <= 1):
        return None
    return LinkSettings(tab, left, right, seed, values, faces.get(face or ""), texture)
