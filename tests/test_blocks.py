import pytest
import torch
from random_networks import images

from fer_denoise.models.blocks import AttentionGate, over_picture, pad_to_multiple


def test_a_gate_is_two_1x1_convolutions_relu_psi_and_sigmoid():
    gate = AttentionGate(5)
    skip, signal = images(2, 5, 6, 7), images(2, 5, 6, 7, seed=1)
    expected = torch.sigmoid(gate.psi(torch.relu(gate.theta(skip) + gate.phi(signal))))
    torch.testing.assert_close(gate(skip, signal), skip * expected)
    assert [conv.kernel_size for conv in (gate.theta, gate.phi, gate.psi)] == [(1, 1)] * 3


@pytest.mark.parametrize("size", [(48, 48), (16, 80)])
def test_multiples_of_16_are_not_padded(size):
    noisy = images(1, 1, *size)
    assert pad_to_multiple(noisy, 16) is noisy


def test_padding_mirrors_the_bottom_and_the_right():
    noisy = images(1, 1, 50, 70)
    padded = pad_to_multiple(noisy, 16)
    assert padded.shape == (1, 1, 64, 80)
    torch.testing.assert_close(padded[..., :50, :70], noisy)
    torch.testing.assert_close(padded[..., 50, :70], noisy[..., 48, :])
    torch.testing.assert_close(padded[..., :50, 70], noisy[..., :, 68])


def test_padding_repeats_the_edge_where_it_cannot_mirror():
    noisy = images(1, 1, 8, 8)
    padded = pad_to_multiple(noisy, 16)
    assert padded.shape == (1, 1, 16, 16)
    torch.testing.assert_close(padded[..., :8, 15], noisy[..., 7])


def test_what_gates_let_through_is_laid_over_the_picture_from_the_finest_scale_down():
    noisy = images(2, 1, 9, 13)
    padded = pad_to_multiple(noisy, 4)
    coarse, fine = images(2, 1, 3, 4), images(2, 1, 6, 8, seed=1)
    finest, coarsest = over_picture([coarse, fine], padded, noisy)
    assert finest.shape == coarsest.shape == noisy.shape
    # Each coefficient stands over all pixels that it decides about.
    for row, column in ((0, 0), (5, 7), (8, 12)):
        assert torch.equal(finest[..., row, column], fine[..., row // 2, column // 2])
        assert torch.equal(coarsest[..., row, column], coarse[..., row // 4, column // 4])
