import ast
from pathlib import Path

from train.reporting import markdown

TRAIN = Path(__file__).parents[1] / "train"


def test_a_table_has_its_columns_and_a_line_per_row():
    table = markdown.table(("method", "PSNR", "note"), [("tv", "30.1", "slow"), ("median", "28.0", "")], left=(0, 2))
    assert table.splitlines() == [
        "| method | PSNR | note |",
        "| --- | --: | --- |",
        "| tv | 30.1 | slow |",
        "| median | 28.0 |  |",
    ]


def test_a_cell_that_a_row_has_not_is_left_out():
    assert markdown.table(("a", "b", "c"), [("1", None, "3")]).splitlines()[-1] == "| 1 | | 3 |"


def test_no_other_file_spells_a_table():
    for file in {*TRAIN.rglob("*.py")} - {Path(markdown.__file__)}:
        texts = [node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant)]
        assert not [text for text in texts if str(text).startswith("| ")], file
