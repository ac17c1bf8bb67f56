import numpy as np
import pytest
from photographs import noisy_photo
from skimage import data

from fer_denoise import Restorer
from fer_denoise.colour import has_colour_way, restore_colour
from fer_denoise.metrics import psnr
from fer_denoise.noise import salt_and_pepper_noise
from fer_denoise.photos import restore_photo


@pytest.mark.slow
def test_colour_is_restored_by_luminance_and_chrominance_better_than_by_channels():
    restorer = Restorer.from_pretrained("universal", device="cpu", precision="fp32")
    for sigma, least_gain in ((0.1, 0.5), (0.0, -2)):
        photo, noisy = noisy_photo(sigma)
        assert has_colour_way(restorer, noisy)
        restored = restore_photo(restorer, noisy)
        np.testing.assert_array_equal(restored, restore_colour(restorer, noisy))
        assert psnr(restored, photo) > psnr(restorer(noisy), photo) + least_gain
    # A clean picture stays as good as it was to the eye.
    assert psnr(restored, photo) > 40


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_colour_of_any_size_keeps_its_form_and_gray_stays_gray(dtype):
    restorer = Restorer.from_pretrained("universal", device="cpu", precision="fp32")
    gray = np.repeat(data.camera()[:67, :75, None], 3, axis=2)
    photo = gray if dtype == np.uint8 else (gray / 255).astype(dtype)
    shares: list[float] = []
    restored = restore_colour(restorer, photo, 0.05, shares.append)
    assert restored.shape == photo.shape and restored.dtype == dtype
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1) and len(shares) == 2
    spread = np.ptp(restored.astype(np.float64) * (1 if dtype == np.uint8 else 255), axis=2)
    assert spread.mean() < 1
    assert not np.array_equal(restored, restore_colour(restorer, photo, 0.2))


@pytest.mark.slow
def test_channels_go_by_themselves_where_there_are_impulses_little_to_gain_or_a_filter(median):
    restorer = Restorer.from_pretrained("universal", device="cpu", precision="fp32")
    photo, noisy = noisy_photo()
    specks = np.where(np.random.default_rng(0).random(photo.shape[:2])[..., None] < 0.02, np.uint8(255), photo)
    impulses = np.moveaxis(salt_and_pepper_noise(np.moveaxis(photo, -1, 0), 0.02, seed=0), 0, -1)
    for other in (specks, impulses, photo[..., 0], photo[:40]):
        assert not has_colour_way(restorer, other)
    assert not has_colour_way(median, noisy)
    np.testing.assert_array_equal(restore_photo(restorer, specks), restorer(specks))
