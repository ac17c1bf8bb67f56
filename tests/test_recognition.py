from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from fer_denoise import Restorer
from fer_denoise.data import Faces
from fer_denoise.evaluate import NOISY
from fer_denoise.models import EmotionClassifier
from train import recognition
from train.recognition import CLEAN_TRAINED, NOISE_TRAINED, macro_f1, score


def test_scores_of_a_perfect_and_of_a_constant_answer():
    labels = np.arange(70) % 7
    perfect = np.eye(7)[labels]
    found = score(perfect, perfect, labels)
    assert found["accuracy"] == found["macro_f1"] == found["agreement"] == 1 and found["kl_divergence"] == 0
    constant = np.tile([0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], (70, 1))
    found = score(constant, perfect, labels)
    assert found["accuracy"] == pytest.approx(1 / 7) and found["kl_divergence"] > 1
    low, high = found["accuracy_interval"]
    assert low < 1 / 7 < high and high - low < 0.2


def test_macro_f1_weighs_every_emotion_alike():
    labels = np.array([0] * 90 + [1] * 10)
    answers = np.zeros(100, int)
    assert macro_f1(answers, labels) == pytest.approx((2 * 90 / 190 + 0) / 2)
    assert macro_f1(labels, labels) == 1


def test_every_method_is_judged_on_the_same_noise(make_faces, monkeypatch):
    monkeypatch.setattr(recognition, "LEVELS", ((0, 0), (0.02, 0), (0.1, 0)))
    monkeypatch.setattr(recognition, "RESAMPLES", 20)
    torch.manual_seed(0)
    classifiers = {name: EmotionClassifier(widths=(4, 8)).eval() for name in (CLEAN_TRAINED, NOISE_TRAINED)}
    restorers = {name: Restorer.from_pretrained(name) for name in ("median", "attention-unet-low")}
    test = Faces(make_faces(12), np.arange(12) % 7, "")
    with ThreadPoolExecutor(2) as pool:
        rows = list(recognition.measure(test, restorers, classifiers, 3, pool))
    seen = [(row["sigma"], row["method"], row["classifier"]) for row in rows]
    every = [(NOISY, CLEAN_TRAINED), (NOISY, NOISE_TRAINED), ("median", CLEAN_TRAINED)]
    specialist = [("attention-unet-low", CLEAN_TRAINED)]
    assert seen == [
        (sigma, *each) for sigma in (0, 0.02, 0.1) for each in every + (specialist if sigma == 0.02 else [])
    ]
    assert rows[0]["agreement"] == 1 and rows[0]["kl_divergence"] == pytest.approx(0, abs=1e-6)
