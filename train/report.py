"""What the benchmark shows: the README's tables and the grids of samples."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

from fer_denoise.classical import FILTERS
from fer_denoise.evaluate import NOISY
from fer_denoise.metrics import psnr
from fer_denoise.zoo import MODELS

matplotlib.use("Agg")

ORIGIN_RECIPE = "attention-unet, origin's recipe"
TITLES = {
    "low": "Task 1, low Gaussian (sigma 0.02, 5.1 of 255)",
    "high": "Task 2, high Gaussian (sigma 0.06, 15.3 of 255)",
    "salt_pepper": "Task 3, salt-and-pepper (amount 0.1)",
}
ORIGIN_REPORTED = {
    "low": {"Attention U-Net": (30.1480, 0.9593), "PatchGAN": (21.9678, 0.9221)},
    "high": {"Attention U-Net": (23.9465, 0.8720), "PatchGAN": (15.6816, 0.7745)},
    "salt_pepper": {"Attention U-Net": (30.3950, 0.9774)},
}
"""PSNR and SSIM that the origin reports; those of its PatchGAN were computed with `data_range=1`."""


def update_readme(file: Path, name: str, results: dict[str, Any]) -> None:
    """Replace what stands between the marks `<!-- name:start -->` and `<!-- name:end -->`, where the file has them."""
    start, end = f"<!-- {name}:start -->", f"<!-- {name}:end -->"
    before, found, rest = file.read_text(encoding="utf-8").partition(start)
    if found:
        after = rest.partition(end)[2]
        file.write_text(f"{before}{start}\n{markdown_tables(results)}\n{end}{after}", encoding="utf-8")


def markdown_tables(results: dict[str, Any]) -> str:
    """A table per task: ours, the filters and the input, from best to worst, then what the origin reports."""
    return "\n\n".join(
        f"**{TITLES[task]}**\n\n{_table(task, rows, results['data'])}" for task, rows in results["tasks"].items()
    )


def _table(task: str, rows: list[dict[str, Any]], data: dict[str, Any]) -> str:
    lines = [
        f"| method | PSNR | SSIM | PSNR, {data['unseen']:,} unseen | SSIM, {data['unseen']:,} unseen "
        "| origin's convention: PSNR | SSIM |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    shown = [
        row for row in rows if row["model"] in (NOISY, ORIGIN_RECIPE, *FILTERS) or MODELS[row["model"]].task == task
    ]
    best = max(row["psnr"] for row in shown)
    for row in sorted(shown, key=lambda row: -row["psnr"]):
        mark = "**" if row["psnr"] == best else ""
        name = row["model"] if row["model"] in (NOISY, ORIGIN_RECIPE) else f"`{row['model']}`"
        lines.append(
            f"| {mark}{name}{mark} | {mark}{row['psnr']:.2f}{mark} | {row['ssim']:.3f} | {row['psnr_unseen']:.2f} "
            f"| {row['ssim_unseen']:.3f} | {row['origin_psnr']:.2f} | {row['origin_ssim']:.3f} |"
        )
    for model, (reported_psnr, reported_ssim) in ORIGIN_REPORTED[task].items():
        note = "" if model == "Attention U-Net" else ", data_range 1"
        lines.append(f"| *origin, reported: {model}{note}* | | | | | {reported_psnr:.4f} | {reported_ssim:.4f} |")
    return "\n".join(lines)


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
