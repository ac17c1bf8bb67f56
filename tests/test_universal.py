import json
from pathlib import Path

import numpy as np
import pytest
import torch
from training_data import assert_same_tensors, read_log, write_faces

import train.noise_level
import train.universal
from fer_denoise import Restorer
from fer_denoise.models import UniversalRestorer
from fer_denoise.models.noise_estimator import scaled, unscaled
from fer_denoise.models.universal import extremes, prefill
from train.supervised import log_mse

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
    assert sum(parameter.numel() for parameter in UniversalRestorer().parameters()) == 603_077


@pytest.mark.parametrize("shape", [(8, 8), (9, 13), (48, 48), (50, 31)])
@torch.no_grad()
def test_any_size_comes_back(shape):
    restored = trained_like(make())(picture(2, 1, *shape))
    assert restored.shape == (2, 1, *shape) and restored.isfinite().all()


@torch.no_grad()
def test_fresh_it_copies_what_is_no_extreme_and_fills_in_the_rest():
    noisy = picture(1, 1, 16, 16)
    noisy[0, 0, 5, 5], noisy[0, 0, 9, 2] = 1, 0
    restored = make()(noisy)
    mask = extremes(noisy).bool()
    assert mask.sum() == 2
    assert torch.equal(restored[~mask], noisy[~mask])
    # Its gate starts at sigmoid(2).
    filled = prefill(noisy, extremes(noisy))
    torch.testing.assert_close(restored[mask], noisy[mask].lerp(filled[mask], torch.tensor(2.0).sigmoid().item()))


@torch.no_grad()
def test_its_gate_can_keep_a_true_extreme():
    noisy = picture(1, 1, 16, 16)
    noisy[0, 0, 4:8, 4:8] = 0
    model = make()
    model.head.bias[1] = -30
    torch.testing.assert_close(model(noisy), noisy)


def test_extremes_are_the_pixels_at_the_ends():
    values = torch.tensor([0.0, 1e-6, 0.5, 1 - 1e-6, 1.0])
    assert extremes(values).tolist() == [1, 0, 0, 0, 1]


def test_the_prefill_of_a_hole_is_the_mean_of_its_rim_weighted_by_distance():
    image = torch.zeros(1, 1, 5, 5)
    image[0, 0] = torch.arange(25.0).view(5, 5) / 25
    mask = torch.zeros_like(image)
    mask[0, 0, 2, 2] = 1
    broken = image.clone()
    broken[0, 0, 2, 2] = 1
    filled = prefill(broken, mask)
    # A plane is its own mean.
    torch.testing.assert_close(filled, image)


def test_the_prefill_keeps_what_is_far_from_everything_known():
    image = picture(1, 1, 24, 24)
    image[0, 0, 4:20, 4:20] = 0
    mask = extremes(image)
    filled = prefill(image, mask)
    assert (filled[0, 0, 8:16, 8:16] == 0).all()
    assert (filled[0, 0, 4:8, 4:20] > 0).all()
    assert torch.equal(filled[mask == 0], image[mask == 0])
    black = torch.zeros(1, 1, 12, 12)
    assert torch.equal(prefill(black, extremes(black)), black)


@torch.no_grad()
def test_the_noise_level_is_one_of_each_picture_and_does_not_depend_on_the_batch():
    noisy = picture(3, 1, 20, 20)
    model = make()
    torch.nn.init.constant_(model.noise_estimator.head[-1].bias, 0.5)
    levels = model.noise_level(noisy)
    assert levels.shape == (3, 2) and (levels > 0).all()
    assert not torch.equal(levels[0], levels[1])
    torch.testing.assert_close(model.noise_level(noisy[1:2]), levels[1:2])


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
    torch.testing.assert_close(model(noisy, model.noise_level(noisy)), model(noisy))
    assert (model(noisy, torch.tensor([[0.3, 0.5]]).expand(3, 2)) - model(noisy)).abs().max() > 1e-4


def test_the_scale_of_the_estimator_is_turned_back():
    levels = torch.tensor([[0.0, 0.0], [0.01, 0.5], [0.3, 0.02]])
    torch.testing.assert_close(unscaled(scaled(levels)), levels)
    assert unscaled(torch.tensor([-0.1, -0.2])).tolist() == [0, 0]


def options(data: Path, out: Path, *more: str) -> list[str]:
    small = ["--batch-size", "8", "--epochs", "2", "--device", "cpu", "--precision", "fp32"]
    return ["--data", str(data), "--out", str(out), *small, *more]


def interrupted(main, arguments: list[str], monkeypatch) -> None:
    def interrupt(*args) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("train.run.write_log", interrupt)
        with pytest.raises(KeyboardInterrupt):
            main(arguments)


@pytest.mark.usefixtures("fresh_accelerator")
@pytest.mark.parametrize("script", [train.noise_level, train.universal], ids=lambda script: script.__name__)
def test_it_trains_and_resumes_to_the_same_weights(script, tmp_path, make_faces, monkeypatch):
    data, init = tmp_path / "data", tmp_path / "init"
    data.mkdir()
    write_faces(data, make_faces)
    before = trained_like(make())
    before.save_pretrained(init, half=False)

    script.main(options(data, tmp_path / "whole", "--init", str(init)))
    rows = read_log(tmp_path / "whole")
    assert [row["epoch"] for row in rows] == [0, 1]
    assert (tmp_path / "whole" / "curves.png").exists()

    interrupted(script.main, options(data, tmp_path / "broken", "--init", str(init)), monkeypatch)
    script.main(options(data, tmp_path / "broken", "--init", str(init), "--resume"))
    models = [UniversalRestorer.from_pretrained(tmp_path / run / "model") for run in ("whole", "broken")]
    assert_same_tensors(models[0].state_dict(), models[1].state_dict())
    record = json.loads((tmp_path / "whole" / "model" / "config.json").read_text())["training"]
    assert record["script"] == script.__name__ and record["noise"]["max_sigma"] == 0.3

    # Each step trains its own part, and leaves the other's as it was.
    old, new = before.state_dict(), models[0].state_dict()
    changed = {name for name in old if (old[name] - new[name]).abs().max() > 1e-3 * old[name].abs().max() + 1e-6}
    of_estimator = {name for name in old if name.startswith("noise_estimator.")}
    assert changed and changed <= (of_estimator if script is train.noise_level else set(old) - of_estimator)


@pytest.mark.usefixtures("fresh_accelerator")
def test_the_noise_level_is_learned(tmp_path, make_faces, capsys, monkeypatch):
    # To draw the curves of each epoch would take longer than to train it.
    monkeypatch.setattr("train.run.plot_curves", lambda *_: None)
    data = tmp_path / "data"
    data.mkdir()
    write_faces(data, make_faces)
    make().save_pretrained(tmp_path / "init", half=False)
    arguments = options(data, tmp_path / "out", "--init", str(tmp_path / "init"), "--epochs", "40")
    train.noise_level.main(arguments)
    rows = read_log(tmp_path / "out")
    assert rows[-1]["validation_loss"] < 0.8 * rows[0]["validation_loss"]
    assert "mean absolute error" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="no such model"):
        train.noise_level.main(options(data, tmp_path / "none", "--init", str(tmp_path / "nothing")))


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
