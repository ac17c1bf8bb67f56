import json
from concurrent.futures import ThreadPoolExecutor

import datasets
import numpy as np
import pytest

from fer_denoise import Restorer
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.noise import TASKS, GaussianNoise
from fer_denoise.realism import gradient_distance, spectral_distance
from fer_denoise.zoo import specialists
from train import benchmark, realism

IMAGES = 64


@pytest.fixture(scope="module")
def results(tmp_path_factory, make_faces) -> dict:
    folder = tmp_path_factory.mktemp("realism")
    for seed, split in enumerate(("validation", "test")):
        rows = {"pixels": [image.ravel().tolist() for image in make_faces(IMAGES, seed=seed)], "emotion": [0] * IMAGES}
        datasets.Dataset.from_dict(rows).to_parquet(folder / f"{split}.parquet")
    sweep = Restorer.from_pretrained(specialists("high")[1]).model
    sweep.training_record["recipe"]["adversarial_weight"] = 0.123
    sweep.save_pretrained(folder / "other")
    options = ["--tasks", "high", "--sweep", str(folder / "other"), "--out", str(folder / "out")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(realism, "STRENGTHS", (0.1, 0.5))
        # Threads share the patched number of epochs; processes would start without it.
        patch.setattr(realism, "ProcessPoolExecutor", lambda workers, *_: ThreadPoolExecutor(workers))
        patch.setattr("train.measures.shared.detectability.EPOCHS", 1)
        realism.main(["--data", str(folder), "--workers", "1", *options])
    assert (folder / "out" / "realism.png").read_bytes().startswith(b"\x89PNG")
    return json.loads((folder / "out" / "realism.json").read_text())


@pytest.mark.slow
def test_every_method_has_its_row_on_the_same_noise(results, make_faces):
    fidelity, realist = specialists("high")
    rows = results["tasks"]["high"]
    expected = ["noisy", fidelity, "sharpened", "sharpened", "blend", "blend", "blend", realist, "sweep"]
    assert [row["method"] for row in rows] == expected
    clean = make_faces(IMAGES, seed=1)
    noisy = np.rint(255 * TASKS["high"](clean, seed=benchmark.TEST_SEED)).astype(np.uint8)
    assert rows[0]["psnr"] == pytest.approx(mean_psnr(psnr(noisy, clean)))
    assert rows[-1]["weight"] == 0.123 and rows[-1]["psnr"] == pytest.approx(rows[-2]["psnr"], abs=0.01)
    for row in rows:
        assert row["spectral_distance"] >= 0
        if row["shown"] or row["method"] == "sweep":
            assert 0 <= row["detection_accuracy"] <= 1


@pytest.mark.slow
def test_the_sharpening_shown_is_the_best_on_validation(results):
    sharpened = [row for row in results["tasks"]["high"] if row["method"] == "sharpened"]
    (tuned,) = [row for row in sharpened if row["shown"]]
    assert tuned["validation_spectral_distance"] == min(row["validation_spectral_distance"] for row in sharpened)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_bundled_patchgan_looks_more_natural_than_its_u_net_and_is_little_less_true(task, samples):
    noisy = TASKS[task](samples, seed=0)
    fidelity, realist = (Restorer.from_pretrained(name)(noisy) for name in specialists(task))
    assert mean_psnr(psnr(fidelity, samples)) - mean_psnr(psnr(realist, samples)) < 1
    assert spectral_distance(realist, samples) < spectral_distance(fidelity, samples)
    # With impulses it takes more faces than these nine to show, as in results/realism.json.
    if isinstance(TASKS[task], GaussianNoise):
        assert gradient_distance(realist, samples) < gradient_distance(fidelity, samples)


def test_points_of_other_weights_stay_until_they_are_measured_again():
    new = [{"method": "noisy"}, {"method": "sweep", "weight": 0.1, "psnr": 2}]
    old = [{"method": "noisy"}, {"method": "sweep", "weight": 0.1, "psnr": 1}, {"method": "sweep", "weight": 0.5}]
    assert realism.keep_sweep(new, old) == [*new, {"method": "sweep", "weight": 0.5}]
