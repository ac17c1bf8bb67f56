"""How fast the app is for a visitor, in a real browser: its start, and from a slider to the new picture.

    PYTHONPATH=. python .ci/response_time.py

Each visitor moves a slider by one step, waits until the measurements have changed, looks at them for a second, and does
so again; first one visitor, then eight at once. Then one, two, four and eight that never pause. Beside each figure
stands how long the server and the browsers computed for a move, for here they share the processor, as those of real
visitors do not. So one visitor is watched among programs that send what seven other pages send, without a pause; and
last, programs alone: what the server can bear.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from copy import copy
from itertools import count
from pathlib import Path
from statistics import median, quantiles

import httpx
from playwright.async_api import Browser, Request, async_playwright
from running_app import ROOT, RunningApp

MOVES = 20
VISITORS = ((1, 1.0), (8, 1.0), (1, 0.0), (2, 0.0), (4, 0.0), (8, 0.0))
"""How many at once, and the seconds that each looks at a result."""
CROWD = 7
"""So many programs move all the time while one visitor is watched."""
MOVE, SEED = "component_server", 4
"""Where a page asks for what a move shows, and which of the values that it sends is the seed."""
TICKS = os.sysconf("SC_CLK_TCK")

MOVE_AND_WATCH = """
async (slider, [numbers, moves, pause]) => {
    const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
    const change = (before) => new Promise((resolve) => {
        const look = (_, observer) => {
            if (numbers.textContent === before) return;
            observer.disconnect();
            resolve();
        };
        new MutationObserver(look).observe(numbers, {childList: true, subtree: true, characterData: true});
    });
    const times = [];
    // People do not move in step.
    await wait(Math.random() * pause);
    for (let move = 0; move < moves; move++) {
        const changed = change(numbers.textContent), started = performance.now();
        slider.stepUp();
        slider.dispatchEvent(new Event("input", {bubbles: true}));
        await changed;
        times.push(performance.now() - started);
        if (pause) await wait(pause);
    }
    return times;
}
"""
"""Milliseconds from each step of a slider to new measurements, both seen by the page.

The page does it by itself: what drives a browser from outside computes nearly as much as the page, and visitors have
no such thing.
"""


async def move_slider(browser: Browser, url: str, start: asyncio.Barrier, pause: float) -> list[float]:
    """Milliseconds from each move of a slider until the measurements show its result."""
    page = await (await browser.new_context()).new_page()
    await page.goto(url)
    panel = page.get_by_role("tabpanel").filter(visible=True)
    slider, numbers = panel.locator(".controls").get_by_role("slider").first, panel.locator(".numbers")
    await asyncio.gather(slider.wait_for(), numbers.wait_for())
    await start.wait()
    return await slider.evaluate(MOVE_AND_WATCH, [await numbers.element_handle(), MOVES, 1000 * pause])


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


def processor_milliseconds(server: int) -> tuple[float, float]:
    """How long the server's process and all of this script's browsers have computed since they began."""
    parents, used = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, rest = stat.parent.name, stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(number)], used[int(number)] = int(rest[1]), 1000 * (int(rest[11]) + int(rest[12])) / TICKS

    def is_ours(process: int) -> bool:
        return process == os.getpid() or (process in parents and is_ours(parents[process]))

    return used[server], sum(time for process, time in used.items() if process != server and is_ours(process))


def said(times: list[float]) -> str:
    return f"{median(times):.0f} ms (median), {quantiles(times, n=10)[-1]:.0f} ms (90th percentile of {len(times)})"


async def measure(app: RunningApp) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        print(f"the first screen stands {await seconds_to_first_screen(browser, app.url):.1f} s after it is called")
        for visitors, pause in VISITORS:
            start = asyncio.Barrier(visitors + 1)
            moving = [asyncio.create_task(move_slider(browser, app.url, start, pause)) for _ in range(visitors)]
            await start.wait()
            before = processor_milliseconds(app.process.pid)
            times = [time for of_one in await asyncio.gather(*moving) for time in of_one]
            server, browsers = (
                (after - earlier) / len(times)
                for earlier, after in zip(before, processor_milliseconds(app.process.pid), strict=True)
            )
            for context in browser.contexts:
                await context.close()
            who = f"{visitors} visitor{'s' * (visitors > 1)}{'' if pause else ' without a pause'}"
            print(
                f"{who}: slider to new picture in {said(times)}; "
                f"for each the server computed {server:.0f} ms, the browsers {browsers:.0f} ms"
            )
        request = await one_move(browser, app.url)
        times = await among_programs(browser, app, request)
        print(f"1 visitor among {CROWD} programs, none of which pauses: {said(times)}")
        await browser.close()
    for programs in (1, CROWD + 1):
        times = await moves_without_a_browser(request, programs)
        print(f"{programs} program{'s' * (programs > 1)} instead of browsers: {said(times)}")


async def among_programs(browser: Browser, app: RunningApp, request: Request) -> list[float]:
    """Milliseconds from each move of a slider to its result, while programs move all the time."""
    start = asyncio.Barrier(2)
    moving = asyncio.create_task(move_slider(browser, app.url, start, 0))
    others = asyncio.create_task(moves_without_a_browser(request, CROWD, count()))
    await start.wait()
    times = await moving
    others.cancel()
    return times


async def one_move(browser: Browser, url: str) -> Request:
    """What a page sends when a slider is moved."""
    page = await (await browser.new_context()).new_page()
    await page.goto(url)
    panel = page.get_by_role("tabpanel").filter(visible=True)
    await panel.locator(".numbers").wait_for()
    async with page.expect_request(f"**/{MOVE}/") as sent:
        await panel.locator(".controls").get_by_role("slider").first.press("ArrowRight")
    return await sent.value


async def moves_without_a_browser(request: Request, programs: int, moves: Iterable[int] = range(MOVES)) -> list[float]:
    """Milliseconds from each move to its answer, where so many programs move without a pause, each with its seed."""

    async def move_again(client: httpx.AsyncClient, number: int) -> list[float]:
        times = []
        for seed in copy(moves):
            asked = json.loads(request.post_data or "")
            asked["data"][SEED] = 1000 * number + seed
            started = time.perf_counter()
            answer = await client.post(request.url, json=asked)
            times.append(1000 * (time.perf_counter() - started))
            assert answer.raise_for_status().json()["shown"]
        return times

    async with httpx.AsyncClient() as client:
        results = await asyncio.gather(*(move_again(client, number) for number in range(programs)))
    return [time for of_one in results for time in of_one]


def seconds_to_import() -> float:
    """How long the app's libraries take to import."""
    script = "import time; t = time.perf_counter(); import fer_denoise.demo; print(time.perf_counter() - t)"
    return float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)


def main() -> None:
    os.chdir(ROOT)
    imports = seconds_to_import()
    with RunningApp() as app:
        print(f"python app.py answers after {app.seconds:.1f} s, of which imports take {imports:.1f} s")
        asyncio.run(measure(app))


if __name__ == "__main__":
    main()
