import json
from pathlib import Path

import pytest

from fer_denoise.evaluate import NOISY
from train.reporting.summary import summary_table

PEER = {"paper": "https://arxiv.org/abs/1", "authors": "Some", "year": 2020, "told": "nothing"}


def row(model: str, psnr: float, **more: object) -> dict:
    return {"model": model, "psnr": psnr, **more}


@pytest.fixture
def results(tmp_path):
    """A folder of results of two tasks, the first images of one, and noise of real sensors."""
    tasks = {
        "low": [
            row(NOISY, 30.0),
            row("universal", 36.004, weights="new"),
            row("attention-unet-low", 37.0),
            row("attention-unet-high", 20.0),
            row("median", 25.0),
            row("universal, told sigma", 36.5),
            row("Peer", 36.0, **PEER),
        ],
        "high": [row(NOISY, 20.0), row("universal", 31.0, weights="new"), row("attention-unet-high", 30.0)],
    }
    first = {"low": [row(NOISY, 30.1), row("bm3d", 35.0)]}
    (tmp_path / "first-400").mkdir()
    write(tmp_path / "benchmark.json", {"data": {"images": 3589}, "tasks": tasks})
    write(tmp_path / "first-400" / "benchmark.json", {"data": {"images": 400}, "tasks": first})
    return tmp_path


def write(file: Path, content: dict) -> None:
    file.write_text(json.dumps(content))


def test_the_summary_has_a_row_per_method_and_a_column_per_task(results):
    text = summary_table(results)
    assert text is not None and "3,589 test images" in text and "not measured yet" in text
    lines = text.splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "method",
        "---",
        "[Peer](https://arxiv.org/abs/1), Some 2020, blind",
        "BM3D (`bm3d`), first 400 test images",
        "Universal (`universal`)",
        "Attention U-Net, one for each task",
        "Median filter (`median`)",
        "Noisy input",
    ]
    # Each network for one task on its own; the best of a column is bold.
    assert "| Attention U-Net, one for each task | **37.00** | 30.00 |" in lines
    assert "| Universal (`universal`) | 36.00 | **31.00** |" in lines
    assert "| Median filter (`median`) | 25.00 |  |" in lines


def test_the_summary_has_noise_of_real_sensors_once_it_is_measured_with_these_weights(results):
    methods = {
        NOISY: {"cells": {"1": 34.0, "2": 36.0}},
        "universal": {"weights": "new", "cells": {"1": 38.0, "2": 39.0}},
        "bm3d": {"told": "an estimate of sigma", "cells": {"1": 37.0, "2": 38.0}},
        "Weak": {**PEER, "cells": {"1": 34.0, "2": 36.1}},
        "Strong": {**PEER, "cells": {"1": 35.0, "2": 36.1}},
    }
    real = {"data": {"pictures": 2}, "methods": methods}
    write(results / "real.json", real)
    text = summary_table(results)
    assert text is not None and "2 photographs" in text and text.splitlines()[2].endswith("| real noise |")
    assert "| Universal (`universal`) | 36.00 | **31.00** | **38.50** |" in text
    assert "| Noisy input | 30.00 | 20.00 | 35.00 |" in text
    assert "| BM3D (`bm3d`), first 400 test images | 35.00 |  | 37.50 |" in text
    # What has no part in the tasks stands behind what has, and the input behind all.
    assert [line.split("|")[4].strip() for line in text.splitlines()[-3:]] == ["35.55", "35.05", "35.00"]
    methods["universal"]["weights"] = "old"
    write(results / "real.json", real)
    assert "| Universal (`universal`) | 36.00 | **31.00** |  |" in (summary_table(results) or "")


def test_without_results_there_is_no_summary(tmp_path):
    assert summary_table(tmp_path) is None
