import numpy as np
import pytest
from crowds import LABELS, crowd_of

from fer_denoise.data.votes import Votes
from train.measures.shared.answers import gains_over, score, score_votes


def test_scores_of_a_perfect_and_of_a_constant_answer():
    perfect = np.eye(7)[LABELS]
    found = score(perfect, perfect, LABELS)
    assert found["accuracy"] == found["macro_f1"] == found["agreement"] == 1 and found["kl_divergence"] == 0
    constant = np.tile([0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], (70, 1))
    found = score(constant, perfect, LABELS)
    assert found["accuracy"] == pytest.approx(1 / 7, abs=1e-4) and found["kl_divergence"] > 1
    low, high = found["accuracy_interval"]
    assert low < 1 / 7 < high
    # Within a tenth of the normal approximation of a binomial.
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(1 / 7 * 6 / 7 / 70), rel=0.1)


def test_a_gain_common_to_all_faces_is_certain_and_one_that_is_not_is_not():
    perfect, wrong = np.ones(70, bool), np.zeros(70, bool)
    gains = gains_over({"before": wrong}, perfect)
    assert gains == {"over_before": 1.0, "over_before_interval": [1.0, 1.0]}
    gains = gains_over({"before": np.arange(70) < 35}, perfect)
    low, high = gains["over_before_interval"]
    assert gains["over_before"] == 0.5 and 0.3 < low < 0.5 < high < 0.7
    clear = np.where(np.arange(70) < 60, perfect, np.nan)
    assert gains_over({"before": wrong}, clear) == {"over_before": 1.0, "over_before_interval": [1.0, 1.0]}


def test_the_crowd_judges_its_own_distribution_best():
    votes = crowd_of(LABELS)
    found = score_votes(votes.distribution, votes)
    assert found["accuracy"] == found["macro_f1"] == found["disgust_recall"] == 1
    assert found["kl_divergence"] == pytest.approx(0, abs=1e-4) and found["calibration_error"] < 1e-4
    entropy = -(0.8 * np.log(0.8) + 0.2 * np.log(0.2)) * 6 / 7
    assert found["cross_entropy"] == pytest.approx(entropy, abs=1e-3)
    sure = score_votes(np.eye(7)[LABELS], votes)
    assert sure["accuracy"] == 1 and sure["kl_divergence"] > 1
    assert sure["calibration_error"] == pytest.approx(0.2 * 6 / 7, abs=1e-3)


def test_faces_without_a_clear_majority_count_for_the_distribution_alone():
    counts = np.zeros((70, 10), int)
    counts[:, [0, 1]] = 5
    counts[0] = [9, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    counts[1] = [9, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    half = np.tile([0.5, 0.5, 0, 0, 0, 0, 0], (70, 1))
    half[1] = np.eye(7)[0]
    found = score_votes(half, Votes(counts))
    assert found["accuracy"] == 1 and found["disgust_recall"] is None
    assert found["kl_divergence"] == pytest.approx(np.log(2) / 70, abs=1e-3)
