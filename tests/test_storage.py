from io import BytesIO

import numpy as np
import pytest
import torch
from kinds_of_noise import both_forms
from PIL import Image

from fer_denoise.noise import JpegCompression, Quantization
from fer_denoise.noise.storage import cropped_jpeg, jpeg


def test_quantization_has_its_levels_with_black_and_white():
    ramp = np.linspace(0, 1, 4096, dtype=np.float32).reshape(64, 64)
    np.testing.assert_allclose(np.unique(Quantization(5)(ramp, seed=0)), [0, 0.25, 0.5, 0.75, 1], atol=1e-6)


@pytest.mark.parametrize("quality", [5, 30, 60, 90, 100])
def test_jpeg_is_what_pillow_writes(quality, samples):
    by_numpy, by_torch = both_forms(JpegCompression(quality), samples.astype(np.float32) / 255)
    for face, restored in zip(samples, by_numpy, strict=True):
        file = BytesIO()
        Image.fromarray(face).save(file, "JPEG", quality=quality)
        np.testing.assert_array_equal(np.asarray(Image.open(file), np.float32) / 255, restored)
    levels = np.abs(by_torch - by_numpy) * 255
    assert np.mean(levels < 1.01) > 0.99 and levels.mean() < 0.1


@pytest.mark.parametrize(("top", "left"), [(0, 0), (3, 6), (7, 1)])
def test_a_jpeg_that_was_cropped_is_part_of_a_larger_one(samples, top, left):
    larger = torch.from_numpy(samples.astype(np.float32) / 255)[:, None]
    # What stands before the picture is its edge once more.
    picture = larger[..., top:, left:]
    around = torch.nn.functional.pad(picture, (left, 0, top, 0), mode="replicate")
    cropped = cropped_jpeg(picture, 40, torch.tensor(top), torch.tensor(left))
    assert torch.equal(cropped, jpeg(around, 40)[..., top:, left:])
