import numpy as np
import pytest
import torch
from training_data import write_faces

from fer_denoise.models import AttentionUNet
from train import rounding


def test_what_is_drawn_rounds_to_what_is_stored_and_is_something_else():
    stored = (torch.randn(10_000, generator=torch.Generator().manual_seed(0)) * 0.1).half().float()
    stored[:3] = torch.tensor([0.0, 1.0, -0.25])
    drawn = rounding.any_that_rounds_to(stored, np.random.default_rng(0))
    assert torch.equal(drawn.half().float(), stored)
    relative = ((drawn - stored) / stored.abs().clamp(min=2**-14)).abs()
    assert (relative > 0).float().mean() > 0.99 and 2**-12 < relative.max() <= 2**-11


def test_a_row_for_each_task_that_a_network_is_for(tmp_path, make_faces, capsys):
    torch.manual_seed(0)
    model = AttentionUNet(widths=(4, 8), residual=True)
    for record in ({"task": "universal"}, {"task": "high"}):
        model.training_record = record
        model.save_pretrained(tmp_path / record["task"])
    data = tmp_path / "data"
    data.mkdir()
    folders = [str(tmp_path / "universal"), str(tmp_path / "high")]
    rounding.main([*folders, "--data", str(write_faces(data, make_faces)), "--images", "2"])
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| `")]
    assert [row.split(" | ")[0].strip("| `") for row in rows] == [*folders[:1] * 3, folders[1]]
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}


def test_a_filter_has_nothing_to_round(tmp_path, make_faces):
    with pytest.raises(SystemExit, match="median: has no weights"):
        rounding.main(["median", "--data", str(write_faces(tmp_path, make_faces))])
