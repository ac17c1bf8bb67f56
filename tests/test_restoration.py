from functools import partial

import numpy as np
import pytest
import torch
from random_networks import in_double
from skimage import data

from fer_denoise import Restorer
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.models import AttentionUNet, UniversalRestorer
from fer_denoise.models.noise_estimator import LEVELS
from fer_denoise.noise import (
    TASKS,
)
from fer_denoise.zoo import bundled_restorers


def test_a_network_evaluates_whatever_mode_it_came_in(network, restorer, make_faces):
    noisy = TASKS["high"](make_faces(3, shape=(24, 40)), seed=0)
    expected = restorer(noisy)
    network.train()
    try:
        np.testing.assert_array_equal(Restorer(network, "x", device="cpu")(noisy), expected)
    finally:
        network.eval()


def test_more_images_than_fit_one_pass_keep_their_order(restorer):
    noisy = np.random.default_rng(0).random((150, 8, 8), dtype=np.float32)
    restored = restorer(noisy)
    assert restored.shape == noisy.shape
    for index in (0, 63, 64, 128, 149):
        np.testing.assert_allclose(restored[index], restorer(noisy[index]), atol=1e-5)


@pytest.mark.parametrize("shape", [(80, 70), (33, 90), (2, 32, 70)])
def test_tiles_show_no_seams(network, restorer, make_faces, shape):
    count, size = (shape[0], shape[1:]) if len(shape) == 3 else (1, shape)
    picture = TASKS["high"](make_faces(count, shape=size), seed=0).reshape(shape)
    tiled = Restorer(network, "tiled", device="cpu", tile=32, tile_overlap=32)(picture)
    assert tiled.shape == shape
    np.testing.assert_allclose(tiled, restorer(picture), atol=1 / 255)


def test_tiles_without_overlap_do_differ(network, restorer, make_faces):
    picture = TASKS["high"](make_faces(1, shape=(70, 70))[0], seed=0)
    tiled = Restorer(network, "tiled", device="cpu", tile=32, tile_overlap=0)(picture)
    assert np.abs(tiled - restorer(picture)).max() > 1 / 255


def test_large_pictures_pass_in_windows_of_bounded_size(network, monkeypatch):
    sizes = []
    model = Restorer(network, "tiled", device="cpu", tile=32, tile_overlap=16)
    forward = network.forward
    monkeypatch.setattr(network, "forward", lambda batch: sizes.append(batch.shape[-2:]) or forward(batch))
    model(np.zeros((100, 90), np.uint8))
    assert len(sizes) == 12 and max(max(size) for size in sizes) <= 64


@pytest.mark.parametrize("view", ["flipped", "transposed", "strided", "read-only", "big-endian"])
@pytest.mark.parametrize("tile", [32, 512])
def test_any_view_of_an_array_is_taken(network, make_faces, view, tile):
    picture = TASKS["low"](make_faces(1, shape=(48, 80))[0], seed=0)
    views = {
        "flipped": picture[::-1, ::-1],
        "transposed": picture.T,
        "strided": picture[::2, ::2],
        "read-only": np.broadcast_to(picture, (2, *picture.shape)),
        "big-endian": picture.astype(">f4"),
    }
    model = Restorer(network, "views", device="cpu", tile=tile, tile_overlap=16)
    expected = model(np.array(views[view], dtype=np.float32))
    np.testing.assert_allclose(model(views[view]), expected, atol=1e-5)


@pytest.mark.parametrize(("tile", "overlap"), [(40, 16), (8, 0), (0, 0), (32, 8), (32, -16)])
def test_tiles_that_are_no_multiple_of_16_are_refused(network, tile, overlap):
    with pytest.raises(ValueError, match="multiples of 16"):
        Restorer(network, "x", tile=tile, tile_overlap=overlap)


def test_a_large_picture_in_colour_goes_through_in_tiles(network, make_faces):
    colour = np.moveaxis(make_faces(3, shape=(70, 40)), 0, -1)
    tiled = Restorer(network, "tiled", device="cpu", tile=32, tile_overlap=32)
    np.testing.assert_array_equal(tiled(colour)[..., 1], tiled(colour[..., 1]))


@pytest.mark.slow
@pytest.mark.parametrize("name", bundled_restorers())
def test_tiles_of_a_bundled_network_leave_no_seam(name):
    noisy = TASKS["low"](data.camera()[100:148, 100:400], seed=0)
    network = Restorer.from_pretrained(name).model
    # In float32, what is rounded differently is below what an 8 bit picture can show.
    for kind, atol in ((in_double, 1e-4 / 255), (partial(Restorer, precision="fp32"), 0.1 / 255)):
        whole, tiled = kind(network, name, device="cpu"), kind(network, name, device="cpu", tile=128)
        np.testing.assert_allclose(tiled(noisy), whole(noisy), atol=atol)


@pytest.mark.slow
@pytest.mark.parametrize("name", bundled_restorers())
@pytest.mark.parametrize("task", TASKS)
def test_no_bundled_network_amplifies_what_is_rounded_whatever_it_is_given(name, task):
    """So that its results do not hang on the processor, which decides how sums are rounded."""
    noisy = TASKS[task](data.camera()[100:196, 100:196], seed=0)
    network = Restorer.from_pretrained(name).model
    rounded, exact = Restorer(network, name, device="cpu", precision="fp32"), in_double(network, name, device="cpu")
    np.testing.assert_allclose(rounded(noisy), exact(noisy), atol=0.02 / 255)


@pytest.mark.slow
def test_a_self_ensemble_is_the_mean_over_the_mirror_image(samples):
    # Far from black and white, where clipping would part the two.
    clean = (60 + 0.5 * samples).astype(np.uint8)
    noisy = TASKS["high"](clean, seed=0)
    plain = Restorer.from_pretrained("attention-unet-high")
    both = Restorer.from_pretrained("attention-unet-high", self_ensemble=True)
    expected = (plain(noisy) + plain(noisy[..., ::-1])[..., ::-1]) / 2
    np.testing.assert_allclose(both(noisy), expected, atol=1e-5)
    np.testing.assert_allclose(both(noisy[..., ::-1])[..., ::-1], both(noisy), atol=1e-5)
    assert mean_psnr(psnr(both(noisy), clean)) > mean_psnr(psnr(plain(noisy), clean))


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [AttentionUNet(widths=(4, 8, 16), residual=True), UniversalRestorer((4, 8), (1, 2))],
    ids=lambda m: type(m).__name__,
)
@torch.no_grad()
def test_no_output_depends_on_an_input_out_of_reach(model):
    model.double().eval()
    rng = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.normal_(std=0.3, generator=rng)
    picture = 0.2 + 0.6 * torch.rand(1, 1, 128, 128, generator=rng, dtype=torch.double)
    told = (torch.full((1, len(LEVELS)), 0.1),) if isinstance(model, UniversalRestorer) else ()
    farthest = 0
    for row, column in [(64, 64), (63, 63), (66, 61)]:
        other = picture.clone()
        other[0, 0, row, column] = 1
        changed = (model(picture, *told) != model(other, *told))[0, 0].nonzero()
        farthest = max(farthest, int((changed - torch.tensor([row, column])).abs().max()))
    assert model.reach / 2 < farthest <= model.reach


def test_only_a_network_that_corrects_its_input_takes_half_precision_by_itself(monkeypatch):
    for fast in (True, False):
        monkeypatch.setattr("fer_denoise.models.restoration.bf16_is_fast", lambda device, fast=fast: fast)
        assert Restorer.from_pretrained("universal", device="cpu").method.bf16 == fast
        assert not Restorer.from_pretrained("attention-unet-high", device="cpu").method.bf16
    with pytest.raises(ValueError, match="precision"):
        Restorer.from_pretrained("median", precision="fp16")
