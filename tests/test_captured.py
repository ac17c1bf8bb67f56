"""Training steps as CUDA graphs. What they may not do, a processor can tell as well."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch.utils._python_dispatch import TorchDispatchMode

import train.emotion
import train.universal
from fer_denoise.data import Faces
from fer_denoise.data.votes import Votes
from fer_denoise.models import EmotionClassifier, UniversalRestorer
from train.shared.captured import WARM_UP, CapturedStep
from train.shared.faces import WorldFaces
from train.shared.scenes import Scenes
from train.shared.supervised import LOSSES, SupervisedTraining

WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "aten.equal")
"""Operations whose result the program waits for, or whose result has a size that only the device knows."""
CPU = torch.device("cpu")


class Waits(TorchDispatchMode):
    """Collects the operations that would make a program wait for a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        by_mask = "index" in str(operation) and any(
            isinstance(index, torch.Tensor) and index.dtype == torch.bool
            for index in (args[1] if isinstance(args[1], list | tuple) else ())
        )
        if by_mask or any(name in str(operation) for name in WAITING):
            self.found.append(str(operation))
        return operation(*args, **(kwargs or {}))


def split(make_faces, count: int) -> Faces:
    return Faces(make_faces(count), np.arange(count) % 7, "")


def universal(make_faces) -> SupervisedTraining:
    faces = {name: split(make_faces, 8) for name in ("train", "validation")}
    scenes = Scenes(0.5, (48, 48), CPU, [make_faces(1)[0].repeat(2, 0).repeat(2, 1)], drawings=True)
    drawn = WorldFaces(faces, train.universal.NOISE, CPU, seed=0, fresh_noise=True, flips=True, scenes=scenes)
    model, teacher = (UniversalRestorer(widths=(4, 8), blocks=(1, 1)) for _ in range(2))
    recipe = replace(train.universal.RECIPE, batch_size=8)
    objective = train.universal.RestoringAndEstimating(model, LOSSES["log_mse"], teacher)
    return SupervisedTraining(model, objective, drawn, recipe, Accelerator(cpu=True), compiled=False)


def emotion(make_faces) -> train.emotion.EmotionTraining:
    faces = {name: split(make_faces, 8) for name in ("train", "validation")}
    votes = {name: Votes(np.eye(10, dtype=np.int64)[each.labels] * 9) for name, each in faces.items()}
    labelled = train.emotion.LabelledFaces(faces, CPU, votes)
    student, teacher = (EmotionClassifier(widths=(4, 8), votes=True) for _ in range(2))
    recipe = train.emotion.Recipe(batch_size=8, noise=True, distillation=0.5)
    return train.emotion.EmotionTraining(student, labelled, recipe, Accelerator(cpu=True), 0, [teacher.eval()])


@pytest.mark.usefixtures("fresh_accelerator", "few_drawings")
@pytest.mark.parametrize("make", [universal, emotion])
def test_a_step_waits_for_nothing_on_the_device(make_faces, make):
    training = make(make_faces)
    training.begin(0)
    with Waits() as waits:
        for seed in range(2):
            training.step(torch.arange(8), torch.Generator().manual_seed(seed), seed)
    assert training.can_be_captured and waits.found == []


@pytest.mark.slow
def test_it_is_noticed_where_something_waits():
    with Waits() as waits:
        assert torch.ones(2).sum().item() == 2
        torch.ones(2)[torch.tensor([True, False])]
    assert len(waits.found) == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_captured_step_does_what_the_step_does():
    device = torch.device("cuda")
    faces = torch.arange(8.0, device=device)

    def step(index, rng):
        return faces[index] + torch.rand(len(index), generator=rng, device=device)

    captured = CapturedStep(step, device)
    for seed in range(2 * WARM_UP + 2):
        index = torch.tensor([seed % 8, 3], device=device)
        expected = step(index, torch.Generator(device).manual_seed(seed))
        assert torch.equal(captured(index, seed), expected)
