import numpy as np
import torch

from fer_denoise.data import Faces
from fer_denoise.noise import TASKS
from train import benchmark, tune_classical
from train.shared import sampling
from train.shared.faces import VALIDATION_SEED, NoisyFaces


def test_no_face_is_trained_with_the_noise_of_one_that_must_not_be_seen(make_faces):
    faces = {split: Faces(make_faces(3), np.zeros(3, int), "") for split in ("train", "validation")}
    for seed in (0, VALIDATION_SEED, tune_classical.SEED, benchmark.TEST_SEED):
        cpu = torch.device("cpu")
        drawn = NoisyFaces(faces, TASKS["high"], cpu, seed=seed, fresh_noise=False, flips=False)
        noisy, _ = drawn.draw(torch.arange(3), sampling.generator(0))
        for other in (VALIDATION_SEED, tune_classical.SEED, benchmark.TEST_SEED):
            assert not np.allclose(noisy[:, 0], TASKS["high"](faces["train"].images, seed=other))


def test_a_face_and_its_fixed_noise_are_mirrored_together(make_faces):
    faces = {split: Faces(make_faces(8), np.zeros(8, int), "") for split in ("train", "validation")}
    drawn = NoisyFaces(faces, TASKS["low"], torch.device("cpu"), seed=0, fresh_noise=False, flips=True)
    noisy, clean = drawn.draw(torch.arange(8), sampling.generator(0))
    assert (clean[:, 0] != sampling.as_float(drawn.clean)[:, 0]).any()
    assert (noisy - clean).abs().mean() < 0.03
