import json

import numpy as np
import pytest
import skimage

from fer_denoise import samples
from fer_denoise.evaluate import NOISY
from fer_denoise.hub.sources import bundled_models
from fer_denoise.noise import TASKS
from train.measures import generalisation


@pytest.mark.slow
def test_generalisation_measures_pictures_and_other_noise(run_benchmark, tmp_path, monkeypatch):
    small = {
        "a face": samples.sample_faces()["Astronaut (NASA)"][None],
        "no face": skimage.data.camera()[None, 200:248, :48],
    }
    monkeypatch.setattr(generalisation, "pictures", lambda: small)
    # The whole photo in colour, at half its size.
    halved = skimage.data.astronaut().reshape(256, 2, 256, 2, 3).mean(axis=(1, 3)).round().astype(np.uint8)
    monkeypatch.setattr(generalisation.data, "astronaut", lambda: halved)
    run_benchmark("--generalisation", "--models", "universal", *specialists(), "median", "switching-median")
    results = json.loads((tmp_path / "results" / generalisation.FILE).read_text())
    assert [(row["task"], row["pictures"]) for row in results["pictures"]] == [
        (task, title) for task in TASKS for title in small
    ]
    assert [row["noise"] for row in results["unseen"]] == list(generalisation.OTHER_NOISE)
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
    run_benchmark("--generalisation", "--models", "tv")
    more = json.loads(file.read_text())
    for row, old in zip([*more["pictures"], *more["unseen"]], [*results["pictures"], *results["unseen"]], strict=True):
        assert row["tv"] > 0 and all(row[name] == old[name] for name in ("universal", "median", NOISY))
        assert row[generalisation.BEST_FILTER][1] == max(row["tv"], old[generalisation.BEST_FILTER][1])
    more["made_of"]["universal"] = "other weights"
    file.write_text(json.dumps(more))
    with pytest.raises(SystemExit, match="needs universal among"):
        run_benchmark("--generalisation", "--models", "tv")
    with pytest.raises(SystemExit, match="measured otherwise"):
        run_benchmark("--generalisation", "--models", "tv", "--seed", "4")


def specialists() -> list[str]:
    return [name for name in bundled_models() if name.startswith("attention-unet")]


@pytest.mark.parametrize(("title", "corrupt"), generalisation.OTHER_NOISE.items())
def test_other_noise_is_reproducible_and_stays_in_range(title, corrupt):
    image = np.linspace(0, 1, 48 * 48).reshape(48, 48)
    one, again, other = (corrupt(image, np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert one.min() >= 0 and one.max() <= 1
    assert 0.002 < np.std(one - image) < 0.2
    # JPEG has nothing that is random.
    assert np.array_equal(one, other) == title.startswith("JPEG")
