import json

import pytest

from fer_denoise import list_models
from train import benchmark
from train.measures import throughput


@pytest.mark.slow
def test_throughput_is_that_of_the_command(run_benchmark, tmp_path):
    run_benchmark("--throughput", "--models", "universal", "median")
    results = json.loads((tmp_path / "results" / throughput.FILE).read_text())
    assert [(row["model"], row["images"]) for row in results["models"]] == [("universal", 6), ("median", 6)]
    assert all(row["per_second"] > 0 for row in results["models"])
    assert "| `median` | 6 |" in (tmp_path / "results" / "README.md").read_text()
    with pytest.raises(RuntimeError, match="no such file"):
        throughput.time_command("universal", tmp_path / "nowhere.parquet", tmp_path / "out.parquet", 1)


def test_without_a_choice_throughput_is_that_of_a_few_methods():
    chosen = benchmark.parse_args(["--throughput"]).models
    assert chosen == [name for name in throughput.METHODS if name in list_models()]
    assert benchmark.parse_args(["--throughput", "--models", "median"]).models == ["median"]
