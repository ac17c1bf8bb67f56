import numpy as np
import pytest

from fer_denoise.demo.face_state import is_outdated, subject

FACE = np.zeros((48, 48), np.uint8)


def test_what_was_never_measured_is_not_outdated():
    assert not is_outdated(None, FACE, 0, 0.1)


def test_no_seed_is_seed_0():
    assert not is_outdated(subject(FACE, None, 0.1), FACE.copy(), 0, 0.1)


@pytest.mark.parametrize(("face", "seed", "values"), [(FACE + 1, 0, (0.1,)), (FACE, 1, (0.1,)), (FACE, 0, (0.2,))])
def test_another_face_seed_or_noise_outdates_what_was_measured(face, seed, values):
    assert is_outdated(subject(FACE, 0, 0.1), face, seed, *values)
