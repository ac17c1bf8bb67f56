from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from fer_denoise import Restorer
from fer_denoise.data import Faces
from fer_denoise.data.votes import Votes
from fer_denoise.evaluate import NOISY
from fer_denoise.models import EmotionClassifier
from fer_denoise.noise import mixed_noise
from fer_denoise.zoo import EMOTION, EMOTION_IN_NOISE
from train.measures import recognition, world
from train.measures.answers import draw_faces, gains_over, score, score_votes
from train.measures.recognition import Answers, Cell, describe, markdown_tables, summary
from train.shared.classification import calibration_error, macro_f1

LABELS = np.arange(70) % 7
DRAWS = draw_faces(70, 200)


def test_scores_of_a_perfect_and_of_a_constant_answer():
    perfect = np.eye(7)[LABELS]
    found = score(perfect, perfect, LABELS, DRAWS)
    assert found["accuracy"] == found["macro_f1"] == found["agreement"] == 1 and found["kl_divergence"] == 0
    constant = np.tile([0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], (70, 1))
    found = score(constant, perfect, LABELS, DRAWS)
    assert found["accuracy"] == pytest.approx(1 / 7, abs=1e-4) and found["kl_divergence"] > 1
    low, high = found["accuracy_interval"]
    assert low < 1 / 7 < high and high - low < 0.2


def test_a_gain_common_to_all_faces_is_certain_and_one_that_is_not_is_not():
    perfect, wrong = np.ones(70, bool), np.zeros(70, bool)
    gains = gains_over({"before": wrong}, perfect, DRAWS)
    assert gains == {"over_before": 1.0, "over_before_interval": [1.0, 1.0]}
    gains = gains_over({"before": np.arange(70) < 35}, perfect, DRAWS)
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


def crowd_of(labels: np.ndarray) -> Votes:
    """Eight of ten see what the label says; the others, that a face is neutral."""
    counts = np.zeros((len(labels), 10), int)
    counts[np.arange(len(labels)), labels] = 8
    counts[:, 6] += 2
    return Votes(counts)


def test_the_crowd_judges_its_own_distribution_best():
    votes = crowd_of(LABELS)
    found = score_votes(votes.distribution, votes, DRAWS)
    assert found["accuracy"] == found["macro_f1"] == found["disgust_recall"] == 1
    assert found["kl_divergence"] == pytest.approx(0, abs=1e-4) and found["calibration_error"] < 1e-4
    entropy = -(0.8 * np.log(0.8) + 0.2 * np.log(0.2)) * 6 / 7
    assert found["cross_entropy"] == pytest.approx(entropy, abs=1e-3)
    sure = score_votes(np.eye(7)[LABELS], votes, DRAWS)
    assert sure["accuracy"] == 1 and sure["kl_divergence"] > 1
    assert sure["calibration_error"] == pytest.approx(0.2 * 6 / 7, abs=1e-3)


def test_faces_without_a_clear_majority_count_for_the_distribution_alone():
    counts = np.zeros((70, 10), int)
    counts[:, [0, 1]] = 5
    counts[0] = [9, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    counts[1] = [9, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    half = np.tile([0.5, 0.5, 0, 0, 0, 0, 0], (70, 1))
    half[1] = np.eye(7)[0]
    found = score_votes(half, Votes(counts), DRAWS)
    assert found["accuracy"] == 1 and found["disgust_recall"] is None
    assert found["kl_divergence"] == pytest.approx(np.log(2) / 70, abs=1e-3)


def test_every_method_is_judged_on_the_same_noise(make_faces):
    torch.manual_seed(0)
    classifiers = {name: EmotionClassifier(widths=(4, 8), votes=True).eval() for name in (EMOTION, EMOTION_IN_NOISE)}
    restorers = {name: Restorer.from_pretrained(name) for name in ("median", "attention-unet-low", "universal")}
    test = Faces(make_faces(12), np.arange(12) % 7, "")
    votes = crowd_of(test.labels)
    on_clean = {name: Answers.of(each, test.images, True) for name, each in classifiers.items()}
    cells = [*(Cell((sigma, 0)) for sigma in (0, 0.02, 0.1)), Cell(None, ("Poisson", "100 photons"))]
    with ThreadPoolExecutor(2) as pool:
        rows = [
            row
            for cell in cells
            for row in recognition.measure_cell(cell, test, votes, restorers, classifiers, on_clean, 3, pool)
        ]
    seen = [(row["noise"], row["method"], row["classifier"]) for row in rows]
    noisy, after = [(NOISY, EMOTION), (NOISY, EMOTION_IN_NOISE)], [("median", EMOTION), ("universal", EMOTION)]
    specialist = [("median", EMOTION), ("attention-unet-low", EMOTION), ("universal", EMOTION)]
    names = ["sigma 0, impulses 0%", "sigma 0.02, impulses 0%", "sigma 0.1, impulses 0%", "Poisson: 100 photons"]
    expected = dict(zip(names, (noisy + after, noisy + specialist, noisy + after, noisy + after), strict=True))
    assert seen == [(noise, *each) for noise, methods in expected.items() for each in methods]
    assert rows[0]["agreement"] == 1 and rows[0]["kl_divergence"] == pytest.approx(0, abs=1e-6)
    assert "sigma" not in rows[-1] and rows[-1]["faces"] == 12

    ours = next(row for row in rows if row["noise"] == names[2] and row["method"] == "universal")
    restored = restorers["universal"](mixed_noise(test.images, 0.1, 0, seed=3))
    right = classifiers[EMOTION](restored).argmax(axis=1) == test.labels
    assert ours["accuracy"] == pytest.approx(right.mean(), abs=1e-4)
    of_crowd = classifiers[EMOTION].votes(restored).argmax(axis=1) == votes.majority
    assert ours["votes"]["accuracy"] == pytest.approx(of_crowd.mean(), abs=1e-4)
    shown = summary(rows)
    assert ["unet" in row for row in shown] == [False, True, False, False]
    assert shown[2]["gain"] == pytest.approx(ours["accuracy"] - shown[2]["noisy"], abs=2e-4)
    assert all(row["best_filter"] == "median" for row in shown)
    described = {"emotion": describe("emotion", on_clean[EMOTION], test, votes)}
    assert np.sum(described["emotion"]["confusion"], axis=1).tolist() == np.bincount(test.labels).tolist()
    text = markdown_tables({"rows": rows, "classifiers": described})
    assert f"| {names[2]} | {shown[2]['noisy']:.1%} | {shown[2]['universal']:.1%} |" in text
    assert f"| `emotion`, labels | 12 | {described['emotion']['accuracy']:.1%} |" in text
    assert f"| `emotion`, crowd | 12 | {described['emotion']['votes']['accuracy']:.1%} |" in text
    for title in ("By the crowd's majority", "the first 12 faces", "How far the answer is"):
        assert title in text
    for row in (*rows, *described.values()):
        del row["votes"]
    assert "crowd" not in markdown_tables({"rows": rows, "classifiers": described})


def test_the_kinds_of_noise_are_those_of_the_world():
    assert all(level in world.KINDS[kind] for kind, level in recognition.KINDS)
    assert len({cell.name for cell in recognition.cells()}) == len(recognition.LEVELS) + len(recognition.KINDS)
