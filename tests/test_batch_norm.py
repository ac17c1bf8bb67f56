import pytest
import torch
from torch import nn

from train.shared import batch_norm


@pytest.fixture
def three_channels() -> nn.Sequential:
    """One that answers to its input, one that does so faintly, and one that its bias keeps silent."""
    model = nn.Sequential(nn.Conv2d(1, 3, 1), nn.ReLU(), nn.BatchNorm2d(3)).eval()
    with torch.no_grad():
        model[0].weight[:] = torch.tensor([3.0, 3e-6, 1.0]).view(3, 1, 1, 1)
        model[0].bias[:] = torch.tensor([1.0, 1e-6, -8.0])
    return model


@pytest.mark.slow
def test_calibration_measures_statistics_and_silences_what_would_be_amplified(three_channels):
    norm = three_channels[2]
    norm.running_mean.fill_(9)
    images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before_norm = three_channels[:2](images)
    batch_norm.calibrate_batch_norm(three_channels, images.split(16))
    assert not three_channels.training
    torch.testing.assert_close(norm.running_mean, before_norm.mean(dim=(0, 2, 3)))
    # However small its weights are, a channel that says something is left as it is.
    variances = before_norm.var(dim=(0, 2, 3))
    torch.testing.assert_close(norm.running_var[:2], variances[:2], rtol=0.05, atol=0)
    assert variances[2] == 0
    assert norm.running_var[2] == pytest.approx((8 + images.mean().item()) ** 2, rel=0.05)
    with torch.no_grad():
        assert three_channels(torch.full((1, 1, 8, 8), 16.0))[:, 2].abs().max() < 2


def test_a_channel_is_silent_where_bfloat16_would_round_its_deviation_away(three_channels):
    images = torch.ones(4, 1, 8, 8)
    sums = torch.tensor([4.0, 4e-6, 9.0])
    for share, expected in ((0.9, 3), (1.1, 0)):
        three_channels[2].running_var = (share * sums / 256) ** 2
        assert batch_norm.silence_channels(three_channels, [images]) == expected
        assert batch_norm.silence_channels(three_channels, [images]) == 0
    assert three_channels(images).isfinite().all()
