"""Datasets of the Hub: a real client, and a server on loopback."""

import gzip
import io
import json
import logging

import datasets
import numpy as np
import pytest
from jobs_on_tables import median_of
from PIL import Image

from fer_denoise.__main__ import main
from fer_denoise.command.batch import JOURNAL_FILE, Execution, process_path
from fer_denoise.command.job import Restoration
from fer_denoise.command.journal import JobError
from fer_denoise.command.tables import Rank
from fer_denoise.data import DataError, formats, load_fer2013
from fer_denoise.data.hub_dataset import HubDataset

ROWS = 5
HEADER = '\ufeffid;emotion;"pixels";score;comment\r\n'


@pytest.fixture
def faces(make_faces) -> np.ndarray:
    return make_faces(2 * ROWS)


def csv_of(faces: np.ndarray) -> bytes:
    """Written in the ways that inference of types does not keep."""
    rows = (f'0000{row};;{" ".join(map(str, face.ravel()))};0.10;"None"\r\n' for row, face in enumerate(faces))
    return (HEADER + "".join(rows)).encode()


def parquet_of(faces: np.ndarray) -> bytes:
    rows = {"pixels": [face.ravel().tolist() for face in faces], "emotion": [0] * len(faces)}
    file = io.BytesIO()
    datasets.Dataset.from_dict(rows).to_parquet(file)
    return file.getvalue()


def restore(source: str, target, *more: str) -> int:
    return main(["restore", source, str(target), "--model", "median", *more])


@pytest.mark.parametrize("more", [[], ["--stream"]])
def test_a_csv_on_the_hub_keeps_all_bytes_but_those_of_the_pixels(connected_datasets, tmp_path, faces, more):
    connected_datasets.add_repo("somebody/table", {"fer2013.csv": csv_of(faces)}, kind="dataset")
    assert restore("somebody/table", tmp_path / "out", *more) == 0
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["train.csv"]
    assert (tmp_path / "out" / "train.csv").read_bytes() == csv_of(median_of(faces))


def test_each_csv_of_a_split_has_its_own(connected_datasets, tmp_path, faces):
    files = {"test/a.csv": csv_of(faces[:ROWS]), "test/b.csv.gz": gzip.compress(csv_of(faces[ROWS:]))}
    connected_datasets.add_repo("somebody/tables", files, kind="dataset")
    assert restore("somebody/tables", tmp_path / "out") == 0
    for number, part in enumerate((faces[:ROWS], faces[ROWS:])):
        name = f"test-{number:05}-of-00002.csv"
        assert (tmp_path / "out" / name).read_bytes() == csv_of(median_of(part))


class Broken(Restoration):
    """Fails at a row, as where a machine is switched off."""

    def __call__(self, pictures, rows):
        raise KeyboardInterrupt


def test_a_job_goes_on_with_the_commit_that_it_was_begun_with_and_says_so(connected_datasets, tmp_path, faces, caplog):
    repo = connected_datasets.add_repo("somebody/moving", {"test.parquet": parquet_of(faces)}, kind="dataset")
    (first,) = repo.commits
    with pytest.raises(KeyboardInterrupt):
        process_path("somebody/moving", tmp_path / "out", Broken("median"))
    second = connected_datasets.commit(repo, {"test.parquet": parquet_of(faces[::-1])}, "other faces")
    with pytest.raises(JobError, match=f"was begun with .*{first.oid}"):
        process_path(f"somebody/moving@{second.oid}", tmp_path / "out", Restoration("median"))
    with caplog.at_level(logging.WARNING):
        report = process_path("somebody/moving", tmp_path / "out", Restoration("median"))
    assert f"goes on with commit {first.oid}, with which it was begun; main is {second.oid} by now" in caplog.text
    np.testing.assert_array_equal(load_fer2013(tmp_path / "out", "test").images, median_of(faces))
    assert f"taken from somebody/moving@{first.oid}" in report.lines(Restoration("median"))
    # What begins now begins with what the branch is now.
    process_path("somebody/moving", tmp_path / "again", Restoration("median"))
    np.testing.assert_array_equal(load_fer2013(tmp_path / "again", "test").images, median_of(faces)[::-1])


def test_several_processes_take_a_commit_that_is_named(connected_datasets, tmp_path, faces):
    repo = connected_datasets.add_repo("somebody/shared", {"test.parquet": parquet_of(faces)}, kind="dataset")
    commit = repo.commits[0].oid
    with pytest.raises(DataError, match=f"name the commit, as somebody/shared@{commit}"):
        process_path("somebody/shared", tmp_path / "out", Restoration("median"), Execution(rank=Rank(0, 2)))
    connected_datasets.commit(repo, {"test.parquet": parquet_of(faces[::-1])}, "other faces")
    for rank in range(2):
        execution = Execution(rank=Rank(rank, 2))
        process_path(f"somebody/shared@{commit}", tmp_path / "out", Restoration("median"), execution)
        assert commit in (tmp_path / "out" / JOURNAL_FILE.replace(".json", f"-0000{rank}-of-00002.json")).read_text()
    np.testing.assert_array_equal(load_fer2013(tmp_path / "out", "test").images, median_of(faces))


def test_a_revision_that_there_is_not_is_told(connected_datasets, tmp_path, faces, capsys):
    connected_datasets.add_repo("somebody/plain", {"test.parquet": parquet_of(faces)}, kind="dataset")
    assert restore("somebody/plain@v9", tmp_path / "out") == 2
    assert "has no revision v9" in capsys.readouterr().err


def test_another_commit_in_the_cache_is_not_taken_for_the_one_that_was_named(connected_datasets, faces, monkeypatch):
    repo = connected_datasets.add_repo("somebody/kept", {"test.parquet": parquet_of(faces)}, kind="dataset")
    HubDataset("somebody/kept").splits()
    other = connected_datasets.commit(repo, {"test.parquet": parquet_of(faces[::-1])}, "other faces")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match=f"does not give commit {other.oid}"):
        HubDataset("somebody/kept", other.oid)
    assert HubDataset("somebody/kept", repo.commits[0].oid).splits()


def test_what_a_cache_has_made_of_a_csv_is_not_taken_for_it(connected_datasets, faces, monkeypatch):
    csv = csv_of(faces).replace(b";", b",")
    connected_datasets.add_repo("somebody/cached", {"test.csv": csv}, kind="dataset")
    HubDataset("somebody/cached").splits()
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    with pytest.raises(DataError, match="does not hold its CSV"):
        HubDataset("somebody/cached").files()


def png_of(face: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(face).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("layout", ["metadata.csv", "JSON", "parquet"])
def test_where_types_are_inferred_it_is_said(connected_datasets, tmp_path, faces, caplog, layout):
    if layout == "metadata.csv":
        files = {f"train/{row}.png": png_of(face) for row, face in enumerate(faces[:2])}
        files["train/metadata.csv"] = b"file_name,id\n0.png,00001\n1.png,00002\n"
    elif layout == "JSON":
        rows = [{"pixels": face.ravel().tolist(), "id": "00001"} for face in faces[:2]]
        files = {"train.json": json.dumps(rows).encode()}
    else:
        files = {"train.parquet": parquet_of(faces[:2])}
    # Clients remember what a repo holds.
    repo = f"somebody/inferred-{layout.lower()}"
    connected_datasets.add_repo(repo, files, kind="dataset")
    with caplog.at_level(logging.WARNING, "fer_denoise"):
        assert restore(repo, tmp_path / "out") == 0
    assert (f"in its {layout} comes out in the types that" in caplog.text) == (layout != "parquet")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("more", [[], ["--stream"]])
def test_an_own_bug_is_not_told_as_a_failure_of_the_hub(connected_datasets, tmp_path, faces, monkeypatch, suffix, more):
    content = csv_of(faces) if suffix == "csv" else parquet_of(faces)
    repo = f"somebody/sound-{suffix}{len(more)}"
    connected_datasets.add_repo(repo, {f"test.{suffix}": content}, kind="dataset")

    def broken(*args):
        raise KeyError("a bug")

    monkeypatch.setattr(formats, "find_column", broken)
    with pytest.raises(KeyError, match="a bug"):
        restore(repo, tmp_path / "out", *more)
