"""The tables of README.md and of the pages behind it are those of the JSON files beside them."""

import json
import re
from pathlib import Path

import pytest

from fer_denoise.evaluate import NOISY, level_name
from train import benchmark, tables
from train.measures import generalisation, noise_grid, world
from train.reporting.report import PAGES, fill, update_pages
from train.reporting.summary import summary_table

ROOT = Path(__file__).parents[1]
MARKS = re.findall(r"<!-- ([\w-]+):start -->", "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES))


@pytest.fixture(scope="module")
def current() -> dict[str, str]:
    """What the results that are there give."""
    return tables.all_tables(ROOT / "results")


@pytest.mark.parametrize("name", MARKS)
def test_every_table_is_what_its_results_give(name, current):
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    (found,) = re.findall(f"<!-- {name}:start -->\n(.*?)\n<!-- {name}:end -->", text, re.DOTALL)
    assert found == current.get(name, "Not measured yet."), "run: python -m train.tables"


def test_everything_that_is_measured_has_one_place(current):
    assert len(MARKS) == len(set(MARKS))
    assert {*current, *benchmark.MEASUREMENTS, "ablation", "realism"} <= set(MARKS)


def test_a_page_without_an_end_mark_stays_as_it_is(tmp_path):
    file = tmp_path / "README.md"
    file.write_text("before\n<!-- speed:start -->\nafter\n")
    fill(file, "speed", "a table")
    assert file.read_text() == "before\n<!-- speed:start -->\nafter\n"


def test_a_table_goes_to_the_page_that_has_its_marks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    update_pages("speed", "a table")  # There are no pages here, and none is made.
    for page in PAGES:
        page.parent.mkdir(exist_ok=True)
        page.write_text("text\n")
    marked = "<!-- speed:start -->\n{}\n<!-- speed:end -->\n"
    PAGES[1].write_text(marked.format("old"))
    update_pages("speed", "new")
    assert [page.read_text() for page in PAGES] == ["text\n", marked.format("new"), "text\n"]


def row(model: str, psnr: float, **more: object) -> dict:
    return {"model": model, "psnr": psnr, **more}


@pytest.fixture
def results(tmp_path):
    """A folder of results of two tasks, the first images of one, and noise of real sensors."""
    peer = {"paper": "https://arxiv.org/abs/1", "authors": "Some", "year": 2020, "told": "nothing"}
    tasks = {
        "low": [
            row(NOISY, 30.0),
            row("universal", 36.004, weights="new"),
            row("attention-unet-low", 37.0),
            row("attention-unet-high", 20.0),
            row("median", 25.0),
            row("universal, told sigma", 36.5),
            row("Peer", 36.0, **peer),
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
        "Noisy input",
        "Median filter (`median`)",
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
    }
    real = {"data": {"pictures": 2}, "methods": methods}
    write(results / "real.json", real)
    text = summary_table(results)
    assert text is not None and "2 photographs" in text and text.splitlines()[2].endswith("| real noise |")
    assert "| Universal (`universal`) | 36.00 | **31.00** | **38.50** |" in text
    assert "| Noisy input | 30.00 | 20.00 | 35.00 |" in text
    assert "| BM3D (`bm3d`), first 400 test images | 35.00 |  | 37.50 |" in text
    methods["universal"]["weights"] = "old"
    write(results / "real.json", real)
    assert "| Universal (`universal`) | 36.00 | **31.00** |  |" in (summary_table(results) or "")


def test_without_results_there_is_no_summary(tmp_path):
    assert summary_table(tmp_path) is None


def test_the_large_version_stands_beside_the_small_one_and_is_no_rival_of_it():
    def measured(value: float) -> dict:
        return {"cells": {"stripes: 1": {"psnr": value, "psnr_first": value}}}

    values = {NOISY: 20.0, "universal": 30.0, "universal-large": 31.0, "median": 25.0}
    of_world = {"methods": {name: measured(value) for name, value in values.items()}}
    assert world.rivals(of_world, "stripes: 1") == {NOISY: -10.0, "median": -5.0}
    assert "| noisy | `universal` | `universal-large` |" in world.markdown_table(of_world)
    assert "| 30.00 | **31.00** |" in world.markdown_table(of_world)

    levels = [level_name(*levels) for levels in noise_grid.cells()]
    of_grid = {
        "data": {"images": 1},
        "sigmas": noise_grid.SIGMAS,
        "amounts": noise_grid.AMOUNTS,
        "methods": {name: {"cells": dict.fromkeys(levels, value)} for name, value in values.items()},
    }
    shown = noise_grid.tables(of_grid)
    assert "30.00 (+5.00)" in shown["surface"] and "31.00 (+1.00)" in shown["surface-large"]
    del of_grid["methods"]["universal-large"]
    assert "surface-large" not in noise_grid.tables(of_grid)

    rows = {"noise": "stripes", **values, "attention-unet-high": 29.0, "best filter": ["median", 25.0]}
    alone = {name: value for name, value in rows.items() if name != "universal-large"}
    for row, expected in ((rows, "| 20.00 | 30.00 | **31.00** | 29.00 |"), (alone, "| 20.00 | **30.00** | 29.00 |")):
        results = {"data": {"images": 1}, "pictures": [], "colour": [], "unseen": [row]}
        assert f"| stripes {expected} 25.00 (median) |" in generalisation.markdown_tables(results)
