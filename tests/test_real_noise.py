import numpy as np
import pytest
from published_networks import write_peers
from sets_on_disk import write_parquet

from fer_denoise import Restorer
from fer_denoise.evaluate import NOISY
from fer_denoise.metrics import mean_psnr, psnr
from train.measures import real_noise
from train.measures.shared.peers import Peer


@pytest.mark.slow
@pytest.mark.usefixtures("fake_bm3d")
def test_real_noise_is_measured_with_an_estimate_for_those_who_need_one(run_benchmark, pairs, tmp_path):
    noisy, clean = pairs
    write_parquet(tmp_path / "pairs.parquet", noisy=list(noisy), clean=list(clean))
    peers = write_peers(tmp_path / "peers")
    names = ("universal", "bm3d", "DnCNN-3", "FDnCNN")
    results = run_benchmark("--real", str(tmp_path / "pairs.parquet"), "--models", *names, "--peers", str(peers))
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
