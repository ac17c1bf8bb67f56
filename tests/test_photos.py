from types import SimpleNamespace

import numpy as np
import pytest
from photographs import noisy_photo
from skimage import data

from fer_denoise import Restorer, photos
from fer_denoise.colour import has_colour_way
from fer_denoise.metrics import psnr
from fer_denoise.noise import gaussian_noise
from fer_denoise.photos import (
    Box,
    blend_towards_input,
    find_faces,
    keep_only,
    photo_noise_level,
    restore_luminance,
    restore_photo,
    restore_photos,
)

ASTRONAUT_FACE = Box(60, 175, 95)
"""About where it is in `data.astronaut()`."""


def test_each_channel_of_a_colour_photo_is_restored_as_a_gray_one(median):
    _, noisy = noisy_photo()
    restored = restore_photo(median, noisy)
    assert restored.shape == noisy.shape and restored.dtype == np.uint8
    for channel in range(3):
        np.testing.assert_array_equal(restored[..., channel], restore_photo(median, noisy[..., channel]))


@pytest.mark.slow
def test_restoring_every_channel_beats_restoring_the_luminance():
    photo, noisy = noisy_photo()
    restorer = Restorer.from_pretrained("universal")

    def quality(restored: np.ndarray) -> float:
        return float(np.mean(psnr(np.moveaxis(restored, -1, 0), np.moveaxis(photo, -1, 0))))

    channels, luminance = restore_photo(restorer, noisy), restore_luminance(restorer, noisy)
    assert quality(channels) > quality(luminance) + 1 > quality(noisy) + 1


@pytest.mark.slow
def test_several_photos_come_out_as_each_alone():
    restorer = Restorer.from_pretrained("universal", device="cpu", precision="fp32")
    photo, noisy = noisy_photo()
    photo[::9, ::9] = 255
    photo[4::9, 4::9] = 0
    assert not has_colour_way(restorer, photo)
    for together, one in zip(restore_photos(restorer, [noisy, photo], 0.1), (noisy, photo), strict=True):
        np.testing.assert_array_equal(together, restore_photo(restorer, one, 0.1))


def test_the_luminance_alone_leaves_differences_of_the_channels_as_they_are(median):
    photo = np.full((16, 16, 3), (120, 100, 80), np.uint8)
    photo[8, 8] = (180, 160, 140)
    restored = restore_luminance(median, photo).astype(int)
    np.testing.assert_array_equal(restored[..., 0] - restored[..., 1], 20)
    np.testing.assert_allclose(restored[8, 8], (120, 100, 80), atol=1)


def test_progress_is_reported_and_can_end_the_work(median):
    _, noisy = noisy_photo()
    shares: list[float] = []
    restore_photo(median, noisy, on_progress=shares.append)
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) == 3

    def stop(share: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        restore_photo(median, noisy, on_progress=stop)


@pytest.mark.parametrize(("size", "tile", "steps"), [((96, 70), 32, 9), ((20, 20), 32, 1)])
def test_a_network_reports_every_tile(size, tile, steps):
    shares: list[float] = []
    restorer = Restorer(Restorer.from_pretrained("universal").model, "universal", device="cpu", tile=tile)
    restorer(np.zeros(size, np.uint8), on_progress=shares.append)
    np.testing.assert_allclose(shares, np.arange(1, steps + 1) / steps)


def test_the_noise_of_a_photo_is_the_mean_of_its_channels(median):
    _, noisy = noisy_photo()
    restorer = Restorer.from_pretrained("universal")
    levels = [restorer.noise_level(noisy[..., channel]) for channel in range(3)]
    np.testing.assert_allclose(photo_noise_level(restorer, noisy), np.mean(levels, axis=0), rtol=1e-6)
    assert photo_noise_level(restorer, noisy[..., 0]) == levels[0]
    assert photo_noise_level(median, noisy) is None


@pytest.mark.slow
def test_the_noise_of_a_large_photo_is_estimated_from_parts_of_it():
    seen: list[tuple[int, ...]] = []

    class Looks:
        def noise_level(self, photo):
            seen.append(photo.shape)

    photo_noise_level(Looks(), np.zeros((3000, 700, 3), np.uint8))  # type: ignore[arg-type]
    assert seen == [(768, 700, 3)]
    restorer = Restorer.from_pretrained("universal", device="cpu", precision="fp32")
    photo = np.tile(data.camera(), (2, 1))
    noisy = gaussian_noise(photo, 0.06, seed=0)
    assert photo_noise_level(restorer, noisy).sigma == pytest.approx(0.06, abs=0.01)


@pytest.mark.parametrize("gray", [False, True])
def test_a_face_is_found_where_it_is(gray):
    photo = data.astronaut()
    (box,) = find_faces(photo[..., 1] if gray else photo)
    assert abs(box.top - ASTRONAUT_FACE.top) < 30 and abs(box.left - ASTRONAUT_FACE.left) < 30
    assert 0.7 < box.side / ASTRONAUT_FACE.side < 1.6


@pytest.mark.parametrize("photo", [np.zeros((200, 300), np.uint8), data.coins(), np.zeros((10, 10), np.uint8)])
def test_no_face_is_found_where_there_is_none(photo):
    assert find_faces(photo) == []


def test_a_face_is_one_however_often_it_is_found(monkeypatch):
    def found(top: int, left: int, width: int) -> dict[str, int]:
        return {"r": top, "c": left, "width": width, "height": width}

    twice_and_a_neighbour = [found(72, 109, 70), found(52, 100, 100), found(60, 220, 60)]
    cascade = SimpleNamespace(detect_multi_scale=lambda *inputs, **options: twice_and_a_neighbour)
    monkeypatch.setattr(photos, "_cascade", lambda: cascade)
    large, neighbour = find_faces(np.zeros((300, 300), np.uint8))
    assert large.side > neighbour.side and large.left < neighbour.left


@pytest.mark.slow
def test_a_face_of_a_large_photo_is_found_at_its_place():
    (small,) = find_faces(data.astronaut())
    (large,) = find_faces(np.kron(data.astronaut(), np.ones((3, 3, 1), np.uint8)))
    np.testing.assert_allclose(np.array(large) / 3, small, atol=12)


def test_a_face_at_the_rim_stays_inside():
    photo = data.astronaut()[62:250, 185:420]
    for box in find_faces(photo):
        rows, columns = box.slices
        assert photo[rows, columns].shape[:2] == (box.side, box.side)


def test_only_what_lies_in_the_boxes_is_taken():
    photo, restored = np.zeros((20, 30, 3), np.uint8), np.full((20, 30, 3), 9, np.uint8)
    result = keep_only([Box(2, 3, 4), Box(10, 20, 5)], restored, photo)
    assert (result == 9).all(axis=-1).sum() == 16 + 25
    assert (result[2:6, 3:7] == 9).all() and not photo.any()


def test_the_strength_leads_evenly_from_the_input_to_the_restored_picture():
    rng = np.random.default_rng(0)
    photo, restored = rng.integers(0, 256, (2, 12, 12, 3), dtype=np.uint8)
    np.testing.assert_array_equal(blend_towards_input(photo, restored, 0), photo)
    np.testing.assert_array_equal(blend_towards_input(photo, restored, 1), restored)
    distances = [
        np.abs(blend_towards_input(photo, restored, strength).astype(int) - photo).mean()
        for strength in np.linspace(0, 1, 11)
    ]
    assert (np.diff(distances) > 0).all()
    with pytest.raises(ValueError, match="strength"):
        blend_towards_input(photo, restored, 1.1)
