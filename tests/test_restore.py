import numpy as np
import pytest
import torch
from PIL import Image

from fer_denoise import Restorer
from fer_denoise.classical import ClassicalFilter, available_filters
from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.method import UnsupportedError
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.models import RestorationNetwork
from fer_denoise.noise import (
    TASKS,
)


class Lamp(RestorationNetwork):
    """Adds 0.7, so that its output leaves [0, 1]."""

    reach = 0

    def forward(self, noisy):
        return noisy + 0.7


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


def test_the_input_is_left_unchanged(any_restorer, noisy):
    before = noisy.copy()
    any_restorer(noisy)
    np.testing.assert_array_equal(noisy, before)


def test_a_call_gives_the_same_again(any_restorer, noisy):
    np.testing.assert_array_equal(any_restorer(noisy), any_restorer(noisy))


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


def test_only_the_universal_restorer_tells_the_noise(restorer, noisy):
    assert restorer.noise_level(noisy[0]) is None
    assert Restorer.from_pretrained("median").noise_level(noisy[0]) is None


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


def test_what_only_networks_can_do_is_refused_of_a_filter():
    for options in ({"self_ensemble": True}, {"precision": "bf16"}):
        with pytest.raises(UnsupportedError, match=r"median cannot be run .*; take a method that can, such as"):
            Restorer.from_pretrained("median", **options)


def test_only_attention_unets_have_attention(face):
    levels = Restorer.from_pretrained("attention-unet-high").attention(face / 255)
    assert [level.shape for level in levels] == [(48, 48)] * 3
    assert Restorer.from_pretrained("median").attention(face / 255) == []
