import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from crowds import crowd_of
from measuring import IMAGES

from fer_denoise import Restorer
from fer_denoise.data import Faces
from fer_denoise.evaluate import NOISY
from fer_denoise.models import EmotionClassifier
from fer_denoise.noise import mixed_noise
from fer_denoise.zoo import EMOTION, EMOTION_IN_NOISE
from train.measures import recognition, world
from train.measures.recognition import Predictions, describe, markdown_tables, summary
from train.measures.shared.cells import Cell


@pytest.mark.slow
def test_every_method_is_judged_on_the_same_noise(make_faces):
    torch.manual_seed(0)
    classifiers = {name: EmotionClassifier(widths=(4, 8), votes=True).eval() for name in (EMOTION, EMOTION_IN_NOISE)}
    restorers = {name: Restorer.from_pretrained(name) for name in ("median", "attention-unet-low", "universal")}
    test = Faces(make_faces(12), np.arange(12) % 7, "")
    votes = crowd_of(test.labels)
    on_clean = {name: Predictions.of(each, test.images, True) for name, each in classifiers.items()}
    names = ["sigma 0, impulses 0%", "sigma 0.02, impulses 0%", "sigma 0.1, impulses 0%", "Poisson: 100 photons"]
    cells = [cell for cell in recognition.cells(test.images, seed=3) if cell.name in names]
    with ThreadPoolExecutor(2) as pool:
        rows = [
            row
            for cell in cells
            for row in recognition.measure_cell(cell, test, votes, restorers, classifiers, on_clean, pool)
        ]
    seen = [(row["noise"], row["method"], row["classifier"]) for row in rows]
    noisy, after = [(NOISY, EMOTION), (NOISY, EMOTION_IN_NOISE)], [("median", EMOTION), ("universal", EMOTION)]
    specialist = [("median", EMOTION), ("attention-unet-low", EMOTION), ("universal", EMOTION)]
    expected = dict(zip(names, (noisy + after, noisy + specialist, noisy + after, noisy + after), strict=True))
    assert seen == [(noise, *each) for noise, methods in expected.items() for each in methods]
    assert rows[0]["agreement"] == 1 and rows[0]["kl_divergence"] == pytest.approx(0, abs=1e-6)
    assert "sigma" not in rows[-1] and rows[-1]["faces"] == 12

    ours = next(row for row in rows if row["noise"] == names[2] and row["method"] == "universal")
    restored = restorers["universal"](mixed_noise(test.images, 0.1, 0, seed=3))
    right = classifiers[EMOTION](restored).argmax(axis=1) == test.labels
    assert ours["accuracy"] == pytest.approx(right.mean(), abs=1e-4)
    of_crowd = classifiers[EMOTION].votes(restored).argmax(axis=1) == votes.majority
    assert ours["votes"]["accuracy"] == pytest.approx(of_crowd.mean(), abs=1e-4)
    shown = summary(rows)
    assert ["unet" in row for row in shown] == [False, True, False, False]
    assert shown[2]["gain"] == pytest.approx(ours["accuracy"] - shown[2]["noisy"], abs=2e-4)
    assert all(row["best_filter"] == "median" for row in shown)
    described = {"emotion": describe("emotion", on_clean[EMOTION], test, votes)}
    assert np.sum(described["emotion"]["confusion"], axis=1).tolist() == np.bincount(test.labels).tolist()
    text = markdown_tables({"rows": rows, "classifiers": described})
    assert f"| {names[2]} | {shown[2]['noisy']:.1%} | {shown[2]['universal']:.1%} |" in text
    assert f"| `emotion`, labels | 12 | {described['emotion']['accuracy']:.1%} |" in text
    assert f"| `emotion`, crowd | 12 | {described['emotion']['votes']['accuracy']:.1%} |" in text
    for title in ("By the crowd's majority", "the first 12 faces", "How far the answer is"):
        assert title in text
    for row in (*rows, *described.values()):
        del row["votes"]
    assert "crowd" not in markdown_tables({"rows": rows, "classifiers": described})


def test_tasks_stand_among_the_levels_and_kinds_come_after_them(make_faces):
    pairs = recognition.levels()
    assert pairs[0] == (0, 0) and {(0.02, 0), (0.06, 0), (0, 0.1)} < set(pairs) and len(set(pairs)) == len(pairs)
    assert [bool(amount) for _, amount in pairs] == sorted(bool(amount) for _, amount in pairs)
    cells = list(recognition.cells(make_faces(2), seed=0))
    kinds = [title for title, kind in world.KINDS.items() if kind.of_recognition in kind.settings]
    assert [cell.name.partition(":")[0] for cell in cells[len(pairs) :]] == kinds and len(kinds) == 12
    assert len({cell.name for cell in cells}) == len(cells)


@pytest.mark.slow
def test_emotions_are_recognised_before_and_after(run_benchmark, tmp_path, monkeypatch):
    monkeypatch.setattr(recognition, "levels", lambda: [(0, 0), (0.3, 0)])
    monkeypatch.setattr(world, "KINDS", {"gray levels": world.KINDS["gray levels"]})
    names = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
    votes = ["Usage,Image name," + ",".join(names), *["PrivateTest,a.png,0,0,0,0,9,1,0,0,0,0"] * IMAGES]
    (tmp_path / "votes.csv").write_text("\n".join(votes))
    chosen = ("--emotion", "--models", "universal", "median", "--votes", str(tmp_path / "votes.csv"))

    def interrupt(cell: Cell, *args) -> list:
        if cell.known.amount is None:
            raise KeyboardInterrupt
        return measure_cell(cell, *args)

    measure_cell = recognition.measure_cell
    with monkeypatch.context() as patch:
        patch.setattr(recognition, "measure_cell", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run_benchmark(*chosen)

    def measured_already(cell: Cell, *args) -> list:
        assert cell.known.amount is None
        return measure_cell(cell, *args)

    with monkeypatch.context() as patch:
        patch.setattr(recognition, "measure_cell", measured_already)
        run_benchmark(*chosen)
    results = json.loads((tmp_path / "results" / recognition.FILE).read_text())
    assert set(results["classifiers"]) == {"emotion", "emotion-noise"}
    assert results["data"]["images"] == IMAGES and len(results["levels"]) == 2
    assert {row["method"] for row in results["rows"]} == {NOISY, "universal", "median"}
    assert [row["faces"] for row in results["rows"]] == [IMAGES] * 12 and results["made_of"]["votes"]
    assert all(row["votes"]["accuracy"] >= 0 for row in results["rows"])
    page = (tmp_path / "results" / "README.md").read_text()
    assert f"| sigma 0.3, impulses 0% | {results['levels'][1]['noisy']:.1%} |" in page and "| gray levels: 8 |" in page
    with pytest.raises(SystemExit, match="leave out --votes"):
        run_benchmark("--speed", "--models", "median", "--votes", str(tmp_path / "votes.csv"))
