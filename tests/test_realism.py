import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from fer_denoise.noise import gaussian_noise
from fer_denoise.realism import gradient_distance, gradients, power_spectrum, sharpness, spectral_distance, unsharp


@pytest.fixture(scope="module")
def textured(make_faces) -> np.ndarray:
    """Shapes with fine texture on them, float (40, 48, 48)."""
    texture = np.random.default_rng(0).standard_normal((40, 48, 48))
    return np.clip(make_faces(40) / 255 + 0.03 * texture, 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def blurred(textured) -> np.ndarray:
    return gaussian_filter(textured, sigma=(0, 0.7, 0.7))


def test_a_wave_has_its_power_at_its_own_frequency():
    columns = np.arange(48)
    for cycles in (3, 10, 20):
        wave = 0.5 + 0.4 * np.sin(2 * np.pi * cycles * columns / 48) * np.ones((48, 1))
        spectrum = power_spectrum(wave[None])
        assert spectrum.shape == (24,)
        assert np.argmax(spectrum) == cycles - 1
        assert spectrum[cycles - 1] > 100 * np.delete(spectrum, [cycles - 2, cycles - 1, cycles]).max()


def test_white_noise_has_a_flat_spectrum():
    noise = np.clip(0.5 + 0.1 * np.random.default_rng(0).standard_normal((400, 48, 48)), 0, 1)
    spectrum = power_spectrum(noise)[2:]
    np.testing.assert_allclose(spectrum, spectrum.mean(), rtol=0.1)


def test_a_set_is_at_no_distance_from_itself(textured):
    assert spectral_distance(textured, textured) == gradient_distance(textured, textured) == 0
    assert sharpness(textured, textured) == pytest.approx(1)


def test_blur_and_noise_are_told_apart_by_their_sign(textured, blurred):
    noisy = gaussian_noise(textured, 0.06, seed=0)
    assert sharpness(blurred, textured) < 0.8 < 1.2 < sharpness(noisy, textured)
    assert spectral_distance(blurred, textured) > 2 and spectral_distance(noisy, textured) > 2
    assert gradient_distance(blurred, textured) > 2 and gradient_distance(noisy, textured) > 2


def test_a_scaled_spectrum_is_as_far_as_its_decibels(textured):
    halved = 0.5 + (textured - 0.5) / 2
    assert spectral_distance(halved, textured) == pytest.approx(20 * np.log10(2), abs=0.01)


def test_the_gradient_distance_is_in_gray_levels():
    ramp = np.broadcast_to(np.arange(48, dtype=np.float32) / 255, (2, 48, 48))
    flat = np.full((2, 48, 48), 0.1, dtype=np.float32)
    # Half of all differences, the horizontal ones, are one gray level.
    assert gradient_distance(ramp, flat) == pytest.approx(0.5, rel=1e-3)
    assert gradients(flat).shape == (2 * 2 * 48 * 47,)


def test_sharpening_sharpens_and_stays_in_range(textured, blurred):
    np.testing.assert_array_equal(unsharp(blurred, 0), blurred)
    sharpened = unsharp(blurred, 1.0)
    assert sharpness(blurred, textured) < sharpness(sharpened, textured)
    assert sharpened.min() >= 0 and sharpened.max() <= 1


@pytest.mark.parametrize("shape", [(48, 48), (2, 48, 40)])
def test_only_batches_of_squares_have_a_spectrum(shape):
    with pytest.raises(ValueError, match="square images"):
        power_spectrum(np.zeros(shape))
