import json
from xml.etree import ElementTree

import pytest

from fer_denoise.demo import results_tab, results_tables
from fer_denoise.evaluate import SELF_ENSEMBLE, SIGMA_GIVEN
from fer_denoise.origin import ORIGIN_REPORTED
from fer_denoise.zoo import MODELS
from train.measures import world


@pytest.mark.skipif(not results_tab.has_results(), reason="an installed package comes without results")
def test_the_results_tab_shows_what_was_measured():
    benchmark = json.loads((results_tab.RESULTS / "benchmark.json").read_text())
    for task, rows in benchmark["tasks"].items():
        table = results_tables.benchmark_table(task, rows)
        titles = {name: MODELS[name].title for name in MODELS} | {
            SELF_ENSEMBLE: "Universal, with its mirror image",
            SIGMA_GIVEN: "Universal, told sigma",
        }
        best = max((row for row in rows if row["model"] in titles), key=lambda row: row["psnr"])
        assert f"<td class=best>{best['psnr']:.2f}</td>" in table
        assert table.index(titles[best["model"]]) < table.index("Noisy input")
        for psnr_reported, _ in ORIGIN_REPORTED[task].values():
            assert f"{psnr_reported:.2f}" in table
        others = [MODELS[name].title for name in MODELS if MODELS[name].task not in (None, task)]
        assert not any(title in table for title in others)


@pytest.mark.skipif(not results_tab.has_results(), reason="an installed package comes without results")
def test_results_open_with_three_sentences_and_two_charts():
    files = ("benchmark.json", "surface.json", "world.json", "real.json")
    benchmark, noise_grid, world, sensors = map(results_tab._read, files)
    sentences = results_tab.findings(benchmark, noise_grid, world, sensors).split("\n\n")
    assert len(sentences) == 3 and all(sentence.endswith(".") for sentence in sentences)
    assert f"On {benchmark['data']['images']:,} test faces" in sentences[0]
    levels, real = results_tab.levels_chart(noise_grid), results_tab.real_chart(world)
    assert levels.count("<polyline") == 5 and "Noisy input" in levels and "BM3D" in levels
    assert real.count("<line class='span'") == len(results_tab.REAL_KINDS)
    for chart in (levels, real):
        # In the colours of the theme, and nothing that the browser has to ask for.
        assert "#" not in chart and "http" not in chart and "aria-label='" in chart
        ElementTree.fromstring(chart)


def test_what_is_gained_on_real_sensors_stands_beside_the_best_of_the_others():
    cells = {"noisy": [34.0, 36.0], "universal": [38.0, 38.2], "bm3d": [35.0, 35.4], "universal-large": [39.0, 39.0]}
    methods = {name: {"cells": dict(enumerate(values))} for name, values in cells.items()}
    said = results_tab.of_sensors({"data": {"pictures": 2}, "methods": methods})
    assert said.startswith("; on 2 photographs") and said.endswith(
        "brings 35.0 to **38.1 dB**, the best of the others to 35.2"
    )


def test_the_kinds_that_the_second_chart_shows_are_measured(make_faces):
    assert results_tab.REAL_KINDS.keys() < {cell.name for cell in world.cells(make_faces(1), seed=0)}
