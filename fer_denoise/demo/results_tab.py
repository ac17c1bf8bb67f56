"""The tab of results: what the benchmark measured on FER2013's test faces, read from its committed files."""

import json
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from fer_denoise.classical import FILTERS
from fer_denoise.demo.numbers import fixed
from fer_denoise.evaluate import NOISY, SELF_ENSEMBLE, TOLD_SIGMA, credit
from fer_denoise.noise import TASK_RECORDS
from fer_denoise.origin import ORIGIN_RECIPE, ORIGIN_REPORTED, PATCHGAN_OFFSET
from fer_denoise.zoo import MODELS, UNIVERSAL

RESULTS = Path(__file__).parents[2] / "results"

INTRODUCTION = """
{images:,} test faces of FER2013, the same noise for every method; PSNR in dB and SSIM, higher is better. Networks work
blind; filters know the true noise level and were tuned on other faces. Each filter stands alone here; elsewhere in this
app, where there are impulses, a switching median goes before those for Gaussian noise. The columns on the right repeat
the convention of the notebook that this project comes from; compare its own numbers, the last rows, with those columns
only. Bars begin 2 dB below the lowest PSNR.
"""

ORIGIN_NOTE = f"""
That notebook normalised its images twice and pooled the error of 64 images, which lowers every figure. Its PatchGAN was
scored on yet another scale, which costs it {PATCHGAN_OFFSET} dB more, and for task 3 its PatchGAN was never trained.
"""

REALISM = """
The face with the highest PSNR is the average of all that could be behind the noisy one, so it is too smooth. A PatchGAN
gives some PSNR for texture. *Spectrum*: how far the power spectrum is from that of clean faces, in dB. *Told from
clean*: how often a fresh classifier tells a restored face from a clean one; 50% is a guess.
"""


SURFACE = """
PSNR of *Universal* in dB on {images} test faces, and below it, by how much that is above the best of the noisy input
and all filters{peers}. Down: Gaussian noise, by its sigma. Across: the share of the pixels that are impulses. The
filters know both levels and were tuned for them on other faces; *Universal* is told nothing. The greener, the more it
gains. A face without noise is right as it is, so nothing can be above it there.
"""

EMOTION = """
How often a small network names the emotion that people saw in {images:,} test faces; the network was trained on clean
faces. *Gain* is what *Universal* adds to the noisy face, in points, and below it the interval that holds 95% of what is
found on faces drawn anew. The *control* is the same network trained on noisy faces too, which sees the noisy face and
needs no restorer. The first row has no noise: there, a restorer can only do harm.
"""


def has_results() -> bool:
    """Whether the benchmark's file is there; an installed package comes without it."""
    return (RESULTS / "benchmark.json").is_file()


def build_results_tab() -> None:
    """Fill the current tab."""
    benchmark = _read("benchmark.json")
    gr.Markdown(INTRODUCTION.format(images=benchmark["data"]["images"]))
    for task, rows in benchmark["tasks"].items():
        gr.Markdown(f"### {TASK_RECORDS[task].title}")
        gr.HTML(benchmark_table(task, rows), padding=False)
    gr.Markdown(ORIGIN_NOTE)
    if (RESULTS / "surface.json").is_file() and is_whole(surface := _read("surface.json")):
        peers = ", ".join(f"{name} ({credit(peer)})" for name, peer in surface.get("peers", {}).items())
        rivals = f" and, for Gaussian noise alone, {peers}" if peers else ""
        gr.Markdown(f"## Every noise level\n{SURFACE.format(images=surface['data']['images'], peers=rivals)}")
        gr.HTML(surface_table(surface), padding=False)
    if (RESULTS / "emotion.json").is_file() and (emotion := _read("emotion.json"))["levels"]:
        gr.Markdown(f"## Recognising emotions\n{EMOTION.format(images=emotion['data']['images'])}")
        gr.Markdown(emotion_finding(emotion["levels"]))
        gr.HTML(emotion_levels(emotion["levels"]), padding=False)
    if (RESULTS / "realism.json").is_file():
        gr.Markdown(f"## Truth against texture\n{REALISM}")
        for task, rows in _read("realism.json")["tasks"].items():
            gr.Markdown(f"### {TASK_RECORDS[task].title}")
            gr.HTML(realism_table(rows), padding=False)
        gr.Image(
            str(RESULTS / "realism.png"),
            label="Truth against texture, over the dials that trade one for the other",
            format="png",
            interactive=False,
            buttons=["download", "fullscreen"],
            alt_text="For each task, PSNR against two measures of realism, for PatchGANs, blends and sharpening",
        )


def benchmark_table(task: str, rows: list[dict[str, Any]]) -> str:
    """A task's rows, best first, with a bar for PSNR, and what the origin reports."""
    shown = [row for row in rows if row["model"] not in MODELS or MODELS[row["model"]].serves(task)]
    shown.sort(key=lambda row: -row["psnr"])
    low = min(row["psnr"] for row in shown) - 2
    span = shown[0]["psnr"] - low
    body = "".join(
        f"<tr><th scope='row'>{escape(_title(row['model'], row))}</th>"
        f"<td class='bar'><span style='width: {100 * (row['psnr'] - low) / span:.1f}%'></span></td>"
        f"<td{' class=best' if row is shown[0] else ''}>{row['psnr']:.2f}</td><td>{row['ssim']:.3f}</td>"
        f"<td>{row['origin_psnr']:.2f}</td><td>{row['origin_ssim']:.3f}</td></tr>"
        for row in shown
    )
    body += "".join(
        f"<tr class='origin'><th scope='row'>Reported there: {name}</th><td class='bar'></td><td></td><td></td>"
        f"<td>{psnr:.2f}</td><td>{ssim:.3f}</td></tr>"
        for name, (psnr, ssim) in ORIGIN_REPORTED.get(task, {}).items()
    )
    return _table(["Method", "", "PSNR", "SSIM", "PSNR, there", "SSIM, there"], body)


def is_whole(surface: dict[str, Any]) -> bool:
    """Whether every method was measured at every noise level: before that, the best rival is not known."""
    rows = [row for model in surface["models"].values() for row in model["psnr"]]
    return all(None not in row for row in [*rows, *(peer["psnr"] for peer in surface.get("peers", {}).values())])


def surface_table(results: dict[str, Any]) -> str:
    """PSNR of `universal` over both noise levels, each cell coloured by its margin over the best rival."""
    models = {name: model["psnr"] for name, model in results["models"].items()}
    rivals = [models[name] for name in (NOISY, *FILTERS) if name in models]
    peers = [model["psnr"] for model in results.get("peers", {}).values()]
    heads = "".join(f"<th scope='col'>{amount:.0%}</th>" for amount in results["amounts"])
    rows = ""
    for row, sigma in enumerate(results["sigmas"]):
        rows += f"<tr><th scope='row'>{sigma:g}</th>"
        for column in range(len(results["amounts"])):
            value = models[UNIVERSAL][row][column]
            of_peers = [peer[row] for peer in peers] if results["amounts"][column] == 0 else []
            margin = value - max([*(rival[row][column] for rival in rivals), *of_peers])
            cell = f"{value:.1f}<small>{fixed(margin, 1, signed=True)}</small>"
            rows += f"<td style='background: {_shade(margin)}'>{cell}</td>"
        rows += "</tr>"
    return (
        "<div class='scrolling'><table class='metrics surface'><thead><tr><th scope='col'>Sigma</th>"
        f"{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _shade(margin: float) -> str:
    """From red through light gray to green, for -3 to 3 dB."""
    fraction = min(abs(margin) / 3, 1)
    end = (95, 200, 140) if margin >= 0 else (240, 120, 110)
    return "rgb({:.0f}, {:.0f}, {:.0f})".format(*(238 + fraction * (channel - 238) for channel in end))


def emotion_finding(levels: list[dict[str, Any]]) -> str:
    """Whether restoring is worth it, and whether it does harm, in words."""
    clean, *noisy = levels
    low, high = map(_points, clean["gain_interval"])
    better, over = (
        sum(row[f"{name}_interval"][0] > 0 for row in noisy if f"{name}_interval" in row)
        for name in ("gain", "over_control")
    )
    return (
        f"**Finding:** restored by *Universal*, faces are recognised better than noisy at {better} of "
        f"{len(noisy)} noise levels, and better than by the control at {over}; the whole interval lies above zero "
        f"there. Restoring clean faces changes accuracy by {_points(clean['gain'])} points "
        f"({low} to {high})."
    )


def emotion_levels(levels: list[dict[str, Any]]) -> str:
    """How often emotions are recognised at each noise level, before and after."""
    heads = {
        "noisy": "Noisy",
        "universal": "Universal",
        "gain": "Gain",
        "unet": "U-Net",
        "patchgan": "PatchGAN",
        "filter": "Best filter",
        "control": "Control",
    }
    columns = [name for name in heads if any(name in row for row in levels)]
    body = ""
    for row in levels:
        cells = ""
        for name in columns:
            if name == "gain" and name in row:
                low, high = map(_points, row["gain_interval"])
                cells += f"<td>{_points(row[name])}<small>{low} to {high}</small></td>"
            elif name == "filter" and name in row:
                cells += f"<td>{row[name]:.1%}<small>{escape(MODELS[row['best_filter']].title)}</small></td>"
            else:
                cells += f"<td>{row[name]:.1%}</td>" if name in row else "<td></td>"
        body += f"<tr><th scope='row'>{_noise(row['sigma'], row['amount'])}</th>{cells}</tr>"
    return _table(["Noise", *(heads[name] for name in columns)], body)


def _points(fraction: float) -> str:
    return fixed(100 * fraction, 1, signed=True)


def _noise(sigma: float, amount: float) -> str:
    parts = [f"sigma {sigma:g}"] * bool(sigma) + [f"impulses {amount:.0%}"] * bool(amount)
    return ", ".join(parts) or "none"


def realism_table(rows: list[dict[str, Any]]) -> str:
    """Truth and texture of the methods of a task."""
    body = "".join(
        f"<tr><th scope='row'>{escape(realism_title(row))}</th><td>{row['psnr']:.2f}</td>"
        f"<td>{row['spectral_distance']:.2f}</td><td>{row['detection_accuracy']:.0%}</td></tr>"
        for row in rows
        if row["shown"]
    )
    return _table(["Method", "PSNR", "Spectrum", "Told from clean"], body)


def realism_title(row: dict[str, Any]) -> str:
    """What a row of `realism.json` is called."""
    match row["method"]:
        case "sharpened":
            return f"U-Net, sharpened ({row['strength']:g})"
        case "blend":
            return f"Blend, {row['share']:.0%} PatchGAN"
    return _title(row["method"])


def _title(model: str, record: dict[str, Any] | None = None) -> str:
    """What a method is called; its row says by whom a network is that others published."""
    if record and "paper" in record:
        return f"{model} ({credit(record)})"
    titles = {
        NOISY: "Noisy input",
        ORIGIN_RECIPE: "Attention U-Net, by that notebook's recipe",
        SELF_ENSEMBLE: "Universal, with its mirror image",
        TOLD_SIGMA: "Universal, told sigma",
    }
    return titles.get(model) or MODELS[model].title


def _table(heads: list[str], body: str) -> str:
    columns = "".join(f"<th scope='col'>{head}</th>" if head else "<td class='bar'></td>" for head in heads)
    return (
        "<div class='scrolling'><table class='metrics results-table'>"
        f"<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _read(name: str) -> dict[str, Any]:
    return json.loads((RESULTS / name).read_text(encoding="utf-8"))
