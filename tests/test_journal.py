import json
import os

import pytest

from fer_denoise.command import journal
from fer_denoise.command.job import Report
from fer_denoise.command.journal import JobError, Journal
from fer_denoise.restore import NoiseLevel

SETTINGS = {"model": "median", "sigma": None, "rank": [0, 1]}
FIRST = Report(3, ["row 4: broken"], [NoiseLevel(0.1, 0.2)], [NoiseLevel(0.0, 0.0)])


@pytest.fixture
def file(tmp_path):
    """A journal with two reports."""
    file = tmp_path / "out" / "journal.jsonl"
    begun = Journal(file)
    begun.open(SETTINGS, file.parent)
    begun.add("000000", FIRST)
    begun.add("000001", Report(5))
    return file


def test_a_job_that_goes_on_finds_what_is_done(file):
    again = Journal(file)
    again.open({**SETTINGS, "rank": (0, 1)}, file.parent)
    first = again.report("000000")
    assert first is not None and first.as_dict() == FIRST.as_dict() and first.earlier == 3
    assert [(report.done, report.earlier) for report in again.reports()] == [(3, 3), (5, 5)]
    assert again.report("000002") is None


def test_a_journal_is_lines_of_json_the_settings_first_and_grows_by_a_line(file):
    before = file.read_bytes()
    assert json.loads(before.splitlines()[0]) == {"settings": SETTINGS}
    again = Journal(file)
    again.open(SETTINGS, file.parent)
    again.add("000002", Report(1))
    assert file.read_bytes().startswith(before) and len(file.read_text().splitlines()) == 4


def test_what_is_written_down_is_on_the_disk(file, monkeypatch):
    flushed = []
    again = Journal(file)
    again.open(SETTINGS, file.parent)
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(os.fstat(descriptor).st_size))
    again.add("000002", Report(1))
    assert flushed == [file.stat().st_size]


BROKEN = {
    "without its end": lambda content: (content[:-1], 1),
    "in the middle": lambda content: (content[:-10], 1),
    "one more": lambda content: (content + b'{"name": "0000', 2),
    "of something else": lambda content: (content + b'{"name": "000002"}\n', 2),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_last_line_that_was_broken_off_is_dropped_and_the_next_is_whole(file, how):
    content, done = BROKEN[how](file.read_bytes())
    file.write_bytes(content)
    again = Journal(file)
    again.open(SETTINGS, file.parent)
    assert len(again.reports()) == done
    again.add("000009", Report(2))
    after = Journal(file)
    after.open(SETTINGS, file.parent)
    assert len(after.reports()) == done + 1 and after.report("000009") is not None


def test_a_job_with_other_settings_is_refused_and_nothing_is_changed(file):
    before = file.read_bytes()
    with pytest.raises(JobError, match=r"out: was begun with .*median.*; repeat that, remove it, or choose another"):
        Journal(file).open({**SETTINGS, "model": "tv"}, file.parent)
    assert file.read_bytes() == before


@pytest.mark.parametrize("head", [b"", b"\xff\xfe\n", b"[]\n", b'{"work": {}}\n'])
def test_a_journal_without_settings_is_told(tmp_path, head):
    (tmp_path / "journal.jsonl").write_bytes(head)
    with pytest.raises(JobError, match=r"journal\.jsonl: is damaged; remove its folder"):
        Journal(tmp_path / "journal.jsonl").open(SETTINGS, tmp_path)


def test_a_journal_begins_whole_or_not_at_all(tmp_path, monkeypatch):
    def full(*args):
        raise OSError("no space")

    monkeypatch.setattr(journal, "write_whole", full)
    begun = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(OSError, match="no space"):
        begun.open(SETTINGS, tmp_path)
    assert begun.settings is None and begun.reports() == []
