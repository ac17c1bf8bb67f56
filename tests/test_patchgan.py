import pytest
import torch
from safetensors.torch import load_file

from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.models import AttentionUNet, PatchGANDiscriminator
from fer_denoise.models.patchgan import HIGH_PASS_GAIN, high_pass

OPTIONS = [
    {},
    {"third_block": True},
    {"dense_head": True},
    {"third_block": True, "dense_head": True},
    {"high_pass": True},
    {"norm": "spectral"},
    {"norm": "none"},
    {"widths": (8,), "strides": (1,)},
]


def pair(size: int = 48, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return torch.rand(batch, 1, size, size, generator=rng), torch.rand(batch, 1, size, size, generator=rng)


def make(**options) -> PatchGANDiscriminator:
    torch.manual_seed(0)
    return PatchGANDiscriminator(**options).eval()


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (2, 1, 23, 23)),
        ({"third_block": True}, (2, 1, 11, 11)),
        ({"dense_head": True}, (2, 1)),
        ({"third_block": True, "dense_head": True}, (2, 1)),
        ({"strides": (1, 1)}, (2, 1, 47, 47)),
    ],
)
def test_scores_are_a_map_of_patches_or_one_for_the_face(options, shape):
    assert make(**options)(*pair()).shape == shape


@pytest.mark.parametrize(("options", "side"), [({"norm": "none"}, 17), ({"norm": "none", "third_block": True}, 31)])
def test_a_score_sees_the_documented_window(options, side):
    noisy, candidate = pair(128, batch=1)
    candidate.requires_grad_()
    scores = make(**options)(noisy, candidate)
    scores[0, 0, scores.shape[2] // 2, scores.shape[3] // 2].backward()
    rows, columns = candidate.grad[0, 0].nonzero(as_tuple=True)
    assert rows.max() - rows.min() + 1 == columns.max() - columns.min() + 1 == side


def test_an_unconditional_one_judges_the_candidate_alone():
    model = make(conditional=False)
    noisy, candidate = pair()
    assert torch.equal(model(noisy, candidate), model(noisy.flip(-1), candidate))
    assert not torch.allclose(model(noisy, candidate), model(noisy, candidate.flip(-1)))


def test_the_high_pass_sees_texture_and_no_slope():
    ramp = torch.linspace(0, 1, 48).expand(1, 1, 48, 48)
    assert high_pass(ramp)[..., 1:-1].abs().max() < 1e-6
    texture = torch.zeros(1, 1, 48, 48)
    texture[0, 0, 20, 20] = 0.9
    assert high_pass(texture)[0, 0, 20, 20].item() == pytest.approx(HIGH_PASS_GAIN * 0.8)


def test_fine_texture_survives_half_precision():
    model = make(norm="none", conditional=False)
    flat = torch.full((1, 1, 48, 48), 0.8)
    textured = flat + 0.0003 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        scores = [model(face, face) for face in (flat, textured)]
    assert flat.bfloat16().equal(textured.bfloat16())
    assert not torch.equal(*scores)


@pytest.mark.parametrize("options", OPTIONS)
def test_both_pictures_count(options):
    model = make(**options)
    noisy, candidate = pair()
    scores = model(noisy, candidate)
    assert not torch.allclose(scores, model(noisy.flip(-1), candidate))
    assert not torch.allclose(scores, model(noisy, candidate.flip(-1)))


def test_the_first_block_has_attention():
    model = make()
    before = model(*pair())
    torch.nn.init.constant_(model.attention.psi.bias, -20)
    assert not torch.allclose(model(*pair()), before, atol=1e-3)


def test_blocks_have_the_origins_channels():
    assert [block[0].out_channels for block in make().blocks] == [32, 64]
    assert [block[0].out_channels for block in make(third_block=True).blocks] == [32, 64, 128]
    assert make().head.kernel_size == (2, 2)


def test_spectral_norm_bounds_every_convolution():
    model = make(norm="spectral").train()
    for _ in range(30):
        model(*pair())
    model.eval()
    for block in model.blocks:
        for index in (0, 3):
            assert torch.linalg.matrix_norm(block[index].weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("options", OPTIONS)
def test_saved_and_loaded_it_scores_the_same(options, tmp_path):
    model = make(**options)
    model.save_pretrained(tmp_path, half=False)
    loaded = PatchGANDiscriminator.from_pretrained(tmp_path)
    assert torch.equal(loaded(*pair()), model(*pair()))
    assert set(load_file(tmp_path / "model.safetensors")) == set(model.state_dict())


def test_a_generator_is_no_discriminator(tmp_path):
    AttentionUNet(widths=(4, 8)).save_pretrained(tmp_path)
    with pytest.raises(ModelNotFoundError, match="AttentionUNet"):
        PatchGANDiscriminator.from_pretrained(tmp_path)


@pytest.mark.parametrize("options", [{"norm": "instance"}, {"widths": (8, 16), "strides": (2,)}, {"widths": ()}])
def test_wrong_options_are_refused(options):
    with pytest.raises(ValueError, match="must be"):
        PatchGANDiscriminator(**options)
