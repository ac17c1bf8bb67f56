"""A loupe on one's own picture: one place of it before and after, pixel by pixel, and what is between them.

Its pixels are those of the whole picture, of which the browser has but a reduced copy, so the server cuts them out.
"""

from collections.abc import Sequence
from dataclasses import replace
from html import escape

import gradio as gr
import numpy as np
from PIL import Image

from fer_denoise.demo.components import inline
from fer_denoise.demo.loupe import LIMIT
from fer_denoise.photos import blend_pictures
from fer_denoise.pictures import Picture

SIDE = 48
"""Pixels of the place; on the page it is a multiple of this, so that each pixel is a square."""

ON_LOAD = """
const picture = () => document.querySelector(".own-result img");
const lens = document.createElement("span");
lens.className = "own-lens";
const shown = () => {
    const image = picture(), box = image.getBoundingClientRect();
    const scale = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
    const [width, height] = [scale * image.naturalWidth, scale * image.naturalHeight];
    return { left: box.left + (box.width - width) / 2, top: box.top + (box.height - height) / 2, width, height };
};
const mark = () => {
    const frame = picture()?.closest(".own-result"), place = element.querySelector("[data-area]");
    lens.remove();
    if (!frame || !place || !element.offsetParent) return;
    const area = shown(), outer = frame.getBoundingClientRect(), part = JSON.parse(place.dataset.area);
    const [first, last] = [area.left - outer.left, area.top - outer.top];
    lens.style.width = `${part[2] * area.width}px`;
    lens.style.height = `${part[3] * area.height}px`;
    lens.style.left = `${first + part[0] * area.width}px`;
    lens.style.top = `${last + part[1] * area.height}px`;
    frame.append(lens);
};
const look = (...centre) => {
    window.centreOfLoupe = centre.map((fraction) => Math.min(Math.max(fraction, 0), 1));
    trigger("placed");
};
for (const moved of ["pointerdown", "pointermove"]) {
    document.addEventListener(moved, (event) => {
        if (!event.target.closest?.(".own-result") || event.target.closest("button") || !element.offsetParent) return;
        const area = shown();
        look((event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height);
    }, true);
}
element.addEventListener("input", () => look(...[...element.querySelectorAll("input")].map(
    (range) => (Number(range.value) + range.dataset.side / 2) / (Number(range.max) + Number(range.dataset.side)))));
new ResizeObserver(mark).observe(element);
watch("value", mark);
"""
"""Lets the loupe follow the pointer on the picture and the two sliders below it, and shows where it is."""

PLACED = "(last, strength) => [last, strength, window.centreOfLoupe ?? [0.5, 0.5]]"
"""Adds where the loupe is to what `enlarged` is of."""


def loupe_display() -> gr.HTML:
    """A display of `enlarged`; its event "placed" asks for another place."""
    return gr.HTML("", js_on_load=ON_LOAD, apply_default_css=False, padding=False)


def enlarged(before: Picture, after: Picture, strength: float, centre: Sequence[float]) -> str:
    """One place of the first frame of two pictures of one size, and their difference, as HTML.

    Args:
        strength: in [0, 1], how much of `after` stands on the right; the rest is `before`.
        centre: how far right and down that lies, each in [0, 1]; at the rim it ends with the picture.
    """
    height, width = before.frames[0].shape[:2]
    side = min(SIDE, height, width)
    left, top = (
        int(np.clip(round(float(fraction) * size - side / 2), 0, size - side))
        for fraction, size in zip(centre, (width, height), strict=True)
    )
    cut = np.s_[top : top + side, left : left + side]
    old, new = (replace(picture, frames=(picture.frames[0][cut],)) for picture in (before, after))
    pair = old.in_8_bits(), blend_pictures(old, new, strength).in_8_bits()
    difference = np.subtract(*pair, dtype=np.float32)
    residual = np.rint(np.clip(127.5 * (1 + difference / LIMIT), 0, 255)).astype(np.uint8)
    profile = before.info.get("icc_profile")
    figures = "".join(
        _figure(caption, label, pixels, coloured)
        for caption, label, pixels, coloured in (
            ("Before", "Your picture, enlarged", pair[0], profile),
            ("After", "The restored one, enlarged", pair[1], profile),
            ("Difference", "Before minus after", residual, None),
        )
    )
    ranges = "".join(
        f"<label>{label}<input type='range' min='0' max='{size - side}' value='{first}' data-side='{side}'></label>"
        for label, size, first in (("Across", width, left), ("Down", height, top))
    )
    area = [left / width, top / height, side / width, side / height]
    return (
        f"<div class='own-loupe' role='group' aria-label='Loupe' data-area='{area}'>{figures}<div>{ranges}"
        f"<p class='note'>Columns {left + 1} to {left + side} of {width}, rows {top + 1} to {top + side} of {height}, "
        f"pixel by pixel. In the difference, gray is none; white: it was lighter by {LIMIT} of 255 levels or more; "
        "black: darker. Point at the picture above, or move the sliders.</p></div></div>"
    )


def _figure(caption: str, label: str, pixels: np.ndarray, profile: bytes | None) -> str:
    picture = Image.fromarray(pixels)
    if profile:
        picture.info["icc_profile"] = profile
    url = inline(picture, "place").url
    return f"<figure><figcaption>{caption}</figcaption><img src='{url}' alt='{escape(label)}'></figure>"
