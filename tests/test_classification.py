import numpy as np
import pytest
from crowds import LABELS

from train.shared.classification import calibration_error, calibration_error_by_chance, macro_f1


def test_the_calibration_error_is_what_confidence_promises_too_much():
    sure = np.full((70, 7), 0.1 / 6)
    sure[np.arange(70), LABELS] = 0.9
    assert calibration_error(sure, LABELS) == pytest.approx(0.1)
    wrong = np.where(np.arange(70) < 63, LABELS, (LABELS + 1) % 7)
    assert calibration_error(sure, wrong) == pytest.approx(0)
    assert calibration_error(np.eye(7)[LABELS], (LABELS + 1) % 7) == pytest.approx(1)


def test_macro_f1_weighs_every_emotion_alike():
    labels = np.array([0] * 90 + [1] * 10)
    answers = np.zeros(100, int)
    assert macro_f1(answers, labels) == pytest.approx((2 * 90 / 190 + 0) / 2)
    assert macro_f1(labels, labels) == 1
    both = macro_f1(np.stack([answers, labels]), np.stack([labels, labels]))
    assert both.tolist() == [macro_f1(answers, labels), 1]
    unknown = np.full(10, -1)
    assert macro_f1(np.append(answers, unknown), np.append(labels, unknown)) == macro_f1(answers, labels)


def test_by_chance_what_is_true_has_an_error_that_falls_with_the_number_of_faces():
    probabilities = np.random.default_rng(0).dirichlet(np.ones(7), 4000)
    few, many = (calibration_error_by_chance(probabilities[:count], draws=20) for count in (250, 4000))
    assert few.shape == (20,) and many.mean() < 0.02
    assert few.mean() / many.mean() == pytest.approx(4, rel=0.3)
    assert calibration_error_by_chance(np.eye(7), draws=3).tolist() == [0, 0, 0]
