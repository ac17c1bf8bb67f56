import numpy as np
import pytest
from kinds_of_noise import GRAY, both_forms

from fer_denoise.noise import CorrelatedNoise, LocalNoise, PoissonNoise, SpeckleNoise, StripeNoise


def test_shot_noise_has_the_variance_of_counts():
    for noisy in both_forms(PoissonNoise(200), GRAY):
        assert noisy.mean() == pytest.approx(0.5, abs=0.001)
        assert noisy.var() == pytest.approx(0.5 / 200, rel=0.02)
        np.testing.assert_allclose(noisy * 200, np.rint(noisy * 200), atol=1e-3)


def test_speckle_grows_with_the_light():
    for value in (0.2, 0.4):
        for noisy in both_forms(SpeckleNoise(0.1), np.full_like(GRAY, value)):
            assert noisy.std() == pytest.approx(0.1 * value, rel=0.02)
    assert (SpeckleNoise(0.5)(np.zeros((8, 8)), seed=0) == 0).all()


@pytest.mark.parametrize("width", [0, 0.7, 2.0])
def test_correlated_noise_has_its_level_everywhere_and_its_width(width):
    for noisy in both_forms(CorrelatedNoise(0.05, width), GRAY):
        error = noisy - 0.5
        assert error.std() == pytest.approx(0.05, rel=0.05)
        assert error[:, 0].std() == pytest.approx(error[:, 48].std(), rel=0.2)
        # Two blurred pixels side by side: the blur's own autocorrelation at one pixel.
        neighbours = np.corrcoef(error[:, :, 1:].ravel(), error[:, :, :-1].ravel())[0, 1]
        if width == 0:
            assert abs(neighbours) < 0.02
        elif width == 2.0:
            assert neighbours == pytest.approx(np.exp(-1 / (4 * width**2)), abs=0.02)
        else:
            assert 0.4 < neighbours < 0.7


@pytest.mark.parametrize("extent", [0.25, 0.5])
def test_local_noise_stands_in_its_fraction_of_the_picture(extent):
    for noisy in both_forms(LocalNoise(0.1, extent), GRAY):
        hit = noisy != 0.5
        np.testing.assert_allclose(hit.mean(axis=(1, 2)), extent, atol=1e-3)
        assert (noisy - 0.5)[hit].std() == pytest.approx(0.1, rel=0.02)
        # One straight cut: each row has at most one change.
        assert (np.diff(hit.astype(int), axis=2) != 0).sum(axis=2).max() <= 1


def test_smooth_local_noise_goes_from_none_to_its_level():
    draws = np.stack([LocalNoise(0.1)(np.full((64, 64), 0.5), seed=seed) - 0.5 for seed in range(30)])
    windows = draws.reshape(30, 8, 8, 8, 8).std(axis=(2, 4))
    assert (windows.min(axis=(1, 2)) < 0.02).all() and (windows.max(axis=(1, 2)) > 0.07).all()
    assert windows.max() < 0.14


@pytest.mark.parametrize("axis", [0, 1])
def test_stripes_are_one_offset_for_a_line(axis):
    for noisy in both_forms(StripeNoise(0.05, axis), GRAY):
        offsets = np.moveaxis(noisy, 1 + axis, 1)
        assert (offsets == offsets[:, :, :1]).all()
        assert (offsets[:, :, 0] - 0.5).std() == pytest.approx(0.05, rel=0.1)
