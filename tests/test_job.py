import json
import pickle

import numpy as np
import pytest

from fer_denoise import Restorer
from fer_denoise.command.job import Corruption, Reading, Restoration
from fer_denoise.noise import mixed_noise
from fer_denoise.pictures import Picture


def test_what_is_done_is_recorded_whatever_numbers_it_was_given():
    restoration = Restoration("median", sigma=np.float32(0.25))
    assert json.loads(json.dumps(restoration.record))["sigma"] == 0.25
    corruption = Corruption(np.float32(0.25), np.float64(0.5), np.float16(0.5), np.int64(7))
    expected = {
        "sigma": 0.25,
        "amount": 0.5,
        "salt_vs_pepper": 0.5,
        "seed": 7,
        "kinds": [],
        "gray": False,
        "white": None,
    }
    assert json.loads(json.dumps(corruption.record)) == expected == Corruption(0.25, 0.5, 0.5, 7).record


def test_a_corruption_is_the_same_whatever_numbers_it_was_given(make_faces):
    faces, kinds = make_faces(2), ("stripe:sigma=0.05",)
    pictures = list(map(Picture.of, faces))
    expected = Corruption(0.25, 0.5, 0.5, 7, kinds)(pictures, [255, 256])
    given = Corruption(np.float32(0.25), np.float64(0.5), np.float16(0.5), np.uint8(7), kinds)
    for one, other in zip(given(pictures, np.array([255, 256], np.uint16)), expected, strict=True):
        np.testing.assert_array_equal(one.frames[0], other.frames[0])


def test_a_sigma_out_of_255_is_refused_before_any_work():
    with pytest.raises(ValueError, match="sigma / 255"):
        Restoration("median", sigma=15)


def test_how_pictures_are_read_is_recorded():
    record = Restoration("median", reading=Reading(gray=True, white=4095)).record
    assert record["gray"] is True and record["white"] == 4095


def test_pictures_of_all_depths_and_frames_are_restored_together(make_faces):
    faces = make_faces(6)
    colour = Picture.of(np.stack(faces[:3], axis=-1))
    stack = Picture(tuple(face.astype(np.uint16) * 16 for face in faces[3:]), white=4095)
    restored = Restoration("median")([Picture.of(faces[0]), colour, stack], [0, 1, 2])
    median = Restorer.from_pretrained("median")
    np.testing.assert_array_equal(restored[0].frames[0], median(faces[0]))
    np.testing.assert_array_equal(np.moveaxis(restored[1].frames[0], -1, 0), median(faces[:3]))
    assert restored[2].white == 4095
    for frame, face in zip(restored[2].frames, faces[3:], strict=True):
        assert frame.dtype == np.uint16
        np.testing.assert_array_equal(frame, median(face).astype(np.uint16) * 16)


def test_each_channel_and_frame_gets_noise_of_its_own_and_the_first_that_of_a_gray_picture():
    gray = np.full((20, 20), 128, np.uint8)
    colour = Picture((np.stack([gray] * 3, axis=-1), np.stack([gray] * 3, axis=-1)))
    corruption = Corruption(0.1, 0.05, seed=4)
    (noisy,) = corruption([colour], [7])
    (alone,) = corruption([Picture.of(gray)], [7])
    expected = np.rint(mixed_noise(gray, 0.1, 0.05, seed=4, first_index=7) * 255)
    np.testing.assert_array_equal(noisy.frames[0][..., 0], expected)
    np.testing.assert_array_equal(alone.frames[0], expected)
    channels = [frame[..., channel].tobytes() for frame in noisy.frames for channel in range(3)]
    assert len(set(channels)) == 6
    (again,) = corruption([colour], [7])
    assert all(np.array_equal(*pair) for pair in zip(noisy.frames, again.frames, strict=True))


def test_work_is_sent_to_other_processes_without_its_network():
    job = Restoration("universal", device="cpu")
    job([Picture.of(np.zeros((9, 9), np.uint8))], [0])
    assert "restorer" in vars(job) and "restorer" not in job.__getstate__()
    assert len(pickle.dumps(job)) < 1000
