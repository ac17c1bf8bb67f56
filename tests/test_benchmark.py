import json
from pathlib import Path

import datasets
import numpy as np
import pytest
from huggingface_hub import ModelCard

from fer_denoise import classical
from fer_denoise.evaluate import NOISY
from fer_denoise.hub import BUNDLE
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.noise import TASKS
from fer_denoise.origin import ORIGIN_RECIPE
from train import benchmark, cards, tune_classical

IMAGES = 12


@pytest.fixture(scope="module")
def data(tmp_path_factory, make_faces) -> Path:
    """A train and a test split that share two images."""
    folder = tmp_path_factory.mktemp("fer2013")
    faces = make_faces(IMAGES, seed=5)
    splits = {"train": np.concatenate([make_faces(4, seed=6), faces[:2]]), "validation": faces, "test": faces}
    for split, images in splits.items():
        rows = {"pixels": [image.ravel().tolist() for image in images], "emotion": [0] * len(images)}
        datasets.Dataset.from_dict(rows).to_parquet(folder / f"{split}.parquet")
    return folder


@pytest.fixture
def run(data, tmp_path, monkeypatch):
    """Run the benchmark in an empty folder with a README to fill; returns its results."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("before\n<!-- results:start -->\nold\n<!-- results:end -->\nafter\n")

    def run_benchmark(*options: str) -> dict:
        benchmark.main(["--data", str(data), "--workers", "1", "--no-samples", *options])
        return json.loads((tmp_path / "results" / "benchmark.json").read_text())

    return run_benchmark


def rows_of(results: dict, task: str) -> dict[str, dict]:
    return {row["model"]: row for row in results["tasks"][task]}


def test_every_method_sees_the_same_noise_and_the_noisy_input_is_a_row(run, make_faces, tmp_path):
    results = run("--models", "median", "attention-unet-low", "--tasks", "low", "--samples")
    assert results["data"]["images"] == IMAGES
    assert results["data"]["unseen"] == IMAGES - 2
    rows = rows_of(results, "low")
    assert set(rows) == {NOISY, "median", "attention-unet-low"}
    clean = make_faces(IMAGES, seed=5)
    values = psnr(TASKS["low"](clean, seed=benchmark.SEED), clean)
    assert rows[NOISY]["psnr"] == pytest.approx(mean_psnr(values))
    assert rows[NOISY]["psnr_unseen"] == pytest.approx(mean_psnr(values[2:]))
    assert rows["attention-unet-low"]["psnr"] > rows["median"]["psnr"]
    readme = (tmp_path / "README.md").read_text()
    assert readme.startswith("before\n") and readme.endswith("after\n") and "old" not in readme
    assert f"{rows['median']['psnr']:.2f}" in readme
    assert (tmp_path / "outputs" / "samples-low.png").is_file()
    assert (tmp_path / "results" / "samples-low.png").is_file()


def test_rows_measured_before_are_kept_and_repeat_exactly(run):
    first = rows_of(run("--models", "median", "switching-median", "--tasks", "salt_pepper"), "salt_pepper")
    second = rows_of(run("--models", "median", "--tasks", "salt_pepper"), "salt_pepper")
    assert second == first
    other = rows_of(run("--models", "median", "--tasks", "salt_pepper", "--seed", "8"), "salt_pepper")
    assert set(other) == {NOISY, "median"}
    assert other[NOISY]["psnr"] != first[NOISY]["psnr"]


def test_a_model_by_the_origins_recipe_stands_beside_ours(run, tmp_path):
    results = run("--models", "median", "--tasks", "low", "--origin-recipe", f"low={BUNDLE / 'attention-unet-low'}")
    assert ORIGIN_RECIPE in rows_of(results, "low")
    assert ORIGIN_RECIPE in (tmp_path / "README.md").read_text()
    with pytest.raises(SystemExit, match="TASK=MODEL"):
        run("--models", "median", "--origin-recipe", "nonsense")


def test_wrong_data_or_model_ends_with_a_message(run, tmp_path):
    with pytest.raises(SystemExit, match="no such file"):
        benchmark.main(["--data", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit, match="no such model"):
        run("--models", "nothing")


def test_tuning_picks_the_best_parameters_and_writes_them(data, tmp_path, monkeypatch):
    file = tmp_path / "classical.json"
    monkeypatch.setattr(tune_classical, "TUNED_FILE", file)
    tune_classical.main(["--data", str(data), "--filters", "switching-median", "tv", "--images", "3", "--workers", "1"])
    tuned = json.loads(file.read_text())["filters"]
    assert set(tuned) == {"switching-median", "tv"}
    assert set(tuned["tv"]["low"]["parameters"]) == {"strength"}
    assert set(tuned["tv"]["salt_pepper"]["parameters"]) == {"strength", "sigma"}
    assert tuned["tv"]["low"]["parameters"]["strength"] in tune_classical.GRIDS["tv"]["strength"]


def test_the_shipped_parameters_cover_every_filter_and_task():
    for name in classical.FILTERS:
        for task in TASKS:
            assert classical.tuned_parameters(name, task)


def test_a_card_holds_the_measured_numbers_and_machine_readable_results():
    results = json.loads((Path(__file__).parents[1] / "results" / "benchmark.json").read_text())
    card = cards.make_card("attention-unet-low", BUNDLE / "attention-unet-low", results)
    row = rows_of(results, "low")["attention-unet-low"]
    assert f"{row['psnr']:.2f}" in card.text
    assert {result.metric_type for result in card.data.eval_results} == {"psnr", "ssim"}
    assert card.data.license_name == "research-only"


@pytest.mark.parametrize("name", ["attention-unet-low", "attention-unet-high", "attention-unet-salt-pepper"])
def test_bundled_models_are_complete_model_repos(name):
    assert {file.name for file in (BUNDLE / name).iterdir()} == {"README.md", "config.json", "model.safetensors"}
    card = ModelCard.load(BUNDLE / name / "README.md")
    assert card.data.pipeline_tag == "image-to-image"
    config = json.loads((BUNDLE / name / "config.json").read_text())
    assert config["training"]["data"]["images"] == 28709
