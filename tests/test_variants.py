from dataclasses import asdict

import numpy as np
import pytest
import torch

from fer_denoise.models import UniversalRestorer
from train import universal, variants

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

    noisy = torch.rand(1, 1, 16, 16).mul(0.8).add(0.1)
    assert count(variants.without_gates(make())) < count(make())
    assert any(isinstance(module, variants.NAFBlock) for module in variants.with_naf_blocks(make()).modules())
    unbiased = variants.without_biases(make())
    assert unbiased.encoders[0][0].first.bias is None and unbiased.head.bias is not None
    # Nothing is masked in this picture, so the network sees the same.
    torch.testing.assert_close(variants.undetecting(make())(noisy), make()(noisy))
    noisy[0, 0, 3, 3] = 1
    assert not torch.allclose(variants.undetecting(make())(noisy), make()(noisy), atol=1e-3)


def test_naf_blocks_begin_as_the_identity_and_learn():
    block = variants.NAFBlock(4)
    features, modulation = torch.rand(2, 4, 6, 5), torch.rand(2, 8, 1, 1)
    torch.testing.assert_close(block(features, modulation), features)
    (block(features, modulation) - 1).square().mean().backward()
    assert block.scales.grad.abs().amin() > 0


def test_sigma_can_be_drawn_uniformly_in_training_alone(make_faces):
    even = variants.UniformSigma(**asdict(universal.NOISE))
    faces = make_faces(3)
    np.testing.assert_array_equal(even(faces, seed=1), universal.NOISE(faces, seed=1))
    rng = torch.Generator().manual_seed(0)
    sigma, amount, _ = (level.flatten() for level in even.draw_levels(4000, rng))
    noisy = sigma[sigma > 0]
    assert noisy.mean().item() == pytest.approx((even.min_sigma + even.max_sigma) / 2, abs=0.005)
    assert len(noisy) / 4000 == pytest.approx(even.gaussian + even.both, abs=0.03)
    assert (amount > 0).float().mean().item() == pytest.approx(even.impulses + even.both, abs=0.03)
