import pytest
import torch
from kinds_of_noise import rng

from fer_denoise.noise import TorchDraw, WorldNoise


@pytest.mark.slow
def test_the_truth_about_a_composition_is_true():
    clean = torch.full((400, 1, 48, 48), 0.5)
    world = WorldNoise(laboratory=0, random=1, correlated=0, stripes=0, quantized=0, compressed=0, max_sigma=0.1)
    noisy, truth = world.with_truth(clean, TorchDraw(rng()))
    intact = truth.impulses == 0
    ratio = ((noisy - clean) / truth.sigma.clamp(min=1e-6))[intact & (truth.sigma > 0.004)]
    assert ratio.std() == pytest.approx(1, abs=0.03)
    still = (truth.sigma == 0) & intact
    assert ((noisy - clean).abs()[still] <= 0.5 / 255 + 1e-6).all()
    lost = (noisy - clean).abs()[~intact]
    assert (lost > 0.02).float().mean() > 0.9
    assert (truth.width == 0).all() and (truth.stripes == 0).all() and (truth.quality == 100).all()


def test_a_composition_of_the_laboratory_alone_has_no_other_noise():
    clean = torch.full((100, 1, 16, 16), 0.5)
    noisy, truth = WorldNoise(laboratory=1).with_truth(clean, TorchDraw(rng()))
    assert (truth.sigma.flatten(1).std(dim=1) == 0).all()
    assert (truth.width == 0).all() and (truth.quality == 100).all() and (truth.levels == 256).all()
    assert set(noisy[truth.impulses == 1].unique().tolist()) == {0.0, 1.0}


def test_every_part_of_a_composition_occurs_and_none_always():
    truth = WorldNoise().with_truth(torch.rand(600, 1, 16, 16), TorchDraw(rng()))[1]
    parts = [truth.width > 0, truth.stripes > 0, truth.quality < 100, truth.levels < 256]
    parts += [(truth.sigma > 0).flatten(1).any(dim=1), (truth.impulses > 0).flatten(1).any(dim=1)]
    assert all(0.01 < part.float().mean() < 0.95 for part in parts)
