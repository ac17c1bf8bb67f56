from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fer_denoise import Restorer
from fer_denoise.classical import FILTERS, ClassicalFilter, tuned_parameters
from fer_denoise.evaluate import restore, score
from fer_denoise.images import to_float
from fer_denoise.method import KnownNoise
from fer_denoise.metrics import mean_psnr, origin_convention, psnr, ssim
from fer_denoise.noise import TASKS
from fer_denoise.samples import sample_faces


@pytest.fixture(scope="module")
def clean(make_faces):
    return make_faces(5)


@pytest.fixture(scope="module")
def noisy(clean):
    return TASKS["high"](clean, seed=0)


def test_a_row_holds_the_means_over_all_and_over_unseen_images(noisy, clean):
    unseen = np.array([True, False, True, True, False])
    row = score("noisy", noisy, clean, unseen)
    assert row.model == "noisy"
    assert row.mse == pytest.approx(np.mean((noisy - clean / 255) ** 2), rel=1e-6)
    assert row.psnr == pytest.approx(mean_psnr(psnr(noisy, clean)))
    assert row.ssim == pytest.approx(ssim(noisy, clean).mean())
    assert row.psnr_unseen == pytest.approx(mean_psnr(psnr(noisy[unseen], clean[unseen])))
    assert row.ssim_unseen == pytest.approx(ssim(noisy[unseen], clean[unseen]).mean())
    assert (row.origin_psnr, row.origin_ssim) == pytest.approx(origin_convention(noisy, clean))


def test_a_perfect_row_is_finite(clean):
    row = score("perfect", clean, clean, np.ones(5, bool)).as_dict()
    assert row.pop("model") == "perfect"
    assert row["psnr"] == row["psnr_unseen"] == 100 and row["mse"] == 0
    assert np.isfinite(list(row.values())).all()


@pytest.mark.parametrize("name", [name for name, each in FILTERS.items() if each.takes_sigma and not each.package])
def test_a_filter_that_knows_the_noise_stands_behind_the_switching_median(name):
    clean = to_float(next(iter(sample_faces().values())))
    noisy = TASKS["salt_pepper"](clean, seed=0)
    restorer = Restorer.from_pretrained(name)
    known = KnownNoise.of(TASKS["salt_pepper"])
    assert psnr(restore(restorer, noisy, known), clean) > psnr(restorer(noisy), clean) + 10


def test_filters_are_told_the_true_sigma_and_the_parameters_of_the_task(noisy):
    expected = ClassicalFilter("tv", tuned_parameters("tv", "high"))(noisy, 0.06)
    tuned = Restorer.from_pretrained("tv").tuned_for("high")
    np.testing.assert_array_equal(restore(tuned, noisy, KnownNoise.of(TASKS["high"])), expected)


def test_a_pool_changes_nothing(make_faces):
    noisy = TASKS["salt_pepper"](make_faces(70, shape=(12, 12)), seed=0)
    restorer, known = Restorer.from_pretrained("switching-median"), KnownNoise.of(TASKS["salt_pepper"])
    alone = restore(restorer, noisy, known)
    assert alone.shape == noisy.shape
    with ThreadPoolExecutor(2) as pool:
        np.testing.assert_array_equal(restore(restorer, noisy, known, pool), alone)
        tall = noisy.reshape(-1, 12)
        np.testing.assert_array_equal(restore(restorer, tall, known, pool), restore(restorer, tall, known))
