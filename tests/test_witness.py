import hashlib
import itertools

import h5py
import numpy as np
import pytest

from fer_denoise import Restorer
from fer_denoise.data import Faces
from fer_denoise.hub.sources import ModelNotFoundError
from train.measures import witness
from train.measures.shared.request import Request

LABELS = np.arange(14) % 7


def write_witness(file, rng) -> None:
    """A file as Keras writes it, with weights drawn at random."""
    shapes = {"conv2d_1": (3, 3, 1, 8), "conv2d_2": (3, 3, 8, 8), "conv2d_7": (3, 3, 128, 7)}
    widths = (8, *witness.WIDTHS)
    norms = [8, 8]
    with h5py.File(file, "w") as stored:
        layers = stored.create_group("model_weights")

        def put(layer: str, tensor: str, values: np.ndarray) -> None:
            layers.create_dataset(f"{layer}/{layer}_1/{tensor}:0", data=values.astype(np.float32))

        for index, (before, width) in enumerate(itertools.pairwise(widths)):
            shapes[f"conv2d_{3 + index}"] = (1, 1, before, width)
            for number, channels in ((1 + 2 * index, before), (2 + 2 * index, width)):
                put(f"separable_conv2d_{number}", "depthwise_kernel", rng.normal(size=(3, 3, channels, 1)) / 3)
                put(f"separable_conv2d_{number}", "pointwise_kernel", rng.normal(size=(1, 1, channels, width)) / 4)
            norms += [width] * 3
        for name, shape in shapes.items():
            put(name, "kernel", rng.normal(size=shape) / np.sqrt(np.prod(shape[:3])))
        put("conv2d_7", "bias", np.zeros(7))
        for number, width in enumerate(norms, 1):
            for tensor, values in (("gamma", 1), ("beta", 0), ("moving_mean", 0), ("moving_variance", 1)):
                put(f"batch_normalization_{number}", tensor, np.full(width, values))


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "emotion_model.hdf5"
    write_witness(path, np.random.default_rng(0))
    monkeypatch.setattr(witness, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    return path


def test_the_witness_says_a_distribution_for_each_face(file, make_faces):
    faces = make_faces(3)
    seen = witness.load_witness(file).probabilities(faces)
    assert seen.shape == (3, 7) and seen.sum(axis=1) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(witness.load_witness(file).probabilities(faces / np.float32(255)), seen, atol=1e-5)
    assert np.ptp(seen, axis=0).max() > 1e-3


def test_a_file_that_is_not_the_witness_is_not_opened(tmp_path, file, monkeypatch):
    (tmp_path / "other.hdf5").write_bytes(b"anything")
    for name, message in (("other.hdf5", "is another file"), ("nowhere.hdf5", "cannot be read")):
        with pytest.raises(ModelNotFoundError, match=message):
            witness.load_witness(tmp_path / name)


@pytest.mark.slow
def test_noisy_and_restored_faces_are_shown_to_it(tmp_path, file, make_faces, monkeypatch):
    monkeypatch.setattr(witness, "levels", lambda: [(0, 0), (0.1, 0)])
    test = Faces(make_faces(14), LABELS, "")
    monkeypatch.setattr(Request, "faces", lambda self, split="test", most=None: test)
    request = Request(["universal"], tmp_path, "", None, 3, place=file)
    results = witness.measure(request)
    clean, noisy = results["rows"]
    assert clean["noisy"]["agreement"] == 1 and results["witness"] == witness.SHA256
    restored = Restorer.from_pretrained("universal")(witness.mixed_noise(test.images, 0.1, 0, seed=3))
    right = witness.load_witness(file).probabilities(restored).argmax(axis=1) == LABELS
    assert noisy["universal"]["accuracy"] == pytest.approx(right.mean(), abs=1e-4)
    assert f"| 0.1 | 0% | {noisy['noisy']['accuracy']:.1%} |" in witness.tables(results)["witness"]
    for models, seed, message in ((["universal"], 4, "measured otherwise"), (["universal-large"], 3, "holds more")):
        with pytest.raises(SystemExit, match=message):
            witness.measure(Request(models, tmp_path, "", None, seed, place=file))
    with pytest.raises(SystemExit, match="blind networks"):
        witness.measure(Request(["median"], tmp_path, "", None, 3, place=file))
