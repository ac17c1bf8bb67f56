"""The parts of the app that need no server."""

import csv
import io
import json
import math
import re
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest

from fer_denoise import Restorer
from fer_denoise.demo import results_charts, results_tab, results_tables
from fer_denoise.demo.compare import compare, comparison_gallery, comparison_table, psnr_curves
from fer_denoise.demo.emotions import CROWD, NOTE, emotion_table, guesses, note
from fer_denoise.demo.error_map import (
    COLOURS,
    ERROR_LIMIT,
    MISSED,
    REPAINTED,
    REPAIRED,
    attention_picture,
    colour,
    error_legend,
    error_picture,
    impulse_legend,
    impulse_picture,
    noise_picture,
)
from fer_denoise.demo.face_view import restore_face, title_of
from fer_denoise.demo.noise_controls import CONTROLS
from fer_denoise.demo.numbers import fixed
from fer_denoise.demo.restorers import Restorers
from fer_denoise.evaluate import SELF_ENSEMBLE, SIGMA_GIVEN, level_name
from fer_denoise.images import to_float
from fer_denoise.metrics import PSNR_CAP, psnr
from fer_denoise.models import EmotionClassifier
from fer_denoise.noise import TASKS, GaussianNoise, gaussian_noise
from fer_denoise.origin import ORIGIN_REPORTED
from fer_denoise.restore import NoiseMap
from fer_denoise.zoo import MODELS, list_models


@pytest.fixture
def face(samples) -> np.ndarray:
    return samples[0]


@pytest.mark.slow
def test_a_comparison_holds_every_model_and_the_input_best_first(face):
    noise = TASKS["high"]
    results = compare(face, Restorers(), noise, 3)
    assert {result.title for result in results} == {"Noisy input", *(MODELS[name].title for name in list_models())}
    values = [result.psnr for result in results]
    assert values == sorted(values, reverse=True)
    noisy = noise(face, seed=3)
    by_title = {result.title: result for result in results}
    assert by_title["Noisy input"].psnr == pytest.approx(psnr(noisy, face))
    expected = Restorer.from_pretrained("tv")(noisy, sigma=noise.sigma)
    np.testing.assert_array_equal(by_title["Total variation"].restored, expected)
    assert by_title["Noisy input"].seconds is None and by_title["Total variation"].seconds > 0
    table = comparison_table(results)
    assert table.count("class='best'") >= 2
    assert table.index(results[0].title) < table.index(results[-1].title)
    assert comparison_gallery(results)[0][1] == f"{results[0].title}: {results[0].psnr:.2f} dB"


def test_colours_go_from_dark_to_light_and_stop_at_the_ends():
    ramp = colour(np.linspace(0, 1, 50)[None])[0]
    luminance = ramp @ [0.299, 0.587, 0.114]
    assert (np.diff(luminance) > 0).all()
    np.testing.assert_array_equal(colour(np.array([[-1.0, 2.0]]))[0], COLOURS[[0, -1]])


def test_the_error_picture_is_dark_where_the_face_is_right():
    clean = np.full((48, 48), 0.5, np.float32)
    restored = clean.copy()
    restored[3, 4] += 2 * ERROR_LIMIT
    picture = np.array(error_picture(restored, clean))
    np.testing.assert_array_equal(picture[3, 4], COLOURS[-1])
    picture[3, 4] = COLOURS[0]
    assert (picture == COLOURS[0]).all()
    assert f"{ERROR_LIMIT * 255:.0f} or more" in error_legend()


def test_the_noise_picture_is_light_where_the_noise_is_and_marks_what_is_lost():
    sigma, impulses = np.zeros((8, 8), np.float32), np.zeros((8, 8), np.float32)
    sigma[:, 4:], impulses[0, 0] = 0.2, 0.9
    picture = np.array(noise_picture(NoiseMap(sigma, impulses)))
    assert picture.shape == (8, 8, 3)
    assert (picture[:, 4:] == COLOURS[-1]).all() and (picture[1:, :4] == COLOURS[0]).all()
    assert tuple(picture[0, 0]) == REPAINTED


def test_the_attention_picture_shows_the_differences_of_the_coefficients():
    coefficients = np.full((48, 48), 0.4)
    coefficients[:, 24:] = 0.6
    picture = np.asarray(attention_picture(np.zeros((48, 48)), coefficients)).astype(int)
    assert picture[:, 24:].sum() > 5 * picture[:, :24].sum()
    assert np.isfinite(np.asarray(attention_picture(np.ones((48, 48)), np.ones((48, 48))))).all()


def test_only_attention_unets_have_attention(face):
    levels = Restorer.from_pretrained("attention-unet-high").attention(face / 255)
    assert [level.shape for level in levels] == [(48, 48)] * 3
    assert Restorer.from_pretrained("median").attention(face / 255) == []


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


def test_a_realism_row_is_named_by_its_method():
    assert results_tables.realism_title({"method": "blend", "alpha": 0.25}) == "Blend, 25% PatchGAN"
    assert results_tables.realism_title({"method": "sharpened", "strength": 0.3}) == "U-Net, sharpened (0.3)"
    assert results_tables.realism_title({"method": "noisy"}) == "Noisy input"
    assert results_tables.realism_title({"method": "patchgan-low"}) == "PatchGAN, low Gaussian"


def test_impulses_are_coloured_by_what_became_of_them():
    clean = np.full((8, 8), 0.5)
    clean[0, :2] = 0
    noisy = clean.copy()
    noisy[2, 2] = noisy[3, 3] = 1
    restored = noisy.copy()
    restored[2, 2] = restored[0, 0] = restored[5, 5] = 0.4
    picture = np.asarray(impulse_picture(clean, noisy, restored))
    assert tuple(picture[2, 2]) == REPAIRED and tuple(picture[3, 3]) == MISSED and tuple(picture[0, 0]) == REPAINTED
    for untouched in ((0, 1), (5, 5), (6, 6)):
        assert len(np.unique(picture[untouched])) == 1
    assert "missed" in impulse_legend()


def test_curves_hold_every_method_at_every_level(face):
    controls = CONTROLS["high"]
    curves = psnr_curves(face, Restorers(), ["tv", "median"], controls.sweep(*controls.preset), 3)
    levels = [level for level, _ in controls.sweep(*controls.preset)]
    for title in ("Noisy input", "Total variation", "Median filter"):
        assert curves[curves["method"] == title]["level"].tolist() == levels
    noisy = gaussian_noise(face, 0.06, seed=3)
    at = curves[curves["level"] == 0.06].set_index("method")["PSNR, dB"]
    assert at["Noisy input"] == pytest.approx(psnr(noisy, face))
    assert at["Total variation"] == pytest.approx(psnr(Restorer.from_pretrained("tv")(noisy, 0.06), face))


def test_emotions_stand_side_by_side_with_the_likeliest_marked():
    probabilities = np.full((2, 7), 0.05)
    probabilities[0, 3] = probabilities[1, 6] = 0.7
    table = emotion_table(("Noisy", "Restored"), probabilities)
    assert table.count("class=best") == 2 and table.count("<b>70%</b>") == 2
    for row in table.split("<tr>")[2:]:
        emotion = row.removeprefix("<th scope='row'>").split("<")[0]
        cells = row.split("</td>")
        assert ("class=best" in cells[0]) == (emotion == "happy") and ("class=best" in cells[1]) == (
            emotion == "neutral"
        )


def test_a_face_is_shown_with_what_the_classifier_takes_it_for(face):
    restorers = Restorers()
    noise = TASKS["high"]
    shown = restore_face(face, restorers, ("noisy", "universal"), noise, 3).emotions
    noisy = noise(face, seed=3)
    restored = restorers.get("universal")(noisy)
    classifier, faces = (
        EmotionClassifier.from_pretrained("emotion"),
        np.stack([face / np.float32(255), noisy, restored]),
    )
    votes = classifier.votes(faces)
    assert emotion_table(("Clean", "Noisy", "Universal"), classifier(faces), votes) in shown
    assert f"<i title='of a crowd'>{votes[0, 0]:.0%}</i>" in shown and CROWD in shown and NOTE in shown


def test_the_clean_face_is_classified_once_whatever_the_noise(face, monkeypatch):
    restorers, sizes = Restorers(), []
    features = EmotionClassifier._features
    monkeypatch.setattr(
        EmotionClassifier, "_features", lambda self, faces: sizes.append(len(faces)) or features(self, faces)
    )
    for sides in (("noisy", "universal"), ("noisy", "median"), ("clean", "median"), ("clean", "clean")):
        table = restore_face(face, restorers, sides, TASKS["high"], 3).emotions
        assert table.count("<th scope='col'>") == 1 + len({"Clean", *map(title_of, sides)})
    assert sizes == [1, 2, 2, 1]


def test_a_classifier_of_labels_alone_shows_no_crowd(face):
    labels, votes = guesses(EmotionClassifier(widths=(4, 8)).eval(), to_float(face), [])
    assert votes is None and "crowd" not in emotion_table(("Clean",), labels, votes) + note(votes)


def test_the_emotion_results_show_every_level_and_gain():
    levels = [
        {"sigma": 0, "amount": 0, "noisy": 0.66, "universal": 0.655, "gain": -0.005, "gain_interval": [-0.01, 0.0]},
        {"sigma": 0.1, "amount": 0.2, "noisy": 0.2, "filter": 0.5, "best_filter": "tv", "control": 0.58},
    ]
    table = results_tables.emotion_levels(levels)
    for part in ("none", "sigma 0.1, impulses 20%", "66.0%", "-0.5<small>-1.0 to 0.0", "Total variation", "58.0%"):
        assert part in table
    assert "PatchGAN" not in table
    noisy = {"gain_interval": [0.1, 0.2], "over_control_interval": [-0.1, 0.1]}
    finding = results_tab.emotion_finding([levels[0], noisy, {"gain_interval": [-0.1, 0.2]}])
    assert "at 1 of 2 noise levels" in finding and "control at 0;" in finding
    assert "by -0.5 points (-1.0 to 0.0)" in finding


@pytest.mark.parametrize(
    ("value", "digits", "plain", "signed"),
    [
        (1.2345, 2, "1.23", "+1.23"),
        (-1.2345, 2, "-1.23", "-1.23"),
        (0, 1, "0.0", "0.0"),
        (-0.0, 1, "0.0", "0.0"),
        (-4e-5, 4, "0.0000", "0.0000"),
        (4e-5, 4, "0.0000", "0.0000"),
        (math.inf, 2, "∞", "+∞"),
        (-math.inf, 2, "-∞", "-∞"),
    ],
)
def test_numbers_are_written_for_a_person(value, digits, plain, signed):
    assert (fixed(value, digits), fixed(value, digits, signed=True)) == (plain, signed)


@pytest.mark.slow
def test_a_face_without_any_error_is_no_hole_in_a_comparison_or_a_curve(face):
    none = GaussianNoise(0)
    results = compare(face, Restorers(), none, 0)
    table = comparison_table(results)
    assert ("Noisy input: ∞ dB" in [caption for _, caption in comparison_gallery(results)]) and "inf" not in table
    curves = psnr_curves(face, Restorers(), ["median"], [(0.0, none)], 0)
    assert curves["PSNR, dB"].max() == PSNR_CAP


@pytest.mark.parametrize("controls", CONTROLS.values())
def test_a_sweep_goes_from_weak_to_strong_within_its_axis(controls):
    levels = [level for level, _ in controls.sweep(*controls.preset)]
    assert levels == sorted(levels) and controls.level_limits[0] < levels[0] <= levels[-1] <= controls.level_limits[1]
    assert all(low <= value <= high for value, (low, high) in zip(controls.preset, controls.limits, strict=True))


def test_the_noise_grid_shows_the_margin_over_the_best_rival():
    sigmas, amounts = [0, 0.1], [0, 0.2]
    measured = {
        "noisy": [100, 10, 20, 9],
        "universal": [70, 40, 30, 28],
        "bm3d": [90, 35.5, 19, 27],
        "attention-unet-low": [99, 99, 99, 99],
    }
    levels = [level_name(sigma, amount) for sigma in sigmas for amount in amounts]
    methods = {name: {"cells": dict(zip(levels, values, strict=True))} for name, values in measured.items()}
    results = {"sigmas": sigmas, "amounts": amounts, "methods": methods}
    table = results_tables.noise_grid_table(results)
    for cell in ("70.0<small>-30.0", "40.0<small>+4.5", "30.0<small>+10.0", "28.0<small>+1.0"):
        assert cell in table
    assert results_tab.is_whole(results)
    # A published network knows no impulses.
    methods["DnCNN-B"] = {"paper": "https://arxiv.org/abs/1", "cells": {levels[0]: 90, levels[2]: 29}}
    assert results_tab.is_whole(results)
    table = results_tables.noise_grid_table(results)
    assert "30.0<small>+1.0" in table and "28.0<small>+1.0" in table and "40.0<small>+4.5" in table
    for name in ("bm3d", "DnCNN-B"):
        value = methods[name]["cells"].pop(levels[2])
        assert not results_tab.is_whole(results)
        methods[name]["cells"][levels[2]] = value


def test_what_is_not_above_the_others_has_no_colour():
    assert results_tables._shade(-30) == results_tables._shade(0) == "rgba(20, 160, 130, 0.00)"
    assert results_tables._shade(1) < results_tables._shade(2) < results_tables._shade(3) == results_tables._shade(9)


@pytest.mark.skipif(not results_tab.has_results(), reason="an installed package comes without results")
def test_results_open_with_three_sentences_and_two_charts():
    benchmark, noise_grid, world = (results_tab._read(f"{name}.json") for name in ("benchmark", "surface", "world"))
    sentences = results_tab.findings(benchmark, noise_grid, world).split("\n\n")
    assert len(sentences) == 3 and all(sentence.endswith(".") for sentence in sentences)
    assert f"On {benchmark['data']['images']:,} test faces" in sentences[0]
    levels, real = results_tab.levels_chart(noise_grid), results_tab.real_chart(world)
    assert levels.count("<polyline") == 5 and "Noisy input" in levels and "BM3D" in levels
    assert real.count("<line class='span'") == len(results_tab.REAL_KINDS)
    for chart in (levels, real):
        # In the colours of the theme, and nothing that the browser has to ask for.
        assert "#" not in chart and "http" not in chart and "aria-label='" in chart
        ElementTree.fromstring(chart)


def test_a_chart_places_its_values_between_the_marks_of_the_axis():
    chart = results_charts.line_chart("A < B", ["1", "2"], {"one": [10, 20], "two": [15, 12]}, "level", "dB")
    heights = [float(dot.get("cy")) for dot in ElementTree.fromstring(chart).iter("circle")]
    assert heights[0] > heights[3] > heights[2] > heights[1]
    assert "A &lt; B" in chart


def test_a_table_can_be_had_as_csv():
    link = results_tables.records_link("some.csv", [{"model": "a, b", "psnr": 1.5, "list": [1]}, {"model": "ä"}])
    address = re.search(r"href='data:text/csv;charset=utf-8,([^']*)'", link).group(1)
    rows = list(csv.DictReader(io.StringIO(unquote(address))))
    assert rows == [{"model": "a, b", "psnr": "1.5"}, {"model": "ä", "psnr": ""}]


def test_a_published_network_is_named_with_its_authors():
    network = {"model": "FFDNet", "authors": "Zhang et al.", "year": 2018, "paper": "https://", "told": "sigma"}
    scores = {"ssim": 0.9, "origin_psnr": 20, "origin_ssim": 0.8}
    rows = [{**network, "psnr": 30, **scores}, {"model": "noisy", "psnr": 24, **scores}]
    assert "FFDNet (Zhang et al. 2018, told sigma)" in results_tables.benchmark_table("low", rows)
