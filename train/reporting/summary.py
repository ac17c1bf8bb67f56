"""The README's one table: mean PSNR, a row per method, a column per task and one for the noise of real sensors."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from fer_denoise.evaluate import NOISY, NOISY_TITLE, is_published
from fer_denoise.metrics import mean_psnr
from fer_denoise.noise import TASK_RECORDS
from fer_denoise.zoo import MODELS
from train.reporting import markdown
from train.reporting.report import heading

REAL = "real noise"


@dataclass
class Line:
    """A row of the table: what a method is called, and its PSNR by column."""

    label: str
    psnr: dict[str, float] = field(default_factory=dict)


def summary_table(folder: Path) -> str | None:
    """The table of what the files in `folder` hold; None where the tasks are not measured there.

    Methods that are measured on the first images alone, since they are slow, stand in it with a note.
    """
    files = ("benchmark.json", "first-400/benchmark.json", "real.json")
    whole, first, real = (_read(folder / file) for file in files)
    if not whole:
        return None
    columns = {task: record.title for task, record in TASK_RECORDS.items() if task in whole["tasks"]}
    text = f"Mean PSNR in dB on {whole['data']['images']:,} test images of FER2013. "
    lines = _by_method(whole)
    if first:
        note = f", first {first['data']['images']} test images"
        lines = {**_by_method(first, note), **lines}
    if real:
        columns[REAL] = REAL
        text += f"*{REAL.capitalize()}*: {real['data']['pictures']} photographs with the noise of their sensors."
        for name, value in _of_sensors(real, whole).items():
            lines.setdefault(name, Line(_label(name, real["methods"][name]))).psnr[REAL] = value
    else:
        text += "Noise of real sensors is not measured yet."
    best = {column: max(line.psnr.get(column, 0) for line in lines.values()) for column in columns}
    rows = [
        [line.label, *(_cell(line.psnr.get(column), best[column]) for column in columns)]
        for line in sorted(lines.values(), key=_rank, reverse=True)
    ]
    return f"{text}\n\n{markdown.table(('method', *columns.values()), rows)}"


def _cell(value: float | None, best: float) -> str:
    """Bold where it is the best, empty where there is none."""
    if value is None:
        return ""
    return f"**{value:.2f}**" if value == best else f"{value:.2f}"


def _rank(line: Line) -> tuple[bool, float, float]:
    """Higher for what stands further up: by the mean over the tasks, without them by the real noise; the input last."""
    of_tasks = mean([line.psnr[task] for task in TASK_RECORDS if task in line.psnr] or [0])
    return line.label != NOISY_TITLE, of_tasks, line.psnr.get(REAL, 0)


def _by_method(results: dict[str, Any], note: str = "") -> dict[str, Line]:
    """What each method reaches on the tasks that it serves; the networks of one kind, one for each task, are one."""
    lines: dict[str, Line] = {}
    for task, rows in results["tasks"].items():
        for row in rows:
            name = row["model"]
            if name in MODELS and not MODELS[name].serves(task):
                continue
            if name == NOISY or name in MODELS or is_published(row):
                line = lines.setdefault(_kind(name), Line(_label(name, row) + note))
                line.psnr[task] = row["psnr"]
    return lines


def _kind(name: str) -> str:
    """The name of a method, of a network for one task without that of the task."""
    task = MODELS[name].task if name in MODELS else None
    return name.removesuffix(f"-{TASK_RECORDS[task].suffix}") if task else name


def _label(name: str, record: dict[str, Any]) -> str:
    if name == NOISY:
        return NOISY_TITLE
    if name not in MODELS:
        return heading(name, record)
    title = MODELS[name].title
    return f"{title.partition(',')[0]}, one for each task" if MODELS[name].task else f"{title} (`{name}`)"


def _of_sensors(real: dict[str, Any], whole: dict[str, Any]) -> dict[str, float]:
    """Mean PSNR of each method on noise of real sensors, but not of weights that are others than those of the tasks."""
    weights = {row["model"]: row.get("weights") for rows in whole["tasks"].values() for row in rows}
    return {
        name: mean_psnr(np.array([*record["cells"].values()]))
        for name, record in real["methods"].items()
        if record["cells"] and record.get("weights") == weights.get(name, record.get("weights"))
    }


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
