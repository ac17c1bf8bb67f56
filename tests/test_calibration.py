"""Making the confidence of a classifier as often right as it says."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from accelerate import Accelerator

import train.calibrate
import train.emotion
from train.shared.calibration import calibrate, calibrate_votes, consistent_temperature, held_out


@pytest.mark.slow
def test_answers_are_as_often_right_as_they_are_confident():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 7)) * 2
    probabilities = torch.from_numpy(logits).softmax(dim=1)
    labels = torch.from_numpy((probabilities.cumsum(dim=1).numpy() > rng.random((4000, 1))).argmax(axis=1))
    overconfident = torch.from_numpy(logits * 2)
    assert consistent_temperature(overconfident, labels) == pytest.approx(2, rel=0.05)
    # What the crowd chose is known exactly; where nothing can be learned of it, it plays no part.
    crowd = torch.cat([probabilities, torch.zeros(1000, 7)])
    both = torch.cat([overconfident, torch.from_numpy(rng.normal(size=(1000, 7)) * 9)])
    assert calibrate_votes(both, crowd) == pytest.approx(2, rel=0.01)
    # A quarter of the labels are of a coin: no loss asks for it, but right and confident have to agree.
    worse = torch.where(torch.rand(4000, generator=torch.Generator().manual_seed(0)) < 0.25, labels.roll(1), labels)
    temperature = consistent_temperature(overconfident, worse)
    confidence, answers = (overconfident / temperature).softmax(dim=1).max(dim=1)
    assert confidence.mean().item() == pytest.approx((answers == worse).float().mean().item(), abs=0.01)


@pytest.mark.slow
def test_what_logit_adjustment_gave_to_rare_emotions_is_taken_back():
    rng = np.random.default_rng(0)
    frequencies = torch.tensor([300, 20, 200, 200, 100, 100, 80])
    labels = rng.choice(7, size=4000, p=frequencies.numpy() / 1000)
    logits = torch.from_numpy(1.5 * np.eye(7)[labels] + rng.normal(size=(4000, 7)))
    labels = torch.from_numpy(labels)
    plain = calibrate(logits, labels, torch.ones(7))
    assert plain.bias == [0] * 7
    temperature, bias = calibrate(logits, labels, frequencies)
    assert bias[1] == min(bias) < -1 and sum(bias) == pytest.approx(0, abs=1e-3)
    loss = torch.nn.functional.cross_entropy
    mended = logits / temperature + torch.tensor(bias)
    assert loss(mended, labels) < loss(logits / plain.temperature, labels) - 0.05
    # Where that was not given, there is nothing to take back.
    assert calibrate(mended, labels, frequencies).bias[1] > -0.5
    assert np.isfinite(calibrate(logits, labels, frequencies * (frequencies > 20)).bias).all()


@pytest.mark.slow
def test_held_out_faces_play_no_part_in_their_own_calibration():
    rng = np.random.default_rng(0)
    logits = torch.from_numpy(rng.normal(size=(40, 7)).astype(np.float32))
    labels, frequencies = torch.from_numpy(rng.integers(0, 7, 40)), torch.arange(1, 8)
    before, others = held_out(logits, labels, frequencies), labels.clone()
    others[3] = (labels[3] + 1) % 7
    after = held_out(logits, others, frequencies)
    torch.testing.assert_close(after[3], before[3])
    assert not torch.allclose(after, before)
    torch.testing.assert_close(before.sum(dim=1), torch.ones(40))


@pytest.mark.usefixtures("fresh_accelerator")
def test_the_temperature_of_the_best_calibration_gives_the_loss():
    probabilities = np.array([0.6, 0.1, 0.1, 0.1, 0.05, 0.03, 0.02])
    labels = np.repeat(np.arange(7), (1000 * probabilities).astype(int))
    faces = SimpleNamespace(
        validation=torch.zeros(len(labels), 1, 48, 48, dtype=torch.uint8), validation_labels=torch.from_numpy(labels)
    )
    overconfident = torch.from_numpy(np.log(probabilities)).float() * 2

    class Constant(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> tuple[torch.Tensor]:
            return (overconfident.expand(len(images), 7),)

    logits = train.emotion.predict(Constant(), faces, Accelerator(cpu=True))
    ((loss, accuracy),) = train.emotion.validate(logits, faces)
    assert loss == pytest.approx(-(probabilities * np.log(probabilities)).sum(), rel=0.01)
    assert accuracy == pytest.approx(0.6)
