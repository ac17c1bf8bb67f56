"""The tables of results, as HTML and as CSV."""

import csv
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from fer_denoise.demo.numbers import fixed
from fer_denoise.evaluate import (
    NOISY,
    NOISY_TITLE,
    SELF_ENSEMBLE,
    SIGMA_GIVEN,
    credit,
    is_published,
    margin_over_levels,
    psnr_over_levels,
)
from fer_denoise.origin import ORIGIN_RECIPE, ORIGIN_REPORTED
from fer_denoise.zoo import MODELS, UNIVERSAL


def benchmark_table(task: str, rows: list[dict[str, Any]]) -> str:
    """A task's rows, best first, with a bar for PSNR, and what the origin reports."""
    shown = [row for row in rows if row["model"] not in MODELS or MODELS[row["model"]].serves(task)]
    shown.sort(key=lambda row: -row["psnr"])
    low = min(row["psnr"] for row in shown) - 2
    span = shown[0]["psnr"] - low
    body = "".join(
        f"<tr><th scope='row'>{escape(method_title(row['model'], row))}</th>"
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


def noise_grid_table(results: dict[str, Any]) -> str:
    """PSNR of `universal` over both noise levels, each cell coloured by its margin over the best rival."""
    values, margins = psnr_over_levels(results, UNIVERSAL), margin_over_levels(results, UNIVERSAL)
    heads = "".join(f"<th scope='col'>{amount:.0%}</th>" for amount in results["amounts"])
    rows = ""
    for row, sigma in enumerate(results["sigmas"]):
        rows += f"<tr><th scope='row'>{sigma:g}</th>"
        for column in range(len(results["amounts"])):
            margin = float(margins[row, column])
            cell = f"{values[row, column]:.1f}<small>{fixed(margin, 1, signed=True)}</small>"
            rows += f"<td style='background: {_shade(margin)}'>{cell}</td>"
        rows += "</tr>"
    return (
        "<div class='scrolling'><table class='metrics noise-grid'><thead><tr><th scope='col'>Sigma</th>"
        f"{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _shade(margin: float) -> str:
    """The greener, the more it is above the others, up to 3 dB; what is not above them has no colour."""
    return f"rgba(20, 160, 130, {min(max(margin, 0) / 3, 1) * 0.4:.2f})"


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
                low, high = map(points, row["gain_interval"])
                cells += f"<td>{points(row[name])}<small>{low} to {high}</small></td>"
            elif name == "filter" and name in row:
                cells += f"<td>{row[name]:.1%}<small>{escape(MODELS[row['best_filter']].title)}</small></td>"
            else:
                cells += f"<td>{row[name]:.1%}</td>" if name in row else "<td></td>"
        body += f"<tr><th scope='row'>{_noise(row['sigma'], row['amount'])}</th>{cells}</tr>"
    return _table(["Noise", *(heads[name] for name in columns)], body)


def points(fraction: float) -> str:
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
            return f"Blend, {row['alpha']:.0%} PatchGAN"
    return method_title(row["method"])


def method_title(model: str, record: dict[str, Any] | None = None) -> str:
    """What a method is called; its row says by whom a network is that others published."""
    if record and is_published(record):
        return f"{model} ({credit(record)})"
    titles = {
        NOISY: NOISY_TITLE,
        ORIGIN_RECIPE: "Attention U-Net, by that notebook's recipe",
        SELF_ENSEMBLE: "Universal, with its mirror image",
        SIGMA_GIVEN: "Universal, told sigma",
    }
    return titles.get(model) or MODELS[model].title


def _table(heads: list[str], body: str) -> str:
    columns = "".join(f"<th scope='col'>{head}</th>" if head else "<td class='bar'></td>" for head in heads)
    return (
        "<div class='scrolling'><table class='metrics results-table'>"
        f"<thead><tr>{columns}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def csv_link(file: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A link that saves a table as a CSV; it holds the table, so nothing is asked for."""
    text = io.StringIO()
    csv.writer(text).writerows([columns, *rows])
    address = f"data:text/csv;charset=utf-8,{quote(text.getvalue())}"
    return f"<p class='note'><a download='{file}' href='{address}'>Download as CSV</a></p>"


def records_link(file: str, records: list[dict[str, Any]]) -> str:
    """As `csv_link`, of records whose values are numbers or words; what others hold is left out."""
    plain = [{name: value for name, value in each.items() if not isinstance(value, list | dict)} for each in records]
    columns = list(dict.fromkeys(name for each in plain for name in each))
    return csv_link(file, columns, [[each.get(name, "") for name in columns] for each in plain])
