"""The tab of results: what the benchmark measured on FER2013's test faces, read from its committed files."""

import json
from pathlib import Path
from statistics import fmean
from typing import Any

import gradio as gr
import numpy as np

from fer_denoise.classical import FILTERS
from fer_denoise.demo.results_charts import dot_chart, line_chart
from fer_denoise.demo.results_tables import (
    benchmark_table,
    csv_link,
    emotion_levels,
    method_title,
    noise_grid_table,
    points,
    realism_table,
    records_link,
)
from fer_denoise.evaluate import NOISY, credit, is_published, level_name, psnr_over_levels
from fer_denoise.metrics import PSNR_CAP
from fer_denoise.noise import TASK_RECORDS
from fer_denoise.origin import PATCHGAN_OFFSET
from fer_denoise.zoo import UNIVERSAL, UNIVERSAL_LARGE

RESULTS = Path(__file__).parents[2] / "results"

TASKS_NOTE = """
*PSNR* in dB and *SSIM*, higher is better; bars begin 2 dB below the lowest PSNR. Networks work blind; filters know the
true noise level and were tuned on other faces. Each filter stands alone here; elsewhere in this app, where there are
impulses, a switching median goes before those for Gaussian noise. *There*: by the convention of the notebook that this
project comes from; compare its own numbers, the last rows, with those columns only.
"""

ORIGIN_NOTE = f"""
That notebook normalised its images twice and pooled the error of 64 images, which lowers every figure. Its PatchGAN was
scored on yet another scale, which costs it {PATCHGAN_OFFSET} dB more, and for task 3 its PatchGAN was never trained.
"""

REALISM_NOTE = """
The face with the highest PSNR is the average of all that could be behind the noisy one, so it is too smooth. A PatchGAN
gives some PSNR for texture. *Spectrum*: how far the power spectrum is from that of clean faces, in dB. *Told from
clean*: how often a fresh classifier tells a restored face from a clean one; 50% is a guess.
"""

NOISE_GRID_NOTE = """
PSNR of *Universal* in dB on {images} test faces, and below it, by how much that is above the best of the noisy input
and all filters{peers}. Down: Gaussian noise, by its sigma. Across: the fraction of the pixels that are impulses. The
filters know both levels and were tuned for them on other faces; *Universal* is told nothing. The greener, the more it
gains. A face without noise is right as it is, so nothing can be above it there.
"""

EMOTION_NOTE = """
How often a small network names the emotion that people saw in {images:,} test faces; the network was trained on clean
faces. *Gain* is what *Universal* adds to the noisy face, in points, and below it the interval that holds 95% of what is
found on faces drawn anew. The *control* is the same network trained on noisy faces too, which sees the noisy face and
needs no restorer. The first row has no noise: there, a restorer can only do harm.
"""

SHOWN_LINES = (NOISY, "median", "nl-means", "bm3d", UNIVERSAL)
"""The methods of the first chart, where they were measured."""
REAL_KINDS = {
    "camera: gain 8": "Camera at high ISO",
    "Poisson: 100 photons": "Little light",
    "correlated: sigma 0.06, width 0.7": "Noise of neighbours",
    "stripes, rows: sigma 0.06": "Stripes",
    "impulses near black and white: 10%": "Specks",
    "dead lines: 3": "Dead lines",
    "JPEG: quality 20": "Strong JPEG",
    "Gaussian, then JPEG: sigma 0.06, quality 60": "Noise, then JPEG",
    "gray levels: 8": "Eight gray levels",
}
"""The cells of `world.json` that the second chart shows, in words for everybody."""


def has_results() -> bool:
    """Whether the benchmark's file is there; an installed package comes without it."""
    return (RESULTS / "benchmark.json").is_file()


def build_results_tab() -> None:
    """Fill the current tab: three sentences, two charts, and the tables behind them, folded."""
    benchmark, noise_grid, world, sensors, emotion, realism = map(
        _read, ("benchmark.json", "surface.json", "world.json", "real.json", "emotion.json", "realism.json")
    )
    assert benchmark is not None
    noise_grid = noise_grid if noise_grid and is_whole(noise_grid) else None
    gr.Markdown(findings(benchmark, noise_grid, world, sensors))
    charts = [levels_chart(noise_grid)] if noise_grid else []
    charts += [real_chart(world)] if world else []
    gr.HTML(f"<div class='charts'>{''.join(charts)}</div>", padding=False)
    for task, rows in benchmark["tasks"].items():
        with gr.Accordion(TASK_RECORDS[task].title, open=False):
            gr.Markdown(TASKS_NOTE)
            gr.HTML(benchmark_table(task, rows) + records_link(f"{task}.csv", rows), padding=False)
            gr.Markdown(ORIGIN_NOTE)
    if noise_grid:
        build_noise_grid(noise_grid)
    if world:
        with gr.Accordion("Kinds of noise that pictures carry", open=False):
            gr.Markdown("PSNR in dB of every method at every kind and level that was measured, as a file.")
            names = list(world["methods"])
            cells = {name: world["methods"][name]["cells"] for name in names}
            rows = [[cell, *(cells[name].get(cell, {}).get("psnr", "") for name in names)] for cell in cells[NOISY]]
            gr.HTML(csv_link("world.csv", ["noise", *names], rows), padding=False)
    if emotion and emotion["levels"]:
        with gr.Accordion("Recognising emotions", open=False):
            gr.Markdown(EMOTION_NOTE.format(images=emotion["data"]["images"]))
            gr.Markdown(emotion_finding(emotion["levels"]))
            gr.HTML(emotion_levels(emotion["levels"]) + records_link("emotion.csv", emotion["levels"]), padding=False)
    if realism:
        build_realism(realism)


def build_noise_grid(noise_grid: dict[str, Any]) -> None:
    """The grid of all noise levels, folded."""
    methods = noise_grid["methods"]
    peers = ", ".join(f"{name} ({credit(record)})" for name, record in methods.items() if is_published(record))
    rivals = f" and, for Gaussian noise alone, {peers}" if peers else ""
    rows = [
        [sigma, amount, *(method["cells"].get(level_name(sigma, amount), "") for method in methods.values())]
        for sigma in noise_grid["sigmas"]
        for amount in noise_grid["amounts"]
    ]
    with gr.Accordion("Every noise level", open=False):
        gr.Markdown(NOISE_GRID_NOTE.format(images=noise_grid["data"]["images"], peers=rivals))
        link = csv_link("noise-levels.csv", ["sigma", "amount", *methods], rows)
        gr.HTML(noise_grid_table(noise_grid) + link, padding=False)


def build_realism(realism: dict[str, Any]) -> None:
    """Truth against texture, folded."""
    with gr.Accordion("Truth against texture", open=False):
        gr.Markdown(REALISM_NOTE)
        for task, rows in realism["tasks"].items():
            gr.Markdown(f"### {TASK_RECORDS[task].title}")
            gr.HTML(realism_table(rows) + records_link(f"realism-{task}.csv", rows), padding=False)
        gr.Image(
            str(RESULTS / "realism.png"),
            label="Truth against texture, over the dials that trade one for the other",
            format="png",
            interactive=False,
            buttons=["download", "fullscreen"],
            alt_text="For each task, PSNR against two measures of realism, for PatchGANs, blends and sharpening",
        )


def findings(
    benchmark: dict[str, Any],
    noise_grid: dict[str, Any] | None = None,
    world: dict[str, Any] | None = None,
    sensors: dict[str, Any] | None = None,
) -> str:
    """Three sentences: what is gained, against the classical filters, and with noise as pictures carry it.

    Args:
        benchmark, noise_grid, world, sensors: the results of the tasks, `--surface`, `--world` and `--real`.
    """
    gains = []
    for task, rows in benchmark["tasks"].items():
        of = {row["model"]: row["psnr"] for row in rows}
        title = TASK_RECORDS[task].tab
        gains.append(f"{title[0].lower()}{title[1:]} from {of[NOISY]:.1f} to **{of[UNIVERSAL]:.1f} dB**")
    sentences = [f"On {benchmark['data']['images']:,} test faces, *Universal* brings {', '.join(gains)}."]
    if noise_grid:
        filters = np.max(
            [psnr_over_levels(noise_grid, name) for name in FILTERS if name in noise_grid["methods"]], axis=0
        )
        # Without noise there is nothing to gain.
        margins = (psnr_over_levels(noise_grid, UNIVERSAL) - filters).ravel()[1:]
        sentences.append(
            f"Told nothing of the noise, it is above the best of the classical filters, which are told it, at "
            f"{(margins > 0).sum()} of {margins.size} levels of Gaussian noise and impulses, by {margins.mean():.1f} "
            "dB on average."
        )
    if world:
        cells = {name: method["cells"] for name, method in world["methods"].items()}
        noisy = [cell for cell in cells[UNIVERSAL] if cells[NOISY][cell]["psnr"] < PSNR_CAP]
        rivals = [name for name in cells if name not in (UNIVERSAL, UNIVERSAL_LARGE)]
        ahead = sum(
            cells[UNIVERSAL][cell]["psnr"] > max(cells[name][cell]["psnr"] for name in rivals if cell in cells[name])
            for cell in noisy
        )
        sentences.append(
            f"Of {len(noisy)} kinds and levels of noise that pictures carry, it is ahead of all others that were "
            f"measured, its larger version aside, on {ahead}{of_sensors(sensors) if sensors else ''}."
        )
    return "\n\n".join(sentences)


def of_sensors(sensors: dict[str, Any]) -> str:
    """The end of a sentence that says what is gained on noise of real sensors."""
    means = {name: fmean(method["cells"].values()) for name, method in sensors["methods"].items()}
    best = max(value for name, value in means.items() if name not in (NOISY, UNIVERSAL, UNIVERSAL_LARGE))
    return (
        f"; on {sensors['data']['pictures']} photographs with the noise of their sensors it brings "
        f"{means[NOISY]:.1f} to **{means[UNIVERSAL]:.1f} dB**, the best of the others to {best:.1f}"
    )


def levels_chart(noise_grid: dict[str, Any]) -> str:
    """PSNR of a few methods over the levels of Gaussian noise alone."""
    sigmas = [sigma for sigma in noise_grid["sigmas"] if sigma]
    cells = {name: method["cells"] for name, method in noise_grid["methods"].items()}
    lines = {
        method_title(name): [cells[name][level_name(sigma, 0)] for sigma in sigmas]
        for name in SHOWN_LINES
        if name in cells
    }
    labels = [f"{sigma * 255:.0f}" for sigma in sigmas]
    title = f"Gaussian noise: methods over noise levels, {noise_grid['data']['images']} test faces"
    return line_chart(title, labels, lines, "sigma, of 255 gray levels", "PSNR, dB")


def real_chart(world: dict[str, Any]) -> str:
    """The noisy input, the best rival and `universal` on noise as pictures carry it."""
    cells = {name: method["cells"] for name, method in world["methods"].items()}
    rivals = [name for name in cells if name not in (UNIVERSAL, UNIVERSAL_LARGE, NOISY)]
    rows = []
    for cell, words in REAL_KINDS.items():
        if cell in cells[UNIVERSAL]:
            best = max(cells[name][cell]["psnr"] for name in rivals if cell in cells[name])
            rows.append((words, [cells[NOISY][cell]["psnr"], best, cells[UNIVERSAL][cell]["psnr"]]))
    title = f"Noise that pictures carry, {world['data']['images']} test faces"
    return dot_chart(title, rows, [method_title(NOISY), "Best of all others", method_title(UNIVERSAL)], "PSNR, dB")


def is_whole(noise_grid: dict[str, Any]) -> bool:
    """Whether every method was measured at every noise level: before that, the best rival is not known.

    Published networks know no impulses.
    """
    sigmas, amounts = noise_grid["sigmas"], noise_grid["amounts"]
    everywhere, alone = ({level_name(sigma, each) for sigma in sigmas for each in some} for some in (amounts, [0]))
    return all(
        method["cells"].keys() >= (alone if is_published(method) else everywhere)
        for method in noise_grid["methods"].values()
    )


def emotion_finding(levels: list[dict[str, Any]]) -> str:
    """Whether restoring is worth it, and whether it does harm, in words."""
    clean, *noisy = levels
    low, high = map(points, clean["gain_interval"])
    better, over = (
        sum(row[f"{name}_interval"][0] > 0 for row in noisy if f"{name}_interval" in row)
        for name in ("gain", "over_control")
    )
    return (
        f"**Finding:** restored by *Universal*, faces are recognised better than noisy at {better} of "
        f"{len(noisy)} noise levels, and better than by the control at {over}; the whole interval lies above zero "
        f"there. Restoring clean faces changes accuracy by {points(clean['gain'])} points "
        f"({low} to {high})."
    )


def _read(name: str) -> dict[str, Any] | None:
    file = RESULTS / name
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None
