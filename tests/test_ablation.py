import json
from dataclasses import replace

import numpy as np
import pytest
from training_data import write_faces

from fer_denoise.pictures import write_picture
from train import ablation

SMALL = {"widths": (4, 8), "blocks": (1, 1)}


@pytest.fixture
def small(monkeypatch):
    variants = {
        name: replace(variant, network=SMALL, recipe={**variant.recipe, "batch_size": 8})
        for name, variant in ablation.VARIANTS.items()
    }
    monkeypatch.setattr(ablation, "VARIANTS", variants)


@pytest.mark.usefixtures("fresh_accelerator", "small", "few_drawings")
def test_variants_are_trained_once_and_compared(tmp_path, monkeypatch, make_faces, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    write_faces(tmp_path / "data", make_faces)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "training.md").write_text("<!-- ablation:start -->\n<!-- ablation:end -->\n")
    (tmp_path / "photos").mkdir()
    write_picture(tmp_path / "photos" / "0.png", np.random.default_rng(0).integers(256, size=(64, 64), dtype=np.uint8))
    options = ["--data", "data", "--pictures", "photos", "--seeds", "0", "1", "--epochs", "1", "--device", "cpu"]
    options += ["--variants", ablation.BASE]
    monkeypatch.setattr(ablation.hardware, "describe", lambda device: "one machine")
    ablation.main(options)
    results = json.loads((ablation.RESULTS / ablation.FILE).read_text())
    assert results["pictures"] == "photos"
    first = results["machines"]["one machine"]
    assert [(row["variant"], row["seed"]) for row in first] == [(ablation.BASE, 0), (ablation.BASE, 1)]
    ablation.main([*options, "no gates", "no biases", "mask of black and white pixels"])
    rows = json.loads((ablation.RESULTS / ablation.FILE).read_text())["machines"]["one machine"]
    assert len(rows) == 8 and [row for row in rows if row["variant"] == ablation.BASE] == first

    def mean(variant: str) -> float:
        return sum(row["validation_psnr"] for row in rows if row["variant"] == variant) / 2

    table = (tmp_path / "docs" / "training.md").read_text()
    assert f"| {mean('no gates') - mean(ablation.BASE):+z.2f} |" in table
    assert "| no gates |" in capsys.readouterr().out

    monkeypatch.setattr(ablation.hardware, "describe", lambda device: "another machine")
    ablation.main([*options[:-1], "no flips", "--seeds", "0"])
    machines = json.loads((ablation.RESULTS / ablation.FILE).read_text())["machines"]
    assert machines["one machine"] == rows and [row["variant"] for row in machines["another machine"]] == ["no flips"]
    table = (tmp_path / "docs" / "training.md").read_text()
    assert table.index("On one machine:") < table.index("| no gates |") < table.index("On another machine:")
