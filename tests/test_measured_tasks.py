import json

import pytest
from measuring import IMAGES, rows_of
from published_networks import write_peers

from fer_denoise.evaluate import NOISY
from fer_denoise.hub.sources import BUNDLE
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.noise import TASKS
from fer_denoise.origin import ORIGIN_RECIPE
from train import benchmark


@pytest.mark.slow
def test_every_method_sees_the_same_noise_and_the_noisy_input_is_a_row(run_benchmark, make_faces, tmp_path):
    results = run_benchmark("--models", "median", "attention-unet-low", "--tasks", "low", "--samples")
    assert results["data"]["images"] == IMAGES
    assert results["data"]["unseen"] == IMAGES - 2
    rows = rows_of(results, "low")
    assert set(rows) == {NOISY, "median", "attention-unet-low"}
    clean = make_faces(IMAGES, seed=5)
    values = psnr(TASKS["low"](clean, seed=benchmark.TEST_SEED), clean)
    assert rows[NOISY]["psnr"] == pytest.approx(mean_psnr(values))
    assert rows[NOISY]["psnr_unseen"] == pytest.approx(mean_psnr(values[2:]))
    assert rows["attention-unet-low"]["psnr"] > rows["median"]["psnr"]
    readme = (tmp_path / "results" / "README.md").read_text()
    assert readme.startswith("before\n") and readme.endswith("after\n") and "old" not in readme
    assert f"{rows['median']['psnr']:.2f}" in readme
    assert f"| {rows['median']['psnr']:.2f} |" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "results" / "overview.png").is_file()
    assert (tmp_path / "outputs" / "samples-low.png").is_file()
    assert (tmp_path / "results" / "samples-low.png").is_file()


@pytest.mark.slow
def test_rows_measured_before_are_kept_and_repeat_exactly(run_benchmark, tmp_path):
    first = rows_of(run_benchmark("--models", "median", "switching-median", "--tasks", "salt_pepper"), "salt_pepper")
    second = rows_of(run_benchmark("--models", "median", "--tasks", "salt_pepper"), "salt_pepper")
    assert second == first
    for others in (("--seed", "8"), ("--images", "3")):
        with pytest.raises(SystemExit, match="move it away"):
            run_benchmark("--models", "median", "--tasks", "salt_pepper", *others)
    elsewhere = tmp_path / "elsewhere" / "results"
    readme = (tmp_path / "results" / "README.md").read_text()
    run_benchmark("--models", "median", "--tasks", "salt_pepper", "--seed", "8", "--out", str(elsewhere))
    other = rows_of(json.loads((elsewhere / "benchmark.json").read_text()), "salt_pepper")
    assert set(other) == {NOISY, "median"}
    assert other[NOISY]["psnr"] != first[NOISY]["psnr"]
    # The README's tables are those of the repository's own results.
    assert (tmp_path / "results" / "README.md").read_text() == readme


def test_a_model_by_the_origins_recipe_stands_beside_ours(run_benchmark, tmp_path):
    results = run_benchmark(
        "--models", "median", "--tasks", "low", "--origin-recipe", f"low={BUNDLE / 'attention-unet-low'}"
    )
    assert ORIGIN_RECIPE in rows_of(results, "low")
    assert ORIGIN_RECIPE in (tmp_path / "results" / "README.md").read_text()
    with pytest.raises(SystemExit, match="TASK=MODEL"):
        run_benchmark("--models", "median", "--origin-recipe", "nonsense")


def test_published_networks_stand_beside_ours_with_their_authors(run_benchmark, tmp_path):
    peers = write_peers(tmp_path / "peers")
    run_benchmark("--models", "median", "--tasks", "low")
    results = run_benchmark("--peers", str(peers), "--models", "DnCNN-B", "FFDNet", "--tasks", "low", "salt_pepper")
    rows = rows_of(results, "low")
    assert set(rows) == {NOISY, "median", "DnCNN-B", "FFDNet"}
    assert (rows["FFDNet"]["year"], rows["FFDNet"]["told"]) == (2018, "sigma")
    # Impulses have no sigma to be told.
    assert set(rows_of(results, "salt_pepper")) == {NOISY, "DnCNN-B"}
    readme = (tmp_path / "results" / "README.md").read_text()
    assert "| [FFDNet](https://arxiv.org/abs/1710.04026), Zhang et al. 2018, told sigma |" in readme
    assert "[DnCNN-B](https://arxiv.org/abs/1608.03981), Zhang et al. 2017, blind" in readme
    with pytest.raises(SystemExit, match="--peers FOLDER"):
        run_benchmark("--models", "DnCNN-B")
    with pytest.raises(SystemExit, match="no such file; fetch it"):
        run_benchmark("--models", "DnCNN-B", "--peers", str(tmp_path))
    with pytest.raises(SystemExit, match="no part in this measurement"):
        run_benchmark("--emotion", "--peers", str(peers))
