"""How fast the app is for a visitor, in a real browser: its start, and from a slider to the new picture.

    PYTHONPATH=. python .ci/response_time.py

Each visitor moves a slider by one step, waits until the measurements have changed, looks at them for a second, and does
so again; first one visitor, then eight at once. Then eight that do not look: there, eight browsers on the processor of
the server take most of it for themselves.
"""

import asyncio
import os
import random
import shutil
import subprocess
import sys
import time
from statistics import median, quantiles

from playwright.async_api import Browser, async_playwright
from running_app import ROOT, RunningApp

MOVES = 20
VISITORS = ((1, 1.0), (8, 1.0), (8, 0.0))
"""How many at once, and the seconds that each looks at a result."""

WATCH = """
numbers => {
    const times = [], waiting = [];
    let before = numbers.innerText, started = null;
    document.addEventListener("keydown", () => { started = performance.now(); }, {capture: true});
    new MutationObserver(() => {
        const now = performance.now(), text = numbers.innerText;
        if (started === null || text === before) return;
        times.push(now - started);
        [before, started] = [text, null];
        waiting.splice(0).forEach(resolve => resolve());
    }).observe(numbers, {childList: true, subtree: true, characterData: true});
    window.changes = count => new Promise(resolve => {
        const look = () => times.length < count ? waiting.push(look) : resolve(times);
        look();
    });
}
"""
"""Notes the milliseconds from each key to new measurements, both seen by the page; `changes` waits for so many."""


async def move_slider(browser: Browser, url: str, start: asyncio.Barrier, pause: float) -> list[float]:
    """Milliseconds from each move of a slider until the measurements show its result."""
    page = await (await browser.new_context()).new_page()
    await page.goto(url)
    panel = page.get_by_role("tabpanel").filter(visible=True)
    slider, numbers = panel.locator(".controls").get_by_role("slider").first, panel.locator(".numbers")
    await numbers.wait_for()
    await slider.focus()
    await numbers.evaluate(WATCH)
    await start.wait()
    # People do not move in step.
    await asyncio.sleep(random.uniform(0, pause))
    times: list[float] = []
    for move in range(1, MOVES + 1):
        await page.keyboard.press("ArrowRight")
        times = await page.evaluate(f"window.changes({move})")
        await asyncio.sleep(pause)
    await page.context.close()
    return times


async def seconds_to_first_screen(browser: Browser, url: str) -> float:
    """From the call of the page until a restored face is measured on it, for a visitor who was never here."""
    page = await (await browser.new_context()).new_page()
    started = time.perf_counter()
    await page.goto(url)
    panel = page.get_by_role("tabpanel").filter(visible=True)
    await panel.locator(".numbers").wait_for()
    await panel.locator(".stage img").first.wait_for()
    seconds = time.perf_counter() - started
    await page.context.close()
    return seconds


async def measure(url: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        print(f"the first screen stands {await seconds_to_first_screen(browser, url):.1f} s after it is called")
        for visitors, pause in VISITORS:
            start = asyncio.Barrier(visitors)
            results = await asyncio.gather(*(move_slider(browser, url, start, pause) for _ in range(visitors)))
            times = [time for of_one in results for time in of_one]
            who = f"{visitors} visitor{'s' * (visitors > 1)}{'' if pause else ' without a pause'}"
            print(
                f"{who}: slider to new picture in {median(times):.0f} ms (median), "
                f"{quantiles(times, n=20)[-1]:.0f} ms (95th percentile of {len(times)})"
            )
        await browser.close()


def seconds_to_import() -> float:
    """How long the app's libraries take to import."""
    script = "import time; t = time.perf_counter(); import fer_denoise.demo; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


def main() -> None:
    os.chdir(ROOT)
    imports = seconds_to_import()
    with RunningApp() as app:
        print(f"python app.py answers after {app.seconds:.1f} s, of which imports take {imports:.1f} s")
        asyncio.run(measure(app.url))


if __name__ == "__main__":
    main()
