import numpy as np
import pytest
import torch

from fer_denoise.images import to_float
from fer_denoise.noise import (
    TASKS,
    GaussianNoise,
    RandomNoise,
    gaussian_noise,
    mixed_noise,
    salt_and_pepper_noise,
    sigma_from_std,
)

GRAY = np.full((48, 48), 128, np.uint8)
PIXELS = GRAY.size


def rng(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("sigma", [0.005, 0.02, 0.06, 0.1])
def test_gaussian_noise_has_the_std_and_mean_asked_for(sigma):
    clean = np.full((400, 400), 0.5, np.float32)
    error = gaussian_noise(clean, sigma, seed=3) - clean
    # 4.5 standard errors of a standard deviation and of a mean.
    assert error.std() == pytest.approx(sigma, rel=4.5 / np.sqrt(2 * error.size))
    assert abs(error.mean()) < 4.5 * sigma / np.sqrt(error.size)


def test_gaussian_noise_is_normal_and_white():
    error = gaussian_noise(np.full((400, 400), 0.5), 0.05, seed=4) - 0.5
    assert np.mean(np.abs(error) < 0.05) == pytest.approx(0.6827, abs=0.006)
    assert abs(np.corrcoef(error[:, 1:].ravel(), error[:, :-1].ravel())[0, 1]) < 0.012
    assert abs(np.corrcoef(error[1:].ravel(), error[:-1].ravel())[0, 1]) < 0.012


@pytest.mark.parametrize("value", [0, 255])
def test_gaussian_noise_clips_to_the_range(value):
    noisy = gaussian_noise(np.full((100, 100), value, np.uint8), 0.3, seed=0)
    assert noisy.min() >= 0 and noisy.max() <= 1
    assert np.mean(noisy == value / 255) == pytest.approx(0.5, abs=0.03)


def test_sigma_zero_changes_nothing():
    clean = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    np.testing.assert_array_equal(gaussian_noise(clean, 0, seed=0), clean)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(8, 9), (2, 9, 8)])
def test_result_is_float32_of_the_input_shape(task, dtype, shape):
    noisy = TASKS[task](np.zeros(shape, dtype), seed=0)
    assert noisy.dtype == np.float32 and noisy.shape == shape


@pytest.mark.parametrize("task", TASKS)
def test_input_is_left_unchanged(task):
    clean = np.full((2, 16, 16), 0.5, np.float32)
    TASKS[task](clean, seed=0)
    assert (clean == 0.5).all()


@pytest.mark.parametrize(("std", "factor", "sigma"), [(0.2, 0.2, 0.02), (0.4, 0.3, 0.06)])
def test_sigma_from_std_converts_the_origins_scale(std, factor, sigma):
    assert sigma_from_std(std, factor) == pytest.approx(sigma, abs=1e-12)


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_the_noise_function_at_its_level(task):
    noise = TASKS[task]
    if isinstance(noise, GaussianNoise):
        expected = gaussian_noise(GRAY, noise.sigma, seed=5, first_index=2)
    else:
        expected = salt_and_pepper_noise(GRAY, noise.amount, noise.salt_vs_pepper, seed=5, first_index=2)
    np.testing.assert_array_equal(noise(GRAY, seed=5, first_index=2), expected)


def test_salt_and_pepper_counts_on_gray():
    clean = np.broadcast_to(GRAY, (200, 48, 48))
    noisy = salt_and_pepper_noise(clean, 0.1, seed=0)
    draws = int(PIXELS * 0.1 * 0.5)
    salt, pepper = (noisy == 1).sum(axis=(1, 2)), (noisy == 0).sum(axis=(1, 2))
    assert (salt <= draws).all() and (pepper <= draws).all()
    # With replacement, and salt lost again where pepper follows.
    hit = 1 - (1 - 1 / PIXELS) ** draws
    assert pepper.mean() == pytest.approx(PIXELS * hit, abs=0.7)
    assert salt.mean() == pytest.approx(PIXELS * hit * (1 - hit), abs=1.1)
    changed = noisy != clean.astype(np.float32) / np.float32(255)
    assert changed.mean() == pytest.approx(0.095, abs=0.001)
    assert set(np.unique(noisy[changed])) == {0, 1}


def test_impulses_fall_on_every_place_alike():
    noisy = salt_and_pepper_noise(np.broadcast_to(GRAY, (1000, 48, 48)), 0.1, seed=8)
    rate = ((noisy == 0) | (noisy == 1)).mean(axis=0)
    quadrants = rate.reshape(2, 24, 2, 24).mean(axis=(1, 3))
    np.testing.assert_allclose(quadrants, 0.0952, atol=0.0018)
    assert rate.min() > 0.04 and rate.max() < 0.15


def test_pepper_comes_after_salt():
    noisy = salt_and_pepper_noise(np.broadcast_to(GRAY, (20, 48, 48)), 1.0, seed=0)
    share = 1 - np.exp(-0.5)
    assert (noisy == 0).mean() == pytest.approx(share, abs=0.01)
    assert (noisy == 1).mean() == pytest.approx(share * (1 - share), abs=0.01)


@pytest.mark.parametrize(("ratio", "value"), [(0, 0.0), (1, 1.0)])
def test_salt_vs_pepper_extremes_give_one_kind_only(ratio, value):
    noisy = salt_and_pepper_noise(GRAY, 0.2, ratio, seed=0)
    changed = noisy[noisy != noisy.dtype.type(128) / 255]
    assert len(changed) > 300 and (changed == value).all()


def test_salt_vs_pepper_is_the_share_of_salt():
    noisy = salt_and_pepper_noise(np.broadcast_to(GRAY, (50, 48, 48)), 0.1, 0.8, seed=0)
    salt, pepper = (noisy == 1).mean(), (noisy == 0).mean()
    assert salt / (salt + pepper) == pytest.approx(0.8, abs=0.01)


def test_amount_zero_changes_nothing():
    np.testing.assert_array_equal(salt_and_pepper_noise(GRAY, 0, seed=0), GRAY.astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("task", TASKS)
def test_noise_of_an_image_depends_on_seed_and_index_alone(task, make_faces):
    clean = make_faces(7)
    noise = TASKS[task]
    whole = noise(clean, seed=11)
    for index, image in enumerate(clean):
        np.testing.assert_array_equal(noise(image, seed=11, first_index=index), whole[index])
    for split in (1, 2, 3, 5):
        parts = [noise(clean[i : i + split], seed=11, first_index=i) for i in range(0, 7, split)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)
    changed = clean.copy()
    changed[3] = 0
    others = np.arange(7) != 3
    np.testing.assert_array_equal(noise(changed, seed=11)[others], whole[others])


@pytest.mark.parametrize("task", TASKS)
def test_numpys_global_state_plays_no_part(task):
    np.random.seed(0)  # noqa: NPY002
    first = TASKS[task](GRAY, seed=1)
    np.random.seed(1)  # noqa: NPY002
    np.testing.assert_array_equal(TASKS[task](GRAY, seed=1), first)


@pytest.mark.parametrize("task", TASKS)
def test_seeds_and_indices_all_draw_different_noise(task):
    noise = TASKS[task]
    clean = np.broadcast_to(GRAY, (4, 48, 48))
    fields = np.concatenate([noise(clean, seed=seed) for seed in range(4)])
    assert len({field.tobytes() for field in fields}) == 16


def test_gaussian_stream_is_pinned():
    noisy = gaussian_noise(np.broadcast_to(GRAY, (2, 48, 48)), 0.06, seed=0)
    np.testing.assert_allclose(noisy[0, 0, :3], [0.5690181, 0.41873333, 0.47636652], rtol=0, atol=1e-6)
    np.testing.assert_allclose(noisy[1, 47, 45:], [0.46940836, 0.47063777, 0.46263623], rtol=0, atol=1e-6)


def test_salt_and_pepper_stream_is_pinned():
    noisy = salt_and_pepper_noise(np.broadcast_to(GRAY, (2, 48, 48)), 0.1, seed=0)
    assert np.flatnonzero(noisy[0] == 1)[:5].tolist() == [6, 12, 19, 38, 50]
    assert np.flatnonzero(noisy[0] == 0)[:5].tolist() == [33, 36, 37, 65, 93]
    assert np.flatnonzero(noisy[1] == 1)[:5].tolist() == [0, 5, 9, 18, 23]
    assert ((noisy[0] == 1).sum(), (noisy[0] == 0).sum()) == (107, 111)


def test_numbers_of_numpy_draw_the_same_noise():
    faces = np.broadcast_to(GRAY, (3, 48, 48))
    expected = mixed_noise(faces, 0.125, 0.25, 0.5, seed=200, first_index=255)
    levels = np.float32(0.125), np.float16(0.25), np.float64(0.5)
    given = mixed_noise(faces, *levels, seed=np.uint8(200), first_index=np.uint8(255))
    np.testing.assert_array_equal(given, expected)


@pytest.mark.parametrize("given", [{"seed": 0.5}, {"seed": "0"}, {"seed": 0, "first_index": 1.0}, {"seed": None}])
def test_seeds_and_indices_are_whole_numbers(given):
    with pytest.raises(TypeError, match="seed and first_index must be whole numbers"):
        gaussian_noise(GRAY, 0.1, **given)


@pytest.mark.parametrize("sigma", [-0.1, 15, np.nan, np.inf])
def test_invalid_sigma_is_refused(sigma):
    with pytest.raises(ValueError, match="sigma"):
        gaussian_noise(GRAY, sigma, seed=0)


@pytest.mark.parametrize("amount", [-0.1, 1.1, np.nan])
def test_invalid_amount_is_refused(amount):
    with pytest.raises(ValueError, match="amount"):
        salt_and_pepper_noise(GRAY, amount, seed=0)


@pytest.mark.parametrize("ratio", [-0.1, 1.1, np.nan])
def test_invalid_salt_vs_pepper_is_refused(ratio):
    with pytest.raises(ValueError, match="salt_vs_pepper"):
        salt_and_pepper_noise(GRAY, 0.1, ratio, seed=0)


@pytest.mark.parametrize("key", [{"seed": -1}, {"seed": 0, "first_index": -1}])
@pytest.mark.parametrize("task", TASKS)
def test_negative_seed_or_index_is_refused(task, key):
    with pytest.raises(ValueError, match="seed"):
        TASKS[task](GRAY, **key)


@pytest.mark.parametrize("task", TASKS)
def test_bad_pixels_are_refused(task):
    with pytest.raises(ValueError, match="NaN"):
        TASKS[task](np.full((8, 8), np.nan), seed=0)


@pytest.mark.parametrize("sigma", [0.02, 0.06])
def test_corrupt_adds_gaussian_noise_of_the_level(sigma):
    clean = torch.full((64, 1, 48, 48), 0.5)
    error = GaussianNoise(sigma).corrupt(clean, rng(0)) - clean
    assert error.std().item() == pytest.approx(sigma, rel=0.009)
    assert abs(error.mean().item()) < 4.5 * sigma / error.numel() ** 0.5


def test_corrupt_clips_to_the_range():
    noisy = GaussianNoise(0.5).corrupt(torch.full((4, 1, 48, 48), 0.9), rng(0))
    assert noisy.min() == 0 and noisy.max() == 1


def test_corrupt_sets_salt_then_pepper():
    clean = torch.full((200, 1, 48, 48), 0.5)
    noisy = TASKS["salt_pepper"].corrupt(clean, rng(0))
    draws = int(PIXELS * 0.05)
    hit = 1 - (1 - 1 / PIXELS) ** draws
    salt, pepper = (noisy == 1).sum(dim=(1, 2, 3)), (noisy == 0).sum(dim=(1, 2, 3))
    assert salt.max() <= draws and pepper.max() <= draws
    assert pepper.float().mean().item() == pytest.approx(PIXELS * hit, abs=0.7)
    assert salt.float().mean().item() == pytest.approx(PIXELS * hit * (1 - hit), abs=1.1)
    assert ((noisy == 0) | (noisy == 1) | (noisy == 0.5)).all()


@pytest.mark.parametrize("task", TASKS)
def test_corrupt_is_reproducible_by_its_generator(task):
    clean = torch.full((3, 1, 16, 16), 0.5)
    corrupt = TASKS[task].corrupt
    first = corrupt(clean, rng(7))
    torch.manual_seed(99)
    assert torch.equal(corrupt(clean, rng(7)), first)
    assert not torch.equal(corrupt(clean, rng(8)), first)
    assert not torch.equal(first[0], first[1])
    assert first.shape == clean.shape and first.dtype == torch.float32
    assert (clean == 0.5).all()


@pytest.mark.parametrize("task", TASKS)
def test_corrupt_takes_channels_last_batches(task):
    clean = torch.rand(4, 1, 16, 16, generator=rng(0))
    expected = TASKS[task].corrupt(clean, rng(1))
    assert torch.equal(TASKS[task].corrupt(clean.contiguous(memory_format=torch.channels_last), rng(1)), expected)


RANDOM = RandomNoise()


def mixed_stats(noisy: np.ndarray, clean: float) -> dict[str, float]:
    """Over gray images (N, H, W): shares of black, white and untouched images, and the median spread."""
    return {
        "black": (noisy == 0).mean(),
        "white": (noisy == 1).mean(),
        "untouched": (noisy == np.float32(clean)).all(axis=(1, 2)).mean(),
        "spread": np.median(noisy.std(axis=(1, 2))),
    }


def test_random_noise_is_the_same_in_both_forms():
    clean = np.full((3000, 12, 12), 0.5, np.float32)
    from_arrays = mixed_stats(RANDOM(clean, seed=0), 0.5)
    rng = torch.Generator().manual_seed(0)
    from_tensors = mixed_stats(RANDOM.corrupt(torch.from_numpy(clean).unsqueeze(1), rng).squeeze(1).numpy(), 0.5)
    for name, tolerance in {"black": 0.01, "white": 0.01, "untouched": 0.02, "spread": 0.02}.items():
        assert from_arrays[name] == pytest.approx(from_tensors[name], abs=tolerance), name
    # A twentieth is left clean; another few draw a level of zero impulses.
    assert 0.04 < from_arrays["untouched"] < 0.08


def test_random_noise_has_each_kind_at_its_share():
    clean = np.full((3000, 12, 12), 0.5, np.float32)
    noisy = RandomNoise(gaussian=1, impulses=0, both=0)(clean, seed=0)
    levels = noisy.std(axis=(1, 2))
    assert levels.min() > 0.004 and levels.max() < 0.36
    # As many from 0.01 to 0.04 as from 0.04 to 0.16, the clipping of the latter aside.
    assert np.mean((levels > 0.01) & (levels < 0.04)) == pytest.approx(np.log(4) / np.log(60), abs=0.03)
    assert np.mean((levels > 0.04) & (levels < 0.16)) == pytest.approx(np.log(4) / np.log(60), abs=0.03)
    noisy = RandomNoise(gaussian=0, impulses=1, both=0)(clean, seed=0)
    assert set(np.unique(noisy)) == {0, 0.5, 1}
    hit = (noisy != 0.5).mean(axis=(1, 2))
    assert hit.max() < 0.5 and hit.mean() == pytest.approx(0.22, abs=0.02)


def test_random_noise_of_an_image_depends_on_seed_and_index_alone(make_faces):
    faces = make_faces(6)
    whole = RANDOM(faces, seed=3)
    np.testing.assert_array_equal(RANDOM(faces[4:], seed=3, first_index=4), whole[4:])
    assert not np.array_equal(RANDOM(faces, seed=4), whole)
    assert len({float(np.abs(noisy - face / 255).mean()) for noisy, face in zip(whole, faces, strict=True)}) == 6


def test_mixed_noise_is_each_kind_alone_where_the_other_is_off(make_faces):
    clean = make_faces(3)
    np.testing.assert_array_equal(mixed_noise(clean, 0.05, 0, seed=1), gaussian_noise(clean, 0.05, seed=1))
    np.testing.assert_array_equal(
        mixed_noise(clean, 0, 0.2, 0.3, seed=1), salt_and_pepper_noise(clean, 0.2, 0.3, seed=1)
    )
    np.testing.assert_array_equal(mixed_noise(clean, 0, 0, seed=1), to_float(clean))


def test_mixed_noise_lays_impulses_over_gaussian_noise():
    clean = np.full((400, 400), 0.5, np.float32)
    noisy = mixed_noise(clean, 0.05, 0.2, 0.75, seed=2)
    hit = (noisy == 0) | (noisy == 1)
    # Positions are drawn with replacement.
    assert hit.mean() == pytest.approx(1 - np.exp(-0.2), abs=0.005)
    assert (noisy[hit] == 1).mean() == pytest.approx(0.75, abs=0.02)
    assert (noisy - clean)[~hit].std() == pytest.approx(0.05, rel=0.01)


@pytest.mark.parametrize(("name", "value"), [("sigma", -0.1), ("amount", 1.1), ("salt_vs_pepper", np.nan)])
def test_mixed_noise_refuses_invalid_levels(name, value):
    with pytest.raises(ValueError, match=name):
        mixed_noise(GRAY, **{"sigma": 0.1, "amount": 0.1, name: value}, seed=0)
