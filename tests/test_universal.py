import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from training_data import assert_same_tensors, read_log, write_faces

import train.universal
from fer_denoise import Restorer
from fer_denoise.hub.sources import weights_checksum
from fer_denoise.models import UniversalRestorer
from fer_denoise.models.noise_estimator import LEVELS, MAX_SIGMA
from fer_denoise.models.universal import LARGE, ResidualBlock, fill
from fer_denoise.noise import TorchDraw, WorldNoise
from train.shared import universal_training
from train.shared.supervised import log_mse

SMALL = {"widths": (4, 8), "blocks": (1, 1)}


def make(**options) -> UniversalRestorer:
    torch.manual_seed(0)
    return UniversalRestorer(**{**SMALL, **options}).eval()


def trained_like(model: UniversalRestorer) -> UniversalRestorer:
    """With a head that does something, as after training."""
    torch.nn.init.normal_(model.head.weight, std=0.05, generator=torch.Generator().manual_seed(1))
    return model


def picture(*shape: int) -> torch.Tensor:
    return 0.1 + 0.8 * torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_its_size_at_the_defaults():
    assert sum(parameter.numel() for parameter in UniversalRestorer().parameters()) == 1_116_012


@pytest.mark.parametrize("shape", [(8, 8), (9, 13), (48, 48), (50, 31)])
@torch.no_grad()
def test_any_size_comes_back(shape):
    restored = trained_like(make())(picture(2, 1, *shape))
    assert restored.shape == (2, 1, *shape) and restored.isfinite().all()


def said(model: UniversalRestorer, sigma: float, lost: float) -> UniversalRestorer:
    """With an estimator that says the same of every pixel: the root of sigma, and the logit that it is lost."""
    torch.nn.init.zeros_(model.noise_estimator.maps.weight)
    model.noise_estimator.maps.bias = torch.nn.Parameter(torch.tensor([sigma, lost]))
    return model


@torch.no_grad()
def test_fresh_it_copies_what_is_not_lost():
    noisy = picture(1, 1, 16, 16)
    noisy[0, 0, 4:8, 4:8] = 0
    torch.testing.assert_close(said(make(), 0.0, -30.0)(noisy), noisy)


@torch.no_grad()
def test_fresh_it_fills_in_what_is_lost_as_far_as_its_gate_is_open():
    noisy = picture(1, 1, 16, 16)
    restored = said(make(), 0.0, 30.0)(noisy)
    filled = fill(noisy, torch.ones_like(noisy))
    # Its gate starts at sigmoid(2).
    torch.testing.assert_close(restored, noisy.lerp(filled, torch.tensor(2.0).sigmoid().item()))


def test_what_is_lost_is_filled_in_from_around_it():
    plane = torch.arange(49.0).view(1, 1, 7, 7) / 49
    lost = torch.zeros_like(plane)
    lost[0, 0, 3, 3] = lost[0, 0, 2, 3] = lost[0, 0, 4, 3] = 1
    broken = torch.where(lost > 0, 1.0, plane)
    # A plane is its own mean; what is lost still counts a thousandth.
    assert fill(broken, lost)[0, 0, 3, 3] == pytest.approx(plane[0, 0, 3, 3].item(), abs=2e-3)
    black = torch.zeros(1, 1, 12, 12)
    assert torch.equal(fill(black, torch.ones_like(black)), black)


@torch.no_grad()
def test_the_maps_say_how_noisy_each_pixel_is_and_what_is_lost():
    sigma, lost = said(make(), 0.5, 0.0).noise_maps(picture(2, 1, 9, 13))
    torch.testing.assert_close(sigma, torch.full((2, 1, 9, 13), MAX_SIGMA / 4))
    torch.testing.assert_close(lost, torch.full((2, 1, 9, 13), 0.5))


@torch.no_grad()
def test_the_noise_level_is_one_of_each_picture_and_does_not_depend_on_the_batch():
    noisy = picture(3, 1, 20, 20)
    model = make()
    torch.nn.init.constant_(model.noise_estimator.head[-1].bias, 0.5)
    levels = model.noise_levels(noisy)
    assert levels.shape == (3, len(LEVELS)) and (levels > 0).all()
    assert not torch.equal(levels[0], levels[1])
    torch.testing.assert_close(model.noise_levels(noisy[1:2]), levels[1:2])


@torch.no_grad()
def test_saved_and_loaded_it_restores_the_same(tmp_path):
    model = trained_like(make())
    model.save_pretrained(tmp_path, half=False)
    noisy = picture(2, 1, 20, 20)
    assert torch.equal(UniversalRestorer.from_pretrained(tmp_path)(noisy), model(noisy))
    restored = Restorer.from_pretrained(tmp_path, device="cpu", precision="fp32")(noisy[:, 0].numpy())
    np.testing.assert_allclose(restored, model(noisy)[:, 0].clamp(0, 1).numpy(), atol=1e-5)


@pytest.mark.parametrize("options", [{"widths": (4,), "blocks": (1,)}, {"blocks": (1, 1, 1)}])
def test_wrong_options_are_refused(options):
    with pytest.raises(ValueError, match="of one length"):
        make(**options)
    with pytest.raises(ValueError, match="at most 5 scales"):
        make(widths=(4,) * 6, blocks=(1,) * 6)
    with pytest.raises(ValueError, match="at least 1"):
        make(widths=(4, 8), blocks=(1, 0))


def test_the_loss_is_the_mean_of_the_psnrs():
    clean = torch.zeros(2, 1, 4, 4)
    restored = torch.stack([torch.full((1, 4, 4), 0.1), torch.full((1, 4, 4), 0.01)])
    decibels = -10 / np.log(10) * log_mse(restored, clean, floor=0).item()
    assert decibels == pytest.approx((20 + 40) / 2)
    assert log_mse(clean, clean).isfinite()


@torch.no_grad()
def test_it_restores_by_its_own_estimate_unless_it_is_told():
    model, noisy = trained_like(make()), picture(3, 1, 20, 20)
    for block in model.bottleneck:
        torch.nn.init.normal_(block.modulation.weight, generator=torch.Generator().manual_seed(2))
    levels = model.noise_levels(noisy)
    torch.testing.assert_close(model(noisy, levels), model(noisy))
    assert (model(noisy, levels + 0.3) - model(noisy)).abs().max() > 1e-4
    sigma = torch.full((3,), 0.2)
    known = model(noisy, sigma=sigma)
    assert (known - model(noisy)).abs().max() > 1e-4
    # The level that is given takes the place of the estimated one, in both of its forms.
    alike = said(make(), (0.2 / MAX_SIGMA) ** 0.5, 0.0)
    levels[:, 0] = 0.2
    torch.testing.assert_close(alike(noisy, levels), alike(noisy, levels - 0, sigma))


@torch.no_grad()
def test_levels_that_are_given_are_not_estimated():
    model, noisy = trained_like(make()), picture(2, 1, 20, 20)
    levels = model.noise_levels(noisy)
    restored, maps = model(noisy, levels), model.noise_maps(noisy)
    model.noise_estimator.head.register_forward_hook(lambda *_: pytest.fail("they are"))
    assert torch.equal(model(noisy, levels), restored)
    assert all(map(torch.equal, model.noise_maps(noisy), maps))


@torch.no_grad()
def test_a_block_adds_float32_to_bfloat16_as_one_addition_of_both_would():
    block, features, modulation = ResidualBlock(4), picture(1, 4, 8, 8), torch.zeros(1, 8, 1, 1)
    with torch.autocast("cpu", torch.bfloat16):
        result = block(features, modulation)
        change = block.second(block.first(features).relu())
    assert change.dtype == torch.bfloat16 and torch.equal(result, change.add_(features))
    rounded = features.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(block(rounded, modulation), block.second(block.first(rounded).relu()).add_(rounded))


@torch.no_grad()
def test_levels_of_cells_that_are_all_alike_are_those_of_the_picture():
    model, noisy = trained_like(make()), picture(2, 1, 40, 52)
    for block in model.bottleneck:
        torch.nn.init.normal_(block.modulation.weight, generator=torch.Generator().manual_seed(2))
    levels = model.noise_levels(noisy)
    cells = levels[:, None, None].expand(2, 3, 4, len(LEVELS)).clone()
    torch.testing.assert_close(model(noisy, cells), model(noisy, levels), atol=1e-6, rtol=1e-5)
    sigma = torch.full((2,), 0.2)
    torch.testing.assert_close(model(noisy, cells, sigma), model(noisy, levels, sigma), atol=1e-6, rtol=1e-5)
    cells[:, :, 3] += 0.3
    changed = (model(noisy, cells) - model(noisy, levels)).abs().amax(dim=(0, 1, 2))
    assert changed[-8:].max() > 1e-4 and changed[:8].max() < 1e-6


def test_the_estimator_learns_what_was_done():
    clean = torch.full((200, 1, 32, 32), 0.5)
    truth = WorldNoise(laboratory=1).with_truth(clean, TorchDraw(torch.Generator().manual_seed(0)))[1]
    sigma, amount, *others = universal_training.true_levels(truth).unbind(1)
    torch.testing.assert_close(sigma, truth.sigma[:, 0, 0, 0])
    hit = truth.impulses.mean(dim=(1, 2, 3))
    torch.testing.assert_close(1 - torch.exp(-amount), hit)
    assert all((level == 0).all() for level in others)


def options(data: Path, out: Path, *more: str) -> list[str]:
    small = ["--batch-size", "8", "--epochs", "2", "--device", "cpu", "--precision", "fp32"]
    return ["--data", str(data), "--out", str(out), *small, *more]


def interrupted(main, arguments: list[str], monkeypatch) -> None:
    def interrupt(*args) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("train.shared.run_folder.write_log", interrupt)
        with pytest.raises(KeyboardInterrupt):
            main(arguments)


@pytest.mark.usefixtures("fresh_accelerator", "few_drawings")
def test_it_trains_and_resumes_to_the_same_weights(tmp_path, make_faces, monkeypatch):
    data, init = tmp_path / "data", tmp_path / "init"
    data.mkdir()
    write_faces(data, make_faces)
    before = trained_like(make())
    before.save_pretrained(init, half=False)
    main = train.universal.main

    main(options(data, tmp_path / "whole", "--init", str(init)))
    rows = read_log(tmp_path / "whole")
    assert [row["epoch"] for row in rows] == [0, 1]
    assert (tmp_path / "whole" / "curves.png").exists()

    interrupted(main, options(data, tmp_path / "broken", "--init", str(init)), monkeypatch)
    main(options(data, tmp_path / "broken", "--init", str(init), "--resume"))
    models = [UniversalRestorer.from_pretrained(tmp_path / run / "model") for run in ("whole", "broken")]
    assert_same_tensors(models[0].state_dict(), models[1].state_dict())
    record = json.loads((tmp_path / "whole" / "model" / "config.json").read_text())["training"]
    assert record["script"] == "train.universal" and record["noise"]["max_sigma"] == 0.3

    # Both of its parts learn.
    old, new = before.state_dict(), models[0].state_dict()
    changed = {name for name in old if (old[name] - new[name]).abs().max() > 1e-3 * old[name].abs().max() + 1e-6}
    assert {name.startswith("noise_estimator.") for name in changed} == {True, False}


@pytest.mark.usefixtures("fresh_accelerator", "few_drawings")
def test_it_begins_from_nothing_with_photographs_and_what_is_learned_goes_down(tmp_path, make_faces):
    data, photographs = tmp_path / "data", tmp_path / "photographs"
    data.mkdir(), photographs.mkdir()
    write_faces(data, make_faces)
    Image.fromarray(make_faces(1)[0].repeat(3, 0).repeat(3, 1)).save(photographs / "one.png")
    shape = ["--widths", "4", "8", "--blocks", "1", "1", "--pictures", str(photographs)]
    train.universal.main(options(data, tmp_path / "out", *shape, "--epochs", "8", "--learning-rate", "0.01"))
    rows = read_log(tmp_path / "out")
    # On validation faces the noise is always the same, while that of training hides what is learned in so few steps.
    assert rows[-1]["validation_loss"] < rows[0]["validation_loss"] - 0.02
    assert UniversalRestorer.from_pretrained(tmp_path / "out" / "model").config["widths"] == [4, 8]


@pytest.mark.usefixtures("fresh_accelerator", "few_drawings")
def test_it_learns_from_a_teacher(tmp_path, make_faces):
    teacher = trained_like(make())
    teacher.save_pretrained(tmp_path / "teacher")
    (tmp_path / "data").mkdir()
    write_faces(tmp_path / "data", make_faces)
    shape = ["--widths", "4", "8", "--blocks", "1", "1", "--epochs", "1"]
    for name, more in (("alone", []), ("taught", ["--teacher", str(tmp_path / "teacher")])):
        train.universal.main(options(tmp_path / "data", tmp_path / name, *shape, *more))
    records = {
        name: json.loads((tmp_path / name / "model" / "config.json").read_text())["training"]
        for name in ("alone", "taught")
    }
    told = records["taught"].pop("teacher")
    assert told == {**teacher.config, "weights": weights_checksum(tmp_path / "teacher")}
    assert "teacher" not in records["alone"] and str(tmp_path) not in str(told)
    models = [UniversalRestorer.from_pretrained(tmp_path / name / "model").state_dict() for name in records]
    assert any(not torch.equal(models[0][key], models[1][key]) for key in models[0])
    with pytest.raises(SystemExit, match="no such model"):
        train.universal.main(options(tmp_path / "data", tmp_path / "wrong", *shape, "--teacher", "nobody"))


def test_the_pixels_are_compared_with_the_truth_and_with_the_teachers_and_it_stays_as_it_is():
    student, teacher = make(), trained_like(make())
    clean = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    noisy, truth = WorldNoise().with_truth(clean, TorchDraw(torch.Generator().manual_seed(1)))

    def loss(restored: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return 1000 * (restored - target).square().mean()

    alone, taught = (universal_training.RestoringAndEstimating(student, loss, each) for each in (None, teacher))
    with torch.no_grad():
        difference = universal_training.DISTILLATION * (
            loss(student(noisy), teacher(noisy)) - loss(student(noisy), clean)
        )
        torch.testing.assert_close(
            taught(noisy, clean, truth) - alone(noisy, clean, truth), difference, rtol=1e-3, atol=1e-3
        )
    taught(noisy, clean, truth).backward()
    assert {name.partition(".")[0] for name, _ in taught.named_parameters()} == {"model"}
    assert all(weight.grad is None for weight in teacher.parameters())


def test_a_gpu_gets_larger_batches_and_the_large_one_more_of_everything(monkeypatch):
    small, large = (train.universal.parse_args(["--out", "out", *more]) for more in ([], ["--large"]))
    assert small.batch_size == train.universal.RECIPE.batch_size and small.widths is None
    assert {"widths": large.widths, "blocks": large.blocks} == LARGE
    assert train.universal.parse_args(["--out", "out", "--large", "--blocks", "1", "1", "1"]).blocks == [1, 1, 1]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert train.universal.parse_args(["--out", "out"]).batch_size == train.universal.BATCH_ON_GPU
    assert train.universal.parse_args(["--out", "out", "--batch-size", "4"]).batch_size == 4


@pytest.mark.usefixtures("fresh_accelerator")
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--init", "nothing"], "no such model"),
        (["--widths", "4"], "of one length"),
        (["--pictures", "empty"], "holds no pictures"),
    ],
)
def test_options_that_cannot_be_are_told(tmp_path, make_faces, monkeypatch, wrong, told):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir(), (tmp_path / "empty").mkdir()
    write_faces(tmp_path / "data", make_faces)
    with pytest.raises(SystemExit, match=told):
        train.universal.main(options(tmp_path / "data", tmp_path / "out", *wrong))


@torch.no_grad()
def test_a_model_that_is_given_more_blocks_restores_the_same_at_first():
    model = trained_like(make(blocks=(1, 2)))
    deeper = train.universal.deepened(model, {"blocks": [2, 4]})
    assert deeper.config == {"widths": [4, 8], "blocks": [2, 4]}
    assert sum(p.numel() for p in deeper.parameters()) > sum(p.numel() for p in model.parameters())
    noisy = picture(2, 1, 20, 20)
    torch.testing.assert_close(deeper(noisy), model(noisy))
    for shape in ({"blocks": [1, 1]}, {"widths": [8, 8]}, {"blocks": [1, 2, 3]}):
        with pytest.raises(SystemExit, match="more --blocks"):
            train.universal.deepened(model, shape)
