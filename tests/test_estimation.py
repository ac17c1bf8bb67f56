import numpy as np
import pytest
import torch
from PIL import Image
from random_networks import in_double
from skimage import data

from fer_denoise import Restorer
from fer_denoise.metrics import mean_psnr, psnr
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


@pytest.mark.parametrize(("sigma", "amount"), [(0.01, 0), (0.05, 0), (0, 0.2), (0.1, 0.3), (0.3, 0.5)])
def test_the_universal_restorer_tells_the_noise_of_faces(samples, sigma, amount):
    restorer = Restorer.from_pretrained("universal")
    levels = np.mean([restorer.noise_level(face) for face in mixed_noise(samples, sigma, amount, seed=0)], axis=0)
    np.testing.assert_allclose(levels, (sigma, amount), rtol=0.25, atol=0.012)


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


def test_the_noise_level_of_a_large_picture_is_what_most_of_its_windows_say(make_faces):
    restorer = Restorer.from_pretrained("universal", precision="fp32")
    # Without black and white pixels, every window counts.
    picture = 0.4 + 0.2 * TASKS["high"](make_faces(1, shape=(48, 100))[0], seed=0)
    one, two, three = (np.array(restorer.noise_level(picture[:, left : left + 48])) for left in (0, 26, 52))
    of_windows = [(one + two) / 2, np.median([one, two, three], axis=0), (two + three) / 2]
    np.testing.assert_allclose(restorer.noise_level(picture), np.median(of_windows, axis=0), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("sigma", "amount"), [(0.02, 0), (0.06, 0), (0.1, 0.1), (0, 0.2)])
@pytest.mark.parametrize("frame", [0, 300])
def test_the_noise_level_is_that_of_the_noise_in_texture_and_beside_black(sigma, amount, frame):
    picture = np.pad(data.camera()[::2, ::2], ((0, frame), (0, 0)))
    level = Restorer.from_pretrained("universal").noise_level(mixed_noise(picture, sigma, amount, seed=0))
    np.testing.assert_allclose(level, (sigma, amount), rtol=0.25, atol=0.01)


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


@pytest.mark.slow
def test_the_universal_restorer_can_be_told_sigma(samples):
    restorer = Restorer.from_pretrained("universal")
    noisy = TASKS["low"](samples, seed=0)
    scores = {sigma: mean_psnr(psnr(restorer(noisy, sigma=sigma), samples)) for sigma in (None, 0.005, 0.02, 0.08)}
    # Blind, it is as good: its estimate is that close.
    assert scores[None] - 0.01 < scores[0.02] < scores[None] + 0.05
    assert min(scores[None], scores[0.02]) > max(scores[0.005], scores[0.08]) + 0.2


@pytest.mark.slow
def test_a_picture_larger_than_the_window_of_the_estimate_has_the_same_levels_in_tiles_and_as_a_whole():
    noisy = TASKS["high"](data.camera()[100:164, 100:340], seed=0)
    network = Restorer.from_pretrained("universal").model
    whole, tiled = in_double(network, "x", device="cpu"), in_double(network, "x", device="cpu", tile=48)
    np.testing.assert_allclose(tiled(noisy), whole(noisy), atol=1e-4 / 255)


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
