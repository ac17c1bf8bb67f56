"""A loupe on a comparison: one neighbourhood of both pictures, enlarged side by side, and what is between them."""

from html import escape

from fer_denoise.demo.error_map import ERROR_LIMIT
from fer_denoise.pictures import FACE

SIDE = 12
"""Pixels of the neighbourhood; on the page it is a multiple of this, so that each pixel is a square."""
LAST = FACE[0] - SIDE
"""The furthest column and row at which it begins."""
LIMIT = round(255 * ERROR_LIMIT)
"""The difference in gray levels that is white or black."""

LENS = (
    "<svg viewBox='0 0 20 20' fill='none' stroke='currentColor' stroke-width='2' aria-hidden='true'>"
    "<circle cx='8' cy='8' r='6'/><path d='M12.5 12.5 19 19'/></svg>"
)
BUTTON = f"""<span class="lens"></span>
<button class="magnify" type="button" aria-label="Loupe" aria-pressed="false" title="Loupe">{LENS}</button>"""
"""Switches the loupe, and shows where it is; stands on the pictures."""

ON_LOAD = f"""
let corner = [{LAST // 2}, {LAST // 2}];
const part = (selector) => element.querySelector(selector);
const mark = () => ["column", "row"].forEach((name, axis) => {{
    const [first, range] = [corner[axis], part(`.loupe .${{name}}`)];
    element.style.setProperty(`--${{name}}`, first);
    range.value = first;
    range.ariaValueText = `${{name}}s ${{first + 1}} to ${{first + {SIDE}}}`;
}});
const enlarge = async () => {{
    const pictures = ["img.left", "img.right"].map(part);
    await Promise.all(pictures.map((picture) => picture.decode().catch(() => null)));
    // Others may have taken their place meanwhile.
    if (!pictures[0].isConnected) return;
    const canvases = [...element.querySelectorAll(".loupe canvas")];
    const views = canvases.map((canvas) => canvas.getContext("2d", {{ willReadFrequently: true }}));
    const [left, right] = pictures.map((picture, side) => {{
        views[side].drawImage(picture, ...corner, {SIDE}, {SIDE}, 0, 0, {SIDE}, {SIDE});
        return views[side].getImageData(0, 0, {SIDE}, {SIDE}).data;
    }});
    const residual = left.map((value, index) =>
        index % 4 === 3 ? 255 : 127.5 * (1 + (value - right[index]) / {LIMIT}));
    views[2].putImageData(new ImageData(residual, {SIDE}, {SIDE}), 0, 0);
}};
const magnify = () => {{
    const on = element.hasAttribute("data-loupe");
    part(".magnify")?.setAttribute("aria-pressed", on);
    if (on && part(".loupe")) {{
        mark();
        enlarge();
    }}
}};
const lookAt = (column, row) => {{
    corner = [column, row].map((first) => Math.min(Math.max(Math.round(first), 0), {LAST}));
    magnify();
}};
element.addEventListener("click", (event) => {{
    if (!event.target.closest(".magnify")) return;
    element.toggleAttribute("data-loupe");
    magnify();
}});
for (const moved of ["pointerdown", "pointermove"]) {{
    element.addEventListener(moved, (event) => {{
        const stage = event.target.closest(".stage")?.getBoundingClientRect();
        if (!stage || !element.hasAttribute("data-loupe")) return;
        const under = [(event.clientX - stage.left) / stage.width, (event.clientY - stage.top) / stage.height];
        lookAt(...under.map((place) => {FACE[0]} * place - {SIDE / 2}));
    }});
}}
element.addEventListener("input", (event) => {{
    if (event.target.closest(".loupe")) lookAt(part(".loupe .column").value, part(".loupe .row").value);
}});
element.addEventListener("keydown", (event) => {{
    const step = {{ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }}[event.key];
    if (!step || !event.target.closest(".loupe, [aria-pressed=true]")) return;
    event.preventDefault();
    lookAt(corner[0] + step[0], corner[1] + step[1]);
}});
watch("value", magnify);
"""
"""Lets the loupe follow pointer and keys; where it is, and whether, stays on the element when the pictures change."""


def loupe(left: str, right: str) -> str:
    """Two pictures, by their titles, and their difference, to be filled by `ON_LOAD`, as HTML."""
    views = (("Left", f"{left}, enlarged"), ("Right", f"{right}, enlarged"), ("Left &minus; right", "Their difference"))
    figures = "".join(
        f"<figure><figcaption>{caption}</figcaption>"
        f"<canvas width='{SIDE}' height='{SIDE}' role='img' aria-label='{escape(label)}'></canvas></figure>"
        for caption, label in views
    )
    ranges = "".join(
        f"<input type='range' class='{name}' min='0' max='{LAST}' aria-label='{name.capitalize()} of the loupe'>"
        for name in ("column", "row")
    )
    return (
        f"<div class='loupe' role='group' aria-label='Loupe'>{figures}"
        f"<p class='note'>Gray: no difference. White: left is lighter by {LIMIT} of 255 levels or more; black: darker. "
        f"Point, or use the arrow keys.</p>{ranges}</div>"
    )
