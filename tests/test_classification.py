import numpy as np
import pytest
from crowds import LABELS

from train.shared.classification import calibration_error, macro_f1


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
