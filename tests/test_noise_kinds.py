"""The kinds of noise beyond the three tasks: what each does, in both of its forms."""

import inspect
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

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
    LocalNoise,
    PoissonNoise,
    Quantization,
    SaltAndPepperNoise,
    SpeckleNoise,
    StripeNoise,
    TorchDraw,
    WorldNoise,
    kind_of,
)
from fer_denoise.noise.storage import cropped_jpeg, jpeg

EXAMPLES = {
    "gaussian": GaussianNoise(0.06),
    "salt-and-pepper": SaltAndPepperNoise(0.1),
    "poisson": PoissonNoise(50),
    "speckle": SpeckleNoise(0.2),
    "correlated": CorrelatedNoise(0.06, 1.2),
    "local": LocalNoise(0.15, 0.5),
    "stripe": StripeNoise(0.06),
    "impulse": ImpulseNoise(0.1),
    "dead-lines": DeadLines(3),
    "quantization": Quantization(8),
    "jpeg": JpegCompression(20),
    "camera": CameraNoise(500, 0.004, 4, 80),
}
GRAY = np.full((40, 96, 64), 0.5, np.float32)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def both_forms(kind, clean):
    """What the NumPy form and the torch form make of (N, H, W)."""
    return kind(clean, seed=1), kind.corrupt(torch.from_numpy(clean)[:, None], rng())[:, 0].numpy()


def test_every_kind_has_an_example_here():
    assert EXAMPLES.keys() == KINDS.keys()
    assert all(type(example) is KINDS[name] for name, example in EXAMPLES.items())


@pytest.mark.parametrize("kind", EXAMPLES.values(), ids=EXAMPLES)
def test_the_noise_of_an_image_depends_on_seed_and_index_alone(kind, make_faces):
    clean = make_faces(5)
    together = kind(clean, seed=3)
    assert together.dtype == np.float32 and together.shape == clean.shape
    assert together.min() >= 0 and together.max() <= 1
    np.testing.assert_array_equal(kind(clean[2:], seed=3, first_index=2), together[2:])
    np.testing.assert_array_equal(kind(clean[4], seed=3, first_index=4), together[4])
    if not isinstance(kind, Quantization | JpegCompression):
        assert (kind(clean, seed=4) != together).any()


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


@pytest.mark.parametrize("kind", [kind for kind in EXAMPLES.values() if not isinstance(kind, DeadLines)], ids=str)
def test_both_forms_do_the_same_amount_of_harm(kind, make_faces):
    clean = np.concatenate([make_faces(8)] * 8).astype(np.float32) / 255
    by_numpy, by_torch = (np.sqrt(np.mean((noisy - clean) ** 2)) for noisy in both_forms(kind, clean))
    assert by_numpy == pytest.approx(by_torch, rel=0.05)


def test_shot_noise_has_the_variance_of_counts():
    for noisy in both_forms(PoissonNoise(200), GRAY):
        assert noisy.mean() == pytest.approx(0.5, abs=0.001)
        assert noisy.var() == pytest.approx(0.5 / 200, rel=0.02)
        np.testing.assert_allclose(noisy * 200, np.rint(noisy * 200), atol=1e-3)


def test_speckle_grows_with_the_light():
    for value in (0.2, 0.4):
        for noisy in both_forms(SpeckleNoise(0.1), np.full_like(GRAY, value)):
            assert noisy.std() == pytest.approx(0.1 * value, rel=0.02)
    assert (SpeckleNoise(0.5)(np.zeros((8, 8)), seed=0) == 0).all()


@pytest.mark.parametrize("width", [0, 0.7, 2.0])
def test_correlated_noise_has_its_level_everywhere_and_its_width(width):
    for noisy in both_forms(CorrelatedNoise(0.05, width), GRAY):
        error = noisy - 0.5
        assert error.std() == pytest.approx(0.05, rel=0.05)
        assert error[:, 0].std() == pytest.approx(error[:, 48].std(), rel=0.2)
        # Two blurred pixels side by side: the blur's own autocorrelation at one pixel.
        neighbours = np.corrcoef(error[:, :, 1:].ravel(), error[:, :, :-1].ravel())[0, 1]
        if width == 0:
            assert abs(neighbours) < 0.02
        elif width == 2.0:
            assert neighbours == pytest.approx(np.exp(-1 / (4 * width**2)), abs=0.02)
        else:
            assert 0.4 < neighbours < 0.7


@pytest.mark.parametrize("extent", [0.25, 0.5])
def test_local_noise_stands_in_its_fraction_of_the_picture(extent):
    for noisy in both_forms(LocalNoise(0.1, extent), GRAY):
        hit = noisy != 0.5
        np.testing.assert_allclose(hit.mean(axis=(1, 2)), extent, atol=1e-3)
        assert (noisy - 0.5)[hit].std() == pytest.approx(0.1, rel=0.02)
        # One straight cut: each row has at most one change.
        assert (np.diff(hit.astype(int), axis=2) != 0).sum(axis=2).max() <= 1


def test_smooth_local_noise_goes_from_none_to_its_level():
    draws = np.stack([LocalNoise(0.1)(np.full((64, 64), 0.5), seed=seed) - 0.5 for seed in range(30)])
    windows = draws.reshape(30, 8, 8, 8, 8).std(axis=(2, 4))
    assert (windows.min(axis=(1, 2)) < 0.02).all() and (windows.max(axis=(1, 2)) > 0.07).all()
    assert windows.max() < 0.14


@pytest.mark.parametrize("axis", [0, 1])
def test_stripes_are_one_offset_for_a_line(axis):
    for noisy in both_forms(StripeNoise(0.05, axis), GRAY):
        offsets = np.moveaxis(noisy, 1 + axis, 1)
        assert (offsets == offsets[:, :, :1]).all()
        assert (offsets[:, :, 0] - 0.5).std() == pytest.approx(0.05, rel=0.1)


def test_random_impulses_have_every_value_and_near_ones_those_at_the_ends():
    for noisy in both_forms(ImpulseNoise(0.2), GRAY):
        values = noisy[noisy != 0.5]
        assert len(values) / noisy.size == pytest.approx(0.2, rel=0.02)
        assert np.histogram(values, 10, (0, 1))[0] == pytest.approx(len(values) / 10, rel=0.1)
    for noisy in both_forms(ImpulseNoise(0.2, ("near", 0.06)), GRAY):
        values = noisy[noisy != 0.5]
        assert ((values <= 0.06) | (values >= 0.94)).all()
        assert np.mean(values > 0.5) == pytest.approx(0.5, abs=0.02)
        assert len(np.unique(values)) > 1000


def test_dead_lines_are_whole_rows_and_columns_of_one_gray():
    rows = columns = 0
    for seed in range(40):
        noisy = DeadLines(3)(np.full((48, 48), 0.4, np.float32), seed=seed)
        of_rows = (noisy != np.float32(0.4)).mean(axis=1) == 1
        of_columns = (noisy != np.float32(0.4)).mean(axis=0) == 1
        rows, columns = rows + of_rows.sum(), columns + of_columns.sum()
        assert 1 <= of_rows.sum() + of_columns.sum() <= 3
        assert (noisy[~of_rows][:, ~of_columns] == np.float32(0.4)).all()
    assert rows > 35 and columns > 35


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


def test_a_camera_in_little_light_has_more_noise_than_in_much(samples):
    clean = samples.astype(np.float32) / 255
    errors = [np.std(CameraNoise(1000, 0.001, gain, 95)(clean, seed=0) - clean) for gain in (1, 4, 16)]
    assert errors[0] < errors[1] < errors[2]


def test_a_composition_does_one_after_the_other(samples):
    both = Composition((GaussianNoise(0.06), JpegCompression(60)))
    noisy = both(samples, seed=2)
    expected = JpegCompression(60)(GaussianNoise(0.06)(samples, seed=2), seed=0)
    np.testing.assert_array_equal(noisy, expected)


def test_the_truth_about_a_composition_is_true():
    clean = torch.full((400, 1, 48, 48), 0.5)
    world = WorldNoise(laboratory=0, random=1, correlated=0, stripes=0, quantized=0, compressed=0, max_sigma=0.1)
    noisy, truth = world.with_truth(clean, TorchDraw(rng()))
    intact = truth.impulses == 0
    ratio = ((noisy - clean) / truth.sigma.clamp(min=1e-6))[intact & (truth.sigma > 0.004)]
    assert ratio.std() == pytest.approx(1, abs=0.03)
    still = (truth.sigma == 0) & intact
    assert ((noisy - clean).abs()[still] <= 0.5 / 255 + 1e-6).all()
    lost = (noisy - clean).abs()[~intact]
    assert (lost > 0.02).float().mean() > 0.9
    assert (truth.width == 0).all() and (truth.stripes == 0).all() and (truth.quality == 100).all()


def test_a_composition_of_the_laboratory_alone_has_no_other_noise():
    clean = torch.full((100, 1, 16, 16), 0.5)
    noisy, truth = WorldNoise(laboratory=1).with_truth(clean, TorchDraw(rng()))
    assert (truth.sigma.flatten(1).std(dim=1) == 0).all()
    assert (truth.width == 0).all() and (truth.quality == 100).all() and (truth.levels == 256).all()
    assert set(noisy[truth.impulses == 1].unique().tolist()) == {0.0, 1.0}


def test_every_part_of_a_composition_occurs_and_none_always():
    truth = WorldNoise().with_truth(torch.rand(600, 1, 16, 16), TorchDraw(rng()))[1]
    parts = [truth.width > 0, truth.stripes > 0, truth.quality < 100, truth.levels < 256]
    parts += [(truth.sigma > 0).flatten(1).any(dim=1), (truth.impulses > 0).flatten(1).any(dim=1)]
    assert all(0.01 < part.float().mean() < 0.95 for part in parts)


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
    ],
)
def test_levels_out_of_range_are_refused_by_name(kind, levels, name):
    with pytest.raises(ValueError, match=name):
        kind(**levels)


def test_functions_have_the_names_and_levels_of_the_specification():
    signatures = {
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
