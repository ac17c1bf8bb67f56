import csv
import io
import re
from urllib.parse import unquote

from fer_denoise.demo import results_tab, results_tables
from fer_denoise.evaluate import level_name


def test_a_realism_row_is_named_by_its_method():
    assert results_tables.realism_title({"method": "blend", "alpha": 0.25}) == "Blend, 25% PatchGAN"
    assert results_tables.realism_title({"method": "sharpened", "strength": 0.3}) == "U-Net, sharpened (0.3)"
    assert results_tables.realism_title({"method": "noisy"}) == "Noisy input"
    assert results_tables.realism_title({"method": "patchgan-low"}) == "PatchGAN, low Gaussian"


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
