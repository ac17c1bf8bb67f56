import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from fer_denoise.metrics import mean_psnr, origin_convention, psnr, ssim
from fer_denoise.noise import TASKS, gaussian_noise

SSIM = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}


def as_float(images):
    return images.astype(np.float32) / 255


@pytest.fixture
def clean(make_faces):
    return as_float(make_faces(5))


@pytest.fixture
def noisy(clean):
    levels = (0.01, 0.03, 0.06, 0.1, 0.2)
    return np.stack([gaussian_noise(image, sigma, seed=0) for image, sigma in zip(clean, levels, strict=True)])


def test_psnr_equals_scikit_image(noisy, clean):
    expected = [peak_signal_noise_ratio(c, n, data_range=1) for c, n in zip(clean, noisy, strict=True)]
    np.testing.assert_allclose(psnr(noisy, clean), expected, atol=1e-3)


def test_psnr_of_a_known_error():
    assert psnr(np.full((16, 16), 0.6), np.full((16, 16), 0.5)) == pytest.approx(20, abs=1e-4)
    assert psnr(np.full((16, 16), 1, np.uint8), np.zeros((16, 16), np.uint8)) == pytest.approx(48.1308, abs=1e-3)


def test_ssim_equals_scikit_image(noisy, clean):
    expected = [structural_similarity(n, c, data_range=1, **SSIM) for c, n in zip(clean, noisy, strict=True)]
    np.testing.assert_allclose(ssim(noisy, clean), expected, atol=1e-6)
    assert (np.diff(ssim(noisy, clean)) < 0).all()


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_a_batch_is_measured_image_by_image(metric, noisy, clean):
    values = metric(noisy, clean)
    assert values.shape == (5,)
    np.testing.assert_allclose(values, [metric(n, c) for n, c in zip(noisy, clean, strict=True)], atol=1e-6)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_one_image_gives_a_float(metric, noisy, clean):
    assert isinstance(metric(noisy[0], clean[0]), float)


@pytest.fixture
def colours(make_faces) -> tuple[np.ndarray, np.ndarray]:
    """Two colour images with unlike noise in each channel, float32 (2, 48, 48, 3), and the same without."""
    clean = as_float(make_faces(6))
    noisy = [gaussian_noise(image, 0.02 * (1 + index), seed=index) for index, image in enumerate(clean)]
    return tuple(np.moveaxis(np.reshape(images, (2, 3, 48, 48)), 1, -1) for images in (noisy, clean))


def test_psnr_of_colour_is_of_the_error_over_all_channels(colours):
    noisy, clean = colours
    expected = [peak_signal_noise_ratio(c, n, data_range=1) for c, n in zip(clean, noisy, strict=True)]
    np.testing.assert_allclose(psnr(noisy, clean), expected, atol=1e-3)
    assert psnr(noisy[0], clean[0]) == pytest.approx(expected[0], abs=1e-3)


def test_ssim_of_colour_is_the_mean_over_the_channels(colours):
    noisy, clean = colours
    expected = [
        structural_similarity(n, c, data_range=1, channel_axis=-1, **SSIM) for c, n in zip(clean, noisy, strict=True)
    ]
    np.testing.assert_allclose(ssim(noisy, clean), expected, atol=1e-6)
    assert ssim(noisy[0], clean[0]) == pytest.approx(expected[0], abs=1e-6)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_every_form_of_the_same_images_measures_the_same(metric, noisy, clean, colours):
    expected = metric(noisy, clean)
    for form in (lambda images: images[:, None], lambda images: images[..., None], torch.from_numpy):
        np.testing.assert_array_equal(metric(form(noisy), form(clean)), expected)
    np.testing.assert_array_equal(metric(noisy[:, None], torch.from_numpy(clean)), expected)
    in_colour = [np.moveaxis(images, -1, 1) for images in colours]
    np.testing.assert_array_equal(metric(*in_colour), metric(*colours))
    pictures = [np.rint(255 * images[0]).astype(np.uint8) for images in colours]
    assert metric(*map(Image.fromarray, pictures)) == metric(*pictures)


@pytest.mark.parametrize("metric", [psnr, ssim, origin_convention])
def test_an_image_is_not_compared_with_a_batch_of_it(metric, clean):
    with pytest.raises(ValueError, match=r"one shape.*\(1, 48, 48\) and \(48, 48\)"):
        metric(clean[:1], clean[0])


def test_origin_convention_takes_one_image_for_one_image(noisy, clean):
    assert origin_convention(noisy[0], clean[0]) == origin_convention(noisy[:1], clean[:1])


def test_identical_images_are_infinite_and_count_as_100(clean):
    assert psnr(clean[0], clean[0]) == np.inf
    assert np.isinf(psnr(clean, clean)).all()
    assert mean_psnr(psnr(clean, clean)) == 100
    assert mean_psnr(np.array([np.inf, 20, 30])) == pytest.approx(50)
    np.testing.assert_allclose(ssim(clean, clean), 1, atol=1e-6)


def test_psnr_is_not_capped_below_infinity():
    clean = np.full((16, 16), 0.5, np.float64)
    nearly = clean.copy()
    nearly[0, 0] += 1e-4
    assert psnr(nearly, clean) == pytest.approx(80 + 10 * np.log10(256), abs=0.05)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_uint8_and_float_may_be_mixed(metric, make_faces):
    clean = make_faces(2)
    other = np.clip(clean.astype(int) + 9, 0, 255).astype(np.uint8)
    expected = metric(as_float(other), as_float(clean))
    for left in (other, as_float(other), as_float(other).astype(np.float64)):
        for right in (clean, as_float(clean)):
            np.testing.assert_allclose(metric(left, right), expected, rtol=1e-5)


@pytest.mark.parametrize("metric", [psnr, ssim, origin_convention])
def test_different_shapes_are_refused(metric, clean):
    with pytest.raises(ValueError, match="shape"):
        metric(clean, clean[:3])
    with pytest.raises(ValueError, match="shape"):
        metric(clean, clean[..., :40])


def test_psnr_does_not_broadcast_an_image_over_a_batch(clean):
    with pytest.raises(ValueError, match="shape"):
        psnr(clean, clean[0])


def test_ssim_refuses_images_below_its_window():
    assert ssim(np.zeros((11, 11)), np.zeros((11, 11))) == pytest.approx(1)
    with pytest.raises(ValueError, match="11x11"):
        ssim(np.zeros((10, 20)), np.zeros((10, 20)))
    assert psnr(np.zeros((8, 8)), np.ones((8, 8))) == pytest.approx(0)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_pixels_out_of_range_are_refused(metric, clean):
    with pytest.raises(ValueError, match="rescale or clip"):
        metric(clean * 2, clean)


@pytest.fixture
def uneven(make_faces):
    """70 images, a batch of 64 and a partial one of 6, whose noise levels differ."""
    clean = as_float(make_faces(70, seed=1))
    levels = np.linspace(0.01, 0.2, 70)
    noisy = [gaussian_noise(image, level, seed=i) for i, (image, level) in enumerate(zip(clean, levels, strict=True))]
    return np.stack(noisy), clean


def pooled_psnr(restored, clean, batch_size):
    squared = (restored.astype(np.float64) - clean) ** 2
    batches = [squared[i : i + batch_size] for i in range(0, len(clean), batch_size)]
    return np.mean([-10 * np.log10(batch.mean()) for batch in batches])


@pytest.mark.parametrize("batch_size", [64, 16])
def test_origin_psnr_is_pooled_by_batch_and_6_dB_lower(uneven, batch_size):
    value, _ = origin_convention(*uneven, batch_size=batch_size)
    assert value == pytest.approx(pooled_psnr(*uneven, batch_size) - 20 * np.log10(2), abs=1e-3)


def test_origin_pools_64_images_by_default(uneven):
    assert origin_convention(*uneven) == origin_convention(*uneven, batch_size=64)


def test_origin_psnr_is_not_the_mean_per_image(uneven):
    value, _ = origin_convention(*uneven)
    assert mean_psnr(psnr(*uneven)) - 6.0206 - value > 0.5


def test_origin_ssim_uses_range_2_on_doubled_normalisation(noisy, clean):
    expected = [
        structural_similarity(4 * n - 3, 4 * c - 3, data_range=2, **SSIM) for n, c in zip(noisy, clean, strict=True)
    ]
    value = origin_convention(noisy, clean)[1]
    assert value == pytest.approx(np.mean(expected), abs=1e-5)
    assert value < ssim(noisy, clean).mean()


def test_origin_convention_takes_uint8_and_identical_images(make_faces):
    clean = make_faces(3)
    noisy = TASKS["low"](clean, seed=0)
    assert origin_convention(noisy, clean) == pytest.approx(origin_convention(noisy, as_float(clean)))
    assert origin_convention(clean, clean) == pytest.approx((100, 1))
