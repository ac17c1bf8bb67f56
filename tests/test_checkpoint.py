import json
import math
import os

import pytest
import torch
from safetensors import safe_open

from train.shared.checkpoint import CheckpointError, load_checkpoint, load_optimizer, previous, save_checkpoint


def test_nested_state_survives(tmp_path):
    state = {
        "model": {"weight": torch.arange(6.0).view(2, 3), "steps": torch.tensor(7), "half": torch.ones(2).half()},
        "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}, 3: {}}, "groups": [{"betas": (0.9, 0.999), "lr": 1e-3}]},
        "scheduler": {"best": math.inf, "worst": -math.inf, "lambdas": [None], "mode": "min", "on": True, "off": False},
        "empty": [[], (), {}],
        "like a tensor": {"tensor": "0"},
        "like a list": {"list": [1, 2]},
    }
    save_checkpoint(tmp_path / "state", state)
    loaded = load_checkpoint(tmp_path / "state")
    for name, tensor in state["model"].items():
        assert torch.equal(loaded["model"][name], tensor) and loaded["model"][name].dtype == tensor.dtype
    assert torch.equal(loaded["optimizer"]["state"].pop(0)["exp_avg"], state["optimizer"]["state"].pop(0)["exp_avg"])
    loaded.pop("model"), state.pop("model")
    assert loaded == state
    assert isinstance(loaded["optimizer"]["groups"][0]["betas"], tuple)
    assert loaded["scheduler"]["on"] is True and loaded["scheduler"]["lambdas"] == [None]


def test_what_is_loaded_does_not_lie_in_the_file(tmp_path):
    save_checkpoint(tmp_path / "state", {"weight": torch.ones(1000), "steps": torch.tensor(7.0)})
    loaded = load_checkpoint(tmp_path / "state")
    with open(tmp_path / "state", "r+b") as file:
        file.write(bytes(os.path.getsize(tmp_path / "state")))
    assert torch.equal(loaded["weight"], torch.ones(1000)) and loaded["steps"] == 7


def test_numbers_survive_exactly(tmp_path):
    values = [0.1 + 0.2, 1e-300, 2**60, -1, 3.0]
    save_checkpoint(tmp_path / "state", {"values": values})
    loaded = load_checkpoint(tmp_path / "state")["values"]
    assert loaded == values and [type(value) for value in loaded] == [type(value) for value in values]


def test_tensors_in_other_layouts_and_shared_tensors_survive(tmp_path):
    image = torch.rand(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    parameter = torch.nn.Parameter(image)
    save_checkpoint(tmp_path / "state", {"a": image, "b": image, "view": image[0, 1].T, "parameter": parameter})
    loaded = load_checkpoint(tmp_path / "state")
    assert all(torch.equal(loaded[name], image) for name in ("a", "b", "parameter"))
    assert torch.equal(loaded["view"], image[0, 1].T)


def test_the_file_is_safetensors(tmp_path):
    save_checkpoint(tmp_path / "state", {"weight": torch.ones(2)})
    with safe_open(tmp_path / "state", "pt") as file:
        assert list(file.keys()) == ["0"]
        assert json.loads(file.metadata()["layout"]) == {"dict": [["weight", {"tensor": "0"}]]}


@pytest.mark.parametrize("value", [object(), {1, 2}, b"bytes"])
def test_what_cannot_be_restored_is_refused(tmp_path, value):
    with pytest.raises(TypeError, match=type(value).__name__):
        save_checkpoint(tmp_path / "state", {"value": value})
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("stage", ["train.shared.checkpoint.save", "os.fsync", "os.replace"])
def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch, stage):
    path = tmp_path / "state"
    save_checkpoint(path, {"epoch": 1, "weight": torch.ones(3)})

    def interrupt(*args, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(stage, interrupt)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(path, {"epoch": 2, "weight": torch.zeros(3)})
    loaded = load_checkpoint(path)
    assert loaded["epoch"] == 1 and torch.equal(loaded["weight"], torch.ones(3))
    save_checkpoint(path, {"epoch": 3})
    assert load_checkpoint(path) == {"epoch": 3}


def test_a_full_disk_leaves_the_old_file(tmp_path):
    resource = pytest.importorskip("resource", reason="a limit on the size of files, as Unix has")
    path = tmp_path / "state"
    save_checkpoint(path, {"epoch": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            save_checkpoint(path, {"epoch": 2, "weight": torch.zeros(5000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert load_checkpoint(path) == {"epoch": 1}
    assert not list(tmp_path.glob("*.partial"))


def test_a_damaged_file_is_told_and_the_one_before_it_is_kept(tmp_path):
    path = tmp_path / "state.safetensors"
    save_checkpoint(path, {"epoch": 1, "weight": torch.ones(100)})
    for change in (1, -1, 0):
        save_checkpoint(path, {"epoch": 1, "weight": torch.ones(100)})
        save_checkpoint(path, {"epoch": 2, "weight": torch.ones(100)})
        content = bytearray(path.read_bytes())
        if change:
            content[-50] = (content[-50] + change) % 256
        else:
            del content[-50:]
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"damaged.*rename .*previous") as caught:
            load_checkpoint(path)
        assert "\n" not in str(caught.value)
        assert load_checkpoint(previous(path))["epoch"] == 1
    previous(path).unlink()
    with pytest.raises(CheckpointError, match="remove"):
        load_checkpoint(path)


def test_the_data_is_on_disk_before_the_name(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr("os.fsync", lambda *args: calls.append("fsync") or fsync(*args))
    monkeypatch.setattr("os.replace", lambda *args: calls.append("replace") or replace(*args))
    save_checkpoint(tmp_path / "state", {"epoch": 1})
    assert calls[:2] == ["fsync", "replace"]
    assert [file.name for file in tmp_path.iterdir()] == ["state"]


def test_an_optimizer_goes_on_in_the_layout_of_its_parameters(tmp_path):
    def make():
        torch.manual_seed(0)
        layer = torch.nn.Conv2d(4, 4, 3).to(memory_format=torch.channels_last)
        return layer, torch.optim.Adam(layer.parameters(), lr=0.1)

    def step(layer, optimizer):
        optimizer.zero_grad()
        layer(torch.ones(1, 4, 5, 5)).square().sum().backward()
        optimizer.step()

    layer, optimizer = make()
    step(layer, optimizer)
    save_checkpoint(tmp_path / "state", {"optimizer": optimizer.state_dict(), "model": layer.state_dict()})
    step(layer, optimizer)

    resumed, resumed_optimizer = make()
    state = load_checkpoint(tmp_path / "state")
    resumed.load_state_dict(state["model"])
    load_optimizer(resumed_optimizer, state["optimizer"])
    assert resumed_optimizer.state[resumed.weight]["exp_avg"].stride() == resumed.weight.stride()
    step(resumed, resumed_optimizer)
    assert torch.equal(resumed.weight, layer.weight) and torch.equal(resumed.bias, layer.bias)
