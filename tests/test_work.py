import json

import numpy as np
import pytest

from fer_denoise.work import Corruption, Restoration


def test_what_is_done_is_recorded_whatever_numbers_it_was_given():
    restoration = Restoration("median", sigma=np.float32(0.25))
    assert json.loads(json.dumps(restoration.record))["sigma"] == 0.25
    corruption = Corruption(np.float32(0.25), np.float64(0.5), np.float16(0.5), np.int64(7))
    expected = {"sigma": 0.25, "amount": 0.5, "salt_vs_pepper": 0.5, "seed": 7, "kinds": []}
    assert json.loads(json.dumps(corruption.record)) == expected == Corruption(0.25, 0.5, 0.5, 7).record


def test_a_corruption_is_the_same_whatever_numbers_it_was_given(make_faces):
    faces, kinds = make_faces(2), ("stripe:sigma=0.05",)
    expected = Corruption(0.25, 0.5, 0.5, 7, kinds)(faces, [255, 256])
    given = Corruption(np.float32(0.25), np.float64(0.5), np.float16(0.5), np.uint8(7), kinds)
    np.testing.assert_array_equal(given(faces, np.array([255, 256], np.uint16)), expected)


def test_a_sigma_out_of_255_is_refused_before_any_work():
    with pytest.raises(ValueError, match="sigma / 255"):
        Restoration("median", sigma=15)
