"""How fast every method is on a processor: milliseconds for one face, alone and in a batch of 64; no GPU takes part.

`python -m train.benchmark --speed` runs it. The methods take turns, several rounds of them, and each is given by its
median round, so that a machine that slows down slows all of them. Networks use every core; so do filters in a batch,
as one process per core. A network that computes in bfloat16 here is measured in float32 too, as the published ones are.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from fer_denoise import Restorer, list_models
from fer_denoise.evaluate import restore
from fer_denoise.method import KnownNoise, Method
from fer_denoise.noise import TASKS
from fer_denoise.zoo import UNIVERSAL
from train.measures.shared.request import NOTHING_TO_MEASURE, Request
from train.reporting import markdown
from train.reporting.report import heading
from train.reporting.results import save
from train.shared import hardware

ROOT = Path(__file__).parents[2]
FILE = "speed.json"
HELP = "milliseconds per face"
WITH_PEERS = True
PLACE: str | None = None
methods = list_models

BATCH = 64
ROUNDS = 5
LEAST_SECONDS = 0.3
"""A fast method is called this long in each round."""
STARTS = 3
"""How often a fresh process is started, for the median."""
NOISE = TASKS["high"]
KNOWN = KnownNoise(KnownNoise.of(NOISE).sigma)

START = """
import time
started = time.perf_counter()
from fer_denoise import Restorer
imported = time.perf_counter()
restorer = Restorer.from_pretrained({name!r}, device="cpu")
loaded = time.perf_counter()
import numpy as np
restorer(np.zeros((48, 48), np.uint8))
print(imported - started, loaded - imported, time.perf_counter() - loaded)
"""


def measure(request: Request) -> dict[str, Any]:
    """Milliseconds per face of every method on the processor, and how long the command takes to start."""
    request = replace(request, device="cpu")
    request.lose_nothing(request.out / FILE)
    methods: dict[str, Method] = {**request.restorers, **in_float32(request.restorers), **request.peers}
    if not methods:
        raise SystemExit(NOTHING_TO_MEASURE)
    with ProcessPoolExecutor(request.processes) as pool:
        rows = measure_rows(request.faces().images, methods, request.seed, pool, request.processes)
    results: dict[str, Any] = {"machine": machine(), "models": rows}
    if UNIVERSAL in request.restorers:
        results["start"] = measure_start(UNIVERSAL)
    save(request.out / FILE, results)
    return results


def tables(results: dict[str, Any]) -> dict[str, str]:
    return {"speed": markdown_table(results)}


def in_float32(restorers: Mapping[str, Restorer]) -> dict[str, Restorer]:
    """The networks that compute in bfloat16 by themselves, told not to."""
    return {
        f"{name}, in float32": Restorer(restorer.model, name, device="cpu", precision="fp32")
        for name, restorer in restorers.items()
        if getattr(restorer.method, "bf16", False)
    }


def measure_rows(
    clean: np.ndarray, methods: dict[str, Method], seed: int, pool: Executor, workers: int
) -> list[dict[str, Any]]:
    """A row per method: milliseconds per face, singly and in batches; `clean` are at least 64 faces, uint8."""
    noisy = NOISE(clean[:BATCH], seed=seed)
    # A face per process at a time would spend more on passing faces than a fast filter does on restoring them.
    parts = np.array_split(noisy, workers)

    def singly(method: Method) -> Callable[[], Any]:
        return lambda: restore(method, noisy[0], KNOWN)

    def in_batch(method: Method) -> Callable[[], Any]:
        if method.cpu_only:
            return lambda: list(pool.map(partial(restore, method, noise=KNOWN), parts))
        return lambda: restore(method, noisy, KNOWN)

    rows: list[dict[str, Any]] = [{"model": name, **method.record} for name, method in methods.items()]
    for key, make, faces in (("single_ms", singly, 1), ("batch_ms", in_batch, BATCH)):
        calls = [make(method) for method in methods.values()]
        for call in calls:
            call()
        times = [[seconds_per_call(call) for call in calls] for _ in range(ROUNDS)]
        for row, of_one in zip(rows, zip(*times, strict=True), strict=True):
            row[key] = float(f"{median(of_one) / faces * 1000:.3g}")
    return rows


def seconds_per_call(call: Callable[[], Any]) -> float:
    calls, started = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() - started < LEAST_SECONDS:
        call()
        calls += 1
    return (time.perf_counter() - started) / calls


def measure_start(name: str) -> dict[str, float]:
    """Seconds to import the package, load a model and restore a first face, in a fresh process: the median of some."""
    runs = []
    for _ in range(STARTS):
        command = [sys.executable, "-c", START.format(name=name)]
        result = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
        runs.append([float(value) for value in result.stdout.split()])
    steps = zip(("import_s", "load_s", "first_result_s"), zip(*runs, strict=True), strict=True)
    return {step: round(median(values), 2) for step, values in steps}


def machine() -> str:
    """What a result says of the processor."""
    cores = hardware.describe(torch.device("cpu"))
    return f"{cores}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"


def markdown_table(results: dict[str, Any]) -> str:
    """Milliseconds per face, and how many times as fast as the slowest method each one is; then the time to start."""
    slowest = {key: max(row[key] for row in results["models"]) for key in ("single_ms", "batch_ms")}
    columns = ("method", "one face, ms", "times as fast as the slowest", "in a batch of 64, ms each", "times as fast")
    rows = []
    for row in sorted(results["models"], key=lambda row: row["batch_ms"]):
        cells = [(f"{row[key]:g}", f"{slowest[key] / row[key]:.0f}") for key in slowest]
        rows.append([heading(row["model"], row), *chain(*cells)])
    lines = [markdown.table(columns, rows), "", f"Measured on {results['machine']}."]
    if start := results.get("start"):
        lines += [
            f"In a fresh process, `universal` takes {start['import_s']:g} s to be imported, {start['load_s']:g} s to "
            f"be loaded and {start['first_result_s']:g} s for its first face.",
        ]
    return "\n".join(lines)
