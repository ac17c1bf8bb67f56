"""Datasets that are sent to a Hub: a real client, and a server on loopback."""

import datasets
import numpy as np
import pytest
from fake_hub import TOKEN, Fault
from huggingface_hub import DatasetCard

from fer_denoise import Restorer
from fer_denoise.__main__ import main
from fer_denoise.command import tables
from fer_denoise.command.job import Corruption, Report
from fer_denoise.command.push import make_card
from fer_denoise.data import load_fer2013

ROWS = 9


@pytest.fixture
def parquet(tmp_path, make_faces):
    rows = {"pixels": [face.ravel().tolist() for face in make_faces(ROWS)], "emotion": [0] * ROWS}
    datasets.Dataset.from_dict(rows).to_parquet(tmp_path / "test.parquet")
    return tmp_path / "test.parquet"


@pytest.fixture
def hub(connected, monkeypatch):
    connected.repos.clear()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    yield connected
    connected.faults.clear()


def files(hub, repo: str) -> dict:
    return hub.repos["dataset", repo].commits[-1].files


def restore(parquet, output, *more: str) -> int:
    return main(["restore", str(parquet), str(output), "--model", "median", *more])


def test_a_restored_dataset_is_sent_with_a_card(hub, parquet, tmp_path, make_faces, capsys):
    output = tmp_path / "out" / "test.parquet"
    assert restore(parquet, output, "--push-to-hub", "somebody/clean-faces", "--private") == 0
    assert hub.repos["dataset", "somebody/clean-faces"].private
    sent = files(hub, "somebody/clean-faces")
    assert {"README.md", "test.parquet"} <= set(sent) and sent["test.parquet"].content == output.read_bytes()
    card = DatasetCard(sent["README.md"].content.decode())
    assert "restored by" in card.text and '"model": "median"' in card.text and f"restored {ROWS}" in card.text
    assert str(tmp_path) not in card.text and TOKEN not in card.text
    assert "sent to" in capsys.readouterr().out
    np.testing.assert_array_equal(
        load_fer2013(output, "test").images, Restorer.from_pretrained("median")(make_faces(ROWS))
    )


def test_only_a_repo_of_ours_is_written_over(hub, parquet, tmp_path, capsys):
    hub.add_repo("somebody/other", {"README.md": b"# Something else"}, kind="dataset")
    assert restore(parquet, tmp_path / "a" / "test.parquet", "--push-to-hub", "somebody/other") == 2
    assert "holds other files already" in capsys.readouterr().err
    assert list(files(hub, "somebody/other")) == ["README.md"] and not (tmp_path / "a").exists()
    for number in range(2):
        assert restore(parquet, tmp_path / str(number) / "test.parquet", "--push-to-hub", "somebody/ours") == 0


def test_private_is_private_or_refused(hub, parquet, tmp_path, capsys):
    assert restore(parquet, tmp_path / "1" / "test.parquet", "--push-to-hub", "somebody/open") == 0
    sent = list(hub.repos["dataset", "somebody/open"].commits)
    assert restore(parquet, tmp_path / "2" / "test.parquet", "--push-to-hub", "somebody/open", "--private") == 2
    assert "is public already" in capsys.readouterr().err
    assert hub.repos["dataset", "somebody/open"].commits == sent and not (tmp_path / "2").exists()


def test_a_name_in_a_card_is_text_and_no_template():
    hostile = "{{ 7 * 7 }}{0.__class__}{note}"
    assert f"`{hostile}`" in make_card("somebody/faces", hostile, Corruption(), Report(done=1)).text


def test_a_folder_is_sent_whole(hub, parquet, tmp_path):
    (tmp_path / "in" / "deep").mkdir(parents=True)
    parquet.rename(tmp_path / "in" / "deep" / "test.parquet")
    command = ["corrupt", str(tmp_path / "in"), str(tmp_path / "out"), "--sigma", "0.1"]
    assert main([*command, "--push-to-hub", "somebody/noisy"]) == 0
    sent = files(hub, "somebody/noisy")
    assert {"README.md", "deep/test.parquet"} <= set(sent)
    assert "can be made again" in sent["README.md"].content.decode()


def test_what_an_interruption_left_is_not_sent(hub, parquet, tmp_path, monkeypatch, capsys):
    (tmp_path / "in").mkdir()
    parquet.rename(tmp_path / "in" / "test.parquet")
    command = ["corrupt", str(tmp_path / "in"), str(tmp_path / "out"), "--push-to-hub", "somebody/noisy"]

    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tables, "_join", stop)
        assert main(command) == 130
    assert set(files(hub, "somebody/noisy")) == {".gitattributes"}
    (tmp_path / "out" / f".{'0' * 16}.partial").write_bytes(b"broken off")
    assert main(command) == 0
    assert set(files(hub, "somebody/noisy")) == {".gitattributes", "README.md", "test.parquet"}


@pytest.mark.parametrize(
    ("repo", "token", "hint"), [("a b", TOKEN, "write USER/NAME"), ("somebody/x", "wrong", "HF_TOKEN")]
)
def test_what_cannot_be_sent_is_known_before_any_work(hub, parquet, tmp_path, monkeypatch, capsys, repo, token, hint):
    monkeypatch.setenv("HF_TOKEN", token)
    assert restore(parquet, tmp_path / "out.parquet", "--push-to-hub", repo) == 2
    assert hint in capsys.readouterr().err and not (tmp_path / "out.parquet").exists()


def test_what_was_done_is_kept_where_sending_fails(hub, parquet, tmp_path, capsys):
    hub.faults["somebody/clean"] = Fault(status=503, where="/commit/")
    assert restore(parquet, tmp_path / "out.parquet", "--push-to-hub", "somebody/clean") == 2
    error = capsys.readouterr().err
    assert "hf upload somebody/clean" in error and (tmp_path / "out.parquet").exists() and TOKEN not in error


def test_several_processes_do_not_send(parquet, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert restore(parquet, tmp_path / "out.parquet", "--push-to-hub", "somebody/clean") == 2
    assert "hf upload" in capsys.readouterr().err
