import numpy as np
import pytest
import torch
from torch import nn

from fer_denoise import Restorer
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.noise import (
    TASKS,
    mixed_noise,
)
from fer_denoise.precision import (
    Float32Conv2d,
    at_least_float32,
    fold_batch_norm,
    on_cores,
    on_device,
    rounded_to_bf16,
)


@pytest.fixture
def random_norm() -> nn.BatchNorm2d:
    """With statistics that are not those of a fresh one."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4)
    for values in (norm.running_mean, norm.running_var, norm.weight.data, norm.bias.data):
        values.uniform_(0.5, 2)
    return norm


@pytest.mark.slow
@pytest.mark.parametrize("name", ["universal", "attention-unet-high"])
def test_half_precision_costs_next_to_nothing(name, samples):
    noisy = TASKS["high"](samples, seed=0)
    full = Restorer.from_pretrained(name, device="cpu", precision="fp32")(noisy)
    half = Restorer.from_pretrained(name, device="cpu", precision="bf16")(noisy)
    assert 0 < np.abs(half - full).max() < 2 / 255
    assert abs(mean_psnr(psnr(half, samples)) - mean_psnr(psnr(full, samples))) < 0.02


@pytest.mark.slow
def test_weak_noise_is_found_in_half_precision_too(samples):
    """Rounded to bfloat16, a picture loses as much as this noise."""
    noisy = mixed_noise(samples, 0.02, 0, seed=0)
    full, half = (Restorer.from_pretrained("universal", device="cpu", precision=each) for each in ("fp32", "bf16"))
    levels = np.array([[each.noise_level(face).sigma for face in noisy] for each in (full, half)])
    assert abs(levels[1] - levels[0]).max() < 1e-3
    assert np.abs(half(noisy) - full(noisy)).max() < 2 / 255


@pytest.mark.slow
@torch.inference_mode()
def test_half_precision_rounds_as_autocast_does_and_leaves_the_network_alone(samples):
    # Few, for a processor that only feigns bfloat16 is ten times as slow at it.
    noisy = TASKS["high"](samples[:2], seed=0)
    model = Restorer.from_pretrained("universal", device="cpu", precision="fp32").model
    with torch.autocast("cpu", torch.bfloat16):
        expected = model(torch.from_numpy(noisy).unsqueeze(1)).squeeze(1).clamp(0, 1).numpy()
    restored = Restorer(model, "universal", device="cpu", precision="bf16")(noisy)
    np.testing.assert_allclose(restored, expected, atol=1e-6)
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def test_half_precision_becomes_float32_and_double_stays():
    dtypes = {dtype: at_least_float32(torch.zeros(1, dtype=dtype)).dtype for dtype in (torch.bfloat16, torch.float64)}
    assert dtypes == {torch.bfloat16: torch.float32, torch.float64: torch.float64}


def test_a_layer_that_sees_the_picture_computes_in_float32_under_autocast_too():
    torch.manual_seed(0)
    layer, noisy = Float32Conv2d(1, 4, 3), torch.rand(1, 1, 8, 8)
    expected = layer(noisy)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(noisy).dtype == torch.float32 and torch.equal(layer(noisy), expected)
        assert layer(noisy.bfloat16()).dtype == torch.float32


def test_a_network_moves_to_its_device_with_channels_last():
    network = on_device(nn.Conv2d(4, 8, 3), torch.device("cpu"))
    assert network.weight.is_contiguous(memory_format=torch.channels_last)


def test_a_copy_is_rounded_but_for_the_layers_that_see_the_picture():
    network = nn.Sequential(Float32Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), nn.ConvTranspose2d(4, 1, 2), nn.Linear(4, 1))
    rounded = rounded_to_bf16(network)
    assert [layer.weight.dtype for layer in rounded] == [torch.float32, *[torch.bfloat16] * 3]
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}


def test_cores_are_given_back_after_an_error_too():
    @on_cores(1)
    def fail():
        raise KeyError(torch.get_num_threads())

    before = torch.get_num_threads()
    with pytest.raises(KeyError, match="1"):
        fail()
    assert torch.get_num_threads() == before


@torch.no_grad()
def test_batch_norm_that_is_folded_gives_the_same(random_norm):
    network = nn.Sequential(nn.Conv2d(1, 4, 3), random_norm, nn.ReLU(), nn.Conv2d(4, 1, 1)).eval()
    noisy = torch.rand(2, 1, 9, 9)
    expected = network(noisy)
    folded = fold_batch_norm(network)
    torch.testing.assert_close(folded(noisy), expected)
    assert not any(isinstance(part, nn.BatchNorm2d) for part in folded.modules())
