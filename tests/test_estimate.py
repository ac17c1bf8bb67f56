import json

import pytest

from fer_denoise.noise import Composition, GaussianNoise, ImpulseNoise, SaltAndPepperNoise
from train.measures import estimate, world
from train.measures.world import MeasuredKind


def test_the_estimate_is_held_against_the_truth(run_benchmark, tmp_path, monkeypatch):
    kinds = {
        "Gaussian": MeasuredKind({"sigma 0.1": GaussianNoise(0.1)}),
        "impulses": MeasuredKind({"10%": SaltAndPepperNoise(0.1)}, "all"),
        "both": MeasuredKind({"both": Composition((GaussianNoise(0.06), ImpulseNoise(0.1)))}, "some"),
    }
    monkeypatch.setattr(world, "KINDS", kinds)
    run_benchmark("--estimate")
    gaussian, impulses, mixed = json.loads((tmp_path / "results" / estimate.FILE).read_text())["rows"]
    # Clipping takes a little of the noise away.
    assert 0.08 < gaussian["true_sigma"] < 0.1 and gaussian["sigma_error"] < 0.02
    assert gaussian["lost"] == 0 and "found" not in gaussian
    assert impulses["lost"] == pytest.approx(0.1, abs=0.01) and impulses["true_sigma"] == 0
    assert impulses["found"] > 0.9 and impulses["accused"] < 0.01
    assert {"true_sigma", "lost"}.isdisjoint(mixed) and mixed["amount"] > 0.02
    shown = f"| Gaussian | sigma 0.1 | {gaussian['true_sigma']:.3f} |"
    assert shown in (tmp_path / "results" / "README.md").read_text()
    for otherwise in (("--images", "3"), ("--seed", "8")):
        with pytest.raises(SystemExit, match="measured otherwise"):
            run_benchmark("--estimate", *otherwise)
    with pytest.raises(SystemExit, match="only universal estimates noise"):
        run_benchmark("--estimate", "--models", "median")
