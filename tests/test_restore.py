import copy
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torch import nn

from fer_denoise import Restorer
from fer_denoise.classical import ClassicalFilter, available_filters
from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.method import UnsupportedError
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.models import AttentionUNet, RestorationNetwork, UniversalRestorer
from fer_denoise.models.noise_estimator import LEVELS
from fer_denoise.noise import (
    KINDS,
    TASKS,
    CorrelatedNoise,
    GaussianNoise,
    JpegCompression,
    Quantization,
    StripeNoise,
    mixed_noise,
)
from fer_denoise.zoo import bundled_restorers


class Lamp(RestorationNetwork):
    """Adds 0.7, so that its output leaves [0, 1]."""

    reach = 0

    def forward(self, noisy):
        return noisy + 0.7


@pytest.fixture(scope="module")
def network() -> AttentionUNet:
    torch.manual_seed(0)
    model = AttentionUNet(widths=(8, 16, 32), residual=True)
    nn.init.normal_(model.head.weight, std=1.0)
    return model


@pytest.fixture(scope="module")
def restorer(network) -> Restorer:
    return Restorer(network, "random", device="cpu")


@pytest.fixture(params=["network", "median"])
def any_restorer(request, restorer) -> Restorer:
    return restorer if request.param == "network" else Restorer(ClassicalFilter("median"), "median")


@pytest.fixture
def noisy(make_faces) -> np.ndarray:
    return TASKS["high"](make_faces(3, shape=(24, 40)), seed=0)


def test_the_random_network_changes_its_input(restorer, noisy):
    assert np.abs(restorer(noisy) - noisy).mean() > 0.005


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(8, 8), (9, 17), (48, 48), (3, 50, 70), (1, 8, 33)])
def test_shape_and_dtype_are_kept(any_restorer, dtype, shape):
    pixels = np.random.default_rng(0).random(shape)
    pixels = np.rint(pixels * 255).astype(dtype) if dtype == np.uint8 else pixels.astype(dtype)
    restored = any_restorer(pixels)
    assert restored.shape == shape and restored.dtype == dtype


def test_uint8_gives_the_rounded_result_of_floats(any_restorer, make_faces):
    pixels = make_faces(2)
    expected = np.rint(255 * any_restorer(pixels.astype(np.float32) / 255))
    np.testing.assert_allclose(any_restorer(pixels), expected, atol=1)
    assert np.mean(any_restorer(pixels) == expected) > 0.99


def test_results_are_clipped_to_the_range():
    lamp = Restorer(Lamp(), "lamp", device="cpu")
    np.testing.assert_allclose(lamp(np.full((8, 8), 0.2)), 0.9, atol=1e-6)
    np.testing.assert_array_equal(lamp(np.full((8, 8), 0.6)), 1)
    assert lamp(np.full((8, 8), 200, np.uint8)).tolist() == [[255] * 8] * 8


def test_the_networks_output_is_passed_on(restorer, network, noisy):
    with torch.no_grad():
        expected = network(torch.from_numpy(noisy).unsqueeze(1)).squeeze(1).clamp(0, 1).numpy()
    np.testing.assert_allclose(restorer(noisy), expected, atol=1e-5)


def test_a_batch_gives_what_its_images_give(any_restorer, noisy):
    singles = [any_restorer(image) for image in noisy]
    np.testing.assert_allclose(any_restorer(noisy), singles, atol=1e-5)


def test_more_images_than_fit_one_pass_keep_their_order(restorer):
    noisy = np.random.default_rng(0).random((150, 8, 8), dtype=np.float32)
    restored = restorer(noisy)
    assert restored.shape == noisy.shape
    for index in (0, 63, 64, 128, 149):
        np.testing.assert_allclose(restored[index], restorer(noisy[index]), atol=1e-5)


def test_the_input_is_left_unchanged(any_restorer, noisy):
    before = noisy.copy()
    any_restorer(noisy)
    np.testing.assert_array_equal(noisy, before)


def test_a_call_gives_the_same_again(any_restorer, noisy):
    np.testing.assert_array_equal(any_restorer(noisy), any_restorer(noisy))


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


@pytest.mark.parametrize("shape", [(7, 30), (30, 7), (2, 7, 7)])
def test_too_small_a_picture_is_refused(any_restorer, shape):
    with pytest.raises(ValueError, match="at least 8x8"):
        any_restorer(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("shape", [(48,), (1, 1, 1, 48, 48), (1, 5, 48, 48), (0, 48, 48), (48, 48, 4)])
def test_what_is_no_shape_of_pictures_is_refused(any_restorer, shape):
    with pytest.raises(ValueError, match=r"expected gray images \(H, W\).*or colour \(H, W, 3\)"):
        any_restorer(np.zeros(shape, np.uint8))


FORMS = {
    "one channel": lambda planes: planes[:, None],
    "one channel, last": lambda planes: planes[..., None],
    "colour": lambda planes: np.moveaxis(planes, 0, -1),
    "batch of colour": lambda planes: np.moveaxis(planes, 0, -1)[None],
    "batch of colour, channels first": lambda planes: planes[None],
    "tensor": torch.from_numpy,
    "tensor with channels": lambda planes: torch.from_numpy(planes)[:, None],
    "tensor in colour": lambda planes: torch.from_numpy(planes)[None],
}
"""Of three planes (3, H, W)."""


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_restored_plane_by_plane_and_comes_back(any_restorer, noisy, form):
    images = FORMS[form](noisy)
    restored = any_restorer(images)
    assert type(restored) is type(images) and restored.dtype == images.dtype
    np.testing.assert_array_equal(restored, FORMS[form](any_restorer(noisy)))


def test_a_picture_of_pillows_is_restored_into_one(any_restorer, make_faces):
    colour = np.moveaxis(make_faces(3, shape=(24, 40)), 0, -1)
    for pixels in (colour, colour[..., 0]):
        restored = any_restorer(Image.fromarray(pixels))
        assert restored.size == (40, 24)
        np.testing.assert_array_equal(np.asarray(restored), any_restorer(pixels))


def test_a_large_picture_in_colour_goes_through_in_tiles(network, make_faces):
    colour = np.moveaxis(make_faces(3, shape=(70, 40)), 0, -1)
    tiled = Restorer(network, "tiled", device="cpu", tile=32, tile_overlap=32)
    np.testing.assert_array_equal(tiled(colour)[..., 1], tiled(colour[..., 1]))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_are_refused(any_restorer, bad):
    picture = np.full((16, 16), 0.5)
    picture[3, 3] = bad
    with pytest.raises(ValueError, match="NaN or infinity"):
        any_restorer(picture)


def test_floats_outside_the_range_are_refused(any_restorer):
    with pytest.raises(ValueError, match="rescale"):
        any_restorer(np.full((16, 16), 128.0))


def test_other_dtypes_are_refused(any_restorer):
    with pytest.raises(TypeError, match="int64"):
        any_restorer(np.zeros((16, 16), np.int64))


@pytest.mark.parametrize("sigma", [-0.01, np.nan, np.inf])
def test_a_sigma_that_is_no_level_is_refused(any_restorer, noisy, sigma):
    with pytest.raises(ValueError, match="sigma"):
        any_restorer(noisy, sigma=sigma)


@pytest.mark.parametrize("name", ["universal", "median", "attention-unet-low"])
def test_a_sigma_out_of_255_is_refused_with_what_to_give(name, noisy):
    with pytest.raises(ValueError, match=r"sigma / 255, here 0\.0588"):
        Restorer.from_pretrained(name)(noisy, sigma=15)


@pytest.mark.parametrize("name", ["universal", "tv"])
def test_a_sigma_is_a_number_whatever_computed_it(name, noisy):
    restorer = Restorer.from_pretrained(name, device="cpu") if name != "tv" else Restorer.from_pretrained(name)
    expected = restorer(noisy, sigma=0.0625)
    for sigma in (np.float32(0.0625), np.float64(0.0625), np.array(0.0625), torch.tensor(0.0625)):
        np.testing.assert_array_equal(restorer(noisy, sigma=sigma), expected)


def test_a_blind_network_ignores_sigma(restorer, noisy):
    np.testing.assert_array_equal(restorer(noisy, sigma=0.06), restorer(noisy))


def test_a_filter_uses_sigma(noisy):
    tv = Restorer.from_pretrained("tv")
    assert np.abs(tv(noisy, sigma=0.1) - tv(noisy, sigma=0.01)).max() > 0.01


def test_a_network_evaluates_whatever_mode_it_came_in(network, restorer, noisy):
    expected = restorer(noisy)
    network.train()
    try:
        np.testing.assert_array_equal(Restorer(network, "x", device="cpu")(noisy), expected)
    finally:
        network.eval()


@pytest.mark.parametrize("name", available_filters())
def test_filters_are_loaded_by_name(name):
    restorer = Restorer.from_pretrained(name)
    assert restorer.name == name
    restored = restorer(np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8))
    assert restored.shape == (16, 16) and restored.dtype == np.uint8


def test_a_folder_is_loaded(tmp_path, network, noisy, restorer):
    network.save_pretrained(tmp_path, half=False)
    for source in (tmp_path, str(tmp_path)):
        loaded = Restorer.from_pretrained(source, device="cpu")
        assert loaded.name == str(tmp_path)
        np.testing.assert_allclose(loaded(noisy), restorer(noisy), atol=1e-6)


@pytest.mark.parametrize("name", ["no-such-model", "Median"])
def test_an_unknown_name_lists_networks_and_filters(name):
    with pytest.raises(ModelNotFoundError) as caught:
        Restorer.from_pretrained(name)
    message = str(caught.value)
    assert name in message
    assert [known for known in ("attention-unet-high", "switching-median", "tv") if known not in message] == []


def test_a_folder_of_another_architecture_is_refused(tmp_path):
    Lamp().save_pretrained(tmp_path)
    with pytest.raises(ModelNotFoundError, match=r"Lamp.*AttentionUNet"):
        Restorer.from_pretrained(tmp_path)


def test_a_hub_repo_without_network_is_refused():
    with pytest.raises(ModelNotFoundError, match="network"):
        Restorer.from_pretrained("someone/some-model", revision="v1")


def test_the_universal_restorer_leaves_clean_faces_and_true_black_and_white_alone(samples):
    restored = Restorer.from_pretrained("universal")(samples)
    assert mean_psnr(psnr(restored, samples)) > 50
    assert np.abs(restored.astype(int) - samples)[(samples == 0) | (samples == 255)].mean() < 2


@pytest.mark.parametrize(("sigma", "amount"), [(0.01, 0), (0.05, 0), (0, 0.2), (0.1, 0.3), (0.3, 0.5)])
def test_the_universal_restorer_tells_the_noise_of_faces(samples, sigma, amount):
    restorer = Restorer.from_pretrained("universal")
    levels = np.mean([restorer.noise_level(face) for face in mixed_noise(samples, sigma, amount, seed=0)], axis=0)
    np.testing.assert_allclose(levels, (sigma, amount), rtol=0.25, atol=0.012)


def in_double(model: RestorationNetwork, *args, **options) -> Restorer:
    """Computes in float64, where rounding is too small to be amplified."""
    return Restorer(copy.deepcopy(model).double(), *args, precision="fp32", **options)


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
def test_a_picture_larger_than_the_window_of_the_estimate_has_the_same_levels_in_tiles_and_as_a_whole():
    noisy = TASKS["high"](data.camera()[100:164, 100:340], seed=0)
    network = Restorer.from_pretrained("universal").model
    whole, tiled = in_double(network, "x", device="cpu"), in_double(network, "x", device="cpu", tile=48)
    np.testing.assert_allclose(tiled(noisy), whole(noisy), atol=1e-4 / 255)


@pytest.mark.slow
def test_the_universal_restorer_can_be_told_sigma(samples):
    restorer = Restorer.from_pretrained("universal")
    noisy = TASKS["low"](samples, seed=0)
    scores = {sigma: mean_psnr(psnr(restorer(noisy, sigma=sigma), samples)) for sigma in (None, 0.005, 0.02, 0.08)}
    # Blind, it is as good: its estimate is that close.
    assert scores[None] - 0.01 < scores[0.02] < scores[None] + 0.05
    assert min(scores[None], scores[0.02]) > max(scores[0.005], scores[0.08]) + 0.2


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


def test_only_the_universal_restorer_tells_the_noise(restorer, noisy):
    assert restorer.noise_level(noisy[0]) is None
    assert Restorer.from_pretrained("median").noise_level(noisy[0]) is None


def test_the_noise_level_of_a_batch_is_that_of_each_picture_and_of_colour_the_mean(samples):
    restorer = Restorer.from_pretrained("universal", precision="fp32")
    noisy = TASKS["high"](samples[:3], seed=0)
    alone = [restorer.noise_level(picture) for picture in noisy]
    for batch in (noisy, noisy[:, None], torch.from_numpy(noisy)):
        np.testing.assert_allclose(restorer.noise_level(batch), alone, atol=1e-5)
    np.testing.assert_allclose(restorer.noise_level(noisy[:1]), alone[:1], atol=1e-5)
    colour = np.moveaxis(noisy, 0, -1)
    np.testing.assert_allclose(restorer.noise_level(colour), np.mean(alone, axis=0), atol=1e-5)
    np.testing.assert_allclose(restorer.noise_level(colour[None]), [np.mean(alone, axis=0)], atol=1e-5)
    pixels = np.rint(255 * noisy[0]).astype(np.uint8)
    assert restorer.noise_level(Image.fromarray(pixels)) == restorer.noise_level(pixels)


def test_the_map_of_the_noise_shows_where_it_is(samples):
    restorer = Restorer.from_pretrained("universal")
    left, lost = samples[0].astype(np.float32) / 255, np.zeros((48, 48), bool)
    left[:, :24] = GaussianNoise(0.15)(left, seed=0)[:, :24]
    left[10:40:10, 30:46:5] = 1
    lost[10:40:10, 30:46:5] = True
    sigma, impulses = restorer.noise_map(left)
    assert sigma.shape == impulses.shape == (48, 48) and sigma.dtype == np.float32
    assert sigma[:, :20].mean() > 0.09 and sigma[:, 30:].mean() < 0.03
    assert impulses[lost].mean() > 0.8 > 0.1 > impulses[:, 28:][~lost[:, 28:]].mean()
    colour = restorer.noise_map(np.stack([left] * 3, axis=-1))
    np.testing.assert_allclose(colour.sigma, sigma, atol=1e-3)
    # What is lost in one channel alone is lost.
    clean = samples[0].astype(np.float32) / 255
    one_channel = restorer.noise_map(np.stack([left, clean, clean], axis=-1))
    np.testing.assert_allclose(one_channel.impulses[lost], impulses[lost], atol=0.05)
    assert Restorer.from_pretrained("median").noise_map(left) is None
    with pytest.raises(ValueError, match="one at a time"):
        restorer.noise_map(samples)


@pytest.mark.parametrize(
    ("noise", "kind", "words"),
    [
        (JpegCompression(10), "jpeg", "JPEG of quality"),
        (StripeNoise(0.1), "stripe", "stripes of sigma about 0."),
        (CorrelatedNoise(0.1, 1.5), "correlated", "neighbouring pixels"),
        (Quantization(8), "quantization", "gray levels"),
    ],
)
def test_the_noise_level_says_where_the_noise_is_of_another_kind(samples, noise, kind, words):
    restorer = Restorer.from_pretrained("universal")
    others = [restorer.noise_level(picture).others for picture in noise(samples, seed=0)]
    assert np.mean([any(words in each for each in said) for said in others]) > 0.7
    assert type(noise) is KINDS[kind]
    assert all((each.kind == kind) == (words in each) for said in others for each in said)
    clean = [restorer.noise_level(picture).others for picture in [*samples, *GaussianNoise(0.06)(samples, seed=0)]]
    assert np.mean([len(others) for others in clean]) < 0.2
    sigma, amount = restorer.noise_level(samples[0])
    assert (sigma, amount) == restorer.noise_level(samples[0])


@pytest.mark.parametrize("ask", ["noise_level", "attention"])
@pytest.mark.parametrize("name", ["universal", "median"])
def test_what_is_no_picture_has_no_noise_level_and_no_attention(ask, name):
    restorer = Restorer.from_pretrained(name)
    for bad, message in ((np.zeros((7, 9)), "at least 8x8"), (np.zeros(9), "reshape"), (np.full((9, 9), 2.0), "clip")):
        with pytest.raises(ValueError, match=message):
            getattr(restorer, ask)(bad)


@pytest.mark.parametrize("shape", [(2, 16, 16), (16, 16, 3), (2, 1, 16, 16)])
def test_attention_is_shown_for_one_gray_picture(restorer, shape):
    with pytest.raises(ValueError, match=r"one gray picture \(H, W\)"):
        restorer.attention(np.zeros(shape))


def test_attention_takes_a_picture_in_any_form(restorer, noisy):
    expected = restorer.attention(noisy[0])
    for form in (noisy[:1], noisy[0][..., None], torch.from_numpy(noisy[0])):
        np.testing.assert_array_equal(restorer.attention(form), expected)


def test_the_noise_level_of_a_large_picture_is_what_most_of_its_windows_say(make_faces):
    restorer = Restorer.from_pretrained("universal", precision="fp32")
    # Without black and white pixels, every window counts.
    picture = 0.4 + 0.2 * TASKS["high"](make_faces(1, shape=(48, 100))[0], seed=0)
    one, two, three = (np.array(restorer.noise_level(picture[:, left : left + 48])) for left in (0, 26, 52))
    of_windows = [(one + two) / 2, np.median([one, two, three], axis=0), (two + three) / 2]
    np.testing.assert_allclose(restorer.noise_level(picture), np.median(of_windows, axis=0), rtol=1e-5)


@pytest.mark.slow
def test_a_large_picture_is_restored_by_the_noise_of_each_of_its_parts():
    clean = data.camera()[:192, :384].astype(np.float32) / 255
    noisy = clean.copy()
    noisy[:, 192:] = GaussianNoise(0.1)(clean[:, 192:], seed=0)
    restorer = Restorer.from_pretrained("universal")
    restored = restorer(noisy)
    assert psnr(restored[:, :180], clean[:, :180]) > 40
    assert psnr(restored[:, 200:], clean[:, 200:]) > psnr(noisy[:, 200:], clean[:, 200:]) + 8
    sigma = restorer.noise_map(noisy).sigma
    assert sigma[:, :180].mean() < 0.02 and sigma[:, 200:].mean() == pytest.approx(0.1, rel=0.25)


@pytest.mark.slow
@pytest.mark.parametrize(("sigma", "amount"), [(0.02, 0), (0.06, 0), (0.1, 0.1), (0, 0.2)])
@pytest.mark.parametrize("frame", [0, 300])
def test_the_noise_level_is_that_of_the_noise_in_texture_and_beside_black(sigma, amount, frame):
    picture = np.pad(data.camera()[::2, ::2], ((0, frame), (0, 0)))
    level = Restorer.from_pretrained("universal").noise_level(mixed_noise(picture, sigma, amount, seed=0))
    np.testing.assert_allclose(level, (sigma, amount), rtol=0.25, atol=0.01)


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


def test_only_a_network_that_corrects_its_input_takes_half_precision_by_itself(monkeypatch):
    for fast in (True, False):
        monkeypatch.setattr("fer_denoise.models.restoration.bf16_is_fast", lambda device, fast=fast: fast)
        assert Restorer.from_pretrained("universal", device="cpu").method.bf16 == fast
        assert not Restorer.from_pretrained("attention-unet-high", device="cpu").method.bf16
    with pytest.raises(ValueError, match="precision"):
        Restorer.from_pretrained("median", precision="fp16")


def test_what_only_networks_can_do_is_refused_of_a_filter():
    for options in ({"self_ensemble": True}, {"precision": "bf16"}):
        with pytest.raises(UnsupportedError, match=r"median cannot be run .*; take a method that can, such as"):
            Restorer.from_pretrained("median", **options)


def test_only_attention_unets_have_attention(face):
    levels = Restorer.from_pretrained("attention-unet-high").attention(face / 255)
    assert [level.shape for level in levels] == [(48, 48)] * 3
    assert Restorer.from_pretrained("median").attention(face / 255) == []
