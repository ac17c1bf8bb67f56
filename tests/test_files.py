"""What lies below a folder, and files that are written whole."""

import os
from pathlib import Path

import pytest

from fer_denoise.files import part_of, walk, write_whole


def make(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"content")
    return path


def test_links_are_followed_and_loops_are_told(tmp_path):
    make(tmp_path / "elsewhere" / "faces" / "f.png")
    make(tmp_path / "in" / "a.png")
    for name in ("one", "two"):
        (tmp_path / "in" / name).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "file.png").symlink_to("a.png")
    (tmp_path / "elsewhere" / "faces" / "up").symlink_to(tmp_path / "in")
    (tmp_path / "in" / "self").symlink_to(".")
    below = walk(tmp_path / "in")
    names = [str(file.relative_to(tmp_path / "in")) for file in below.files]
    assert names == ["a.png", "file.png", "one/faces/f.png", "two/faces/f.png"]
    closed = {str(folder.relative_to(tmp_path / "in")) for folder in below.closed}
    assert closed == {"self", "one/faces/up", "two/faces/up"}
    assert set(below.closed.values()) == {"is a link to a folder that it lies in"}


def test_what_systems_add_is_ignored(tmp_path):
    for name in ("._a.png", ".DS_Store", "__MACOSX/a.png", "sub/Thumbs.db", "desktop.ini"):
        make(tmp_path / name)
    kept = [make(tmp_path / ".hidden.png"), make(tmp_path / "a.png")]
    assert walk(tmp_path).files == kept


def test_the_place_of_the_results_is_left_out(tmp_path):
    make(tmp_path / "in" / "a.png")
    make(tmp_path / "more" / "out" / "b.png")
    (tmp_path / "in" / "more").symlink_to(tmp_path / "more")
    below = walk(tmp_path / "in", without=tmp_path / "more" / "out")
    assert [file.name for file in below.files] == ["a.png"]
    assert below.closed == {tmp_path / "in" / "more" / "out": "is where the results go"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is closed to this user")
def test_a_folder_that_cannot_be_opened_is_told(tmp_path):
    make(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "closed").mkdir(mode=0)
    assert walk(tmp_path / "in").closed == {tmp_path / "in" / "closed": "cannot be opened (Permission denied)"}


def test_names_as_long_as_there_can_be_are_written(tmp_path):
    for name in ("x" * 255, "あ" * 85):
        write_whole(tmp_path / name, b"whole")
        assert (tmp_path / name).read_bytes() == b"whole"
        assert len(part_of(tmp_path / name).name) < 50
    assert part_of(tmp_path / "a") == part_of(tmp_path / "a") != part_of(tmp_path / "b")
    assert len(list(tmp_path.iterdir())) == 2
