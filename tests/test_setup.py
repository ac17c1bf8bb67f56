from argparse import Namespace
from itertools import chain
from types import SimpleNamespace

import datasets
import numpy as np
import pytest
import torch
from torch import nn
from training_data import write_faces

from fer_denoise.data import load_fer2013
from train.shared import batch_norm, optimisation, run_folder, sampling, setup
from train.shared.checkpoint import load_optimizer, save_checkpoint

ALONE = SimpleNamespace(process_index=0, num_processes=1)


def batches(count=20, batch_size=6, seed=0, epoch=0, accelerator=ALONE, passes=1) -> list[list[int]]:
    return [batch.tolist() for batch in sampling.batches(count, batch_size, seed, epoch, accelerator, passes)]


def test_an_epoch_visits_images_once_in_whole_batches():
    epoch = batches()
    assert [len(batch) for batch in epoch] == [6, 6, 6]
    visited = list(chain(*epoch))
    assert len(set(visited)) == 18 and set(visited) <= set(range(20))


def test_the_order_depends_on_seed_and_epoch_alone():
    torch.manual_seed(0)
    first = batches(seed=3, epoch=5)
    torch.manual_seed(1)
    assert batches(seed=3, epoch=5) == first
    assert batches(seed=3, epoch=6) != first
    assert batches(seed=4, epoch=5) != first


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_the_batches_of_one(processes):
    shares = [batches(accelerator=SimpleNamespace(process_index=i, num_processes=processes)) for i in range(processes)]
    for whole, *parts in zip(batches(), *shares, strict=True):
        assert all(len(part) == 6 // processes for part in parts)
        assert sorted(chain(*parts)) == sorted(whole)


@pytest.mark.parametrize(("count", "batch_size", "expected"), [(20, 6, 3), (18, 6, 3), (6, 6, 1)])
def test_an_epoch_has_whole_batches_only(count, batch_size, expected):
    assert sampling.batches_per_epoch(count, batch_size) == expected == len(batches(count, batch_size))


def test_too_few_images_for_a_batch_end_with_a_remedy():
    with pytest.raises(SystemExit, match="--batch-size of at most 5"):
        sampling.batches_per_epoch(5, 6)


def test_generators_depend_on_their_key_alone():
    def draw(*key):
        return torch.rand(4, generator=sampling.generator(*key)).tolist()

    keys = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (2**40, 0, 0)]
    draws = {key: draw(*key) for key in keys}
    torch.manual_seed(9)
    assert draws == {key: draw(*key) for key in reversed(keys)}
    assert len({tuple(values) for values in draws.values()}) == len(keys)


def test_as_batch_and_as_float_keep_the_pixels(make_faces):
    faces = make_faces(3)
    batch = sampling.as_batch(faces[:, ::-1], torch.device("cpu"))
    assert batch.shape == (3, 1, 48, 48) and batch.dtype == torch.uint8
    values = sampling.as_float(batch)
    assert values.dtype == torch.float32 and values.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(values[:, 0].numpy(), faces[:, ::-1] / 255, atol=1e-6)
    assert torch.equal(batch, sampling.as_batch(faces[:, ::-1], torch.device("cpu")))


def test_zeros_behind_a_key_make_another_key():
    assert len({sampling.seed_of(*key) for key in ((0,), (0, 0), (0, 0, 0), (0, 0, 0, 0))}) == 4


def test_random_flips_mirror_half_of_the_images():
    images = torch.rand(400, 1, 4, 6, generator=sampling.generator(0))
    flipped = sampling.random_flips(images, sampling.generator(1))
    same = (flipped == images).all(dim=(1, 2, 3))
    mirrored = (flipped == images.flip(-1)).all(dim=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 150 < mirrored.sum() < 250
    assert torch.equal(sampling.random_flips(images, sampling.generator(1)), flipped)


def test_the_rate_warms_up_then_falls_as_a_cosine():
    factors = [optimisation.warm_up_then_cosine(step, 10, 110) for step in range(111)]
    np.testing.assert_allclose(factors[:10], np.arange(1, 11) / 10)
    assert factors[10] == 1 and factors[60] == pytest.approx(0.5) and factors[110] == pytest.approx(0)
    assert (np.diff(factors[10:]) < 0).all()
    assert optimisation.warm_up_then_cosine(200, 10, 110) == pytest.approx(0)


def test_a_run_shorter_than_its_warm_up_keeps_warming_up():
    assert [optimisation.warm_up_then_cosine(step, 200, 10) for step in (0, 9)] == [1 / 200, 10 / 200]


def test_the_moving_average_widens_to_its_decay():
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, 2)
    for updates, weight in [(0, 1), (1, 1 - 2 / 11), (10**6, 0.1)]:
        average = optimisation.MovingAverage(model, 0.9)
        torch.nn.init.constant_(average.module.weight, 1)
        average.n_averaged.fill_(updates)
        average.update_parameters(model)
        assert average.module.weight.item() == pytest.approx(1 + weight)
        assert average.n_averaged == updates + 1


def test_the_log_has_a_line_for_each_epoch_and_curves(tmp_path):
    rows = [{"epoch": i, "train_loss": 1.0, "validation_loss": 2.0, "validation_psnr": 30.0} for i in range(2)]
    run_folder.write_log(tmp_path, rows)
    assert (tmp_path / "log.jsonl").read_text().count("\n") == 2
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("losses", "recipe", "finished"),
    [
        ([3.0, 2.0], {"epochs": 3}, False),
        ([3.0, 2.0, 1.0], {"epochs": 3}, True),
        ([1.0, 2.0, 3.0], {"epochs": 9, "early_stop": 2}, True),
        ([1.0, 2.0], {"epochs": 9, "early_stop": 2}, False),
        ([1.0, 2.0, 3.0], {"epochs": 9, "early_stop": None}, False),
    ],
)
def test_a_run_is_finished_after_its_epochs_or_its_early_stop(losses, recipe, finished):
    log = [{"epoch": epoch, "validation_loss": loss} for epoch, loss in enumerate(losses)]
    assert run_folder.is_finished(log, recipe) == finished


@pytest.fixture
def three_channels() -> nn.Sequential:
    """One that answers to its input, one that does so faintly, and one that its bias keeps silent."""
    model = nn.Sequential(nn.Conv2d(1, 3, 1), nn.ReLU(), nn.BatchNorm2d(3)).eval()
    with torch.no_grad():
        model[0].weight[:] = torch.tensor([3.0, 3e-6, 1.0]).view(3, 1, 1, 1)
        model[0].bias[:] = torch.tensor([1.0, 1e-6, -8.0])
    return model


def test_calibration_measures_statistics_and_silences_what_would_be_amplified(three_channels):
    norm = three_channels[2]
    norm.running_mean.fill_(9)
    images = torch.rand(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before_norm = three_channels[:2](images)
    batch_norm.calibrate_batch_norm(three_channels, images.split(16))
    assert not three_channels.training
    torch.testing.assert_close(norm.running_mean, before_norm.mean(dim=(0, 2, 3)))
    # However small its weights are, a channel that says something is left as it is.
    variances = before_norm.var(dim=(0, 2, 3))
    torch.testing.assert_close(norm.running_var[:2], variances[:2], rtol=0.05, atol=0)
    assert variances[2] == 0
    assert norm.running_var[2] == pytest.approx((8 + images.mean().item()) ** 2, rel=0.05)
    with torch.no_grad():
        assert three_channels(torch.full((1, 1, 8, 8), 16.0))[:, 2].abs().max() < 2


def test_a_channel_is_silent_where_bfloat16_would_round_its_deviation_away(three_channels):
    images = torch.ones(4, 1, 8, 8)
    sums = torch.tensor([4.0, 4e-6, 9.0])
    for share, expected in ((0.9, 3), (1.1, 0)):
        three_channels[2].running_var = (share * sums / 256) ** 2
        assert batch_norm.silence_channels(three_channels, [images]) == expected
        assert batch_norm.silence_channels(three_channels, [images]) == 0
    assert three_channels(images).isfinite().all()


def test_an_epoch_of_several_passes_goes_over_all_images_in_other_orders():
    first, second = (batches(10, 5, epoch=epoch, passes=2) for epoch in (0, 1))
    assert first[:2] == batches(10, 5)
    orders = [list(chain(*two)) for two in (first[:2], first[2:], second[:2], second[2:])]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len(set(map(tuple, orders))) == 4


def test_the_optimiser_takes_its_rate_with_it():
    model = torch.nn.Linear(2, 1)
    optimizer = optimisation.make_optimizer("adamw", model, 0.1, weight_decay=0.0)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    again = optimisation.make_optimizer("adamw", model, 0.5, weight_decay=0.0)
    load_optimizer(again, optimizer.state_dict())
    assert again.param_groups[0]["lr"] == pytest.approx(0.1)
    rate = torch.tensor(0.5)
    again.param_groups[0]["lr"] = rate
    load_optimizer(again, optimizer.state_dict())
    assert again.param_groups[0]["lr"] is rate and rate.item() == pytest.approx(0.1)


FIRST, SECOND = "c" * 40, "d" * 40


def data_commit(out, data="somebody/faces", revision=None) -> str | None:
    return setup.data_commit(Namespace(data=data, revision=revision, out=out))


def begun_with(out, commit: str) -> None:
    save_checkpoint(out / run_folder.CHECKPOINT_FILE, {"settings": {"data": {"commit": commit}}, "log": []})


def test_the_commit_of_the_data_is_looked_up_and_a_run_goes_on_with_its_own(tmp_path, publish, make_faces):
    faces = {"pixels": [face.ravel().tolist() for face in make_faces(2)], "emotion": [0, 1]}
    publish({"train": datasets.Dataset.from_dict(faces)}, SECOND)
    assert data_commit(tmp_path) == SECOND
    # What the training record says of the faces, a run that is resumed is asked for.
    record = load_fer2013("somebody/faces", "train", data_commit(tmp_path)).record
    assert record["commit"] == f"somebody/faces@{SECOND}"
    begun_with(tmp_path, f"somebody/faces@{FIRST}")
    assert data_commit(tmp_path) == data_commit(tmp_path, revision="main") == FIRST
    # Asked for another commit, it is not gone on with: the settings differ.
    assert data_commit(tmp_path, revision=SECOND) == SECOND
    begun_with(tmp_path, f"somebody/others@{FIRST}")
    assert data_commit(tmp_path) == SECOND


def test_pictures_are_gone_on_with_at_their_commit_unless_another_is_asked_for(tmp_path):
    def commit(asked: str | None = None, source: str = "somebody/pictures") -> tuple[str | None, dict]:
        settings = {"pictures": source}
        return run_folder.fix_revision(tmp_path, settings, "pictures", lambda: SECOND, asked), settings

    assert commit() == (SECOND, {"pictures": "somebody/pictures", "pictures_revision": SECOND})
    begun = {"pictures": "somebody/pictures", "pictures_revision": FIRST}
    save_checkpoint(tmp_path / run_folder.CHECKPOINT_FILE, {"settings": begun})
    assert commit()[0] == commit("main")[0] == FIRST
    # The settings differ then, so that the run is not gone on with.
    assert commit(SECOND)[0] == commit(source="somebody/others")[0] == SECOND


def test_data_on_a_disk_have_no_commit(tmp_path, make_faces):
    begun_with(tmp_path, f"somebody/faces@{FIRST}")
    assert data_commit(tmp_path, data=str(tmp_path)) is None
    write_faces(tmp_path, make_faces)
    assert set(load_fer2013(tmp_path, "train").record) == {"name", "images", "sha256"}


def test_the_main_process_alone_looks_up_a_commit(monkeypatch):
    monkeypatch.setattr(run_folder, "PartialState", lambda: SimpleNamespace(is_main_process=False))
    monkeypatch.setattr(run_folder, "broadcast_object_list", lambda sent: [SECOND] if sent == [None] else sent)
    assert run_folder.same_commit(None, lambda: pytest.fail("was looked up")) == SECOND
