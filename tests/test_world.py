import numpy as np
import pytest

from fer_denoise.classical import tv
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.noise import GaussianNoise, SaltAndPepperNoise
from train.measures import oracle, world
from train.measures.harmless import HARMLESS, PADDING, harmless


def test_no_parameter_of_the_grid_is_better_than_that_of_the_oracle(make_faces):
    clean = make_faces(4)
    noisy = GaussianNoise(0.1)(clean, seed=0)
    restored, parameters = oracle.restore_best("tv", noisy, clean)
    values = {
        sigma: mean_psnr(psnr(np.stack([tv(image, sigma, strength=1) for image in noisy]).clip(0, 1), clean))
        for sigma in oracle.FILTERS["tv"].grid["sigma"]
    }
    assert parameters["sigma"] == max(values, key=values.__getitem__)
    assert mean_psnr(psnr(restored, clean)) == pytest.approx(max(values.values()))


@pytest.mark.parametrize("name", [name for name in oracle.FILTERS if name != "bm3d"])
def test_every_filter_has_its_best_parameters(name, make_faces):
    clean = make_faces(2, shape=(16, 16))
    noisy = SaltAndPepperNoise(0.1)(clean, seed=0)
    restored, parameters = oracle.restore_best(name, noisy, clean)
    assert restored.shape == clean.shape and psnr(restored, clean).mean() >= psnr(noisy, clean).mean() - 0.5
    assert all(value in oracle.FILTERS[name].grid[key] for key, value in parameters.items())


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


@pytest.mark.parametrize("kind", HARMLESS)
def test_harmless_pictures_hold_true_black_and_white_and_depend_on_their_index_alone(kind, make_faces):
    faces = make_faces(4)
    pictures = harmless(kind, faces, seed=3)
    assert len(pictures) == 4 and pictures.dtype == np.uint8
    np.testing.assert_array_equal(harmless(kind, faces[:2], seed=3), pictures[:2])
    assert ((pictures == 0) | (pictures == 255)).mean(axis=(1, 2)).min() > 0.04
    if pictures.shape == faces.shape:
        assert (pictures[:, 24, 24] == faces[:, 24, 24]).all() or kind == "turned face"
    assert not np.array_equal(pictures[0], pictures[1])


def test_padding_lies_on_opposite_sides(make_faces):
    faces = make_faces(8)
    for face, picture in zip(faces, harmless("black or white padding", faces, seed=0), strict=True):
        changed = picture != face
        rows, columns = changed.all(axis=1), changed.all(axis=0)
        assert rows.sum() + columns.sum() == 2 * PADDING
        assert changed.sum() == 2 * PADDING * 48


def test_every_cell_has_a_name_of_its_own_and_noise_of_its_own(make_faces):
    faces = make_faces(2)
    cells = list(world.cells(faces, seed=3))
    assert len({cell.name for cell in cells}) == len(cells) > 60
    for cell in cells:
        noisy = cell.noisy(3)
        assert noisy.dtype == np.float32 and noisy.shape == cell.clean.shape
        values = psnr(noisy, cell.clean)
        assert np.isinf(values).all() if cell.noise is None else 5 < values.mean() < 60, cell.name
