import pytest
import torch
from safetensors.torch import load_file

from fer_denoise import Restorer
from fer_denoise.hub.sources import BUNDLE, bundled_models
from fer_denoise.models import UniversalRestorer
from train import bundle
from train.reporting.cards import is_unedited


def test_only_a_model_of_its_name_is_bundled(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "BUNDLE", tmp_path)
    without_weights = tmp_path / "run" / "model"
    without_weights.mkdir(parents=True)
    (without_weights / "config.json").write_bytes((BUNDLE / "universal" / "config.json").read_bytes())
    for pair, message in (
        (f"attention-unet-low={tmp_path / 'nowhere'}", "nowhere"),
        (f"universal={without_weights}", "has no model.safetensors"),
        (f"universal={BUNDLE / 'attention-unet-low'}", "holds attention-unet-low, not universal"),
        (f"universal={BUNDLE / 'emotion'}", "emotion"),
    ):
        with pytest.raises(SystemExit, match=message):
            bundle.main([pair])
    assert not list(tmp_path.glob("*/config.json"))
    bundle.main([f"universal={BUNDLE / 'universal'}"])
    assert (tmp_path / "universal" / "model.safetensors").is_file()
    with pytest.raises(SystemExit, match="nowhere"):
        bundle.main(["--results", str(tmp_path / "nowhere")])


def test_what_is_bundled_lies_there_in_half_precision(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "BUNDLE", tmp_path / "bundle")
    model = UniversalRestorer(widths=(4, 8), blocks=(1, 1))
    model.training_record = {"script": "train.universal", "task": "universal"}
    model.save_pretrained(tmp_path / "run", half=False)
    bundle.main([f"universal={tmp_path / 'run'}"])
    small, large = (folder / "model.safetensors" for folder in (tmp_path / "bundle" / "universal", tmp_path / "run"))
    assert {tensor.dtype for tensor in load_file(small).values()} == {torch.float16}
    loaded = Restorer.from_pretrained(small.parent).model.state_dict()
    assert {tensor.dtype for tensor in loaded.values()} == {torch.float32}
    assert all(torch.equal(loaded[name], tensor.half().float()) for name, tensor in load_file(large).items())


@pytest.mark.parametrize("name", bundled_models())
def test_bundled_weights_take_two_bytes_each(name):
    file = BUNDLE / name / "model.safetensors"
    stored = load_file(file)
    assert {tensor.dtype for key, tensor in stored.items() if "running_" not in key} <= {torch.float16, torch.int64}
    assert sum(tensor.numel() for tensor in stored.values()) * 2 < file.stat().st_size < 8_000_000


def test_bundling_keeps_an_edited_card(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "bundle" / "attention-unet-low"
    folder.mkdir(parents=True)
    for file in ("config.json", "model.safetensors"):
        (folder / file).write_bytes((BUNDLE / "attention-unet-low" / file).read_bytes())
    monkeypatch.setattr("fer_denoise.hub.sources.BUNDLE", tmp_path / "bundle")
    monkeypatch.setattr(bundle, "BUNDLE", tmp_path / "bundle")
    card = folder / "README.md"
    bundle.main([])
    written = card.read_text()
    assert is_unedited(written)
    card.write_text(written.replace("## Bias", "## Bias, as I see it"))
    bundle.main([])
    assert "as I see it" in card.read_text() and "edited by hand" in capsys.readouterr().out
    bundle.main(["--overwrite-card"])
    assert card.read_text() == written
