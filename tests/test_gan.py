import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from safetensors.torch import load_file
from torch.nn import functional as F
from training_data import assert_same_tensors, options, read_checkpoint, read_log, without_log_seconds, write_faces

from fer_denoise.data import Faces
from fer_denoise.models import AttentionUNet, PatchGANDiscriminator
from fer_denoise.noise import TASKS
from fer_denoise.zoo import specialists
from train import gan
from train.gan import ORIGIN, AdversarialTraining, Recipe, discriminator_loss, generator_adversarial_loss
from train.shared.checkpoint import save_checkpoint
from train.shared.faces import NoisyFaces

pytestmark = pytest.mark.usefixtures("fresh_accelerator")

EPOCHS = 3
PRESETS = {"origin": [], "improved": ["--preset", "improved", "--init", "none"]}
RELATIVISTIC = Recipe(adversarial_loss="relativistic", gradient_penalty=0.1, discriminator_norm="none")


@pytest.fixture(scope="module")
def data(tmp_path_factory, make_faces) -> Path:
    return write_faces(tmp_path_factory.mktemp("fer2013"), make_faces)


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory) -> dict[str, Path]:
    """The folder of an uninterrupted run for each preset."""
    folders = {}
    for preset, given in PRESETS.items():
        folders[preset] = tmp_path_factory.mktemp("runs") / preset
        gan.main(options(data, folders[preset], *given))
    return folders


@pytest.fixture(params=list(PRESETS))
def preset(request) -> str:
    return request.param


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    clean = torch.rand(4, 1, 16, 16, generator=rng)
    return (clean + 0.1 * torch.randn(clean.shape, generator=rng)).clamp(0, 1), clean


def make_networks(recipe: Recipe) -> AdversarialTraining:
    torch.manual_seed(0)
    generator = AttentionUNet(widths=(4, 8))
    discriminator = PatchGANDiscriminator(widths=(4, 8), norm=recipe.discriminator_norm)
    cpu, few = torch.device("cpu"), Faces(np.zeros((64, 16, 16), np.uint8), np.zeros(64, np.int64), "")
    faces = NoisyFaces({"train": few, "validation": few}, TASKS["low"], cpu, seed=0, fresh_noise=True, flips=True)
    networks = AdversarialTraining(generator, discriminator, faces, recipe, Accelerator(cpu=True))
    networks.begin(0)
    return networks


def parameters(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.named_parameters()}


def moved(before: dict[str, torch.Tensor], network: torch.nn.Module) -> list[str]:
    return [name for name, tensor in network.named_parameters() if not torch.equal(tensor, before[name])]


@pytest.mark.parametrize("recipe", [ORIGIN, RELATIVISTIC], ids=["origin", "relativistic"])
def test_each_step_moves_its_own_network_alone(recipe, batch):
    networks = make_networks(recipe)
    noisy, clean = batch
    restored = networks.restore(noisy)

    generator, discriminator = parameters(networks.generator), parameters(networks.discriminator)
    networks.discriminator_step(noisy, clean, restored, penalise=recipe.gradient_penalty > 0)
    assert moved(generator, networks.generator) == []
    assert len(moved(discriminator, networks.discriminator)) > len(discriminator) / 2

    discriminator = parameters(networks.discriminator)
    networks.generator_step(noisy, clean, restored)
    assert moved(discriminator, networks.discriminator) == []
    assert len(moved(generator, networks.generator)) > len(generator) / 2
    assert all(parameter.requires_grad for parameter in networks.discriminator.parameters())


@pytest.mark.parametrize("recipe", [ORIGIN, RELATIVISTIC], ids=["origin", "relativistic"])
def test_each_optimiser_holds_the_parameters_of_its_own_network(recipe):
    networks = make_networks(recipe)
    for network, optimizer in (
        (networks.generator, networks.optimizer),
        (networks.discriminator, networks.discriminator_optimizer),
    ):
        held = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        assert {id(parameter) for parameter in held} == {id(parameter) for parameter in network.parameters()}


@pytest.mark.parametrize("recipe", [ORIGIN, RELATIVISTIC], ids=["origin", "relativistic"])
def test_the_discriminator_learns_to_tell_them_apart(recipe, batch):
    networks = make_networks(recipe)
    noisy, clean = batch
    restored = networks.restore(noisy).detach()
    losses = [networks.discriminator_step(noisy, clean, restored, penalise=False).item() for _ in range(100)]
    assert losses[-1] < 0.8 * losses[0]


def test_the_adversarial_gradient_reaches_the_generator(batch):
    noisy, clean = batch
    gradients = []
    for weight in (0.0, 10.0):
        networks = make_networks(Recipe(adversarial_weight=weight))
        networks.generator_step(noisy, clean, networks.restore(noisy))
        gradients.append(networks.generator.head.weight.grad.clone())
    assert not torch.allclose(*gradients)


def test_the_gradient_penalty_counts(batch):
    noisy, clean = batch
    heads = []
    for penalise in (False, True):
        networks = make_networks(Recipe(**{**vars(RELATIVISTIC), "gradient_penalty": 100.0}))
        networks.discriminator_step(noisy, clean, networks.restore(noisy), penalise)
        heads.append(networks.discriminator.head.weight.grad.clone())
    assert not torch.allclose(*heads)


def test_the_origins_losses_are_cross_entropy_on_smoothed_labels():
    real, fake = torch.tensor([[[[2.0]]]]), torch.tensor([[[[-1.0]]]])

    def entropy(logit: float, label: float) -> float:
        probability = 1 / (1 + np.exp(-logit))
        return -label * np.log(probability) - (1 - label) * np.log(1 - probability)

    assert discriminator_loss(ORIGIN, real, fake).item() == pytest.approx((entropy(2, 0.9) + entropy(-1, 0.1)) / 2)
    assert generator_adversarial_loss(ORIGIN, real, fake).item() == pytest.approx(entropy(-1, 0.9))


def test_the_relativistic_losses_compare_patch_with_patch():
    real, fake = torch.tensor([[[[2.0, 0.0]]]]), torch.tensor([[[[-1.0, 1.0]]]])
    expected = F.softplus(torch.tensor([-3.0, 1.0])).mean().item()
    assert discriminator_loss(RELATIVISTIC, real, fake).item() == pytest.approx(expected)
    expected = F.softplus(torch.tensor([3.0, -1.0])).mean().item()
    assert generator_adversarial_loss(RELATIVISTIC, real, fake).item() == pytest.approx(expected)


def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(data, tmp_path, finished, preset, monkeypatch):
    out = tmp_path / "run"
    saves = []

    def save_then_interrupt(path, state):
        save_checkpoint(path, state)
        saves.append(path)
        if len(saves) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("train.shared.run_folder.save_checkpoint", save_then_interrupt)
        with pytest.raises(KeyboardInterrupt):
            gan.main(options(data, out, *PRESETS[preset]))
    torch.manual_seed(123)
    gan.main(options(data, out, *PRESETS[preset], "--resume"))

    tensors, layout = read_checkpoint(out)
    expected_tensors, expected_layout = read_checkpoint(finished[preset])
    assert_same_tensors(tensors, expected_tensors)
    assert layout == expected_layout
    for folder in ("model", "discriminator"):
        weights, config = f"{folder}/model.safetensors", f"{folder}/config.json"
        assert_same_tensors(load_file(out / weights), load_file(finished[preset] / weights))
        assert json.loads((out / config).read_text()) == json.loads((finished[preset] / config).read_text())
    assert without_log_seconds(out) == without_log_seconds(finished[preset])


def test_the_run_folder_holds_both_networks_and_the_log(finished, preset):
    out = finished[preset]
    names = sorted(file.name for file in out.iterdir())
    assert names == [
        "checkpoint.previous.safetensors",
        "checkpoint.safetensors",
        "curves.png",
        "discriminator",
        "log.jsonl",
        "model",
    ]
    generator = AttentionUNet.from_pretrained(out / "model")
    discriminator = PatchGANDiscriminator.from_pretrained(out / "discriminator")
    assert generator.training_record == discriminator.training_record
    record = generator.training_record
    assert record["script"] == "train.gan" and record["preset"] == preset and record["task"] == "low"
    assert discriminator.config["conditional"] == (preset == "origin")
    assert discriminator.config["high_pass"] == (preset == "improved")
    rows = read_log(out)
    assert [row["epoch"] for row in rows] == list(range(EPOCHS))
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    kept = rows[-1] if preset == "improved" else min(rows, key=lambda row: row["validation_loss"])
    assert record["best_epoch"] == kept["epoch"] + 1


def test_the_improved_recipe_starts_from_the_unet_of_the_task():
    for task in TASKS:
        args = gan.parse_args(["--task", task, "--preset", "improved", "--out", "x"])
        model = gan.make_generator(args, gan.make_recipe(args))
        assert model.training_record["task"] == task
        assert_same_tensors(model.state_dict(), AttentionUNet.from_pretrained(specialists(task)[0]).state_dict())


def test_options_change_the_recipe(data, tmp_path):
    given = ["--third-block", "--dense-head", "--adversarial-weight", "0.5", "--discriminator-learning-rate", "0.01"]
    gan.main(options(data, tmp_path, *given, epochs=1))
    discriminator = PatchGANDiscriminator.from_pretrained(tmp_path / "discriminator")
    assert discriminator.config["third_block"] and discriminator.config["dense_head"]
    recipe = discriminator.training_record["recipe"]
    assert recipe["adversarial_weight"] == 0.5 and recipe["discriminator_learning_rate"] == 0.01
    assert recipe["learning_rate"] == ORIGIN.learning_rate


def test_batch_norm_is_frozen_where_the_recipe_says_so(data, tmp_path):
    start = AttentionUNet(widths=(4, 8), residual=True)
    for name, buffer in start.named_buffers():
        if name.endswith("running_var"):
            buffer.fill_(0.5)
    start.save_pretrained(tmp_path / "start")
    gan.main(options(data, tmp_path / "run", "--preset", "improved", "--init", str(tmp_path / "start"), epochs=1))
    model = AttentionUNet.from_pretrained(tmp_path / "run" / "model")
    variances = [buffer for name, buffer in model.named_buffers() if name.endswith("running_var")]
    assert variances and all((variance == 0.5).all() for variance in variances)


def test_a_run_is_neither_overwritten_nor_resumed_with_other_settings(data, finished):
    with pytest.raises(SystemExit, match="--resume"):
        gan.main(options(data, finished["origin"]))
    with pytest.raises(SystemExit, match="repeat its options"):
        gan.main(options(data, finished["origin"], "--resume", "--adversarial-weight", "1"))
    with pytest.raises(SystemExit, match="no-such-model"):
        gan.main(options(data, finished["origin"], "--resume", "--init", "no-such-model"))


def test_two_processes_train_together(data, tmp_path, finished, preset):
    out = tmp_path / "run"
    # What `accelerate launch` starts for several GPUs; for processors it starts one process alone.
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    result = subprocess.run(
        [*launch, "-m", "train.gan", *options(data, out, *PRESETS[preset], epochs=2)],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    rows, alone = read_log(out), read_log(finished[preset])
    assert rows[0]["train_loss"] == pytest.approx(alone[0]["train_loss"], rel=0.2)
    assert np.isfinite([row["validation_psnr"] for row in rows]).all()
