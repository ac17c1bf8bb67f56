import contextlib
import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import datasets
import numpy as np
import pytest
import skimage
from huggingface_hub import ModelCard
from published_networks import write_peers

from fer_denoise import classical, list_models, samples
from fer_denoise.classical import FILTERS, ClassicalFilter
from fer_denoise.evaluate import NOISY, level_name, psnr_over_levels
from fer_denoise.hub.sources import BUNDLE, bundled_models
from fer_denoise.method import KnownNoise
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.noise import (
    TASKS,
    Composition,
    GaussianNoise,
    ImpulseNoise,
    SaltAndPepperNoise,
    StripeNoise,
    mixed_noise,
)
from fer_denoise.origin import ORIGIN_RECIPE
from fer_denoise.zoo import bundled_restorers
from train import benchmark, tune_classical
from train.measures import estimate, generalisation, noise_grid, oracle, recognition, speed, throughput, world
from train.measures.peers import Peer
from train.reporting import cards
from train.reporting.results import load_previous

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
    """Run the benchmark in an empty folder with pages to fill; returns its results."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("<!-- summary:start -->\n<!-- summary:end -->\n")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "README.md").write_text(
        "before\n<!-- results:start -->\nold\n<!-- results:end -->\n"
        + "".join(f"<!-- {name}:start -->\n<!-- {name}:end -->\n" for name in benchmark.MEASUREMENTS)
        + "after\n"
    )

    def run_benchmark(*options: str) -> dict:
        benchmark.main(["--data", str(data), "--workers", "1", "--no-samples", *options])
        file = tmp_path / "results" / "benchmark.json"
        return json.loads(file.read_text()) if file.exists() else {}

    return run_benchmark


def rows_of(results: dict, task: str) -> dict[str, dict]:
    return {row["model"]: row for row in results["tasks"][task]}


@pytest.mark.slow
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
    readme = (tmp_path / "results" / "README.md").read_text()
    assert readme.startswith("before\n") and readme.endswith("after\n") and "old" not in readme
    assert f"{rows['median']['psnr']:.2f}" in readme
    assert f"| {rows['median']['psnr']:.2f} |" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "results" / "overview.png").is_file()
    assert (tmp_path / "outputs" / "samples-low.png").is_file()
    assert (tmp_path / "results" / "samples-low.png").is_file()


def test_rows_measured_before_are_kept_and_repeat_exactly(run, tmp_path):
    first = rows_of(run("--models", "median", "switching-median", "--tasks", "salt_pepper"), "salt_pepper")
    second = rows_of(run("--models", "median", "--tasks", "salt_pepper"), "salt_pepper")
    assert second == first
    for others in (("--seed", "8"), ("--images", "3")):
        with pytest.raises(SystemExit, match="move it away"):
            run("--models", "median", "--tasks", "salt_pepper", *others)
    elsewhere = tmp_path / "elsewhere" / "results"
    readme = (tmp_path / "results" / "README.md").read_text()
    run("--models", "median", "--tasks", "salt_pepper", "--seed", "8", "--out", str(elsewhere))
    other = rows_of(json.loads((elsewhere / "benchmark.json").read_text()), "salt_pepper")
    assert set(other) == {NOISY, "median"}
    assert other[NOISY]["psnr"] != first[NOISY]["psnr"]
    # The README's tables are those of the repository's own results.
    assert (tmp_path / "results" / "README.md").read_text() == readme


def test_a_model_by_the_origins_recipe_stands_beside_ours(run, tmp_path):
    results = run("--models", "median", "--tasks", "low", "--origin-recipe", f"low={BUNDLE / 'attention-unet-low'}")
    assert ORIGIN_RECIPE in rows_of(results, "low")
    assert ORIGIN_RECIPE in (tmp_path / "results" / "README.md").read_text()
    with pytest.raises(SystemExit, match="TASK=MODEL"):
        run("--models", "median", "--origin-recipe", "nonsense")


def test_published_networks_stand_beside_ours_with_their_authors(run, tmp_path):
    peers = write_peers(tmp_path / "peers")
    run("--models", "median", "--tasks", "low")
    results = run("--peers", str(peers), "--models", "DnCNN-B", "FFDNet", "--tasks", "low", "salt_pepper")
    rows = rows_of(results, "low")
    assert set(rows) == {NOISY, "median", "DnCNN-B", "FFDNet"}
    assert (rows["FFDNet"]["year"], rows["FFDNet"]["told"]) == (2018, "sigma")
    # Impulses have no sigma to be told.
    assert set(rows_of(results, "salt_pepper")) == {NOISY, "DnCNN-B"}
    readme = (tmp_path / "results" / "README.md").read_text()
    assert "| [FFDNet](https://arxiv.org/abs/1710.04026), Zhang et al. 2018, told sigma |" in readme
    assert "[DnCNN-B](https://arxiv.org/abs/1608.03981), Zhang et al. 2017, blind" in readme
    with pytest.raises(SystemExit, match="--peers FOLDER"):
        run("--models", "DnCNN-B")
    with pytest.raises(SystemExit, match="no such file; fetch it"):
        run("--models", "DnCNN-B", "--peers", str(tmp_path))
    with pytest.raises(SystemExit, match="no part in this measurement"):
        run("--emotion", "--peers", str(peers))


def test_wrong_data_or_model_ends_with_a_message(run, tmp_path):
    with pytest.raises(SystemExit, match="no such file"):
        benchmark.main(["--data", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit, match="no such model"):
        run("--models", "nothing")
    with pytest.raises(SystemExit, match=r"train\.bundle"):
        run("--models", str(BUNDLE / "attention-unet-low"))
    with pytest.raises(SystemExit, match="needs universal"):
        run("--models", "median", "--variants")
    with pytest.raises(SystemExit, match="needs attention-unet-low"):
        run("--models", "universal", "median", "--generalisation")


@pytest.mark.slow
def test_a_part_of_what_was_measured_does_not_take_its_place(run, tmp_path, monkeypatch):
    monkeypatch.setattr(recognition, "LEVELS", ((0, 0),))
    monkeypatch.setattr(recognition, "KINDS", ())
    run("--emotion", "--models", "median", "switching-median")
    file = tmp_path / "results" / recognition.FILE
    whole = file.read_bytes()
    with pytest.raises(SystemExit, match="choose another --out"):
        run("--emotion", "--models", "median")
    for otherwise in (("--images", "3"), ("--seed", "8")):
        with pytest.raises(SystemExit, match="measured otherwise"):
            run("--emotion", "--models", "median", "switching-median", *otherwise)
    assert file.read_bytes() == whole
    run("--emotion", "--models", "median", "switching-median", "tv")
    assert file.read_bytes() != whole


def test_results_of_other_faces_are_not_written_over(tmp_path):
    file = tmp_path / "some.json"
    conditions = {"data": {"images": 3}, "seed": 3}
    assert load_previous(file, conditions) == {}
    file.write_text(json.dumps({**conditions, "tasks": {"low": []}}))
    assert load_previous(file, conditions)["tasks"] == {"low": []}
    with pytest.raises(SystemExit, match="move it away"):
        load_previous(file, {**conditions, "data": {"images": 2}})


def test_tuning_picks_the_best_parameters_and_writes_them(data, tmp_path, monkeypatch):
    file = tmp_path / "classical.json"
    monkeypatch.setattr(tune_classical, "TUNED_FILE", file)
    tune_classical.main(["--data", str(data), "--filters", "switching-median", "tv", "--images", "3", "--workers", "1"])
    tuned = json.loads(file.read_text())["filters"]
    assert set(tuned) == {"switching-median", "tv"}
    assert set(tuned["tv"]["low"]["parameters"]) == {"strength"}
    assert set(tuned["tv"]["salt_pepper"]["parameters"]) == {"strength", "sigma"}
    assert tuned["tv"]["low"]["parameters"]["strength"] in FILTERS["tv"].grid["strength"]


def test_a_filter_is_tuned_behind_the_switching_median_or_alone_whichever_is_better(make_faces, monkeypatch):
    monkeypatch.setattr(tune_classical, "LEVEL_AMOUNTS", (0, 0.1))
    clean = make_faces(2)
    with ThreadPoolExecutor(1) as pool:
        tuned = tune_classical.tune_levels("tv", clean, pool, (0.02, 0.2))
    levels = {(level["sigma"], level["amount"]): level for level in tuned}
    assert "impulse_threshold" not in levels[0.02, 0]["parameters"]
    assert levels[0.02, 0.1]["parameters"]["impulse_threshold"] in tune_classical.IMPULSE_THRESHOLDS
    # Nothing that was tried is better, alone or not.
    level = levels[0.2, 0.1]
    noisy = mixed_noise(clean, 0.2, 0.1, seed=tune_classical.SEED)
    for strength in FILTERS["tv"].grid["strength"]:
        alone = tune_classical.score({"strength": strength, "sigma": 0.2}, "tv", noisy, clean)
        assert level["validation_psnr"] >= round(alone, 3)
    found = {**level["parameters"], "sigma": 0.2}
    assert level["validation_psnr"] == round(tune_classical.score(found, "tv", noisy, clean), 3)


def test_a_card_holds_the_measured_numbers_and_machine_readable_results():
    results = json.loads((Path(__file__).parents[1] / "results" / "benchmark.json").read_text())
    card = cards.make_card("attention-unet-low", BUNDLE / "attention-unet-low", results)
    row = rows_of(results, "low")["attention-unet-low"]
    assert f"{row['psnr']:.2f}" in card.text
    assert {result.metric_type for result in card.data.eval_results} == {"psnr", "ssim"}
    assert card.data.license_name == "research-only"


@pytest.mark.parametrize("name", bundled_restorers())
def test_bundled_models_are_complete_model_repos(name):
    assert {file.name for file in (BUNDLE / name).iterdir()} == {"README.md", "config.json", "model.safetensors"}
    card = ModelCard.load(BUNDLE / name / "README.md")
    assert card.data.pipeline_tag == "image-to-image"


@pytest.fixture
def small_grid(monkeypatch):
    monkeypatch.setattr(noise_grid, "SIGMAS", (0, 0.06))
    monkeypatch.setattr(noise_grid, "AMOUNTS", (0, 0.1))


@pytest.mark.slow
@pytest.mark.usefixtures("small_grid")
def test_the_noise_grid_sets_the_universal_restorer_against_the_best_filter(run, tmp_path, make_faces, capsys):
    def run_grid(*models: str) -> dict:
        run("--surface", "--models", *models)
        return json.loads((tmp_path / "results" / noise_grid.FILE).read_text())

    results = run_grid("universal", "switching-median")
    clean = make_faces(IMAGES, seed=5)
    noisy = mixed_noise(clean, 0.06, 0.1, seed=benchmark.SEED)
    values = {name: psnr_over_levels(results, name) for name in results["methods"]}
    assert set(values) == {NOISY, "universal", "switching-median"}
    assert values[NOISY][1, 1] == pytest.approx(mean_psnr(psnr(noisy, clean)), abs=1e-3)
    assert values[NOISY][0, 0] == 100
    restored = ClassicalFilter("switching-median").restore(noisy, KnownNoise(0.06, 0.1))
    assert values["switching-median"][1, 1] == pytest.approx(mean_psnr(psnr(restored, clean)), abs=1e-3)
    best = np.maximum(values[NOISY], values["switching-median"])
    np.testing.assert_allclose(noise_grid.margin(results, "universal"), values["universal"] - best)
    assert (tmp_path / "results" / "surface.png").is_file()
    printed = capsys.readouterr().out
    assert f"{values['universal'][1, 1]:.2f} ({values['universal'][1, 1] - best[1, 1]:+.2f}" in printed
    readme = (tmp_path / "results" / "README.md").read_text()
    assert f"{values['universal'][1, 1]:.2f} ({values['universal'][1, 1] - best[1, 1]:+.2f})" in readme
    # What is there is not measured again.
    assert set(run_grid("median")["methods"]) == {*values, "median"}


def test_the_estimate_is_held_against_the_truth(run, tmp_path, monkeypatch):
    kinds = {
        "Gaussian": {"sigma 0.1": GaussianNoise(0.1)},
        "salt-and-pepper": {"10%": SaltAndPepperNoise(0.1)},
        "Gaussian and random impulses": {"both": Composition((GaussianNoise(0.06), ImpulseNoise(0.1)))},
    }
    monkeypatch.setattr(world, "KINDS", kinds)
    run("--estimate")
    gaussian, impulses, mixed = json.loads((tmp_path / "results" / estimate.FILE).read_text())["rows"]
    # Clipping takes a little of the noise away.
    assert 0.08 < gaussian["true_sigma"] < 0.1 and gaussian["sigma_error"] < 0.02
    assert gaussian["lost"] == 0 and "found" not in gaussian
    assert impulses["lost"] == pytest.approx(0.1, abs=0.01) and impulses["true_sigma"] == 0
    assert impulses["found"] > 0.9 and impulses["accused"] < 0.01
    assert {"true_sigma", "lost"}.isdisjoint(mixed) and mixed["amount"] > 0.02
    shown = f"| Gaussian | sigma 0.1 | {gaussian['true_sigma']:.3f} |"
    assert shown in (tmp_path / "results" / "README.md").read_text()
    for otherwise in (("--images", "3"), ("--seed", "8")):
        with pytest.raises(SystemExit, match="measured otherwise"):
            run("--estimate", *otherwise)
    with pytest.raises(SystemExit, match="only universal estimates noise"):
        run("--estimate", "--models", "median")


@pytest.mark.slow
def test_the_world_sets_everything_beside_filters_that_know_the_answer(run, tmp_path, make_faces, monkeypatch, capsys):
    kinds = {"impulses": {"10%": ImpulseNoise(0.1)}, "rows": {"sigma 0.1": StripeNoise(0.1)}}
    monkeypatch.setattr(world, "KINDS", kinds)
    monkeypatch.setattr(world, "HARMLESS", ["round on white"])
    monkeypatch.setattr(world, "FIRST", 5)
    slow = dataclasses.replace(oracle.FILTERS["tv"], most=5)
    monkeypatch.setitem(oracle.FILTERS, "tv", slow)
    peers = write_peers(tmp_path / "peers")
    names = ["universal", "attention-unet-low", "median", "gaussian-blur", "tv", "DnCNN-B", "FDnCNN"]
    run("--world", "--models", *names, "--peers", str(peers))
    file = tmp_path / "results" / world.FILE
    results = json.loads(file.read_text())
    # What has to be told sigma has no part in it.
    assert set(results["methods"]) == {NOISY, *names} - {"FDnCNN"}
    cells = ["impulses: 10%", "rows: sigma 0.1", "round on white: clean", "round on white: sigma 0.06"]
    assert all(list(method["cells"]) == cells for method in results["methods"].values())
    clean = make_faces(IMAGES, seed=5)
    noisy = ImpulseNoise(0.1)(clean, seed=benchmark.SEED)
    medians = np.stack([classical.median(image, 0, size=3) for image in noisy])
    of_median = dict(results["methods"]["median"]["cells"]["impulses: 10%"])
    assert of_median["psnr"] == pytest.approx(mean_psnr(psnr(medians, clean)), abs=1e-3)
    assert of_median["psnr_first"] == pytest.approx(mean_psnr(psnr(medians[:5], clean[:5])), abs=1e-3)
    assert of_median["parameters"]["size"] == 3
    assert results["methods"][NOISY]["cells"]["round on white: clean"]["psnr"] == 100
    # A slow filter is measured on the first images, and compared there.
    of_tv = results["methods"]["tv"]["cells"]["impulses: 10%"]
    assert of_tv["psnr"] == of_tv["psnr_first"]
    of_ours = results["methods"]["universal"]["cells"]["impulses: 10%"]
    gains = world.rivals(results, "impulses: 10%")
    assert gains["tv"] == pytest.approx(of_tv["psnr"] - of_ours["psnr_first"])
    assert gains["median"] == pytest.approx(of_median["psnr"] - of_ours["psnr"])
    printed = capsys.readouterr().out
    unharmed = results["methods"]["universal"]["cells"]["round on white: clean"]["psnr"]
    assert f"round on white: clean: universal leaves {unharmed:.1f} dB" in printed and "of 3 noisy cells" in printed
    table = (tmp_path / "results" / "README.md").read_text()
    assert "| `tv`, oracle, first 5 (`universal` there) |" in table
    assert f"{of_median['psnr']:.2f}" in table.replace("**", "") and " (median) |" in table

    # What is named is measured anew, the rest is kept.
    results["methods"]["median"]["cells"]["impulses: 10%"]["psnr"] = 1.0
    results["methods"]["universal"]["cells"]["impulses: 10%"]["psnr"] = 2.0
    file.write_text(json.dumps(results))
    run("--world", "--models", "median")
    again = json.loads(file.read_text())["methods"]
    assert again["median"]["cells"]["impulses: 10%"] == of_median
    assert again["universal"]["cells"]["impulses: 10%"]["psnr"] == 2.0


@pytest.mark.slow
@pytest.mark.usefixtures("small_grid")
def test_published_networks_are_rivals_on_gaussian_noise_alone(run, tmp_path, make_faces, capsys):
    peers = write_peers(tmp_path / "peers")
    names = ["DnCNN-B", "FDnCNN"]
    run("--surface", "--models", "universal", *names, "--peers", str(peers))
    file = tmp_path / "results" / noise_grid.FILE
    results = json.loads(file.read_text())
    clean = make_faces(IMAGES, seed=5)
    restored = Peer("FDnCNN", peers)(mixed_noise(clean, 0.06, 0, seed=benchmark.SEED), 0.06)
    of_peer, level = results["methods"]["FDnCNN"]["cells"], level_name(0.06, 0)
    assert list(of_peer) == [level_name(0, 0), level]
    assert of_peer[level] == pytest.approx(mean_psnr(psnr(restored, clean)), abs=1e-3)
    # One that did better would take the margin, without impulses.
    of_peer[level] = 50.0
    values = psnr_over_levels(results, "universal")
    assert noise_grid.margin(results, "universal")[1, 0] == pytest.approx(values[1, 0] - 50)
    assert noise_grid.margin(results, "universal")[1, 1] > 0
    table = noise_grid.peers_table(results, "universal")
    assert "| 0.06 |" in table and "**50.00**" in table
    assert "told sigma" in capsys.readouterr().out
    file.write_text(json.dumps(results))
    # What is there is not measured again.
    run("--surface", "--models", *names, "--peers", str(peers))
    assert json.loads(file.read_text())["methods"]["FDnCNN"]["cells"] == of_peer


@pytest.mark.usefixtures("small_grid")
def test_an_interrupted_noise_grid_goes_on(run, tmp_path, monkeypatch):
    seen = []

    def restore(restorer, noisy, known, pool):
        seen.append(tuple(known))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return noisy

    monkeypatch.setattr(noise_grid, "restore", restore)
    for _ in range(2):
        with contextlib.suppress(KeyboardInterrupt):
            run("--surface", "--models", "median")
    assert seen == [(0, 0), (0, 0.1), (0.06, 0), (0.06, 0), (0.06, 0.1)]


@pytest.mark.usefixtures("small_grid")
def test_what_the_noise_grid_measured_of_other_weights_or_parameters_is_measured_anew(run, monkeypatch):
    seen = []

    def restore(restorer, noisy, known, pool):
        seen.append(restorer.name)
        return noisy

    def measured() -> list[str]:
        seen.clear()
        run("--surface", "--models", "median", "attention-unet-low")
        return sorted(set(seen))

    monkeypatch.setattr(noise_grid, "restore", restore)
    assert measured() == ["attention-unet-low", "median"] and len(seen) == 8
    assert measured() == []
    monkeypatch.setattr(noise_grid, "weights_of", lambda name: {"weights": "other"})
    assert measured() == ["attention-unet-low"] and len(seen) == 4
    monkeypatch.setattr(noise_grid, "level_parameters", lambda name, sigma, amount: {"size": 7 if amount else 3})
    assert measured() == ["median"] and len(seen) == 4
    assert measured() == []


def test_filters_stand_behind_the_switching_median_where_there_are_impulses(make_faces):
    clean = make_faces(2)
    noisy = mixed_noise(clean, 0.06, 0.1, seed=0)
    parameters = classical.level_parameters("wavelet", 0.06, 0.1)
    threshold = parameters.pop("impulse_threshold")
    switched = ClassicalFilter("switching-median", {"threshold": threshold})(noisy, 0.06)
    expected = ClassicalFilter("wavelet", parameters)(switched, 0.06)
    np.testing.assert_array_equal(ClassicalFilter("wavelet").restore(noisy, KnownNoise(0.06, 0.1)), expected)
    # Alone where there are none.
    noisy = mixed_noise(clean, 0.06, 0, seed=0)
    expected = ClassicalFilter("wavelet", classical.level_parameters("wavelet", 0.06, 0))(noisy, 0.06)
    np.testing.assert_array_equal(ClassicalFilter("wavelet").restore(noisy, KnownNoise(0.06, 0.0)), expected)


@pytest.mark.slow
def test_generalisation_measures_pictures_and_unseen_noise(run, tmp_path, monkeypatch):
    small = {
        "a face": samples.sample_faces()["Astronaut (NASA)"][None],
        "no face": skimage.data.camera()[None, 200:248, :48],
    }
    monkeypatch.setattr(generalisation, "pictures", lambda: small)
    run("--generalisation", "--models", "universal", *specialists(), "median", "switching-median")
    results = json.loads((tmp_path / "results" / generalisation.FILE).read_text())
    assert [(row["task"], row["pictures"]) for row in results["pictures"]] == [
        (task, title) for task in TASKS for title in small
    ]
    assert [row["noise"] for row in results["unseen"]] == list(generalisation.UNSEEN)
    for row in [*results["pictures"], *results["unseen"]]:
        name, value = row[generalisation.BEST_FILTER]
        assert value == max(row["median"], row["switching-median"]) == row[name]
    for row in results["colour"]:
        assert row["each channel"] > max(row["luminance only"], row[NOISY])
        # In the luminance of three channels, impulses are no longer black and white.
        assert row["luminance only"] > row[NOISY] or row["task"] == "salt_pepper"
    in_readme = (tmp_path / "results" / "README.md").read_text()
    assert f"{results['unseen'][0]['universal']:.2f}" in in_readme

    # One alone is measured anew, the others are kept as long as they are made of the same.
    file = tmp_path / "results" / generalisation.FILE
    run("--generalisation", "--models", "tv")
    more = json.loads(file.read_text())
    for row, old in zip([*more["pictures"], *more["unseen"]], [*results["pictures"], *results["unseen"]], strict=True):
        assert row["tv"] > 0 and all(row[name] == old[name] for name in ("universal", "median", NOISY))
        assert row[generalisation.BEST_FILTER][1] == max(row["tv"], old[generalisation.BEST_FILTER][1])
    more["made_of"]["universal"] = "other weights"
    file.write_text(json.dumps(more))
    with pytest.raises(SystemExit, match="needs universal among"):
        run("--generalisation", "--models", "tv")
    with pytest.raises(SystemExit, match="measured otherwise"):
        run("--generalisation", "--models", "tv", "--seed", "4")


def specialists() -> list[str]:
    return [name for name in bundled_models() if name.startswith("attention-unet")]


@pytest.mark.parametrize(("title", "corrupt"), generalisation.UNSEEN.items())
def test_unseen_noise_is_reproducible_and_stays_in_range(title, corrupt):
    image = np.linspace(0, 1, 48 * 48).reshape(48, 48)
    one, again, other = (corrupt(image, np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert one.min() >= 0 and one.max() <= 1
    assert 0.002 < np.std(one - image) < 0.2
    # JPEG has nothing that is random.
    assert np.array_equal(one, other) == title.startswith("JPEG")


@pytest.mark.slow
def test_emotions_are_recognised_before_and_after(run, tmp_path, monkeypatch):
    monkeypatch.setattr(recognition, "LEVELS", ((0, 0), (0.3, 0)))
    monkeypatch.setattr(recognition, "KINDS", (("gray levels", "8"),))
    names = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
    votes = ["Usage,Image name," + ",".join(names), *["PrivateTest,a.png,0,0,0,0,9,1,0,0,0,0"] * IMAGES]
    (tmp_path / "votes.csv").write_text("\n".join(votes))
    chosen = ("--emotion", "--models", "universal", "median", "--votes", str(tmp_path / "votes.csv"))

    def interrupt(cell: recognition.Cell, *args) -> list:
        if not cell.level:
            raise KeyboardInterrupt
        return measure_cell(cell, *args)

    measure_cell = recognition.measure_cell
    with monkeypatch.context() as patch:
        patch.setattr(recognition, "measure_cell", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(*chosen)

    def measured_already(cell: recognition.Cell, *args) -> list:
        assert not cell.level
        return measure_cell(cell, *args)

    with monkeypatch.context() as patch:
        patch.setattr(recognition, "measure_cell", measured_already)
        run(*chosen)
    results = json.loads((tmp_path / "results" / recognition.FILE).read_text())
    assert set(results["classifiers"]) == {"emotion", "emotion-noise"}
    assert results["data"]["images"] == IMAGES and len(results["levels"]) == 2
    assert {row["method"] for row in results["rows"]} == {NOISY, "universal", "median"}
    assert [row["faces"] for row in results["rows"]] == [IMAGES] * 12 and results["made_of"]["votes"]
    assert all(row["votes"]["accuracy"] >= 0 for row in results["rows"])
    page = (tmp_path / "results" / "README.md").read_text()
    assert f"| sigma 0.3, impulses 0% | {results['levels'][1]['noisy']:.1%} |" in page and "| gray levels: 8 |" in page
    with pytest.raises(SystemExit, match="leave out --votes"):
        run("--speed", "--models", "median", "--votes", str(tmp_path / "votes.csv"))


@pytest.mark.slow
def test_speed_is_measured_side_by_side(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(speed, "LEAST_SECONDS", 0)
    monkeypatch.setattr(speed, "ROUNDS", 2)
    monkeypatch.setattr(speed, "STARTS", 1)
    monkeypatch.setattr(speed, "BATCH", IMAGES)
    run("--speed", "--models", "universal", "median")
    results = json.loads((tmp_path / "results" / speed.FILE).read_text())
    assert [row["model"] for row in results["models"]] == ["universal", "median"]
    assert all(row[key] > 0 for row in results["models"] for key in ("single_ms", "batch_ms"))
    assert all(seconds >= 0 for seconds in results["start"].values())
    printed = capsys.readouterr().out
    assert "| `median` |" in printed and f"{results['start']['load_s']:g} s to be loaded" in printed
    assert f"Measured on {results['machine']}." in printed
    peers = write_peers(tmp_path / "peers")
    run("--speed", "--models", "universal", "median", "FFDNet", "--peers", str(peers))
    assert "[FFDNet](https://arxiv.org/abs/1710.04026), Zhang et al. 2018, told sigma |" in capsys.readouterr().out
    # A table without it would take the place of this one.
    with pytest.raises(SystemExit, match="holds more, namely FFDNet"):
        run("--speed", "--models", "universal", "median")


@pytest.mark.slow
def test_throughput_is_that_of_the_command(run, tmp_path):
    run("--throughput", "--models", "universal", "median")
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


@pytest.mark.parametrize("measured", ["--speed", "--throughput"])
def test_nothing_to_measure_is_said_so(run, measured):
    with pytest.raises(SystemExit, match="names none"):
        run(measured, "--models")
