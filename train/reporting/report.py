"""What the benchmark shows: the tables of the README and of the pages behind it, and the grids of samples."""

import math
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from fer_denoise.evaluate import NOISY, credit, is_published
from fer_denoise.metrics import psnr
from fer_denoise.noise import TASK_RECORDS
from fer_denoise.origin import ORIGIN_REPORTED
from fer_denoise.zoo import MODELS, specialists
from train.reporting import markdown

matplotlib.use("Agg")


PAGES = (Path("README.md"), Path("results") / "README.md", Path("docs") / "training.md")
"""Pages that hold tables, from the folder of the repository."""


def update_pages(name: str, text: str) -> None:
    """Put `text` between the marks `<!-- name:start -->` and `<!-- name:end -->`, on the page that has them."""
    for page in PAGES:
        if page.exists():
            fill(page, name, text)


def fill(file: Path, name: str, text: str) -> None:
    """Put `text` between the marks of `name`, where the file has both; else it stays as it is."""
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    before, begun, rest = file.read_text(encoding="utf-8").partition(start)
    _, ended, after = rest.partition(end)
    if begun and ended:
        file.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")


def markdown_tables(results: dict[str, Any]) -> str:
    """A table per task: ours, the filters and the input, from best to worst, then what the origin reports.

    A sentence tells how far the figures on images that do not also stand in train are from these.
    """
    tasks = {
        task: [row for row in rows if row["model"] not in MODELS or MODELS[row["model"]].serves(task)]
        for task, rows in results["tasks"].items()
    }
    tables = [f"**{TASK_RECORDS[task].title}**\n\n{_table(task, rows)}" for task, rows in tasks.items()]
    every = [row for rows in tasks.values() for row in rows]
    return "\n\n".join([*tables, unseen_sentence(every, results["data"]["unseen"])])


def unseen_sentence(rows: Sequence[dict[str, Any]], images: int) -> str:
    """How far the figures of some rows are from those on the `images` that do not also stand in train."""
    of_psnr, of_ssim = (max(abs(row[name] - row[f"{name}_unseen"]) for row in rows) for name in ("psnr", "ssim"))
    return (
        f"On the {images:,} of these images that do not also stand in train, no PSNR differs from this by more than "
        f"{_rounded_up(of_psnr, 2)} dB, and no SSIM by more than {_rounded_up(of_ssim, 3)}."
    )


def _rounded_up(value: float, digits: int) -> float:
    return math.ceil(value * 10**digits) / 10**digits


def _table(task: str, shown: list[dict[str, Any]]) -> str:
    lines: list[list[str | None]] = []
    best = max(row["psnr"] for row in shown)
    for row in sorted(shown, key=lambda row: -row["psnr"]):
        mark = "**" if row["psnr"] == best else ""
        first = [f"{mark}{text}{mark}" for text in (heading(row["model"], row), f"{row['psnr']:.2f}")]
        lines.append([*first, f"{row['ssim']:.3f}", f"{row['origin_psnr']:.2f}", f"{row['origin_ssim']:.3f}"])
    for model, (reported_psnr, reported_ssim) in ORIGIN_REPORTED.get(task, {}).items():
        note = "" if model == "Attention U-Net" else ", data_range 1"
        reported = f"{reported_psnr:.4f}", f"{reported_ssim:.4f}"
        lines.append([f"*origin, reported: {model}{note}*", None, None, *reported])
    return markdown.table(("method", "PSNR", "SSIM", "origin's convention: PSNR", "SSIM"), lines)


def heading(name: str, record: dict[str, Any]) -> str:
    """What a method is called in a table; of a published network also by whom it is, and what it is told."""
    if name in MODELS:
        return f"`{name}`" + (f", told {record['told']}" if "told" in record else "")
    return f"[{name}]({record['paper']}), {credit(record)}" if is_published(record) else name


def by_method(heads: Sequence[str], rows: dict[tuple[str, ...], str], methods: dict[str, dict[str, Any]]) -> str:
    """A table of PSNR with a column per method, the best in bold.

    Args:
        heads: of the columns that say what a row is.
        rows: the cell that a row shows, by its texts in those columns.
        methods: as `train.reporting.results.Scores` keeps them.
    """
    columns = [*heads, *(heading(name, record) for name, record in methods.items())]
    lines = [
        [*texts, *bold_best([record["cells"].get(cell) for record in methods.values()])] for texts, cell in rows.items()
    ]
    return markdown.table(columns, lines, left=range(len(heads)))


def bold_best(values: Sequence[float | None], notes: Sequence[str] = ()) -> list[str]:
    """The cells of a row of a table, the highest in bold, each with its note behind it; None is left empty."""
    best = max((value for value in values if value is not None), default=None)
    shown = ("" if value is None else f"**{value:.2f}**" if value == best else f"{value:.2f}" for value in values)
    return [value + note for value, note in zip_longest(shown, notes, fillvalue="")]


def plot_samples(clean: np.ndarray, noisy: np.ndarray, restored: dict[str, np.ndarray], path: Path) -> None:
    """A grid of enlarged faces, a row per method, each but the clean one with its PSNR; faces are (N, 48, 48)."""
    from matplotlib import pyplot as plt

    rows = {"clean": clean, NOISY: noisy, **restored}
    figure, grid = plt.subplots(
        len(rows), len(clean), figsize=(1.6 * len(clean), 1.85 * len(rows)), layout="constrained", squeeze=False
    )
    for line, (name, faces) in zip(grid, rows.items(), strict=True):
        values = None if name == "clean" else psnr(faces, clean)
        for column, axes in enumerate(line):
            axes.imshow(
                faces[column], cmap="gray", vmin=0, vmax=255 if faces.dtype == np.uint8 else 1, interpolation="nearest"
            )
            axes.set(xticks=[], yticks=[])
            if values is not None:
                axes.set_title(f"{values[column]:.1f} dB", fontsize=8)
        line[0].set_ylabel(name, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def realism_tables(results: dict[str, Any]) -> str:
    """A table per task of distortion beside realism: the input, the U-Net, its tuned sharpening, blends, the GAN."""
    return "\n\n".join(
        f"**{TASK_RECORDS[task].title}**\n\n{_realism_table(rows)}" for task, rows in results["tasks"].items()
    )


def _realism_table(rows: list[dict[str, Any]]) -> str:
    columns = ("method", "PSNR", "SSIM", "spectrum, dB off", "gradients, off by", "sharpness", "told from clean")
    lines = [
        [
            _realism_name(row),
            f"{row['psnr']:.2f}",
            f"{row['ssim']:.3f}",
            f"{row['spectral_distance']:.2f}",
            f"{row['gradient_distance']:.2f}",
            f"{row['sharpness']:.3f}",
            f"{row['detection_accuracy']:.1%}",
        ]
        for row in rows
        if row["shown"]
    ]
    return markdown.table(columns, lines)


def _realism_name(row: dict[str, Any]) -> str:
    match row:
        case {"method": "sharpened", "strength": strength}:
            return f"U-Net, sharpened (strength {strength:g})"
        case {"method": "blend", "alpha": alpha}:
            return f"blend, {alpha:.0%} PatchGAN"
        case {"method": "noisy"}:
            return NOISY
    return f"`{row['method']}`"


LIMITS = {"spectral_distance": (0, 1.3), "detection_accuracy": (0.45, 1)}
"""Limits of the axes of realism, the same for every task."""


def plot_realism(results: dict[str, Any], path: Path) -> None:
    """Distortion against realism, a column per task: PSNR against the distance of spectra and the detection accuracy.

    Lines are what one dial can reach: the adversarial weight, the blend of U-Net and PatchGAN, sharpening.
    """
    from matplotlib import pyplot as plt

    measures = {"spectral_distance": "spectrum, dB off clean", "detection_accuracy": "told from clean (0.5: cannot)"}
    tasks = results["tasks"]
    figure, grid = plt.subplots(
        len(measures), len(tasks), figsize=(5 * len(tasks), 7), layout="constrained", squeeze=False
    )
    for column, (task, rows) in enumerate(tasks.items()):
        fidelity, realism = specialists(task)
        plain = [row for row in rows if row["method"] == fidelity]
        gan = [row for row in rows if row["method"] == realism]
        lines = {
            "adversarial weight": sorted(
                [*gan, *(row for row in rows if row["method"] == "sweep")], key=lambda row: row["weight"]
            ),
            "blend of U-Net and PatchGAN": [*plain, *(row for row in rows if row["method"] == "blend"), *gan],
            "U-Net, sharpened": [*plain, *(row for row in rows if row["method"] == "sharpened")],
        }
        for axes, (measure, label) in zip(grid[:, column], measures.items(), strict=True):
            for name, line in lines.items():
                points = [row for row in line if measure in row]
                axes.plot(
                    [row["psnr"] for row in points], [row[measure] for row in points], marker="o", ms=4, label=name
                )
            for row in lines["adversarial weight"]:
                axes.annotate(
                    f"{row['weight']:g}",
                    (row["psnr"], row[measure]),
                    fontsize=7,
                    xytext=(4, 4),
                    textcoords="offset points",
                )
            for points, marker, name in ((plain, "s", "U-Net"), (gan, "*", "PatchGAN")):
                axes.plot(points[0]["psnr"], points[0][measure], marker, color="black", ms=9, label=name, zorder=5)
            # Where sharpening goes from there is of no interest.
            axes.set_xlim(plain[0]["psnr"] - 1.1, plain[0]["psnr"] + 0.15)
            axes.set_ylim(LIMITS[measure])
            axes.set(xlabel="PSNR, dB: truer to the right", ylabel=label, title=TASK_RECORDS[task].title)
            axes.grid(alpha=0.3)
    grid[0, 0].legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
