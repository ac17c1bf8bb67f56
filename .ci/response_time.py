"""How fast the app is for a visitor, in a real browser: its start, and from a slider to the new picture.

    PYTHONPATH=. python .ci/response_time.py

Each visitor moves a slider by one step, waits until the measurements have changed, and does so again;
first one visitor, then eight at once.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from statistics import median, quantiles

from playwright.async_api import Browser, async_playwright
from running_app import ROOT, RunningApp

MOVES = 20
VISITORS = (1, 8)


UNTIL_CHANGED = """
table => new Promise(resolve => {
    const before = table.innerText;
    let started = null;
    document.addEventListener("keydown", () => { started = performance.now(); }, {capture: true, once: true});
    const observer = new MutationObserver(() => {
        if (started === null || table.innerText === before) return;
        observer.disconnect();
        resolve(performance.now() - started);
    });
    observer.observe(table, {childList: true, subtree: true, characterData: true});
    window.listening = true;
})
"""
"""Milliseconds from the next key to new measurements; both ends are seen by the page itself."""


async def move_slider(browser: Browser, url: str, start: asyncio.Barrier) -> list[float]:
    """Milliseconds from each move of a slider until the measurements show its result."""
    page = await (await browser.new_context()).new_page()
    await page.goto(url)
    panel = page.get_by_role("tabpanel").filter(visible=True)
    slider, table = panel.get_by_role("slider").first, panel.locator(".html-container:has(table)").first
    await table.wait_for()
    await slider.focus()
    await start.wait()
    times = []
    for _ in range(MOVES):
        changed = asyncio.create_task(table.evaluate(UNTIL_CHANGED))
        await page.wait_for_function("window.listening")
        await page.evaluate("window.listening = false")
        await page.keyboard.press("ArrowRight")
        times.append(await changed)
    await page.context.close()
    return times


async def seconds_to_first_screen(browser: Browser, url: str) -> float:
    """From the call of the page until a restored face is measured on it, for a visitor who was never here."""
    page = await (await browser.new_context()).new_page()
    started = time.perf_counter()
    await page.goto(url)
    panel = page.get_by_role("tabpanel").filter(visible=True)
    await panel.get_by_role("table").first.wait_for()
    await panel.locator(".pixels.result img").first.wait_for()
    seconds = time.perf_counter() - started
    await page.context.close()
    return seconds


async def measure(url: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        print(f"the first screen stands {await seconds_to_first_screen(browser, url):.1f} s after it is called")
        for visitors in VISITORS:
            start = asyncio.Barrier(visitors)
            results = await asyncio.gather(*(move_slider(browser, url, start) for _ in range(visitors)))
            times = [time for of_one in results for time in of_one]
            print(
                f"{visitors} visitor{'s' * (visitors > 1)}: slider to new picture in {median(times):.0f} ms (median), "
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
