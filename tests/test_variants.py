import numpy as np
import pytest
import torch

from fer_denoise.models import UniversalRestorer
from fer_denoise.models.noise_estimator import estimator_inputs
from fer_denoise.noise import TorchDraw
from train import universal
from train.shared import variants

SMALL = {"widths": (4, 8), "blocks": (1, 1)}


@torch.no_grad()
def test_each_alteration_does_what_it_says():
    def make() -> UniversalRestorer:
        torch.manual_seed(0)
        model = UniversalRestorer(**SMALL).eval()
        torch.nn.init.normal_(model.head.weight, std=0.05)
        return model

    def count(model) -> int:
        return sum(parameter.numel() for parameter in model.parameters())

    assert count(variants.without_gates(make())) < count(make())
    assert any(isinstance(module, variants.NAFBlock) for module in variants.with_naf_blocks(make()).modules())
    unbiased = variants.without_biases(make())
    assert unbiased.encoders[0][0].first.bias is None and unbiased.head.bias is not None


@torch.no_grad()
@pytest.mark.parametrize("kind", [variants.MaskOfExtremes, variants.OneLevel, variants.NoLevel])
def test_what_the_estimator_says_can_be_changed(kind):
    torch.manual_seed(0)
    model = UniversalRestorer(**SMALL).eval()
    noisy = torch.rand(2, 1, 16, 16).mul(0.8).add(0.1)
    noisy[0, 0, 3, 3] = 1
    estimate = variants.with_estimator(kind)(model).noise_estimator(estimator_inputs(noisy))
    if kind is variants.MaskOfExtremes:
        assert ((estimate.impulse > 0) == (noisy == 1)).all()
    elif kind is variants.OneLevel:
        assert (estimate.sigma == estimate.levels[:, :1, None, None]).all() and estimate.levels.abs().min() > 0
    else:
        assert (estimate.levels == 0).all() and (estimate.sigma == 0).all() and estimate.impulse.std() > 0


def test_naf_blocks_begin_as_the_identity_and_learn():
    block = variants.NAFBlock(4)
    features, modulation = torch.rand(2, 4, 6, 5), torch.rand(2, 8, 1, 1)
    torch.testing.assert_close(block(features, modulation), features)
    (block(features, modulation) - 1).square().mean().backward()
    assert block.scales.grad.abs().amin() > 0


def test_the_noise_of_the_laboratory_is_trained_on_and_that_of_the_world_validated(make_faces):
    noise, faces = variants.LaboratoryInTraining(), make_faces(3)
    np.testing.assert_array_equal(noise(faces, seed=1), universal.NOISE(faces, seed=1))
    truth = noise.with_truth(torch.rand(200, 1, 16, 16), TorchDraw(torch.Generator().manual_seed(0)))[1]
    assert (truth.width == 0).all() and (truth.quality == 100).all()
