"""The tables of README.md and of the pages behind it are those of the JSON files beside them."""

import re
from pathlib import Path

import pytest

from fer_denoise.evaluate import NOISY, level_name
from train import benchmark, tables
from train.measures import generalisation, noise_grid, world
from train.reporting.report import PAGES

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


def test_the_large_version_stands_beside_the_small_one_and_is_no_rival_of_it():
    def measured(value: float) -> dict:
        return {"cells": {"stripes: 1": {"psnr": value, "psnr_first": value}}}

    values = {NOISY: 20.0, "universal": 30.0, "universal-large": 31.0, "median": 25.0}
    of_world = {"methods": {name: measured(value) for name, value in values.items()}}
    assert world.rivals(of_world, "stripes: 1") == {NOISY: -10.0, "median": -5.0}
    assert "| noisy | `universal` | `universal-large` |" in world.markdown_table(of_world)
    assert "| 30.00 | **31.00** |" in world.markdown_table(of_world)

    cell_names = [level_name(*levels) for levels in noise_grid.levels()]
    of_grid = {
        "data": {"images": 1},
        "sigmas": noise_grid.SIGMAS,
        "amounts": noise_grid.AMOUNTS,
        "methods": {name: {"cells": dict.fromkeys(cell_names, value)} for name, value in values.items()},
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
