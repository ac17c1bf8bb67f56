from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from fer_denoise import Restorer
from fer_denoise.data import Faces
from fer_denoise.evaluate import NOISY
from fer_denoise.models import EmotionClassifier
from fer_denoise.noise import mixed_noise
from fer_denoise.zoo import EMOTION, EMOTION_IN_NOISE
from train.measures import recognition
from train.measures.recognition import (
    calibration_error,
    describe,
    gains_over,
    macro_f1,
    markdown_tables,
    score,
    summary,
)

LABELS = np.arange(70) % 7
RESAMPLES = np.random.default_rng(0).integers(70, size=(200, 70))


def test_scores_of_a_perfect_and_of_a_constant_answer():
    perfect = np.eye(7)[LABELS]
    found = score(perfect, perfect, LABELS, RESAMPLES)
    assert found["accuracy"] == found["macro_f1"] == found["agreement"] == 1 and found["kl_divergence"] == 0
    constant = np.tile([0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], (70, 1))
    found = score(constant, perfect, LABELS, RESAMPLES)
    assert found["accuracy"] == pytest.approx(1 / 7, abs=1e-4) and found["kl_divergence"] > 1
    low, high = found["accuracy_interval"]
    assert low < 1 / 7 < high and high - low < 0.2


def test_a_gain_common_to_all_faces_is_certain_and_one_that_is_not_is_not():
    perfect, wrong = np.eye(7)[LABELS], np.eye(7)[(LABELS + 1) % 7]
    gains = gains_over({"before": wrong}, perfect, LABELS, RESAMPLES)
    assert gains == {"over_before": 1.0, "over_before_interval": [1.0, 1.0]}
    half = np.where(np.arange(70)[:, None] < 35, perfect, wrong)
    gains = gains_over({"before": half}, perfect, LABELS, RESAMPLES)
    low, high = gains["over_before_interval"]
    assert gains["over_before"] == 0.5 and 0.3 < low < 0.5 < high < 0.7


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


def test_every_method_is_judged_on_the_same_noise(make_faces, monkeypatch):
    monkeypatch.setattr(recognition, "LEVELS", ((0, 0), (0.02, 0), (0.1, 0)))
    monkeypatch.setattr(recognition, "RESAMPLES", 20)
    torch.manual_seed(0)
    classifiers = {name: EmotionClassifier(widths=(4, 8)).eval() for name in (EMOTION, EMOTION_IN_NOISE)}
    restorers = {name: Restorer.from_pretrained(name) for name in ("median", "attention-unet-low", "universal")}
    test = Faces(make_faces(12), np.arange(12) % 7, "")
    with ThreadPoolExecutor(2) as pool:
        rows = list(recognition.measure_rows(test, restorers, classifiers, 3, pool))
    seen = [(row["sigma"], row["method"], row["classifier"]) for row in rows]
    noisy, after = [(NOISY, EMOTION), (NOISY, EMOTION_IN_NOISE)], [("median", EMOTION), ("universal", EMOTION)]
    specialist = [("median", EMOTION), ("attention-unet-low", EMOTION), ("universal", EMOTION)]
    expected = {0: noisy + after, 0.02: noisy + specialist, 0.1: noisy + after}
    assert seen == [(sigma, *each) for sigma, methods in expected.items() for each in methods]
    assert rows[0]["agreement"] == 1 and rows[0]["kl_divergence"] == pytest.approx(0, abs=1e-6)

    restored = restorers["universal"](mixed_noise(test.images, 0.1, 0, seed=3))
    right = classifiers[EMOTION](restored).argmax(axis=1) == test.labels
    assert rows[-1]["accuracy"] == pytest.approx(right.mean(), abs=1e-4)
    levels = summary(rows)
    assert [(level["sigma"], "unet" in level) for level in levels] == [(0, False), (0.02, True), (0.1, False)]
    assert levels[2]["gain"] == pytest.approx(rows[-1]["accuracy"] - levels[2]["noisy"], abs=2e-4)
    assert all(level["best_filter"] == "median" for level in levels)
    described = {"emotion": describe("emotion", classifiers[EMOTION], test)}
    assert np.sum(described["emotion"]["confusion"], axis=1).tolist() == np.bincount(test.labels).tolist()
    text = markdown_tables({"levels": levels, "classifiers": described})
    assert f"| 0.1 | 0% | {levels[2]['noisy']:.1%} | {levels[2]['universal']:.1%} |" in text
    assert f"| `emotion` | {described['emotion']['accuracy']:.1%} |" in text
