import json
from dataclasses import replace

import pytest
import torch
from training_data import write_faces

from fer_denoise.models import UniversalRestorer
from train import ablation

SMALL = {"widths": (4, 8), "blocks": (1, 1)}


@pytest.fixture
def small(monkeypatch):
    variants = {
        name: replace(variant, network=SMALL, recipe={**variant.recipe, "batch_size": 8})
        for name, variant in ablation.VARIANTS.items()
    }
    monkeypatch.setattr(ablation, "VARIANTS", variants)


@pytest.mark.usefixtures("fresh_accelerator", "small")
def test_variants_are_trained_once_and_compared(tmp_path, monkeypatch, make_faces, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    write_faces(tmp_path / "data", make_faces)
    (tmp_path / "README.md").write_text("<!-- ablation:start -->\n<!-- ablation:end -->\n")
    options = ["--data", "data", "--seeds", "0", "1", "--epochs", "1", "--device", "cpu", "--variants", ablation.BASE]
    ablation.main(options)
    first = json.loads(ablation.FILE.read_text())["rows"]
    assert [(row["variant"], row["seed"]) for row in first] == [(ablation.BASE, 0), (ablation.BASE, 1)]
    ablation.main([*options, "no gates", "no biases", "no mask and no pre-fill"])
    rows = json.loads(ablation.FILE.read_text())["rows"]
    assert len(rows) == 8 and [row for row in rows if row["variant"] == ablation.BASE] == first

    def mean(variant: str) -> float:
        return sum(row["validation_psnr"] for row in rows if row["variant"] == variant) / 2

    table = (tmp_path / "README.md").read_text()
    assert f"| {mean('no gates') - mean(ablation.BASE):+z.2f} |" in table
    assert "| no gates |" in capsys.readouterr().out


@torch.no_grad()
def test_each_alteration_does_what_it_says():
    def make() -> UniversalRestorer:
        torch.manual_seed(0)
        model = UniversalRestorer(**SMALL).eval()
        torch.nn.init.normal_(model.head.weight, std=0.05)
        return model

    def count(model) -> int:
        return sum(parameter.numel() for parameter in model.parameters())

    noisy = torch.rand(1, 1, 16, 16).mul(0.8).add(0.1)
    assert count(ablation.without_gates(make())) < count(make())
    unbiased = ablation.without_biases(make())
    assert unbiased.encoders[0][0].first.bias is None and unbiased.head.bias is not None
    # Nothing is masked in this picture, so the network sees the same.
    torch.testing.assert_close(ablation.undetecting(make())(noisy), make()(noisy))
    noisy[0, 0, 3, 3] = 1
    assert not torch.allclose(ablation.undetecting(make())(noisy), make()(noisy), atol=1e-3)
