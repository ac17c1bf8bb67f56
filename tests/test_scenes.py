import datasets
import numpy as np
import pytest
import torch
from PIL import Image

from fer_denoise.data import DataError, Faces
from fer_denoise.noise import RandomNoise
from train.measures import generalisation
from train.shared import sampling
from train.shared.faces import NoisyFaces
from train.shared.scenes import (
    SCENES,
    Crops,
    Scenes,
    draw_patches,
    frame,
    load_pictures,
    pictures_commit,
    shipped_scenes,
)

CPU = torch.device("cpu")


def textured(height: int, width: int) -> np.ndarray:
    """A picture of which no two parts are alike."""
    return np.random.default_rng(height).integers(0, 256, (height, width), np.uint8)


def test_the_pictures_that_are_measured_on_are_not_among_those_trained_on():
    shipped = {picture.tobytes() for picture in shipped_scenes()}
    assert SCENES["grass"]().tobytes() in shipped
    measured = [picture for pictures in generalisation.pictures().values() for picture in pictures]
    assert measured and not any(picture.tobytes() in shipped for picture in measured)


def test_crops_lie_anywhere_in_pictures_of_any_size():
    pictures = [textured(60, 50), textured(20, 90)]
    crops = Crops(pictures, (16, 20), CPU).draw(400, sampling.generator(0))
    assert crops.shape == (400, 1, 16, 20) and crops.dtype == torch.uint8
    windows = [np.lib.stride_tricks.sliding_window_view(picture, (16, 20)) for picture in pictures]
    found = [{window.tobytes() for row in of_picture for window in row} for of_picture in windows]
    of_first = np.array([crop.numpy().tobytes() in found[0] for crop in crops[:, 0]])
    of_second = np.array([crop.numpy().tobytes() in found[1] for crop in crops[:, 0]])
    # The rest is cut from the pictures at half their size.
    assert of_first.any() and (of_second & ~of_first).any() and (~of_first & ~of_second).any()
    assert len({crop.numpy().tobytes() for crop in crops}) > 100
    assert (Crops(pictures, (16, 20), CPU).draw(400, sampling.generator(0)) == crops).all()


def test_pictures_smaller_than_a_face_are_refused():
    with pytest.raises(DataError, match="48x48"):
        Crops([textured(40, 100)], (48, 48), CPU)


def test_faces_come_first_and_other_pictures_behind_them(make_faces):
    faces = sampling.as_batch(make_faces(8), CPU)
    scenes = Scenes(0.25, (48, 48), CPU, [textured(90, 90)])
    step = scenes.beside(faces, sampling.generator(0))
    assert step.shape == (10, 1, 48, 48) and step.dtype == torch.uint8
    assert (step[:8] == faces).all()
    assert (step == scenes.beside(faces, sampling.generator(0))).all()
    assert (step[8:] != scenes.beside(faces, sampling.generator(1))[8:]).any()


@pytest.mark.usefixtures("few_drawings")
def test_some_faces_stand_in_frames_and_drawings_lie_among_the_pictures(make_faces):
    faces = sampling.as_batch(make_faces(40), CPU)
    step = Scenes(0.5, (48, 48), CPU, [np.full((90, 90), 77, np.uint8)], drawings=True).beside(
        faces, sampling.generator(0)
    )
    assert len(step) == 60
    changed = (step[:40] != faces).flatten(1).any(dim=1)
    assert changed[:5].all() and not changed[5:].any()
    drawn = (step[40:] != 77).flatten(1).any(dim=1)
    assert drawn.sum() == 4


def test_frames_are_of_one_gray_and_leave_the_rest_of_the_face(make_faces):
    faces = sampling.as_batch(np.clip(np.concatenate([make_faces(8)] * 25), 1, 254), CPU)
    framed = frame(faces, sampling.generator(0))
    assert framed.shape == faces.shape and framed.dtype == torch.uint8
    kept = (framed == faces).flatten(1).float().mean(dim=1)
    assert (kept < 1).all() and (kept > 0.05).float().mean() > 0.55
    black, white = ((framed == value).flatten(1).float().mean(dim=1) > 0.02 for value in (0, 255))
    assert 0.3 < black.float().mean() < 0.6 and 0.2 < white.float().mean() < 0.5
    assert not (black & white).any()


def test_drawings_hold_black_and_white_and_grays_and_are_always_the_same():
    drawings = draw_patches(60, 48, 40)
    assert drawings.shape == (60, 48, 40) and drawings.dtype == np.uint8
    np.testing.assert_array_equal(draw_patches(60, 48, 40), drawings)
    spread = drawings.reshape(60, -1).std(axis=1)
    assert np.mean(spread > 5) > 0.7
    pure = np.isin(drawings.reshape(60, -1), (0, 255)).mean(axis=1)
    assert (pure == 1).any() and (pure == 0).any()


@pytest.mark.parametrize("lies", ["folder", "parquet"])
def test_photographs_come_from_a_folder_or_a_file_in_gray(tmp_path, lies, caplog):
    pictures = [Image.fromarray(textured(50, 60)), Image.new("RGB", (60, 55), (255, 0, 0))]
    if lies == "folder":
        source = tmp_path
        pictures[0].save(tmp_path / "a.png")
        pictures[1].save(tmp_path / "b.png")
        (tmp_path / "notes.txt").write_text("no picture")
    else:
        source = tmp_path / "pictures.parquet"
        features = datasets.Features({"image": datasets.Image()})
        datasets.Dataset.from_dict({"image": pictures}, features).to_parquet(source)
    first, second = load_pictures(str(source))
    np.testing.assert_array_equal(first, textured(50, 60))
    assert second.shape == (55, 60) and second.dtype == np.uint8 and (second == 76).all()
    assert [record.getMessage() for record in caplog.records] == [f"{source}: in 1 image, colours became gray"]


def test_a_place_without_pictures_is_told(tmp_path, monkeypatch):
    with pytest.raises(DataError, match="holds no pictures"):
        load_pictures(str(tmp_path))
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="is no path here, and cannot be loaded from the Hub"):
        load_pictures("nobody/nothing")


def test_pictures_of_the_hub_are_of_one_commit_and_read_in_their_depth(publish, tmp_path):
    Image.fromarray(textured(50, 60).astype(np.uint16) * 257).save(tmp_path / "deep.png")
    features = datasets.Features({"image": datasets.Image()})
    pictures = [{"bytes": (tmp_path / "deep.png").read_bytes(), "path": None}]
    publish({"train": datasets.Dataset.from_dict({"image": pictures}, features)}, "d" * 40)
    (picture,) = load_pictures("somebody/pictures")
    np.testing.assert_array_equal(picture, textured(50, 60))
    assert pictures_commit("somebody/pictures") == "d" * 40 and pictures_commit(str(tmp_path)) is None


@pytest.mark.parametrize(("fraction", "images"), [(0, 8), (0.5, 12)])
def test_scenes_are_noisy_like_the_faces_of_their_step(make_faces, fraction, images):
    faces = {split: Faces(make_faces(8), np.zeros(8, int), "") for split in ("train", "validation")}
    scenes = Scenes(fraction, (48, 48), CPU, [textured(90, 90)]) if fraction else None
    drawn = NoisyFaces(faces, RandomNoise(gaussian=1), CPU, seed=0, fresh_noise=True, flips=True, scenes=scenes)
    noisy, clean = drawn.draw(torch.arange(8), sampling.generator(0))
    assert noisy.shape == clean.shape == (images, 1, 48, 48)
    assert ((noisy - clean).flatten(1).std(dim=1) > 0.002).all()
    assert len(drawn.validation) == 8
