import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from fer_denoise.classical import FILTERS
from fer_denoise.noise import mixed_noise
from train import tune_classical


@pytest.mark.slow
def test_tuning_picks_the_best_parameters_and_writes_them(benchmark_data, tmp_path, monkeypatch):
    file = tmp_path / "classical.json"
    monkeypatch.setattr(tune_classical, "TUNED_FILE", file)
    tune_classical.main(
        ["--data", str(benchmark_data), "--filters", "switching-median", "tv", "--images", "3", "--workers", "1"]
    )
    tuned = json.loads(file.read_text())["filters"]
    assert set(tuned) == {"switching-median", "tv"}
    assert set(tuned["tv"]["low"]["parameters"]) == {"strength"}
    assert set(tuned["tv"]["salt_pepper"]["parameters"]) == {"strength", "sigma"}
    assert tuned["tv"]["low"]["parameters"]["strength"] in FILTERS["tv"].grid["strength"]


def test_a_filter_is_tuned_behind_the_switching_median_or_alone_whichever_is_better(make_faces, monkeypatch):
    monkeypatch.setattr(tune_classical, "LEVEL_AMOUNTS", (0, 0.1))
    clean = make_faces(2)
    with ThreadPoolExecutor(1) as pool:
        tuned = tune_classical.tune_levels("tv", clean, pool, (0.02, 0.2))
    levels = {(level["sigma"], level["amount"]): level for level in tuned}
    assert "impulse_threshold" not in levels[0.02, 0]["parameters"]
    assert levels[0.02, 0.1]["parameters"]["impulse_threshold"] in tune_classical.IMPULSE_THRESHOLDS
    # Nothing that was tried is better, alone or not.
    level = levels[0.2, 0.1]
    noisy = mixed_noise(clean, 0.2, 0.1, seed=tune_classical.SEED)
    for strength in FILTERS["tv"].grid["strength"]:
        alone = tune_classical.score({"strength": strength, "sigma": 0.2}, "tv", noisy, clean)
        assert level["validation_psnr"] >= round(alone, 3)
    found = {**level["parameters"], "sigma": 0.2}
    assert level["validation_psnr"] == round(tune_classical.score(found, "tv", noisy, clean), 3)
