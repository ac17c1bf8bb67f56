import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from PIL import Image
from training_data import assert_same_tensors, read_log, write_faces, write_votes

import train.calibrate
import train.emotion
from fer_denoise.data import Faces
from fer_denoise.models import EmotionClassifier
from fer_denoise.models.emotion import VotesError
from fer_denoise.noise import TASKS
from fer_denoise.precision import fold_batch_norm
from fer_denoise.zoo import CLASSIFIERS
from train.emotion import EmotionTraining, Recipe, augment, mix
from train.shared.calibration import TEMPERATURES
from train.shared.checkpoint import load_checkpoint

SMALL = (4, 8)
PLAIN = {"degrees": 0, "zoom": 0, "shift": 0, "contrast": 0, "erase": 0}


def make() -> EmotionClassifier:
    torch.manual_seed(0)
    return EmotionClassifier(widths=SMALL).eval()


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_it_is_compact():
    assert sum(parameter.numel() for parameter in EmotionClassifier().parameters()) < 1_000_000


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_no_bundled_classifier_amplifies_what_is_rounded_whatever_it_is_given(name, samples):
    """So that its results do not hang on the processor, which decides how sums are rounded."""
    inputs = [*samples[:2] / 255, TASKS["salt_pepper"](samples[0], seed=0), np.indices((48, 48)).sum(axis=0) % 2]
    faces = torch.from_numpy(np.stack(inputs).astype(np.float32)).unsqueeze(1)
    rounded = EmotionClassifier.from_pretrained(name).eval()
    exact = copy.deepcopy(rounded).double()
    with torch.inference_mode():
        for logits, expected in zip(rounded.both_logits(faces), exact.both_logits(faces.double()), strict=True):
            torch.testing.assert_close(logits.double(), expected, rtol=0, atol=1e-4)


def test_a_tensor_of_whole_numbers_is_not_taken_for_one_of_fractions(make_faces):
    faces = torch.from_numpy(make_faces(2)).unsqueeze(1)
    with pytest.raises(TypeError, match=r"torch\.uint8; divide it by 255, or ask for its probabilities"):
        make()(faces)
    assert make().probabilities(faces).shape == (2, 7)


@pytest.mark.parametrize("count", [1, 5])
def test_probabilities_are_one_distribution_per_face(make_faces, count):
    faces = make_faces(count)
    probabilities = make()(faces)
    assert probabilities.shape == (count, 7) and (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(make()(faces.astype(np.float32) / 255), probabilities, atol=1e-5)
    np.testing.assert_allclose(make()(faces[0]), probabilities[:1], atol=1e-5)


def test_logits_of_a_tensor_are_those_of_the_probabilities(make_faces):
    faces = make_faces(3)
    logits = make()(torch.from_numpy(faces / np.float32(255))[:, None])
    np.testing.assert_allclose(logits.softmax(dim=1).detach(), make()(faces), atol=1e-5)


def test_without_batch_norms_it_says_the_same(make_faces):
    faces, model = make_faces(3), make()
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
    expected = model(faces)
    folded = fold_batch_norm(model)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in folded.modules())
    np.testing.assert_allclose(folded(faces), expected, atol=1e-5)


def test_the_temperature_softens_the_probabilities_and_not_the_answer(make_faces):
    faces = make_faces(3)
    cold, warm = make(), EmotionClassifier(widths=SMALL, temperature=4).eval()
    warm.load_state_dict(cold.state_dict())
    assert (warm(faces).max(axis=1) < cold(faces).max(axis=1)).all()
    np.testing.assert_array_equal(warm(faces).argmax(axis=1), cold(faces).argmax(axis=1))


def test_the_bias_shifts_the_probabilities_of_labels_alone(make_faces):
    faces = make_faces(3)
    torch.manual_seed(0)
    plain = EmotionClassifier(widths=SMALL, votes=True).eval()
    biased = EmotionClassifier(widths=SMALL, votes=True, bias=[0, 0, 0, 50, 0, 0, 0]).eval()
    biased.load_state_dict(plain.state_dict())
    assert (biased(faces).argmax(axis=1) == 3).all()
    np.testing.assert_array_equal(biased.votes(faces), plain.votes(faces))
    with pytest.raises(ValueError, match="a number for each of 7 emotions"):
        EmotionClassifier(widths=SMALL, bias=[1, 2])


def test_the_crowd_is_right_where_it_is_clear_and_what_nobody_knows_plays_no_part():
    votes = torch.tensor([[0.5, 0.5, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0]])
    majority = torch.tensor([-1, 0, -1])
    logits = torch.tensor([[9.0, 9, 0, 0, 0, 0, 0], [9, 0, 0, 0, 0, 0, 0], [0, 0, 9, 0, 0, 0, 0]])
    scores = train.emotion.score(logits, votes, majority)
    assert scores.accuracy == 1 and scores.loss == pytest.approx(np.log(2) / 2, abs=0.01)
    assert train.emotion.score(logits.roll(1, dims=1), votes, majority).accuracy == 0


def test_a_classifier_that_has_learned_from_votes_tells_them_too(make_faces):
    faces = make_faces(3)
    torch.manual_seed(0)
    both = EmotionClassifier(widths=(4, 8, 8), blocks=(2, 1), votes=True, votes_temperature=2).eval()
    votes = both.votes(faces)
    assert votes.shape == (3, 7) and votes.sum(axis=1) == pytest.approx(1) and not np.allclose(votes, both(faces))
    batch = torch.from_numpy(faces / np.float32(255))[:, None]
    labels, of_crowd = both.both_logits(batch)
    torch.testing.assert_close(labels, both(batch))
    np.testing.assert_allclose((of_crowd / 2).softmax(dim=1).detach(), votes, atol=1e-5)
    with pytest.raises(VotesError, match="labels alone: train one with --votes"):
        make().votes(faces)
    with pytest.raises(ValueError, match="needs a number of blocks"):
        EmotionClassifier(widths=SMALL, blocks=(1, 1))


@pytest.mark.usefixtures("fresh_accelerator")
def test_rare_emotions_are_brought_forward(make_faces):
    few = Faces(make_faces(100), np.array([3] * 99 + [1]), "")
    faces = train.emotion.LabelledFaces({"train": few, "validation": few}, torch.device("cpu"))
    adjusted, plain = (
        EmotionTraining(
            make(), faces, Recipe(batch_size=50, logit_adjustment=much), Accelerator(cpu=True), 0
        ).adjustment
        for much in (1.0, 0.0)
    )
    assert adjusted[3] - adjusted[1] == pytest.approx(np.log(99), rel=1e-4) and not plain.any()


def test_faces_are_taken_in_any_gray_form(make_faces):
    faces = make_faces(3)
    expected = make()(faces)
    for form in (faces[:, None], faces[..., None]):
        np.testing.assert_allclose(make()(form), expected, atol=1e-6)
    np.testing.assert_allclose(make().probabilities(torch.from_numpy(faces)), expected, atol=1e-6)
    np.testing.assert_allclose(make()(Image.fromarray(faces[0])), expected[:1], atol=1e-5)
    with pytest.raises(ValueError, match=r"must be gray.*\(48, 48, 3\).*convert\('L'\)"):
        make()(np.zeros((48, 48, 3)))


def test_faces_of_another_size_are_refused():
    with pytest.raises(ValueError, match="48x48"):
        make()(np.zeros((2, 50, 50), np.uint8))


def test_without_its_changes_augmentation_only_flips(make_faces):
    faces = torch.from_numpy(make_faces(16) / np.float32(255))[:, None]
    changed = augment(faces, Recipe(**PLAIN), rng())
    same = (changed - faces).abs().amax(dim=(1, 2, 3)) < 1e-4
    flipped = (changed - faces.flip(-1)).abs().amax(dim=(1, 2, 3)) < 1e-4
    assert (same ^ flipped).all() and 3 < same.sum() < 13


@pytest.mark.parametrize("change", PLAIN)
def test_each_change_changes_faces_and_keeps_their_range(make_faces, change):
    faces = torch.from_numpy(make_faces(16) / np.float32(255))[:, None]
    recipe = Recipe(**{**PLAIN, change: getattr(Recipe(), change)})
    changed, plain = (augment(faces, each, rng()) for each in (recipe, Recipe(**PLAIN)))
    assert changed.shape == faces.shape and changed.min() >= 0 and changed.max() <= 1
    assert (changed - plain).abs().mean() > 0.002
    assert torch.equal(changed, augment(faces, recipe, rng()))


def test_mixtures_lie_between_two_faces():
    faces = torch.rand(8, 1, 4, 4, generator=rng())
    mixed, other, share = mix(faces, Recipe(), rng())
    weight = share.view(-1, 1, 1, 1)
    torch.testing.assert_close(mixed, weight * faces + (1 - weight) * faces[other])
    assert share.min() >= 0 and share.max() <= 1 and sorted(other.tolist()) == list(range(8))


def learn_from(teacher: Path, options) -> None:
    """Train one that learns what `teacher` says, and one that it says nothing to."""
    runs = {}
    for fraction in ("0", "1"):
        train.emotion.main(options(f"taught-{fraction}", "--teachers", str(teacher), "--distillation", fraction))
        runs[fraction] = read_log(teacher.parent.parent / f"taught-{fraction}")
    untaught = read_log(teacher.parent)
    assert [row["train_loss"] for row in runs["0"]] == pytest.approx([row["train_loss"] for row in untaught])
    assert runs["1"][0]["train_loss"] != pytest.approx(untaught[0]["train_loss"], rel=1e-3)
    record = json.loads((teacher.parent.parent / "taught-1" / "model" / "config.json").read_text())["training"]
    assert [config["widths"] for config in record["teachers"]] == [[4, 8]]
    blind = teacher.parent.parent / "blind"
    EmotionClassifier(widths=SMALL).save_pretrained(blind)
    with pytest.raises(SystemExit, match="from labels alone"):
        train.emotion.main(options("refused", "--teachers", str(blind)))


@pytest.mark.usefixtures("fresh_accelerator")
@pytest.mark.parametrize(
    "more", [(), ("--noise",), ("--votes", "votes.csv", "--logit-adjustment", "0.5", "--blocks", "2")]
)
def test_it_trains_and_resumes_to_the_same_weights(tmp_path, make_faces, monkeypatch, more):
    data = tmp_path / "data"
    data.mkdir()
    write_faces(data, make_faces)
    write_votes(tmp_path / "votes.csv")
    monkeypatch.chdir(tmp_path)

    def options(out: str, *others: str) -> list[str]:
        small = ["--widths", "4", "8", "--batch-size", "8", "--epochs", "2", "--device", "cpu", "--precision", "fp32"]
        return ["--data", str(data), "--out", str(tmp_path / out), *small, *more, *others]

    train.emotion.main(options("whole"))
    rows = read_log(tmp_path / "whole")
    assert [row["epoch"] for row in rows] == [0, 1] and all(0 <= row["validation_accuracy"] <= 1 for row in rows)

    def interrupt(*args) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("train.shared.run_folder.write_log", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train.emotion.main(options("broken"))
    train.emotion.main(options("broken", "--resume"))
    models = [EmotionClassifier.from_pretrained(tmp_path / run / "model") for run in ("whole", "broken")]
    assert_same_tensors(models[0].state_dict(), models[1].state_dict())
    # The best epoch may be that before the interruption, so the last one counts.
    checkpoints = [load_checkpoint(tmp_path / run / "checkpoint.safetensors") for run in ("whole", "broken")]
    for part in ("model", "averaged"):
        assert_same_tensors(checkpoints[0][part], checkpoints[1][part])
    assert [row["train_loss"] for row in checkpoints[1]["log"]] == [row["train_loss"] for row in rows]
    record = json.loads((tmp_path / "whole" / "model" / "config.json").read_text())["training"]
    assert record["script"] == "train.emotion" and record["recipe"]["noise"] == ("--noise" in more)
    assert ("votes" in record) == models[0].config["votes"] == ("--votes" in more)
    if "--votes" in more:
        assert all(0 <= row["votes_accuracy"] <= 1 for row in rows)
        assert models[0].votes(make_faces(2)).shape == (2, 7)
        learn_from(tmp_path / "whole" / "model", options)
    assert models[0].config == models[1].config and models[0].config["temperature"] in TEMPERATURES
