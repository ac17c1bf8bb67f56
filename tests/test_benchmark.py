import pytest

from fer_denoise.hub.sources import BUNDLE
from train import benchmark


def test_wrong_data_or_model_ends_with_a_message(run_benchmark, tmp_path):
    with pytest.raises(SystemExit, match="no such file"):
        benchmark.main(["--data", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit, match="no such model"):
        run_benchmark("--models", "nothing")
    with pytest.raises(SystemExit, match=r"train\.bundle"):
        run_benchmark("--models", str(BUNDLE / "attention-unet-low"))
    with pytest.raises(SystemExit, match="needs universal"):
        run_benchmark("--models", "median", "--variants")
    with pytest.raises(SystemExit, match="needs attention-unet-low"):
        run_benchmark("--models", "universal", "median", "--generalisation")


@pytest.mark.parametrize("measured", ["--speed", "--throughput"])
def test_nothing_to_measure_is_said_so(run_benchmark, measured):
    with pytest.raises(SystemExit, match="names none"):
        run_benchmark(measured, "--models")
