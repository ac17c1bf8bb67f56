"""How fast a whole dataset is cleaned by the command: FER2013's training images, restored by one method after another.

`python -m train.benchmark --throughput` runs it. What is timed is `python -m fer_denoise restore noisy.parquet ...`
from start to end, with a process per core: loading the model, decoding, restoring, estimating the noise of some images
before and after, and encoding.
"""

import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import datasets
import numpy as np
from PIL import Image

from fer_denoise import Restorer, list_models
from fer_denoise.data import Faces
from fer_denoise.images import to_dtype
from fer_denoise.method import KnownNoise
from fer_denoise.noise import TASKS
from fer_denoise.zoo import UNIVERSAL
from train.measures.shared.request import NOTHING_TO_MEASURE, Request
from train.measures.speed import machine
from train.reporting import markdown
from train.reporting.results import save

ROOT = Path(__file__).parents[2]
FILE = "throughput.json"
HELP = "how fast the command cleans the training images"
WITH_PEERS = False
PLACE: str | None = None

NOISE = TASKS["high"]
METHODS = (UNIVERSAL, "nl-means", "bm3d")
"""Methods that are measured where nobody chooses others."""
SLOW = {"bm3d": 1000}
"""How many images, the first, a slow method restores."""


def methods() -> list[str]:
    """The best of ours, and two that people know; the others would take hours."""
    return [name for name in list_models() if name in METHODS]


def measure(request: Request) -> dict[str, Any]:
    """Images per second of every method."""
    faces = request.faces("train")
    request.lose_nothing(request.out / FILE, len(faces.images))
    if not request.models:
        raise SystemExit(NOTHING_TO_MEASURE)
    rows = measure_rows(faces, request.models, request.seed, request.processes)
    results = {"machine": machine(), "models": rows}
    save(request.out / FILE, results)
    return results


def tables(results: dict[str, Any]) -> dict[str, str]:
    return {"throughput": markdown_table(results)}


def measure_rows(faces: Faces, models: list[str], seed: int, processes: int) -> list[dict[str, Any]]:
    """A row for each of `models`: how many images, seconds, and images per second."""
    noisy = to_dtype(NOISE(faces.images, seed=seed), np.dtype(np.uint8))
    rows = []
    with TemporaryDirectory() as folder:
        for name in models:
            count = min(SLOW.get(name, len(noisy)), len(noisy))
            source, target = Path(folder, f"{name}.parquet"), Path(folder, f"{name}-restored.parquet")
            write(noisy[:count], source)
            seconds = time_command(name, source, target, processes)
            rows.append(
                {
                    "model": name,
                    "images": count,
                    "seconds": round(seconds, 1),
                    "per_second": float(f"{count / seconds:.3g}"),
                }
            )
    return rows


def write(images: np.ndarray, file: Path) -> None:
    """Images (N, H, W), uint8, as a Parquet file of PNGs, as the Hub has them."""
    rows = {"image": [Image.fromarray(image) for image in images]}
    datasets.Dataset.from_dict(rows, datasets.Features({"image": datasets.Image()})).to_parquet(file)


def time_command(name: str, source: Path, target: Path, processes: int) -> float:
    """Seconds that the command takes.

    Raises:
        RuntimeError: it failed; the message is its own.
    """
    command = [sys.executable, "-m", "fer_denoise", "restore", str(source), str(target), "--model", name]
    given = [] if Restorer.from_pretrained(name, device="cpu").blind else ["--sigma", str(KnownNoise.of(NOISE).sigma)]
    started = time.perf_counter()
    result = subprocess.run(
        [*command, *given, "--processes", str(processes)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if result.returncode:
        raise RuntimeError(result.stderr)
    return seconds


def markdown_table(results: dict[str, Any]) -> str:
    """Images per second, and how many times as fast as the slowest."""
    slowest = min(row["per_second"] for row in results["models"])
    columns = ("method", "images", "seconds", "images per second", "times as fast as the slowest")
    rows = [
        (
            f"`{row['model']}`",
            f"{row['images']:,}",
            f"{row['seconds']:.0f}",
            f"{row['per_second']:.0f}",
            f"{row['per_second'] / slowest:.0f}",
        )
        for row in results["models"]
    ]
    return f"{markdown.table(columns, rows)}\n\nMeasured on {results['machine']}."
