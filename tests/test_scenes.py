import numpy as np
import pytest
import torch

from fer_denoise.data import Faces
from fer_denoise.noise import RandomNoise
from train import generalisation, run
from train.faces import NoisyFaces
from train.scenes import SCALES, SCENES, Scenes, scene_patches

CPU = torch.device("cpu")


def test_the_pictures_that_are_measured_on_are_not_among_those_trained_on():
    patches = scene_patches(48, 48)

    def is_trained_on(picture: np.ndarray) -> bool:
        return (patches == picture[:48, :48]).all(axis=(1, 2)).any()

    assert is_trained_on(SCENES["grass"]())
    large = [pictures for pictures in generalisation.pictures().values() if pictures.shape[1] >= 48]
    assert len(large) == 4 and not any(is_trained_on(picture) for pictures in large for picture in pictures)


def test_patches_have_the_size_of_the_faces_and_come_from_every_scale():
    patches = scene_patches(48, 48)
    assert patches.dtype == np.uint8 and patches.shape[1:] == (48, 48)
    # A picture at a quarter of its size has a sixteenth of the patches, so those of the largest scale alone are fewer.
    rows, columns = SCENES["grass"]().shape
    largest = ((rows - 48) // 24 + 1) * ((columns - 48) // 24 + 1)
    assert len(patches) > largest * len(SCALES)
    assert (patches == SCENES["grass"]()[24:72, 48:96]).all(axis=(1, 2)).any()


def test_faces_come_first_and_patches_behind_them(make_faces):
    faces = run.as_batch(make_faces(8), CPU)
    step = Scenes(0.25, (48, 48), CPU).beside(faces, run.generator(0))
    assert step.shape == (10, 1, 48, 48) and step.dtype == torch.uint8
    assert (step[:8] == faces).all()
    patches = scene_patches(48, 48)
    for patch in step[8:, 0].numpy():
        assert any((patches == view).all(axis=(1, 2)).any() for view in (patch, patch[::-1]))
    assert (step == Scenes(0.25, (48, 48), CPU).beside(faces, run.generator(0))).all()
    assert (step[8:] != Scenes(0.25, (48, 48), CPU).beside(faces, run.generator(1))[8:]).any()


@pytest.mark.parametrize(("share", "images"), [(0, 8), (0.5, 12)])
def test_scenes_are_noisy_like_the_faces_of_their_step(make_faces, share, images):
    faces = {split: Faces(make_faces(8), np.zeros(8, int), "") for split in ("train", "validation")}
    drawn = NoisyFaces(faces, RandomNoise(gaussian=1), CPU, seed=0, fresh_noise=True, flips=True, scenes=share)
    noisy, clean = drawn.draw(torch.arange(8), run.generator(0))
    assert noisy.shape == clean.shape == (images, 1, 48, 48)
    assert ((noisy - clean).flatten(1).std(dim=1) > 0.002).all()
    assert len(drawn.validation) == 8
