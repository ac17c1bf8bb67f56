import numpy as np
import pytest
from sets_on_disk import write_parquet

from fer_denoise import Restorer
from fer_denoise.colour import restore_colour
from fer_denoise.evaluate import NOISY
from fer_denoise.metrics import psnr
from train import benchmark
from train.measures import colour, natural_images


@pytest.mark.slow
def test_both_ways_of_restoring_colour_are_measured_on_the_same_noise(run_benchmark, make_faces, tmp_path):
    clean = np.stack([make_faces(1, seed=channel, shape=(64, 70))[0] for channel in range(3)], axis=-1)
    write_parquet(tmp_path / "test-kodak24.parquet", image=[clean, clean[::-1]])
    results = run_benchmark("--colour", str(tmp_path), "--images", "1")
    assert results["data"]["pictures"] == 1 and [row["sigma"] for row in results["rows"]] == list(colour.SIGMAS)
    row = results["rows"][-1]
    noisy = natural_images.with_noise(clean, row["sigma"] / 255, benchmark.TEST_SEED, 0)
    restorer = Restorer.from_pretrained("universal")
    for name, picture in ((NOISY, noisy), ("each channel", restorer(noisy))):
        assert row["psnr"][name] == pytest.approx(psnr(picture, clean), abs=0.01)
    expected = psnr(restore_colour(restorer, noisy), clean)
    assert row["psnr"]["luminance, chrominance"] == pytest.approx(expected, abs=0.01)
    assert all(seconds >= 0 for seconds in row["seconds"].values())
    assert (
        "1 pictures of Kodak24, in seconds of one core, measured on" in (tmp_path / "results" / "README.md").read_text()
    )
    with pytest.raises(SystemExit, match="measured otherwise"):
        run_benchmark("--colour", str(tmp_path))
