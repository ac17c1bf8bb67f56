import pytest
import torch
from random_networks import images
from torch import nn

from fer_denoise.models import AttentionUNet
from fer_denoise.models.attention_unet import conv_block
from fer_denoise.models.blocks import pad_to_multiple

SMALL = (4, 8, 16, 32, 64)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.fixture
def small() -> AttentionUNet:
    """Random weights, and batch norm statistics that are not those of a fresh network."""
    torch.manual_seed(0)
    model = AttentionUNet(widths=SMALL)
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.running_mean.uniform_(-0.2, 0.2)
            norm.running_var.uniform_(0.5, 2)
    return model.eval()


def block_size(i: int, o: int) -> int:
    return (9 * i * o + o) + 2 * o + (9 * o * o + o)


def test_defaults_have_the_origins_number_of_parameters():
    assert count(AttentionUNet()) == 1_985_972


def test_each_part_has_the_parameters_of_the_specification():
    model = AttentionUNet()
    levels = [(1, 16), (16, 32), (32, 64), (64, 128)]
    assert [count(part) for part in model.encoders] == [block_size(*level) for level in levels]
    assert count(model.bottleneck) == block_size(128, 256)
    assert [count(part) for part in model.upsamplers] == [4 * 2 * c * c + c for c in (16, 32, 64, 128)]
    assert [count(part) for part in model.gates] == [2 * (c * c + c) + c + 1 for c in (32, 64, 128)]
    assert sum(map(count, model.gates)) == 43_683
    assert [count(part) for part in model.decoders] == [block_size(2 * c, c) for c in (16, 32, 64, 128)]
    assert count(model.head) == 17


def test_the_top_level_has_no_gate():
    assert len(AttentionUNet().gates) == 3
    assert len(AttentionUNet(widths=(4, 8)).gates) == 0


def test_attention_coefficients_are_one_map_in_0_to_1(small):
    maps = []
    for gate in small.gates:
        gate.register_forward_pre_hook(lambda gate, inputs: maps.append(gate.coefficients(*inputs)))
    small(images(3, 1, 48, 32))
    assert [tuple(map_.shape) for map_ in maps] == [(3, 1, 6, 4), (3, 1, 12, 8), (3, 1, 24, 16)]
    assert all(((map_ >= 0) & (map_ <= 1)).all() and map_.std() > 0 for map_ in maps)


def test_the_gates_weigh_the_skips(small):
    noisy = images(1, 1, 32, 32)
    before = small(noisy)
    for gate in small.gates:
        gate.psi.bias.data -= 50
    assert not torch.allclose(small(noisy), before, atol=1e-5)


def test_block_order_is_conv_relu_norm_conv_relu():
    block = conv_block(3, 5)
    assert [type(layer) for layer in block] == [nn.Conv2d, nn.ReLU, nn.BatchNorm2d, nn.Conv2d, nn.ReLU]
    assert block[0].kernel_size == block[3].kernel_size == (3, 3)
    assert block(images(2, 3, 8, 9)).shape == (2, 5, 8, 9)


def test_levels_go_down_by_max_pooling_and_up_by_transposed_convolution(small):
    sizes = []
    small.bottleneck.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].shape))
    small(images(1, 1, 48, 64))
    assert sizes == [(1, 32, 3, 4)]
    assert all(layer.kernel_size == layer.stride == (2, 2) for layer in small.upsamplers)


@pytest.mark.parametrize("size", [(8, 8), (9, 17), (16, 16), (31, 33), (48, 48), (50, 70), (8, 100), (64, 15)])
def test_output_has_the_size_of_the_input(small, size):
    result = small(images(2, 1, *size))
    assert result.shape == (2, 1, *size)
    assert result.isfinite().all()


def test_padding_by_hand_gives_the_same_result(small):
    noisy = images(1, 1, 50, 70)
    torch.testing.assert_close(small(pad_to_multiple(noisy, 16))[..., :50, :70], small(noisy))


def test_images_of_a_batch_do_not_affect_each_other(small):
    noisy = images(4, 1, 32, 32)
    torch.testing.assert_close(small(noisy)[2:3], small(noisy[2:3]), atol=1e-5, rtol=1e-4)


def test_the_input_is_left_unchanged(small):
    noisy = images(1, 1, 32, 32)
    small(noisy)
    assert torch.equal(noisy, images(1, 1, 32, 32))


@pytest.mark.parametrize("size", [(48, 48), (9, 17)])
def test_a_residual_network_starts_as_the_identity(size):
    noisy = images(2, 1, *size)
    assert torch.equal(AttentionUNet(widths=SMALL, residual=True)(noisy), noisy)
    assert not torch.allclose(AttentionUNet(widths=SMALL)(noisy), noisy, atol=0.05)


@pytest.mark.parametrize("residual", [False, True])
def test_gradients_reach_every_parameter(residual):
    torch.manual_seed(0)
    model = AttentionUNet(widths=SMALL, residual=residual)
    if residual:
        nn.init.normal_(model.head.weight)
    model(images(4, 1, 32, 32)).square().mean().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_a_residual_network_learns_from_its_zero_head():
    model = AttentionUNet(widths=SMALL, residual=True)
    (model(images(2, 1, 32, 32)) - 0.5).square().mean().backward()
    assert model.head.weight.grad.abs().sum() > 0


def test_config_records_the_arguments():
    assert AttentionUNet().config == {"widths": [16, 32, 64, 128, 256], "residual": False}
    model = AttentionUNet(widths=(4, 8), residual=True)
    assert model.config == {"widths": [4, 8], "residual": True}
    assert AttentionUNet(**model.config).config == model.config


@pytest.mark.parametrize("widths", [(), (16,)])
def test_too_few_levels_are_refused(widths):
    with pytest.raises(ValueError, match="widths"):
        AttentionUNet(widths=widths)


@torch.no_grad()
def test_attention_gives_the_coefficients_of_each_gate_over_the_picture(small):
    noisy = images(2, 1, 30, 44)
    maps = small.attention(noisy)
    assert [level.shape for level in maps] == [noisy.shape] * 3
    assert all(((level >= 0) & (level <= 1)).all() for level in maps)
    # The finest gate stands at half of the resolution, the next at a quarter.
    for level, side in zip(maps, (2, 4, 8), strict=True):
        blocks = level[..., :24, :40].unfold(2, side, side).unfold(3, side, side)
        assert (blocks.flatten(-2).std(dim=-1) == 0).all()
        assert len(blocks[..., 0, 0].unique()) > 1
    # They are those that the forward pass uses.
    before = small(noisy)
    for gate in small.gates:
        nn.init.zeros_(gate.psi.weight)
        nn.init.constant_(gate.psi.bias, 2.0)
    torch.testing.assert_close(small.attention(noisy)[0], torch.full_like(noisy, torch.tensor(2.0).sigmoid().item()))
    assert not torch.allclose(small(noisy), before)
