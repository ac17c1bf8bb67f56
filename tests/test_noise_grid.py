import contextlib
import json

import numpy as np
import pytest
from measuring import IMAGES
from published_networks import write_peers

from fer_denoise.classical import ClassicalFilter
from fer_denoise.evaluate import NOISY, level_name, margin_over_levels, psnr_over_levels
from fer_denoise.method import KnownNoise
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.noise import mixed_noise
from train import benchmark
from train.measures import noise_grid
from train.measures.shared import cells
from train.measures.shared.peers import Peer


@pytest.fixture
def small_grid(monkeypatch):
    monkeypatch.setattr(noise_grid, "SIGMAS", (0, 0.06))
    monkeypatch.setattr(noise_grid, "AMOUNTS", (0, 0.1))


@pytest.mark.slow
@pytest.mark.usefixtures("small_grid")
def test_the_noise_grid_sets_the_universal_restorer_against_the_best_filter(
    run_benchmark, tmp_path, make_faces, capsys
):
    def run_grid(*models: str) -> dict:
        run_benchmark("--surface", "--models", *models)
        return json.loads((tmp_path / "results" / noise_grid.FILE).read_text())

    results = run_grid("universal", "switching-median")
    clean = make_faces(IMAGES, seed=5)
    noisy = mixed_noise(clean, 0.06, 0.1, seed=benchmark.TEST_SEED)
    values = {name: psnr_over_levels(results, name) for name in results["methods"]}
    assert set(values) == {NOISY, "universal", "switching-median"}
    assert values[NOISY][1, 1] == pytest.approx(mean_psnr(psnr(noisy, clean)), abs=1e-3)
    assert values[NOISY][0, 0] == 100
    restored = ClassicalFilter("switching-median").restore(noisy, KnownNoise(0.06, 0.1))
    assert values["switching-median"][1, 1] == pytest.approx(mean_psnr(psnr(restored, clean)), abs=1e-3)
    best = np.maximum(values[NOISY], values["switching-median"])
    np.testing.assert_allclose(margin_over_levels(results, "universal"), values["universal"] - best)
    assert (tmp_path / "results" / "surface.png").is_file()
    printed = capsys.readouterr().out
    assert f"{values['universal'][1, 1]:.2f} ({values['universal'][1, 1] - best[1, 1]:+.2f}" in printed
    readme = (tmp_path / "results" / "README.md").read_text()
    assert f"{values['universal'][1, 1]:.2f} ({values['universal'][1, 1] - best[1, 1]:+.2f})" in readme
    # What is there is not measured again.
    assert set(run_grid("median")["methods"]) == {*values, "median"}


@pytest.mark.slow
@pytest.mark.usefixtures("small_grid")
def test_published_networks_are_rivals_on_gaussian_noise_alone(run_benchmark, tmp_path, make_faces, capsys):
    peers = write_peers(tmp_path / "peers")
    names = ["DnCNN-B", "FDnCNN"]
    run_benchmark("--surface", "--models", "universal", *names, "--peers", str(peers))
    file = tmp_path / "results" / noise_grid.FILE
    results = json.loads(file.read_text())
    clean = make_faces(IMAGES, seed=5)
    restored = Peer("FDnCNN", peers)(mixed_noise(clean, 0.06, 0, seed=benchmark.TEST_SEED), 0.06)
    of_peer, level = results["methods"]["FDnCNN"]["cells"], level_name(0.06, 0)
    assert list(of_peer) == [level_name(0, 0), level]
    assert of_peer[level] == pytest.approx(mean_psnr(psnr(restored, clean)), abs=1e-3)
    # One that did better would take the margin, without impulses.
    of_peer[level] = 50.0
    values = psnr_over_levels(results, "universal")
    assert margin_over_levels(results, "universal")[1, 0] == pytest.approx(values[1, 0] - 50)
    assert margin_over_levels(results, "universal")[1, 1] > 0
    table = noise_grid.peers_table(results, "universal")
    assert "| 0.06 |" in table and "**50.00**" in table
    assert "told sigma" in capsys.readouterr().out
    file.write_text(json.dumps(results))
    # What is there is not measured again.
    run_benchmark("--surface", "--models", *names, "--peers", str(peers))
    assert json.loads(file.read_text())["methods"]["FDnCNN"]["cells"] == of_peer


@pytest.mark.usefixtures("small_grid")
def test_an_interrupted_noise_grid_goes_on(run_benchmark, tmp_path, monkeypatch):
    seen = []

    def restore(method, noisy, known, pool):
        if method.name != NOISY:
            seen.append(tuple(known))
            if len(seen) == 3:
                raise KeyboardInterrupt
        return noisy

    monkeypatch.setattr(noise_grid, "restore", restore)
    for _ in range(2):
        with contextlib.suppress(KeyboardInterrupt):
            run_benchmark("--surface", "--models", "median")
    assert seen == [(0, 0), (0, 0.1), (0.06, 0), (0.06, 0), (0.06, 0.1)]


@pytest.mark.slow
@pytest.mark.usefixtures("small_grid")
def test_what_the_noise_grid_measured_of_other_weights_or_parameters_is_measured_anew(run_benchmark, monkeypatch):
    seen = []

    def restore(method, noisy, known, pool):
        if method.name != NOISY:
            seen.append(method.name)
        return noisy

    def measured() -> list[str]:
        seen.clear()
        run_benchmark("--surface", "--models", "median", "attention-unet-low")
        return sorted(set(seen))

    monkeypatch.setattr(noise_grid, "restore", restore)
    assert measured() == ["attention-unet-low", "median"] and len(seen) == 8
    assert measured() == []
    monkeypatch.setattr(cells, "weights_of", lambda name: {"weights": "other"} if name == "attention-unet-low" else {})
    assert measured() == ["attention-unet-low"] and len(seen) == 4
    monkeypatch.setattr(noise_grid, "level_parameters", lambda name, sigma, amount: {"size": 7 if amount else 3})
    assert measured() == ["median"] and len(seen) == 4
    assert measured() == []
