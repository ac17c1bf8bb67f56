import numpy as np

from fer_denoise.noise import CameraNoise


def test_a_camera_in_little_light_has_more_noise_than_in_much(samples):
    clean = samples.astype(np.float32) / 255
    errors = [np.std(CameraNoise(1000, 0.001, gain, 95)(clean, seed=0) - clean) for gain in (1, 4, 16)]
    assert errors[0] < errors[1] < errors[2]
