import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from train.measures.shared.detectability import detection_accuracy

IMAGES = 64


@pytest.fixture(scope="module")
def textured(make_faces) -> np.ndarray:
    texture = 6 * np.random.default_rng(0).standard_normal((4 * IMAGES, 48, 48))
    return np.clip(np.rint(make_faces(4 * IMAGES) + texture), 0, 255).astype(np.uint8)


@pytest.mark.slow
def test_a_blurred_copy_is_told_apart_and_a_fresh_sample_is_not(textured):
    train, test = textured[: 2 * IMAGES], textured[2 * IMAGES :]
    blurred = gaussian_filter(textured, sigma=(0, 0.8, 0.8))
    assert detection_accuracy((blurred[: 2 * IMAGES], train), (blurred[2 * IMAGES :], test)) > 0.9
    again = detection_accuracy((train[:IMAGES], train[IMAGES:]), (test[:IMAGES], test[IMAGES:]))
    assert 0.3 < again < 0.7


@pytest.mark.slow
def test_the_accuracy_repeats_exactly(textured, monkeypatch):
    monkeypatch.setattr("train.measures.shared.detectability.EPOCHS", 2)
    halves = (textured[:IMAGES], textured[IMAGES : 2 * IMAGES])
    assert detection_accuracy(halves, halves) == detection_accuracy(halves, halves)


def test_floats_would_betray_the_restored_faces(textured):
    with pytest.raises(TypeError, match="round them"):
        detection_accuracy((textured / 255, textured), (textured, textured))
