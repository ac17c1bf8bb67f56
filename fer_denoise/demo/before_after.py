"""The comparison of two pictures of a face: one laid over the other, with a divider, and the gain as one number."""

from functools import lru_cache
from html import escape

import gradio as gr
from PIL import Image

from fer_denoise.demo import loupe
from fer_denoise.demo.components import inline
from fer_denoise.demo.error_map import error_legend, impulse_legend
from fer_denoise.demo.face_view import FaceView
from fer_denoise.demo.links import ADDRESS

STEPS = 96
"""Of the divider: half a pixel of a face."""

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
}});
watch("value", () => {{ if (linked()) follow(linked().dataset.link); }});
{loupe.ON_LOAD}
"""
"""Moves the divider; its place stands on the element itself, which keeps it when the pictures change."""


NOTHING = "<p class='nothing'>Nothing can be shown of that; the message says why.</p>"
"""Stands in the place of a face that could not be restored."""


def before_after_display(value: str) -> gr.HTML:
    """A display of `before_after`.

    Gradio's own slider for two images has a handle that no key reaches, and sizes that are no multiple of a face's.
    """
    return gr.HTML(value, js_on_load=ON_LOAD, apply_default_css=False, padding=False, elem_classes="before-after")


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
<p class="save"><a href="{_url(view.right)}" download="restored.png">Save the right one (PNG)</a></p></div>
{loupe.loupe(*view.titles)}
</div>"""


def _small(title: str, picture: Image.Image, legend: str = "") -> str:
    return f"<figure><figcaption>{title}</figcaption><img src='{_url(picture)}' alt='{title} face'>{legend}</figure>"


def _url(picture: Image.Image) -> str:
    return _url_of(picture.mode, picture.size, picture.tobytes())


@lru_cache(maxsize=64)
def _url_of(mode: str, size: tuple[int, int], pixels: bytes) -> str:
    """Remembered, for the clean face is the same with every move of a slider, and what stands right is there twice."""
    return str(inline(Image.frombytes(mode, size, pixels), "face").url)
