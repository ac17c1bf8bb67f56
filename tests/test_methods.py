"""The contract, held against every method there is: a new one is in it by being listed."""

import copy
import json
import pickle
from collections.abc import Iterable

import numpy as np
import pytest
import torch
from every_method import FRESH, NAMES, PINS, every_method, patches

from fer_denoise import Restorer
from fer_denoise.classical import FILTERS, ClassicalFilter
from fer_denoise.evaluate import SELF_ENSEMBLE, SIGMA_GIVEN, restore
from fer_denoise.method import FoundNoise, KnownNoise, Method, NoiseLevel, NoiseMap, UnsupportedError
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.models import EmotionClassifier, PatchGANDiscriminator, RestorationNetwork
from fer_denoise.models.noise_estimator import LEVELS
from fer_denoise.noise import TASKS, RandomNoise
from fer_denoise.zoo import MODELS, UNIVERSAL_LARGE, bundled_restorers

LEAST_GAINS = {
    ("universal", "low"): 3.4,
    ("universal", "high"): 6.1,
    ("universal", "salt_pepper"): 30.0,
    ("universal-large", "low"): 3.4,
    ("universal-large", "high"): 6.0,
    ("universal-large", "salt_pepper"): 30.0,
    (SELF_ENSEMBLE, "low"): 3.4,
    (SELF_ENSEMBLE, "high"): 6.1,
    (SELF_ENSEMBLE, "salt_pepper"): 30.0,
    (SIGMA_GIVEN, "low"): 3.4,
    (SIGMA_GIVEN, "high"): 6.1,
    ("attention-unet-low", "low"): 1.0,
    ("attention-unet-high", "high"): 4.0,
    ("attention-unet-salt-pepper", "salt_pepper"): 12.0,
    ("patchgan-low", "low"): 0.7,
    ("patchgan-high", "high"): 3.6,
    ("patchgan-salt-pepper", "salt_pepper"): 12.0,
    ("median", "salt_pepper"): 11.0,
    ("switching-median", "salt_pepper"): 18.0,
    ("tv", "low"): 1.2,
    ("tv", "high"): 3.5,
    ("wavelet", "low"): 1.0,
    ("wavelet", "high"): 3.0,
    ("nl-means", "low"): 1.5,
    ("nl-means", "high"): 4.3,
    ("bm3d", "low"): 2.5,
    ("bm3d", "high"): 5.0,
}
"""In mean PSNR on the sample faces, in the tasks that a method is made for; in dB.

Published networks are random ones here; `python -m train.peers` holds them against the figures of their authors.
"""
KNOWN = KnownNoise(0.06, 0.0)


def slow_where_large(names: Iterable[str]) -> list:
    """Names as parameters of a test; the large network, of the same class as another, is for the slow part."""
    return [pytest.param(name, marks=pytest.mark.slow) if name == UNIVERSAL_LARGE else name for name in names]


@pytest.fixture(scope="module")
def methods(tmp_path_factory) -> dict[str, Method]:
    return every_method(tmp_path_factory.mktemp("peers"))


@pytest.fixture(params=slow_where_large(NAMES))
def method(request, methods) -> Method:
    return methods[request.param]


@pytest.fixture(scope="module")
def noisy(make_faces) -> np.ndarray:
    return TASKS["high"](make_faces(3, shape=(25, 40)), seed=0)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(9, 9), (9, 17), (2, 33, 50), (16, 12, 3)])
def test_any_size_is_restored_and_shape_and_dtype_come_back(method, shape, dtype):
    pixels = np.random.default_rng(0).random(shape)
    pixels = np.rint(pixels * 255).astype(dtype) if dtype == np.uint8 else pixels.astype(dtype)
    restored = method.restore(pixels, KNOWN)
    assert restored.shape == shape and restored.dtype == dtype
    assert restored.min() >= 0 and restored.max() <= (255 if dtype == np.uint8 else 1)


def test_a_batch_gives_what_its_images_give_and_is_left_unchanged(method, noisy):
    before = noisy.copy()
    alone = [method.restore(each, KNOWN) for each in noisy]
    # What is rounded differently is below what an 8 bit picture can show.
    np.testing.assert_allclose(method.restore(noisy, KNOWN), alone, atol=0.1 / 255)
    np.testing.assert_array_equal(noisy, before)


def test_a_call_gives_sigma_and_nothing_else(method, noisy):
    given, again = (method.restore(noisy, KnownNoise(0.1)) for _ in range(2))
    # To the bit, where the method's package gives that in two calls.
    tolerance = 0 if np.array_equal(given, again) else 1e-6
    np.testing.assert_allclose(method(noisy, 0.1), given, rtol=0, atol=tolerance)
    with pytest.raises(ValueError, match="sigma / 255"):
        method(noisy, 15)
    with pytest.raises(ValueError, match="amount"):
        method.restore(noisy, KnownNoise(0.1, 2))


def test_it_works_blind_or_says_what_it_has_to_be_given(method, noisy):
    if method.needs:
        with pytest.raises(ValueError, match="has to be given sigma"):
            method.restore(noisy)
    else:
        assert method.restore(noisy).shape == noisy.shape
    assert not (method.blind and method.needs)
    assert restore(method, noisy, KNOWN).shape == noisy.shape


def test_where_methods_are_compared_a_blind_one_does_not_know_the_noise(method, noisy):
    compared = [restore(method, noisy, KnownNoise(sigma, 0.0)) for sigma in (0.01, 0.3)]
    if method.blind:
        np.testing.assert_array_equal(*compared)
    elif method.name not in FILTERS or FILTERS[method.name].takes_sigma:
        assert np.abs(compared[0] - compared[1]).max() > 1e-4


def test_the_end_is_reported(method, noisy):
    done = []
    method.restore(noisy, KNOWN, done.append)
    assert done[-1] == 1 and done == sorted(done)


def test_what_is_out_of_reach_changes_nothing(method, make_faces):
    if method.reach is None:
        assert method.cpu_only
        return
    side = method.reach + 8
    picture = 0.3 + 0.4 * make_faces(1, shape=(8, side))[0].astype(np.float32) / 255
    other = picture.copy()
    other[:, method.reach + 1 :] = 0.6
    network = method.model if isinstance(method, Restorer) else method.network
    conditions = {"sigma": 0.1} if method.needs else {}
    if hasattr(network, "noise_levels"):
        conditions = {"levels": torch.full((1, len(LEVELS)), 0.1)}
    with torch.no_grad():
        one, two = (network(torch.from_numpy(each)[None, None], **conditions) for each in (picture, other))
    np.testing.assert_allclose(one[..., 0], two[..., 0], atol=1e-5)


@pytest.mark.parametrize("ask", ["attention", "noise_level", "noise_map"])
def test_it_answers_or_says_in_one_way_that_it_cannot(method, noisy, ask):
    # A restorer has always given nothing where others raise the error.
    given = getattr(method, ask)(noisy[0]) if isinstance(method, Restorer) else None
    answer, problem = None, ""
    try:
        answer = getattr(getattr(method, "method", method), ask)(noisy[0])
    except UnsupportedError as error:
        problem = str(error)
    if problem:
        assert "cannot" in problem and problem.endswith("; take a method that can, such as universal") and not given
    else:
        kind = {"attention": list, "noise_level": NoiseLevel, "noise_map": NoiseMap}[ask]
        assert type(answer) is kind and type(given) is kind
    with pytest.raises(ValueError, match="at least 8x8"):
        getattr(method, ask)(np.zeros((7, 9)))


@pytest.mark.parametrize("name", slow_where_large([*bundled_restorers(), *FRESH]))
def test_a_network_that_is_saved_and_loaded_restores_the_same(name, methods, noisy, tmp_path):
    methods[name].model.save_pretrained(tmp_path, half=False)
    loaded = Restorer.from_pretrained(tmp_path, device="cpu", precision="fp32")
    np.testing.assert_array_equal(loaded(noisy), methods[name](noisy))


def test_its_output_is_what_it_was(method):
    pins = json.loads(PINS.read_text())
    # Who has bm3d installed has a release of their own.
    if method.name in ("bm3d", *FRESH):
        return
    for task, patch in patches(method) if method.name in pins else ():
        np.testing.assert_allclose(
            patch,
            pins[method.name][task],
            atol=0.5 / 255,
            err_msg=f"{method.name}, {task}: where that is on purpose, see tests/every_method.py",
        )
    assert method.name in pins, "pin it: see tests/every_method.py"


def test_every_method_has_a_least_gain():
    assert {name for name, _ in LEAST_GAINS} == {*MODELS, SELF_ENSEMBLE, SIGMA_GIVEN}
    assert all(MODELS[name].serves(task) for name, task in LEAST_GAINS if name in MODELS)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        pytest.param(name, task, marks=pytest.mark.slow) if name == UNIVERSAL_LARGE else (name, task)
        for name, task in LEAST_GAINS
        if name in NAMES
    ],
)
def test_it_gains_what_it_should_on_the_noise_it_is_made_for(name, task, methods, samples):
    noisy = TASKS[task](samples, seed=0)
    restored = restore(methods[name].tuned_for(task), noisy, KnownNoise.of(TASKS[task]))
    assert mean_psnr(psnr(restored, samples)) - mean_psnr(psnr(noisy, samples)) > LEAST_GAINS[name, task]


def test_a_method_that_forgets_its_reach_fails_at_once():
    class Filter(Method):
        def restore_planes(self, planes, noise, on_progress):
            return planes

    class Network(RestorationNetwork):
        def forward(self, noisy):
            return noisy

    for forgetful in (Filter, Network):
        with pytest.raises(TypeError, match="reach"):
            forgetful()
    for other in (EmotionClassifier, PatchGANDiscriminator):
        assert not hasattr(other, "reach")


def test_a_method_needs_only_what_can_be_known():
    with pytest.raises(ValueError, match="can need sigma and amount of the noise, not sigm"):
        Restorer(ClassicalFilter("tv"), "tv", needs=("sigm",))
    with pytest.raises(ValueError, match="not sigm"):
        type("Told", (ClassicalFilter,), {"needs": ("sigm",)})


def test_a_noise_level_is_two_numbers_and_remembers_what_else_was_found():
    level = NoiseLevel(0.1, 0.02, (FoundNoise("stripes", "stripe"),))
    assert tuple(level) == (0.1, 0.02) and level._asdict() == {"sigma": 0.1, "amount": 0.02}
    assert level == NoiseLevel(0.1, 0.02, ("stripes",)) == pickle.loads(pickle.dumps(level)) == copy.copy(level)
    assert level != NoiseLevel(0.1, 0.02) and level == (0.1, 0.02) and level != (0.1, 0.03)
    assert level._replace(sigma=0.2) == NoiseLevel(0.2, 0.02, ("stripes",)) != level._replace(sigma=0.2, others=())
    assert [other.kind for other in pickle.loads(pickle.dumps(level)).others] == ["stripe"]
    assert repr(level) == "NoiseLevel(sigma=0.1, amount=0.02, others=('stripes',))"
    with pytest.raises(TypeError):
        level._replace(sigm=0.2)


def test_only_noise_of_one_level_can_be_known():
    assert KnownNoise.of(TASKS["high"]) == (0.06, 0) and KnownNoise.of(TASKS["salt_pepper"]) == (0, 0.1)
    with pytest.raises(TypeError, match="no one level"):
        KnownNoise.of(RandomNoise())


def test_a_filter_that_knows_all_of_the_noise_stands_behind_a_switching_median(samples):
    noisy = TASKS["salt_pepper"](samples[:2], seed=0)
    known, blind = (ClassicalFilter("tv").restore(noisy, each) for each in (KnownNoise(0.0, 0.1), None))
    assert mean_psnr(psnr(known, samples[:2])) > mean_psnr(psnr(blind, samples[:2])) + 10
