"""Everybody can use the app: what axe-core finds, what can be read, and what the keyboard reaches."""

import pytest
from visiting import serious_faults

UNFOLD = """
() => document.querySelectorAll("[role=tabpanel] button.label-wrap:not(.open)").forEach((head) => {
    if (head.checkVisibility()) head.click();
})
"""

FAINT = """
() => {
    const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = (rgb) => rgb.slice(0, 3)
        .map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    const behind = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const style = getComputedStyle(at);
            if (style.backgroundImage !== "none") return null;
            const colour = parse(style.backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return parse(getComputedStyle(document.body).backgroundColor);
    };
    const found = new Set();
    for (const element of document.querySelectorAll(".prose *, .html-container *, .comparison *, [role=tab]")) {
        const own = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
        const text = own.map((node) => node.data).join("").trim();
        const ground = text && element.checkVisibility() && behind(element);
        if (!ground) continue;
        const [low, high] = [light(parse(getComputedStyle(element).color)), light(ground)].sort((a, b) => a - b);
        const contrast = (high + 0.05) / (low + 0.05);
        if (contrast < 4.5) found.add(`${text.slice(0, 40)} (${contrast.toFixed(1)})`);
    }
    return [...found];
}
"""
"""What is written with less contrast than WCAG's level AA asks for."""


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_tab_has_a_serious_fault_and_every_word_can_be_read(visit, theme):
    here = visit(query=f"?__theme={theme}")
    faults: list[str] = []
    for title in here.tabs:
        here.open(title)
        here.page.evaluate(UNFOLD)
        # Under the pointer, it has another colour.
        if (primary := here.panel.locator("button.primary").filter(visible=True)).count():
            primary.last.hover()
        here.page.wait_for_timeout(300)
        found = *serious_faults(here.page), *here.page.evaluate(FAINT)
        faults += [f"{title}: {fault}" for fault in found]
    assert not faults, "\n".join(faults)


NAME_OF_FOCUS = """
() => {
    const element = document.activeElement;
    return element.getAttribute("aria-label") || element.labels?.[0]?.innerText || element.innerText || "";
}
"""


def test_every_control_can_be_reached_by_keyboard(visit):
    here = visit()
    here.page.keyboard.press("Tab")
    reached: set[str] = set()
    for _ in range(60):
        reached.add(here.page.evaluate(NAME_OF_FOCUS))
        here.page.keyboard.press("Tab")
    text = " | ".join(reached)
    for control in (
        "Divider between Noisy and Universal", "Left", "Right", "Broken sensor", "Lost pixels", "Seed", "Compare all",
        "Copy a link", "Random FER2013", "Full screen", "Save the right one", "Astronaut (NASA)", "Drawing",
    ):  # fmt: skip
        assert control in text, text
