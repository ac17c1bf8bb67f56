from train.reporting.report import PAGES, fill, update_pages


def test_a_page_without_an_end_mark_stays_as_it_is(tmp_path):
    file = tmp_path / "README.md"
    file.write_text("before\n<!-- speed:start -->\nafter\n")
    fill(file, "speed", "a table")
    assert file.read_text() == "before\n<!-- speed:start -->\nafter\n"


def test_a_table_goes_to_the_page_that_has_its_marks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    update_pages("speed", "a table")  # There are no pages here, and none is made.
    for page in PAGES:
        page.parent.mkdir(exist_ok=True)
        page.write_text("text\n")
    marked = "<!-- speed:start -->\n{}\n<!-- speed:end -->\n"
    PAGES[1].write_text(marked.format("old"))
    update_pages("speed", "new")
    assert [page.read_text() for page in PAGES] == ["text\n", marked.format("new"), "text\n"]
