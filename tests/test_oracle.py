import numpy as np
import pytest

from fer_denoise.classical import tv
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.noise import GaussianNoise, SaltAndPepperNoise
from train.measures.shared import oracle


def test_no_parameter_of_the_grid_is_better_than_that_of_the_oracle(make_faces):
    clean = make_faces(4)
    noisy = GaussianNoise(0.1)(clean, seed=0)
    method = oracle.best_method("tv", noisy, clean)
    values = {
        sigma: mean_psnr(psnr(np.stack([tv(image, sigma, strength=1) for image in noisy]).clip(0, 1), clean))
        for sigma in oracle.FILTERS["tv"].grid["sigma"]
    }
    assert method.parameters["sigma"] == max(values, key=values.__getitem__)
    assert mean_psnr(psnr(method.restore(noisy), clean)) == pytest.approx(max(values.values()))


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in oracle.FILTERS if name != "bm3d"])
def test_every_filter_has_its_best_parameters(name, make_faces):
    clean = make_faces(2, shape=(16, 16))
    noisy = SaltAndPepperNoise(0.1)(clean, seed=0)
    method = oracle.best_method(name, noisy, clean)
    restored = method.restore(noisy)
    assert restored.shape == clean.shape and psnr(restored, clean).mean() >= psnr(noisy, clean).mean() - 0.5
    assert all(value in oracle.FILTERS[name].grid[key] for key, value in method.parameters.items())


def test_the_search_goes_uphill_one_parameter_at_a_time():
    axes = [list(range(10)), list("abcdef")]
    tried = []

    def scores(points: list[tuple]) -> list[float]:
        tried.extend(points)
        return [-abs(number - 7) - abs(axes[1].index(letter) - 1) for number, letter in points]

    assert oracle.climb(axes, (2, "e"), scores) == (7, "b")
    assert len(tried) == len(set(tried))
    assert oracle.climb(axes, (7, "b"), scores) == (7, "b")
    # A plain has no end, but the search does.
    assert oracle.climb([[1, 2, 3]], (2,), lambda points: [0.0] * len(points)) == (2,)
    assert oracle.climb([[1]], (1,), lambda points: [0.0] * len(points)) == (1,)
