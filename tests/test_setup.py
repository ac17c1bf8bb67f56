from argparse import Namespace
from types import SimpleNamespace

import datasets
import pytest
from training_data import write_faces

from fer_denoise.data import load_fer2013
from train.shared import run_folder, setup
from train.shared.checkpoint import save_checkpoint

FIRST, SECOND = "c" * 40, "d" * 40


def data_commit(out, data="somebody/faces", revision=None) -> str | None:
    return setup.data_commit(Namespace(data=data, revision=revision, out=out))


def begun_with(out, commit: str) -> None:
    save_checkpoint(out / run_folder.CHECKPOINT_FILE, {"settings": {"data": {"commit": commit}}, "log": []})


def test_the_commit_of_the_data_is_looked_up_and_a_run_goes_on_with_its_own(tmp_path, publish, make_faces):
    faces = {"pixels": [face.ravel().tolist() for face in make_faces(2)], "emotion": [0, 1]}
    publish({"train": datasets.Dataset.from_dict(faces)}, SECOND)
    assert data_commit(tmp_path) == SECOND
    # What the training record says of the faces, a run that is resumed is asked for.
    record = load_fer2013("somebody/faces", "train", data_commit(tmp_path)).record
    assert record["commit"] == f"somebody/faces@{SECOND}"
    begun_with(tmp_path, f"somebody/faces@{FIRST}")
    assert data_commit(tmp_path) == data_commit(tmp_path, revision="main") == FIRST
    # Asked for another commit, it is not gone on with: the settings differ.
    assert data_commit(tmp_path, revision=SECOND) == SECOND
    begun_with(tmp_path, f"somebody/others@{FIRST}")
    assert data_commit(tmp_path) == SECOND


def test_pictures_are_gone_on_with_at_their_commit_unless_another_is_asked_for(tmp_path):
    def commit(asked: str | None = None, source: str = "somebody/pictures") -> tuple[str | None, dict]:
        settings = {"pictures": source}
        return run_folder.fix_revision(tmp_path, settings, "pictures", lambda: SECOND, asked), settings

    assert commit() == (SECOND, {"pictures": "somebody/pictures", "pictures_revision": SECOND})
    begun = {"pictures": "somebody/pictures", "pictures_revision": FIRST}
    save_checkpoint(tmp_path / run_folder.CHECKPOINT_FILE, {"settings": begun})
    assert commit()[0] == commit("main")[0] == FIRST
    # The settings differ then, so that the run is not gone on with.
    assert commit(SECOND)[0] == commit(source="somebody/others")[0] == SECOND


def test_data_on_a_disk_have_no_commit(tmp_path, make_faces):
    begun_with(tmp_path, f"somebody/faces@{FIRST}")
    assert data_commit(tmp_path, data=str(tmp_path)) is None
    write_faces(tmp_path, make_faces)
    assert set(load_fer2013(tmp_path, "train").record) == {"name", "images", "sha256"}


def test_the_main_process_alone_looks_up_a_commit(monkeypatch):
    monkeypatch.setattr(run_folder, "PartialState", lambda: SimpleNamespace(is_main_process=False))
    monkeypatch.setattr(run_folder, "broadcast_object_list", lambda sent: [SECOND] if sent == [None] else sent)
    assert run_folder.same_commit(None, lambda: pytest.fail("was looked up")) == SECOND
