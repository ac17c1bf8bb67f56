import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.models import AttentionUNet, PretrainedModel
from fer_denoise.models.pretrained import read_config

NOISY = torch.rand(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))


class OtherModel(PretrainedModel):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(3))


@pytest.fixture
def model() -> AttentionUNet:
    torch.manual_seed(0)
    model = AttentionUNet(widths=(4, 8, 16)).eval()
    for name, buffer in model.named_buffers():
        if name.endswith(("running_mean", "running_var")):
            buffer.uniform_(0.5, 1.5)
    return model


@pytest.fixture
def folder(model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def refusal(folder) -> str:
    with pytest.raises(ModelNotFoundError) as caught:
        AttentionUNet.from_pretrained(folder)
    assert str(folder) in str(caught.value)
    return str(caught.value)


def rewrite_weights(folder, change) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")


def rewrite_config(folder, **changes) -> None:
    record = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**record, **changes}))


def test_full_precision_is_kept_exactly(model, tmp_path):
    model.save_pretrained(tmp_path, half=False)
    loaded = AttentionUNet.from_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(loaded(NOISY), model(NOISY))


def test_half_precision_is_close(model, folder):
    loaded = AttentionUNet.from_pretrained(folder)
    with torch.no_grad():
        torch.testing.assert_close(loaded(NOISY), model(NOISY), atol=1e-2, rtol=0)


def test_only_parameters_are_stored_in_half_precision(model, folder):
    tensors = load_file(folder / "model.safetensors")
    parameters = dict(model.named_parameters())
    assert set(tensors) == set(model.state_dict())
    assert {tensors[name].dtype for name in parameters} == {torch.float16}
    statistics = [name for name in tensors if name.endswith(("running_mean", "running_var"))]
    assert len(statistics) == 10
    for name in statistics:
        assert tensors[name].dtype == torch.float32
        assert torch.equal(tensors[name], model.state_dict()[name])


def test_saving_leaves_the_model_as_it_was(model, tmp_path):
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.save_pretrained(tmp_path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_the_folder_holds_the_config_and_the_weights(folder):
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_a_loaded_model_is_float32_and_evaluates(folder):
    loaded = AttentionUNet.from_pretrained(folder)
    assert not loaded.training
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}


def test_constructor_arguments_and_training_record_survive(tmp_path):
    model = AttentionUNet(widths=(4, 8), residual=True)
    model.training_record = {"task": "low", "recipe": {"epochs": 3}, "init": None}
    model.save_pretrained(tmp_path)
    loaded = AttentionUNet.from_pretrained(str(tmp_path))
    assert loaded.config == model.config == {"widths": [4, 8], "residual": True}
    assert loaded.residual
    assert loaded.training_record == model.training_record


def test_a_second_save_replaces_the_first(model, folder):
    with torch.no_grad():
        model.head.bias += 1
    model.save_pretrained(folder)
    assert AttentionUNet.from_pretrained(folder).head.bias.item() == pytest.approx(model.head.bias.item(), abs=1e-3)


def test_the_weights_of_channels_last_models_survive(model, tmp_path):
    model.to(memory_format=torch.channels_last).save_pretrained(tmp_path, half=False)
    assert torch.equal(AttentionUNet.from_pretrained(tmp_path).head.weight, model.head.weight)


def test_a_missing_tensor_is_refused(folder):
    rewrite_weights(folder, lambda tensors: tensors.pop("head.bias"))
    assert "head.bias" in refusal(folder)


def test_missing_statistics_are_refused(folder):
    rewrite_weights(folder, lambda tensors: tensors.pop("bottleneck.2.running_mean"))
    assert "bottleneck.2.running_mean" in refusal(folder)


def test_an_extra_tensor_is_refused(folder):
    rewrite_weights(folder, lambda tensors: tensors.update(surprise=torch.zeros(2)))
    assert "surprise" in refusal(folder)


def test_a_tensor_of_another_shape_is_refused(folder):
    rewrite_weights(folder, lambda tensors: tensors.update({"head.bias": torch.zeros(2)}))
    assert "head.bias" in refusal(folder)


def test_a_config_of_another_size_is_refused(folder):
    rewrite_config(folder, config={"widths": [4, 8, 32]})
    assert "do not fit AttentionUNet" in refusal(folder)


@pytest.mark.parametrize("config", [{"depth": 3}, {"widths": 4}, {"widths": [4]}, {"widths": ["a", "b"]}])
def test_a_config_with_wrong_arguments_is_refused(folder, config):
    rewrite_config(folder, config=config)
    assert "do not fit AttentionUNet" in refusal(folder)


@pytest.mark.parametrize("size", [0, 5, 300, -10])
def test_truncated_weights_are_refused(folder, size):
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    assert "fetch them again" in refusal(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_missing_file_is_refused(folder, name):
    (folder / name).unlink()
    message = refusal(folder)
    assert f"has no {name}" in message and "save_pretrained" in message


def test_a_pickle_is_never_read(model, folder):
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert "has no model.safetensors" in refusal(folder)


@pytest.mark.parametrize("text", ["{broken", "", "[]", "null", '"text"', "{}", '{"architecture": "AttentionUNet"}'])
def test_a_broken_config_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    assert "config.json" in refusal(folder) and "no model configuration" in refusal(folder)


@pytest.mark.parametrize("record", [{"architecture": 3, "config": {}}, {"architecture": "AttentionUNet", "config": []}])
def test_a_config_of_other_types_is_refused(folder, record):
    (folder / "config.json").write_text(json.dumps(record))
    assert "no model configuration" in refusal(folder)


def test_a_config_that_is_no_text_is_refused(folder):
    (folder / "config.json").write_bytes(b"\xff\xfe\x00")
    assert "no model configuration" in refusal(folder)


def test_another_architecture_is_refused(tmp_path):
    OtherModel().save_pretrained(tmp_path)
    message = refusal(tmp_path)
    assert "OtherModel" in message and "AttentionUNet" in message


def test_a_class_outside_the_package_loads_its_own_folder(tmp_path):
    OtherModel().save_pretrained(tmp_path)
    assert isinstance(OtherModel.from_pretrained(tmp_path), OtherModel)


def test_read_config_gives_the_record(folder):
    record = read_config(folder)
    assert record["architecture"] == "AttentionUNet"
    assert record["config"] == {"widths": [4, 8, 16], "residual": False}
    assert record["training"] == {}
