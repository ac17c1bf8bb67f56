import json

import pytest
from measuring import IMAGES
from published_networks import write_peers

from fer_denoise import Restorer
from train.measures import speed


@pytest.mark.slow
def test_speed_is_measured_side_by_side(run_benchmark, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(speed, "LEAST_SECONDS", 0)
    monkeypatch.setattr(speed, "ROUNDS", 2)
    monkeypatch.setattr(speed, "STARTS", 1)
    monkeypatch.setattr(speed, "BATCH", IMAGES)
    monkeypatch.setattr("fer_denoise.models.restoration.bf16_is_fast", lambda device: True)
    run_benchmark("--speed", "--models", "universal", "median")
    results = json.loads((tmp_path / "results" / speed.FILE).read_text())
    assert [row["model"] for row in results["models"]] == ["universal", "median", "universal, in float32"]
    assert all(row[key] > 0 for row in results["models"] for key in ("single_ms", "batch_ms"))
    assert all(seconds >= 0 for seconds in results["start"].values())
    printed = capsys.readouterr().out
    assert (
        "| `median` |" in printed
        and "| universal, in float32 |" in printed
        and f"{results['start']['load_s']:g} s to be loaded" in printed
    )
    assert f"Measured on {results['machine']}." in printed
    monkeypatch.setattr("fer_denoise.models.restoration.bf16_is_fast", lambda device: False)
    restorers = {name: Restorer.from_pretrained(name, device="cpu") for name in ("universal", "median")}
    assert speed.in_float32(restorers) == {}
    peers = write_peers(tmp_path / "peers")
    run_benchmark("--speed", "--models", "universal", "median", "FFDNet", "--peers", str(peers))
    assert "[FFDNet](https://arxiv.org/abs/1710.04026), Zhang et al. 2018, told sigma |" in capsys.readouterr().out
    # A table without it would take the place of this one.
    with pytest.raises(SystemExit, match="holds more, namely FFDNet"):
        run_benchmark("--speed", "--models", "universal", "median")
