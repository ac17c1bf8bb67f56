"""The comparison of two pictures of a face: one laid over the other, with a divider, and the gain as one number."""

import json
from collections.abc import Awaitable, Callable
from functools import lru_cache
from html import escape
from typing import Any

import gradio as gr
from PIL import Image

from fer_denoise.demo import loupe, moves
from fer_denoise.demo.components import inline
from fer_denoise.demo.error_map import error_legend, impulse_legend
from fer_denoise.demo.face_view import FaceView
from fer_denoise.demo.links import ADDRESS

STEPS = 96
"""How many steps the divider has: each is half a pixel of a face."""

SETTLED = 400
"""Milliseconds without a move after which the address follows: browsers take a new address for a new page with an icon
of its own, and only so many of them."""

CORNERS = (
    "<svg viewBox='0 0 20 20' fill='none' stroke='currentColor' stroke-width='2' aria-hidden='true'>"
    "<path d='M2 7V2h5M13 2h5v5M18 13v5h-5M7 18H2v-5'/></svg>"
)

ON_LOAD = f"""
const follow = {ADDRESS};
const linked = () => element.querySelector("[data-link]");
element.addEventListener("input", (event) => {{
    if (!event.target.closest(".stage")) return;
    element.style.setProperty("--divider", `${{100 * event.target.value / {STEPS}}}%`);
}});
element.addEventListener("click", (event) => {{
    if (event.target.closest(".fullscreen")) {{
        if (document.fullscreenElement) document.exitFullscreen();
        else element.querySelector(".frame").requestFullscreen();
    }}
    const save = event.target.closest(".save a");
    if (save) save.href = element.querySelector("img.right").src;
}});
let settled;
watch("value", () => {{
    clearTimeout(settled);
    // Not where another tab was opened meanwhile, which has the address now.
    settled = setTimeout(() => {{ if (linked()?.offsetParent) follow(linked().dataset.link); }}, {SETTLED});
}});
{loupe.ON_LOAD}
{moves.ON_LOAD}
"""
"""Moves the divider; its place stands on the element itself, which keeps it when the pictures change."""


def before_after_display(value: str, key: str, move: Callable[[list[Any]], Awaitable[moves.Answer]]) -> gr.HTML:
    """A display of `before_after`, to be rendered where it is to stand.

    Args:
        key: by which `moves.MOVE` finds it on the page.
        move: answers what that sends.

    Gradio's own slider for two images has a handle that no key reaches, and sizes that are no multiple of a face's.
    """
    return gr.HTML(
        value,
        # Not a property of the component: those may come after it is loaded.
        js_on_load=f"const KEY = {json.dumps(key)};{ON_LOAD}",
        apply_default_css=False,
        padding=False,
        elem_classes="before-after",
        render=False,
        server_functions=[move],
    )


def before_after(view: FaceView, link: str, warning: str = "") -> str:
    """A face as `before_after_display` shows it, as HTML.

    Args:
        link: the query of a link to it.
        warning: stands under the number, as HTML.
    """
    left, right = (escape(title) for title in view.titles)
    small = _small("Clean", view.clean) + _small("Error", view.error, error_legend())
    if view.impulses is not None:
        small += _small("Impulses", view.impulses, impulse_legend())
    return f"""<div class="comparison" data-link="{escape(link)}">
<div class="frame"><div class="stage">
<img class="right" src="{_url(view.right)}" alt="{right}"><img class="left" src="{_url(view.left)}" alt="{left}">
<span class="tag left">{left}</span><span class="tag right">{right}</span>
<input type="range" min="0" max="{STEPS}" value="{STEPS // 2}" aria-label="Divider between {left} and {right}">
<span class="divider"></span>
{loupe.BUTTON}
<button class="fullscreen" type="button" aria-label="Full screen" title="Full screen">{CORNERS}</button>
</div></div>
<div class="numbers">{view.numbers}{warning}</div>
<div class="small">{small}
<p class="save"><a href="#" download="restored.png">Save the right one (PNG)</a></p></div>
{loupe.loupe(*view.titles)}
</div>"""


def _small(title: str, picture: Image.Image, legend: str = "") -> str:
    return f"<figure><figcaption>{title}</figcaption><img src='{_url(picture)}' alt='{title} face'>{legend}</figure>"


def _url(picture: Image.Image) -> str:
    return _url_of(picture.mode, picture.size, picture.tobytes())


@lru_cache(maxsize=64)
def _url_of(mode: str, size: tuple[int, int], pixels: bytes) -> str:
    """A picture as an address that holds it; remembered, for the clean face is the same with every move of a slider."""
    return str(inline(Image.frombytes(mode, size, pixels), "face").url)
