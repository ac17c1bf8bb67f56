import pytest
import torch
from random_networks import images

from fer_denoise.models.noise_estimator import (
    LEVELS,
    NoiseEstimator,
    estimator_inputs,
    extremes,
    pooled,
    scaled,
    streaks,
    unscaled,
)


@pytest.fixture
def estimator() -> NoiseEstimator:
    torch.manual_seed(0)
    return NoiseEstimator(width=16, hidden=8).eval()


def test_extremes_are_the_pixels_at_the_ends():
    values = torch.tensor([0.0, 1e-6, 0.5, 1 - 1e-6, 1.0])
    assert extremes(values).tolist() == [1, 0, 0, 0, 1]


def test_it_sees_the_picture_and_which_of_its_pixels_are_extremes():
    pictures = images(2, 1, 4, 4).round()
    assert torch.equal(estimator_inputs(pictures), torch.cat([pictures, torch.ones_like(pictures)], dim=1))


def test_the_scale_of_the_estimator_is_turned_back():
    levels = torch.tensor([[0.0] * 6, [0.01, 0.5, 0.7, 0.02, 0.6, 0.5], [0.3, 0.02, 2.5, 0.3, 0.95, 0.75]])
    torch.testing.assert_close(unscaled(scaled(levels)), levels)
    assert scaled(levels).max() <= 1 and unscaled(torch.full((6,), -0.1)).tolist() == [0] * 6


def test_channels_are_pooled_to_their_mean_and_standard_deviation():
    features = torch.zeros(1, 2, 4, 4)
    features[0, 1, :2] = 2
    assert pooled(features).tolist() == [[0, 1, 0, 1]]


@pytest.mark.parametrize("axis", [2, 3])
def test_an_offset_of_each_row_or_column_is_told_from_what_differs_within_it(axis):
    lines = torch.tensor([1.0, -1.0] * 4)
    offsets = lines.view(-1, 1) if axis == 2 else lines
    board = lines.view(-1, 1) * lines
    features = torch.stack([offsets.expand(8, 8), board])[None]
    of_rows, of_columns = streaks(features).view(2, 2)
    assert (of_rows if axis == 2 else of_columns).tolist() == [1, 0]
    assert (of_columns if axis == 2 else of_rows).tolist() == [0, 0]


@torch.no_grad()
def test_levels_and_maps_can_be_had_alone(estimator):
    inputs = estimator_inputs(images(3, 1, 10, 12))
    estimate = estimator(inputs)
    assert estimate.levels.shape == (3, len(LEVELS)) and estimate.sigma.shape == (3, 1, 10, 12)
    assert torch.equal(estimator.levels(inputs), estimate.levels)
    sigma, impulse = estimator.pixel_maps(inputs)
    assert torch.equal(sigma, estimate.sigma) and torch.equal(impulse, estimate.impulse)


@torch.no_grad()
def test_the_maps_alone_take_no_look_at_the_whole_picture(estimator):
    inputs = estimator_inputs(images(1, 1, 40, 40))
    changed = inputs.clone()
    changed[..., 36:, 36:] = 0.5
    (before, _), (after, _) = estimator.pixel_maps(inputs), estimator.pixel_maps(changed)
    assert torch.equal(before[..., :20, :20], after[..., :20, :20]) and not torch.equal(before, after)
    estimator.head.register_forward_hook(lambda *_: pytest.fail("levels that nobody asked for are estimated"))
    estimator.pixel_maps(inputs)
