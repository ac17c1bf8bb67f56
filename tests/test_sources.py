import pytest
import torch
from huggingface_hub import ModelCard

from fer_denoise import Restorer, list_models
from fer_denoise.classical import available_filters
from fer_denoise.hub import sources
from fer_denoise.hub.sources import BUNDLE, ModelNotFoundError, bundled_models, is_repo_id, model_commit, model_folder
from fer_denoise.models import AttentionUNet
from fer_denoise.zoo import MODELS, bundled_restorers

NETWORKS = ["attention-unet-low", "attention-unet-high", "attention-unet-salt-pepper"]


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A bundle of two models in place of the package's."""
    monkeypatch.setattr(sources, "BUNDLE", tmp_path)
    torch.manual_seed(0)
    for name in ("attention-unet-low", "attention-unet-high"):
        AttentionUNet(widths=(4, 8)).save_pretrained(tmp_path / name)
    (tmp_path / "no-model").mkdir()
    return tmp_path


def refusal(source, **options) -> str:
    with pytest.raises(ModelNotFoundError) as caught:
        model_folder(source, **options)
    assert str(source) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(("source", "answer"), [("user/repo", True), ("a-b/c.d_e", True), ("repo", False)])
def test_hub_ids_are_user_and_repo(source, answer):
    assert is_repo_id(source) is answer


@pytest.mark.parametrize("source", ["a/b/c", "/a", "a/", "./a", "../a", "a b/c", ""])
def test_paths_are_no_hub_ids(source):
    assert not is_repo_id(source)


@pytest.mark.parametrize("name", bundled_restorers())
def test_bundled_models_are_complete_model_repos(name):
    assert {file.name for file in (BUNDLE / name).iterdir()} == {"README.md", "config.json", "model.safetensors"}
    card = ModelCard.load(BUNDLE / name / "README.md")
    assert card.data.pipeline_tag == "image-to-image"


def test_the_three_networks_are_bundled():
    assert set(NETWORKS) <= set(bundled_models())


@pytest.mark.parametrize("name", NETWORKS)
def test_bundled_networks_have_the_origins_architecture_and_a_training_record(name):
    model = AttentionUNet.from_pretrained(name)
    assert model.config["widths"] == [16, 32, 64, 128, 256]
    assert model.training_record["task"] == MODELS[name].task
    assert model.training_record["data"]["images"] == 28_709


def test_bundled_models_are_the_folders_with_a_config(bundle):
    assert bundled_models() == ["attention-unet-high", "attention-unet-low"]


def test_a_bundled_name_gives_its_folder(bundle):
    assert model_folder("attention-unet-low") == bundle / "attention-unet-low"


def test_a_bundled_name_wins_over_a_folder_in_the_working_directory(bundle, tmp_path, monkeypatch):
    (tmp_path / "elsewhere" / "attention-unet-low").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert model_folder("attention-unet-low") == bundle / "attention-unet-low"


def test_a_local_folder_is_taken_as_it_is(bundle):
    folder = bundle / "attention-unet-low"
    assert model_folder(folder) == model_folder(str(folder)) == folder


@pytest.mark.parametrize("revision", ["main", "v1"])
def test_what_is_not_on_the_hub_has_no_revision(bundle, revision):
    for source in ("attention-unet-low", bundle / "attention-unet-low"):
        assert f"has no revision {revision}; leave the revision out" in refusal(source, revision=revision)
        assert model_commit(source) is None
    for name in available_filters():
        with pytest.raises(ModelNotFoundError, match=f"{name}: is a filter and has no revision {revision}; leave"):
            Restorer.from_pretrained(name, revision=revision)


def test_an_unknown_name_lists_what_exists(bundle):
    message = refusal("attention-unet-medium")
    assert "attention-unet-high, attention-unet-low" in message and "user/repo" in message


@pytest.mark.parametrize("source", ["../missing", "/no/such/folder", "", "a/b/c", "-x/../y"])
def test_what_is_neither_name_nor_folder_nor_repo_is_refused(bundle, source, tmp_path, monkeypatch):
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(ModelNotFoundError):
        model_folder(source)


def test_a_hub_repo_is_not_asked_for_offline():
    message = refusal("someone/some-model")
    assert "unset HF_HUB_OFFLINE" in message and "bundled model" in message


def test_a_folder_with_only_a_pickle_is_refused(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    assert "has no model.safetensors" in refusal(tmp_path)


def test_list_models_names_bundled_networks_then_filters(bundle):
    assert list_models() == ["attention-unet-low", "attention-unet-high", *available_filters()]
