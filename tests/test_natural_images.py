import io
import json
import sys

import datasets
import numpy as np
import pytest
from PIL import Image
from published_networks import write_peers

from fer_denoise import Restorer, classical
from fer_denoise.colour import restore_colour
from fer_denoise.data import DataError
from fer_denoise.evaluate import NOISY
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.noise import gaussian_noise
from train import benchmark
from train.measures import colour, natural_images, real_noise
from train.measures.peers import Peer
from train.reporting.results import Scores
from train.shared.picture_sets import find_set, read_pairs, read_set

SEED = benchmark.SEED


def png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def write_parquet(file, **columns: list[np.ndarray]) -> None:
    rows = {name: [{"bytes": png(picture), "path": None} for picture in each] for name, each in columns.items()}
    features = datasets.Features({name: datasets.Image() for name in columns})
    datasets.Dataset.from_dict(rows, features=features).to_parquet(file)


@pytest.fixture
def drawn(tmp_path, make_faces):
    """Small sets of each kind, by name, and the folder that holds them."""
    folder = tmp_path / "sets"
    (folder / "BSD68").mkdir(parents=True)
    sets = {
        "Set12": list(make_faces(2, shape=(16, 20))),
        "BSD68": list(make_faces(1, seed=1, shape=(20, 16))),
        "Kodak24": list(np.stack([make_faces(2, seed=2 + channel, shape=(16, 16)) for channel in range(3)], axis=-1)),
        "Classic5": list(make_faces(1, seed=5, shape=(24, 24))),
    }
    for name in ("Set12", "Kodak24", "Classic5"):
        write_parquet(folder / f"test-{name.lower()}.parquet", image=sets[name])
    write_parquet(folder / "train-bsd400.parquet", image=sets["Set12"])
    Image.fromarray(sets["BSD68"][0]).save(folder / "BSD68" / "one.png")
    return folder, sets


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the benchmark in an empty folder; returns the file of its results."""
    monkeypatch.chdir(tmp_path)

    def run_benchmark(name: str, *options: str) -> dict:
        (tmp_path / "results").mkdir(exist_ok=True)
        (tmp_path / "results" / "README.md").write_text(f"<!-- {name}:start -->\n<!-- {name}:end -->\n")
        benchmark.main([f"--{name}", *options, "--workers", "1"])
        return json.loads((tmp_path / "results" / f"{name}.json").read_text())

    return run_benchmark


@pytest.fixture
def fake_bm3d(tmp_path, monkeypatch):
    """A package of that name that makes everything gray, or in colour black."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "bm3d.py").write_text(
        "def bm3d(z, sigma_psd):\n    return 0 * z + 0.5\ndef bm3d_rgb(z, sigma_psd):\n    return 0 * z\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.delitem(sys.modules, "bm3d", raising=False)


@pytest.mark.usefixtures("fake_bm3d")
def test_every_method_restores_the_sets_of_the_field(run, drawn, tmp_path):
    folder, sets = drawn
    peers = write_peers(tmp_path / "peers")
    names = ("universal", "bm3d", "DnCNN-B", "FDnCNN")
    results = run("pictures", str(folder), "--models", *names, "--peers", str(peers))
    cells = {name: method["cells"] for name, method in results["methods"].items()}
    assert list(cells) == [NOISY, *names]
    assert len(cells[NOISY]) == 3 * 3 + 4
    # Without a sigma, nothing can be told it.
    assert list(cells["universal"]) == list(cells["DnCNN-B"]) == list(cells[NOISY])
    assert [name for name in cells["universal"] if name not in cells["FDnCNN"]] == [
        f"Classic5, JPEG {quality}" for quality in (10, 20, 30, 40)
    ]
    assert list(cells["bm3d"]) == list(cells["FDnCNN"])

    noisy = [gaussian_noise(each, 25 / 255, seed=SEED, first_index=index) for index, each in enumerate(sets["Set12"])]
    for name, told in (("universal", None), ("FDnCNN", 25 / 255)):
        method = Peer(name, peers) if name == "FDnCNN" else Restorer.from_pretrained(name)
        values = [psnr(method(each, told), clean) for each, clean in zip(noisy, sets["Set12"], strict=True)]
        assert cells[name]["Set12, sigma 25"] == pytest.approx(np.mean(values), abs=1e-3)
    of_gray = [psnr(np.full(each.shape, 0.5, np.float32), each) for each in sets["Set12"]]
    assert cells["bm3d"]["Set12, sigma 15"] == pytest.approx(np.mean(of_gray), abs=1e-3)
    of_black = [psnr(np.zeros_like(each), each) for each in sets["Kodak24"]]
    assert cells["bm3d"]["Kodak24, sigma 15"] == pytest.approx(np.mean(of_black), abs=1e-3)
    # Stronger noise, stronger traces.
    assert cells[NOISY]["Kodak24, sigma 15"] > cells[NOISY]["Kodak24, sigma 25"] > cells[NOISY]["Kodak24, sigma 50"]
    assert cells[NOISY]["Classic5, JPEG 40"] > cells[NOISY]["Classic5, JPEG 10"]

    table = (tmp_path / "results" / "README.md").read_text()
    assert "| pictures, noise | noisy | `universal` | `bm3d`, told sigma | [DnCNN-B](https" in table
    assert f"| Kodak24, sigma 50 | {cells[NOISY]['Kodak24, sigma 50']:.2f} |" in table.replace("**", "")


@pytest.mark.slow
def test_what_is_measured_is_kept_and_what_is_named_is_measured_anew(run, drawn, capsys, monkeypatch):
    monkeypatch.setattr(classical, "find_spec", lambda name: None)
    folder, _ = drawn
    first = run("pictures", str(folder), "--models", "universal")["methods"]
    assert "pip install bm3d" in capsys.readouterr().out
    file = folder.parent / "results" / natural_images.FILE
    changed = json.loads(file.read_text())
    changed["methods"]["universal"]["cells"]["Set12, sigma 15"] = 1.0
    file.write_text(json.dumps(changed))
    assert run("pictures", str(folder))["methods"]["universal"]["cells"]["Set12, sigma 15"] == 1.0
    assert run("pictures", str(folder), "--models", "universal")["methods"]["universal"] == first["universal"]
    with pytest.raises(SystemExit, match="measured otherwise"):
        run("pictures", str(folder), "--seed", "8")


def test_sets_that_are_not_there_are_named(run, drawn, tmp_path, capsys):
    folder, _ = drawn
    (folder / "test-set12.parquet").unlink()
    results = run("pictures", str(folder), "--models")
    assert "left out" in capsys.readouterr().out
    assert set(results["data"]) == {"BSD68", "Kodak24", "Classic5"}
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="holds no Set12; put it there"):
        run("pictures", str(tmp_path / "empty"))
    with pytest.raises(SystemExit, match="no such folder"):
        run("pictures", str(tmp_path / "nowhere"))


def test_pictures_that_cannot_be_read_end_with_a_message(tmp_path, make_faces):
    (tmp_path / "Set12").mkdir()
    with pytest.raises(DataError, match="holds no pictures"):
        read_set(find_set(tmp_path, "Set12"))
    (tmp_path / "Set12" / "one.png").write_bytes(b"none")
    with pytest.raises(DataError, match=r"one\.png is not a picture"):
        read_set(tmp_path / "Set12")
    (tmp_path / "BSD68.parquet").write_bytes(b"none")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_set(tmp_path / "BSD68.parquet")
    write_parquet(tmp_path / "pairs.parquet", noisy=list(make_faces(1)))
    with pytest.raises(DataError, match="has no column clean, only noisy"):
        read_pairs(tmp_path / "pairs.parquet")
    with pytest.raises(DataError, match="no such file"):
        read_pairs(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="neither Parquet files nor"):
        read_pairs(tmp_path / "empty")


def test_a_method_that_is_made_of_something_else_is_measured_again(tmp_path):
    file, conditions = tmp_path / "some.json", {"seed": 3}
    scores = Scores(file, conditions, {"one": {"weights": "a"}, "other": {}})
    scores.put("one", "here", 1)
    scores.put("other", "here", 2)
    scores = Scores(file, conditions, {"one": {"weights": "a"}})
    assert scores.missing("here") == [] and scores.missing("there") == ["one"]
    assert Scores(file, conditions, {"one": {"weights": "b"}}).missing("here") == ["one"]
    scores = Scores(file, conditions, {"one": {"weights": "a"}}, anew=["one"])
    assert scores.missing("here") == ["one"] and scores.results["methods"]["other"]["cells"] == {"here": 2}


def test_both_ways_of_restoring_colour_are_measured_on_the_same_noise(run, make_faces, tmp_path):
    clean = np.stack([make_faces(1, seed=channel, shape=(64, 70))[0] for channel in range(3)], axis=-1)
    write_parquet(tmp_path / "test-kodak24.parquet", image=[clean, clean[::-1]])
    results = run("colour", str(tmp_path), "--images", "1")
    assert results["data"]["pictures"] == 1 and [row["sigma"] for row in results["rows"]] == list(colour.SIGMAS)
    row = results["rows"][-1]
    noisy = natural_images.with_noise(clean, row["sigma"] / 255, SEED, 0)
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
        run("colour", str(tmp_path))


@pytest.fixture
def pairs(make_faces):
    """Two pictures in colour with noise, and without."""
    clean = np.stack([make_faces(2, seed=channel, shape=(32, 40)) for channel in range(3)], axis=-1)
    noise = 12 * np.random.default_rng(0).standard_normal(clean.shape)
    return np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8), clean


def test_pairs_are_read_from_a_table_or_from_two_folders(pairs, tmp_path):
    noisy, clean = pairs
    write_parquet(tmp_path / "pairs.parquet", noisy=list(noisy), clean=list(clean))
    for name, pictures in (("noisy", noisy), ("clean", clean)):
        (tmp_path / "two" / name).mkdir(parents=True)
        for index, picture in enumerate(pictures):
            Image.fromarray(picture).save(tmp_path / "two" / name / f"{index}.png")
    for place in (tmp_path / "pairs.parquet", tmp_path, tmp_path / "two"):
        found = read_pairs(place)
        np.testing.assert_array_equal([one for one, _ in found], noisy)
        np.testing.assert_array_equal([other for _, other in found], clean)
    (tmp_path / "two" / "noisy" / "1.png").unlink()
    with pytest.raises(DataError, match="1 stands in only one of"):
        read_pairs(tmp_path / "two")
    Image.fromarray(noisy[1][:20]).save(tmp_path / "two" / "noisy" / "1.png")
    with pytest.raises(DataError, match="give pictures of one size"):
        read_pairs(tmp_path / "two")


def test_a_folder_of_pictures_is_walked_as_everywhere_and_none_of_two_is_lost(pairs, tmp_path):
    noisy, clean = pairs
    (tmp_path / "elsewhere").mkdir()
    Image.fromarray(noisy[1]).save(tmp_path / "elsewhere" / "2.png")
    folder = tmp_path / "set"
    folder.mkdir()
    Image.fromarray(noisy[0]).save(folder / "1.png")
    (folder / "._1.png").write_bytes(b"left by a system")
    (folder / "linked").symlink_to("../elsewhere")
    np.testing.assert_array_equal(read_set(folder, colour=True), noisy)
    Image.fromarray(clean[0]).save(folder / "1.tif")
    with pytest.raises(DataError, match="holds 1 in two formats; remove one"):
        read_set(folder)


@pytest.mark.usefixtures("fake_bm3d")
def test_real_noise_is_measured_with_an_estimate_for_those_who_need_one(run, pairs, tmp_path):
    noisy, clean = pairs
    write_parquet(tmp_path / "pairs.parquet", noisy=list(noisy), clean=list(clean))
    peers = write_peers(tmp_path / "peers")
    names = ("universal", "bm3d", "DnCNN-3", "FDnCNN")
    results = run("real", str(tmp_path / "pairs.parquet"), "--models", *names, "--peers", str(peers))
    cells = {name: method["cells"] for name, method in results["methods"].items()}
    assert list(cells) == [NOISY, *names]
    assert all(list(of_method) == ["1", "2"] for of_method in cells.values())
    assert list(cells[NOISY].values()) == pytest.approx(psnr(noisy, clean).tolist(), abs=1e-3)
    restored = Restorer.from_pretrained("universal")(noisy[1])
    assert cells["universal"]["2"] == pytest.approx(psnr(restored, clean[1]), abs=0.01)
    assert cells["bm3d"]["1"] == pytest.approx(psnr(np.zeros_like(clean[0]), clean[0]), abs=1e-3)
    sigma = real_noise.estimated_sigma(noisy[0])
    assert sigma == pytest.approx(12 / 255, rel=0.2)
    assert cells["FDnCNN"]["1"] == pytest.approx(psnr(Peer("FDnCNN", peers)(noisy[0], sigma), clean[0]), abs=1e-3)
    table = (tmp_path / "results" / "README.md").read_text()
    gain = mean_psnr(np.array([*cells["universal"].values()])) - mean_psnr(np.array([*cells[NOISY].values()]))
    assert f"| {gain:+.2f} |" in table and "PSNR, 2 pictures" in table
    assert "`bm3d`, told an estimate of sigma" in table and "2018, told an estimate of sigma |" in table
    assert real_noise.estimated_sigma(np.zeros((16, 16), np.uint8)) == 0
