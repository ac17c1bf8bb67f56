import json
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from fer_denoise import classical
from fer_denoise.classical import (
    FILTERS,
    TUNED_FILE,
    ClassicalFilter,
    Filter,
    available_filters,
    nearest_task,
    switching_median,
    tuned_parameters,
)
from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.method import KnownNoise
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.noise import TASKS, mixed_noise
from fer_denoise.restore import Restorer
from fer_denoise.zoo import MODELS
from train.tune_classical import candidates

AVAILABLE = available_filters()
BLIND_GAIN = {"tv": 2.8, "wavelet": 2.3, "nl-means": 3.6, "bm3d": 4.3}
"""The least gain in mean PSNR on the sample faces where sigma is estimated, in dB."""


@pytest.mark.parametrize("name", [name for name in BLIND_GAIN if name in AVAILABLE])
def test_filters_improve_high_noise_without_being_told_sigma(samples, name):
    noisy = TASKS["high"](samples, seed=0)
    gain = mean_psnr(psnr(ClassicalFilter(name)(noisy), samples)) - mean_psnr(psnr(noisy, samples))
    assert gain > BLIND_GAIN[name]


@pytest.mark.parametrize("name", AVAILABLE)
def test_every_filter_has_tuned_parameters_for_every_task(name):
    for task in TASKS:
        parameters = tuned_parameters(name, task)
        assert parameters
        # The true sigma takes its place for Gaussian noise.
        assert ("sigma" in parameters) == (task == "salt_pepper" and FILTERS[name].takes_sigma)


def test_the_tuning_file_says_what_it_was_made_with():
    record = json.loads(TUNED_FILE.read_text())
    assert record["split"] == "validation"
    assert set(record["filters"]) == set(FILTERS)


@pytest.mark.parametrize("name", AVAILABLE)
@pytest.mark.parametrize("sigma", [None, 0, 0.06, 0.5])
@pytest.mark.parametrize("value", [0, 0.3, 1])
def test_constant_images_stay_constant(name, sigma, value):
    restored = ClassicalFilter(name)(np.full((1, 16, 16), value, np.float32), sigma)
    np.testing.assert_allclose(restored, value, atol=1e-2 if name == "bm3d" else 1e-3)


def brightened(noisy: np.ndarray, sigma: float, *, by: float) -> np.ndarray:
    return noisy + by + sigma


@pytest.mark.parametrize("takes_sigma", [True, False])
def test_a_new_filter_is_one_record(takes_sigma, monkeypatch):
    monkeypatch.setitem(FILTERS, "brighter", Filter(brightened, "Brighter", "", {"by": [0.1, 0.2]}, takes_sigma))
    assert available_filters() == [*AVAILABLE, "brighter"]
    grid = [{"by": 0.1}, {"by": 0.2}]
    assert list(candidates("brighter", [0.3])) == [{**each, "sigma": 0.3} if takes_sigma else each for each in grid]
    noisy = np.random.default_rng(0).normal(0.5, 0.1, (1, 16, 16)).astype(np.float32)
    added = ClassicalFilter("brighter", {"by": 0.0})(noisy) - noisy
    assert (added.mean() > 0.05) == takes_sigma


def test_every_filter_is_called_in_the_zoo_what_its_record_says():
    named = {name: (model.title, model.summary) for name, model in MODELS.items() if name in FILTERS}
    assert named == {name: (each.title, each.summary) for name, each in FILTERS.items()}


def test_a_filter_without_its_package_is_not_there_and_says_what_to_install(monkeypatch):
    monkeypatch.setitem(FILTERS, "other", Filter(brightened, "Other", "", {"by": [0.1]}, package="no_such_package"))
    assert available_filters() == AVAILABLE
    with pytest.raises(ModelNotFoundError, match="other needs the package no_such_package: pip install no_such"):
        Restorer.from_pretrained("other")


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("name", AVAILABLE)
def test_constant_images_cause_no_warnings(name):
    ClassicalFilter(name)(np.full((1, 16, 16), 0.3, np.float32))


@pytest.mark.parametrize("name", AVAILABLE)
@pytest.mark.parametrize("shape", [(8, 8), (8, 40), (33, 9)])
@pytest.mark.parametrize("sigma", [None, 0.06])
def test_any_size_from_8_is_filtered(name, shape, sigma):
    if (name, shape) == ("bm3d", (8, 8)):
        pytest.skip("has a test of its own, since it may crash")
    noisy = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    restored = ClassicalFilter(name)(noisy, sigma)
    assert restored.shape == (2, *shape) and restored.dtype == np.float32
    assert np.isfinite(restored).all()


@pytest.mark.skipif("bm3d" not in AVAILABLE, reason="bm3d is not installed")
def test_bm3d_does_not_crash_the_process_on_8x8():
    script = """
import numpy as np
from fer_denoise.classical import FILTERS
noisy = np.random.default_rng(0).random((8, 8), dtype=np.float32)
restored = FILTERS["bm3d"].restore(noisy, 0.06, strength=1.0)
assert restored.shape == (8, 8) and np.isfinite(restored).all()
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", AVAILABLE)
def test_filters_leave_their_input_unchanged(samples, name):
    noisy = TASKS["salt_pepper"](samples[:2, :16, :16], seed=0)
    before = noisy.copy()
    ClassicalFilter(name)(noisy)
    np.testing.assert_array_equal(noisy, before)


@pytest.mark.parametrize("name", [name for name in AVAILABLE if FILTERS[name].takes_sigma])
def test_a_higher_sigma_smooths_more(samples, name):
    noisy = TASKS["high"](samples[:2], seed=0)
    weak, strong = (ClassicalFilter(name).tuned_for("high")(noisy, sigma) for sigma in (0.03, 0.12))
    assert np.abs(strong - noisy).mean() > 1.3 * np.abs(weak - noisy).mean()


def test_given_parameters_replace_the_tuned():
    noisy = np.random.default_rng(0).random((1, 16, 16), dtype=np.float32)
    wide = ClassicalFilter("median", {"size": 7})(noisy)
    assert wide.std() < 0.6 * ClassicalFilter("median", {"size": 3})(noisy).std()


def test_filters_take_the_parameters_of_the_nearest_level():
    assert [nearest_task("tv", sigma) for sigma in (0, 0.01, 0.03, 0.04, 0.3)] == ["low", "low", "low", "high", "high"]
    assert nearest_task("median", 0.02) == nearest_task("switching-median", 0.02) == "salt_pepper"


def test_switching_median_changes_only_black_and_white_pixels(samples):
    noisy = TASKS["salt_pepper"](samples, seed=0)
    impulse = (noisy == 0) | (noisy == 1)
    restored = ClassicalFilter("switching-median")(noisy)
    np.testing.assert_array_equal(restored[~impulse], noisy[~impulse])
    assert (restored != noisy).sum() > 0.9 * (noisy != samples.astype(np.float32) / 255).sum()


@pytest.mark.parametrize("value", [0, 1])
def test_switching_median_keeps_an_all_black_or_white_picture(value):
    picture = np.full((12, 12), value, np.float32)
    np.testing.assert_array_equal(switching_median(picture, 0, threshold=0.0), picture)


def test_switching_median_takes_the_median_of_good_neighbours():
    picture = np.full((9, 9), 0.5, np.float32)
    picture[3:6, 3:6] = [[0.1, 0.2, 0.3], [0, 1, 0], [0.7, 0.8, 1]]
    restored = switching_median(picture, 0, threshold=0.0)
    assert restored[4, 4] == pytest.approx(0.3)


def test_switching_median_widens_its_window_until_it_finds_a_good_pixel():
    picture = np.zeros((9, 9), np.float32)
    picture[0, 0] = 0.4
    expected = np.zeros((9, 9), np.float32)
    expected[:4, :4] = 0.4
    np.testing.assert_allclose(switching_median(picture, 0, threshold=0.0), expected)


def test_switching_median_keeps_true_black_below_the_threshold():
    picture = np.full((9, 9), 0.05, np.float32)
    picture[2, 2], picture[6, 6] = 0, 1
    restored = switching_median(picture, 0, threshold=0.1)
    assert restored[2, 2] == 0
    assert restored[6, 6] == pytest.approx(0.05)


def test_switching_median_needs_little_memory_for_a_large_black_area():
    picture = np.random.default_rng(0).uniform(0.2, 0.8, (128, 128)).astype(np.float32)
    picture[:, :64] = 0
    tracemalloc.start()
    try:
        switching_median(picture, 0, threshold=0.02)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40e6


def test_bm3d_is_listed_only_where_it_is_installed(monkeypatch):
    monkeypatch.setattr("fer_denoise.classical.find_spec", lambda name: None)
    assert available_filters() == [name for name in FILTERS if name != "bm3d"]


def test_filters_stand_behind_the_switching_median_where_there_are_impulses(make_faces):
    clean = make_faces(2)
    noisy = mixed_noise(clean, 0.06, 0.1, seed=0)
    parameters = classical.level_parameters("wavelet", 0.06, 0.1)
    threshold = parameters.pop("impulse_threshold")
    switched = ClassicalFilter("switching-median", {"threshold": threshold})(noisy, 0.06)
    expected = ClassicalFilter("wavelet", parameters)(switched, 0.06)
    np.testing.assert_array_equal(ClassicalFilter("wavelet").restore(noisy, KnownNoise(0.06, 0.1)), expected)
    # Alone where there are none.
    noisy = mixed_noise(clean, 0.06, 0, seed=0)
    expected = ClassicalFilter("wavelet", classical.level_parameters("wavelet", 0.06, 0))(noisy, 0.06)
    np.testing.assert_array_equal(ClassicalFilter("wavelet").restore(noisy, KnownNoise(0.06, 0.0)), expected)


@pytest.mark.parametrize("noise", [None, KnownNoise(0.06, 0.0)], ids=["blind", "known"])
def test_a_filter_that_nobody_has_tuned_says_so(noise, make_faces, monkeypatch):
    monkeypatch.setitem(FILTERS, "new", FILTERS["tv"])
    with pytest.raises(LookupError, match=r"new has no tuned parameters .* run python -m train.tune_classical"):
        ClassicalFilter("new").restore(make_faces(1), noise)
