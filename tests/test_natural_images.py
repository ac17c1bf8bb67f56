import json

import numpy as np
import pytest
from PIL import Image
from published_networks import write_peers
from sets_on_disk import write_parquet

from fer_denoise import Restorer, classical
from fer_denoise.evaluate import NOISY
from fer_denoise.method import KnownNoise
from fer_denoise.metrics import psnr
from fer_denoise.noise import gaussian_noise
from train import benchmark
from train.measures import natural_images
from train.measures.shared.peers import Peer


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


@pytest.mark.slow
@pytest.mark.usefixtures("fake_bm3d")
def test_every_method_restores_the_sets_of_the_field(run_benchmark, drawn, tmp_path):
    folder, sets = drawn
    peers = write_peers(tmp_path / "peers")
    names = ("universal", "bm3d", "DnCNN-B", "FDnCNN")
    results = run_benchmark("--pictures", str(folder), "--models", *names, "--peers", str(peers))
    cells = {name: method["cells"] for name, method in results["methods"].items()}
    assert list(cells) == [NOISY, *names]
    assert len(cells[NOISY]) == 3 * 3 + 4
    # Without a sigma, nothing can be told it.
    assert list(cells["universal"]) == list(cells["DnCNN-B"]) == list(cells[NOISY])
    assert [name for name in cells["universal"] if name not in cells["FDnCNN"]] == [
        f"Classic5, JPEG {quality}" for quality in (10, 20, 30, 40)
    ]
    assert list(cells["bm3d"]) == list(cells["FDnCNN"])

    noisy = [
        gaussian_noise(each, 25 / 255, seed=benchmark.TEST_SEED, first_index=index)
        for index, each in enumerate(sets["Set12"])
    ]
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


@pytest.mark.usefixtures("fake_bm3d")
def test_bm3d_takes_the_channels_of_colour_together_and_has_to_be_told_sigma(make_faces):
    method, colour = natural_images.ColourBM3D(), np.stack([make_faces(2, shape=(16, 20))] * 3, axis=-1)
    assert method.lacking(KnownNoise()) == ["sigma"]
    for picture, value in ((colour, 0), (colour[0], 0), (colour[..., 0], 128), (colour[0, ..., 0], 128)):
        restored = method(picture, 0.1)
        assert restored.shape == picture.shape and (restored == value).all()


@pytest.mark.slow
def test_what_is_measured_is_kept_and_what_is_named_is_measured_anew(run_benchmark, drawn, capsys, monkeypatch):
    monkeypatch.setattr(classical, "find_spec", lambda name: None)
    folder, _ = drawn
    first = run_benchmark("--pictures", str(folder), "--models", "universal")["methods"]
    assert "pip install bm3d" in capsys.readouterr().out
    file = folder.parent / "results" / natural_images.FILE
    changed = json.loads(file.read_text())
    changed["methods"]["universal"]["cells"]["Set12, sigma 15"] = 1.0
    file.write_text(json.dumps(changed))
    assert run_benchmark("--pictures", str(folder))["methods"]["universal"]["cells"]["Set12, sigma 15"] == 1.0
    assert (
        run_benchmark("--pictures", str(folder), "--models", "universal")["methods"]["universal"] == first["universal"]
    )
    with pytest.raises(SystemExit, match="measured otherwise"):
        run_benchmark("--pictures", str(folder), "--seed", "8")


def test_sets_that_are_not_there_are_named(run_benchmark, drawn, tmp_path, capsys):
    folder, _ = drawn
    (folder / "test-set12.parquet").unlink()
    results = run_benchmark("--pictures", str(folder), "--models")
    assert "left out" in capsys.readouterr().out
    assert set(results["data"]) == {"BSD68", "Kodak24", "Classic5"}
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="holds no Set12; put it there"):
        run_benchmark("--pictures", str(tmp_path / "empty"))
    with pytest.raises(SystemExit, match="no such folder"):
        run_benchmark("--pictures", str(tmp_path / "nowhere"))
