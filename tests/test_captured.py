import pytest
import torch

from train.shared.captured import WARM_UP, CapturedStep

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def test_a_captured_step_does_what_the_step_does():
    device = torch.device("cuda")
    faces = torch.arange(8.0, device=device)

    def step(index, rng):
        return faces[index] + torch.rand(len(index), generator=rng, device=device)

    captured = CapturedStep(step, device)
    for seed in range(2 * WARM_UP + 2):
        index = torch.tensor([seed % 8, 3], device=device)
        expected = step(index, torch.Generator(device).manual_seed(seed))
        assert torch.equal(captured(index, seed), expected)
