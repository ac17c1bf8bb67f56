"""The kinds of noise beyond the three tasks: what each does, in both of its forms."""

import inspect
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
import torch
from kinds_of_noise import GRAY, both_forms, rng

import fer_denoise.noise as noise
from fer_denoise.noise import (
    KINDS,
    CameraNoise,
    Composition,
    CorrelatedNoise,
    DeadLines,
    GaussianNoise,
    ImpulseNoise,
    JpegCompression,
    Kind,
    LocalNoise,
    PoissonNoise,
    Quantization,
    SpeckleNoise,
    StripeNoise,
    WorldNoise,
    as_function,
    kind_of,
)

EXAMPLES = {name: kind(**kind.EXAMPLE) for name, kind in KINDS.items()}


@pytest.mark.parametrize("kind", EXAMPLES.values(), ids=EXAMPLES)
def test_the_noise_of_an_image_depends_on_seed_and_index_alone(kind, make_faces):
    clean = make_faces(5)
    together = kind(clean, seed=3)
    assert together.dtype == np.float32 and together.shape == clean.shape
    assert together.min() >= 0 and together.max() <= 1
    np.testing.assert_array_equal(kind(clean[2:], seed=3, first_index=2), together[2:])
    np.testing.assert_array_equal(kind(clean[4], seed=3, first_index=4), together[4])
    assert (kind(clean, seed=4) != together).any() == kind.IS_RANDOM


@pytest.mark.parametrize("kind", [*EXAMPLES.values(), WorldNoise()], ids=[*EXAMPLES, "world"])
def test_the_torch_form_is_drawn_from_the_generator_alone_and_spares_its_input(kind, make_faces):
    clean = torch.from_numpy(make_faces(4)).float()[:, None] / 255
    before = clean.clone()
    noisy = kind.corrupt(clean, rng(5))
    assert noisy.shape == clean.shape and noisy.dtype == torch.float32
    assert noisy.min() >= 0 and noisy.max() <= 1 and (noisy != clean).any()
    assert (kind.corrupt(clean, rng(5)) == noisy).all() and (clean == before).all()


@pytest.mark.parametrize("kind", [*EXAMPLES.values(), WorldNoise()], ids=[*EXAMPLES, "world"])
def test_pictures_need_not_be_faces_nor_square(kind):
    for shape in ((8, 8), (9, 31), (50, 33)):
        picture = np.linspace(0, 1, shape[0] * shape[1], dtype=np.float32).reshape(shape)
        assert kind(picture, seed=0).shape == shape


@pytest.mark.parametrize("kind", EXAMPLES.values(), ids=EXAMPLES)
def test_both_forms_do_the_same_amount_of_harm(kind, make_faces):
    clean = np.concatenate([make_faces(8)] * 8).astype(np.float32) / 255
    by_numpy, by_torch = (np.sqrt(np.mean((noisy - clean) ** 2)) for noisy in both_forms(kind, clean))
    assert by_numpy == pytest.approx(by_torch, rel=0.05)


def test_a_composition_does_one_after_the_other(samples):
    both = Composition((GaussianNoise(0.06), JpegCompression(60)))
    noisy = both(samples, seed=2)
    expected = JpegCompression(60)(GaussianNoise(0.06)(samples, seed=2), seed=0)
    np.testing.assert_array_equal(noisy, expected)


@pytest.mark.parametrize(
    ("kind", "levels", "name"),
    [
        (PoissonNoise, {"photons": 0}, "photons"),
        (SpeckleNoise, {"sigma": -0.1}, "sigma"),
        (CorrelatedNoise, {"sigma": 0.1, "width": -1}, "width"),
        (LocalNoise, {"sigma": 0.1, "extent": 1.5}, "extent"),
        (StripeNoise, {"sigma": 15}, "sigma"),
        (ImpulseNoise, {"amount": 2}, "amount"),
        (ImpulseNoise, {"amount": 0.1, "values": ("far", 0.1)}, "values"),
        (ImpulseNoise, {"amount": 0.1, "values": ("near", 0.9)}, "width"),
        (DeadLines, {"count": -1}, "count"),
        (Quantization, {"levels": 1}, "levels"),
        (JpegCompression, {"quality": 0}, "quality"),
        (CameraNoise, {"photons": 100, "read_sigma": 0, "gain": 0.5, "quality": 90}, "gain"),
        (CameraNoise, {"photons": 100, "read_sigma": 15, "gain": 1, "quality": 90}, "read_sigma / 255"),
    ],
)
def test_levels_out_of_range_are_refused_by_name(kind, levels, name):
    with pytest.raises(ValueError, match=name):
        kind(**levels)


def test_a_kind_declares_how_far_its_sigma_goes():
    @dataclass(frozen=True)
    class Faint(Kind):
        sigma: float
        RANGES: ClassVar = {"sigma": (0, 0.2)}

    assert Faint(0.2).sigma == 0.2
    with pytest.raises(ValueError, match=r"sigma must lie in \[0, 0.2\], got 0.9"):
        Faint(0.9)


def test_functions_have_the_names_and_parameters_of_the_specification():
    signatures = {
        "gaussian_noise": ["sigma"],
        "salt_and_pepper_noise": ["amount", "salt_vs_pepper"],
        "poisson_noise": ["photons"],
        "speckle_noise": ["sigma"],
        "correlated_noise": ["sigma", "width"],
        "local_noise": ["sigma", "extent"],
        "stripe_noise": ["sigma", "axis"],
        "impulse_noise": ["amount", "values"],
        "dead_lines": ["count"],
        "quantization": ["levels"],
        "jpeg_compression": ["quality"],
        "camera_noise": ["photons", "read_sigma", "gain", "quality"],
    }
    for name, levels in signatures.items():
        parameters = list(inspect.signature(getattr(noise, name)).parameters)
        assert parameters == ["clean", *levels, "seed", "first_index"]
    np.testing.assert_array_equal(
        noise.speckle_noise(GRAY[:2], 0.2, seed=7, first_index=3), SpeckleNoise(0.2)(GRAY[:2], seed=7, first_index=3)
    )


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_kind_has_a_function_that_is_named_after_it(kind):
    function = getattr(noise, as_function(kind).__name__)
    corrupted = function(GRAY[:2], **kind.EXAMPLE, seed=1)
    np.testing.assert_array_equal(corrupted, kind(**kind.EXAMPLE)(GRAY[:2], seed=1))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("speckle:sigma=0.2", SpeckleNoise(0.2)),
        ("local:sigma=0.1,extent=0.5", LocalNoise(0.1, 0.5)),
        ("local:sigma=0.1", LocalNoise(0.1, "smooth")),
        ("impulse:amount=0.1,values=near-0.06", ImpulseNoise(0.1, ("near", 0.06))),
        ("dead-lines:count=3", DeadLines(3)),
        ("jpeg:quality=40", JpegCompression(40)),
    ],
)
def test_a_kind_is_read_from_text(text, kind):
    assert kind_of(text) == kind


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fog:sigma=1", "there are gaussian"),
        ("speckle", "speckle:sigma=NUMBER"),
        ("speckle:level=1", "speckle has sigma"),
        ("speckle:sigma=much", "speckle needs sigma"),
        ("jpeg:quality=0", "quality must lie in"),
        ("impulse:amount=0.1,values=far", "near"),
    ],
)
def test_what_is_no_kind_is_refused_with_what_there_is(text, said):
    with pytest.raises(ValueError, match=said):
        kind_of(text)
