import dataclasses
import json

import numpy as np
import pytest
from measuring import IMAGES
from published_networks import write_peers

from fer_denoise import classical
from fer_denoise.evaluate import NOISY
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.noise import ImpulseNoise, Noise, StripeNoise
from train import benchmark
from train.measures import world
from train.measures.shared import oracle
from train.measures.world import MeasuredKind


def test_every_cell_has_a_name_of_its_own_and_noise_of_its_own(make_faces):
    faces = make_faces(2)
    cells = list(world.cells(faces, seed=3))
    assert len({cell.name for cell in cells}) == len(cells) > 60
    for cell in cells:
        noisy = cell.noisy()
        assert noisy.dtype == np.float32 and noisy.shape == cell.clean.shape
        values = psnr(noisy, cell.clean)
        assert np.isinf(values).all() if cell.name.endswith(": clean") else 5 < values.mean() < 60, cell.name


@pytest.mark.slow
def test_the_world_sets_everything_beside_filters_that_know_the_answer(
    run_benchmark, tmp_path, make_faces, monkeypatch, capsys
):
    kinds: dict[str, dict[str, Noise]] = {
        "impulses": {"10%": ImpulseNoise(0.1)},
        "rows": {"sigma 0.1": StripeNoise(0.1)},
    }
    monkeypatch.setattr(world, "KINDS", {title: MeasuredKind(settings) for title, settings in kinds.items()})
    monkeypatch.setattr(world, "HARMLESS", ["round on white"])
    monkeypatch.setattr(world, "FIRST", 5)
    slow = dataclasses.replace(oracle.FILTERS["tv"], most=5)
    monkeypatch.setitem(oracle.FILTERS, "tv", slow)
    peers = write_peers(tmp_path / "peers")
    names = ["universal", "attention-unet-low", "median", "gaussian-blur", "tv", "DnCNN-B", "FDnCNN"]
    run_benchmark("--world", "--models", *names, "--peers", str(peers))
    file = tmp_path / "results" / world.FILE
    results = json.loads(file.read_text())
    # What has to be told sigma has no part in it.
    assert set(results["methods"]) == {NOISY, *names} - {"FDnCNN"}
    cells = ["impulses: 10%", "rows: sigma 0.1", "round on white: clean", "round on white: sigma 0.06"]
    assert all(list(method["cells"]) == cells for method in results["methods"].values())
    clean = make_faces(IMAGES, seed=5)
    noisy = ImpulseNoise(0.1)(clean, seed=benchmark.TEST_SEED)
    medians = np.stack([classical.median(image, 0, size=3) for image in noisy])
    of_median = dict(results["methods"]["median"]["cells"]["impulses: 10%"])
    assert of_median["psnr"] == pytest.approx(mean_psnr(psnr(medians, clean)), abs=1e-3)
    assert of_median["psnr_first"] == pytest.approx(mean_psnr(psnr(medians[:5], clean[:5])), abs=1e-3)
    assert of_median["parameters"]["size"] == 3
    assert results["methods"][NOISY]["cells"]["round on white: clean"]["psnr"] == 100
    # A slow filter is measured on the first images, and compared there.
    of_tv = results["methods"]["tv"]["cells"]["impulses: 10%"]
    assert of_tv["psnr"] == of_tv["psnr_first"]
    of_ours = results["methods"]["universal"]["cells"]["impulses: 10%"]
    gains = world.rivals(results, "impulses: 10%")
    assert gains["tv"] == pytest.approx(of_tv["psnr"] - of_ours["psnr_first"])
    assert gains["median"] == pytest.approx(of_median["psnr"] - of_ours["psnr"])
    printed = capsys.readouterr().out
    unharmed = results["methods"]["universal"]["cells"]["round on white: clean"]["psnr"]
    assert f"round on white: clean: universal leaves {unharmed:.1f} dB" in printed and "of 3 noisy cells" in printed
    table = (tmp_path / "results" / "README.md").read_text()
    assert "| `tv`, oracle, first 5 (`universal` there) |" in table
    assert f"{of_median['psnr']:.2f}" in table.replace("**", "") and " (median) |" in table

    # What is named is measured anew, the rest is kept.
    results["methods"]["median"]["cells"]["impulses: 10%"]["psnr"] = 1.0
    results["methods"]["universal"]["cells"]["impulses: 10%"]["psnr"] = 2.0
    file.write_text(json.dumps(results))
    run_benchmark("--world", "--models", "median")
    again = json.loads(file.read_text())["methods"]
    assert again["median"]["cells"]["impulses: 10%"] == of_median
    assert again["universal"]["cells"]["impulses: 10%"]["psnr"] == 2.0
