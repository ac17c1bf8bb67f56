import pytest
import torch
from safetensors.torch import load_file
from training_data import write_faces

from fer_denoise.models import AttentionUNet
from fer_denoise.models.pretrained import read_config
from train import silence


@pytest.fixture
def folder(tmp_path):
    """A network one of whose channels nothing wakes."""
    torch.manual_seed(0)
    model = AttentionUNet(widths=(4, 8))
    with torch.no_grad():
        model.bottleneck[0].bias[3] = -50
        model.bottleneck[2].running_var[3] = 1e-7
    model.training_record = {"task": "high"}
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_the_variances_of_silent_channels_alone_are_changed(folder, tmp_path, make_faces, capsys):
    data = tmp_path / "data"
    data.mkdir()
    write_faces(data, make_faces)
    before, record = load_file(folder / "model.safetensors"), read_config(folder)
    silence.main([str(folder), "--data", str(data)])
    after = load_file(folder / "model.safetensors")
    assert {name: tensor.dtype for name, tensor in after.items()} == {n: t.dtype for n, t in before.items()}
    assert [name for name in before if not torch.equal(before[name], after[name])] == ["bottleneck.2.running_var"]
    changed = (before["bottleneck.2.running_var"] != after["bottleneck.2.running_var"]).nonzero()
    assert changed.tolist() == [[3]] and after["bottleneck.2.running_var"][3] > 50**2
    assert "1 channels silenced" in capsys.readouterr().out
    record["training"]["silenced_channels"] = 1
    assert read_config(folder) == record

    unchanged = (folder / "model.safetensors").read_bytes()
    silence.main([str(folder), "--data", str(data)])
    assert (folder / "model.safetensors").read_bytes() == unchanged and read_config(folder) == record


def test_only_models_of_this_machine_are_silenced(tmp_path, make_faces):
    with pytest.raises(SystemExit, match="no such model"):
        silence.main(["somebody/some-model", "--data", str(write_faces(tmp_path, make_faces))])
