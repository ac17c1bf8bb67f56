import numpy as np
import pytest
from kinds_of_noise import GRAY, both_forms

from fer_denoise.noise import DeadLines, ImpulseNoise


def test_random_impulses_have_every_value_and_near_ones_those_at_the_ends():
    for noisy in both_forms(ImpulseNoise(0.2), GRAY):
        values = noisy[noisy != 0.5]
        assert len(values) / noisy.size == pytest.approx(0.2, rel=0.02)
        assert np.histogram(values, 10, (0, 1))[0] == pytest.approx(len(values) / 10, rel=0.1)
    for noisy in both_forms(ImpulseNoise(0.2, ("near", 0.06)), GRAY):
        values = noisy[noisy != 0.5]
        assert ((values <= 0.06) | (values >= 0.94)).all()
        assert np.mean(values > 0.5) == pytest.approx(0.5, abs=0.02)
        assert len(np.unique(values)) > 1000


def test_dead_lines_are_whole_rows_and_columns_of_one_gray():
    rows = columns = 0
    for seed in range(40):
        noisy = DeadLines(3)(np.full((48, 48), 0.4, np.float32), seed=seed)
        of_rows = (noisy != np.float32(0.4)).mean(axis=1) == 1
        of_columns = (noisy != np.float32(0.4)).mean(axis=0) == 1
        rows, columns = rows + of_rows.sum(), columns + of_columns.sum()
        assert 1 <= of_rows.sum() + of_columns.sum() <= 3
        assert (noisy[~of_rows][:, ~of_columns] == np.float32(0.4)).all()
    assert rows > 35 and columns > 35
