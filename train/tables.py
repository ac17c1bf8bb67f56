"""Write all tables of README.md, results/README.md and docs/training.md anew from the JSON files in `results/`.

    python -m train.tables

What measures writes its own tables; this writes those of all results that are there, as after a change of their looks,
and draws the picture at the top of the README.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from train import ablation, realism
from train.measures import tasks
from train.measures.registry import MEASUREMENTS
from train.reporting import overview
from train.reporting.report import markdown_tables, update_pages
from train.reporting.results import FIRST_400, RESULTS
from train.reporting.summary import summary_table


def all_tables(folder: Path) -> dict[str, str]:
    """The text of each table whose results are in `folder`, by the name of its marks."""
    tables: dict[str, str] = {}
    measured: tuple[Any, ...] = (tasks, *MEASUREMENTS.values(), realism, ablation)
    for measurement in measured:
        if results := _read(folder / measurement.FILE):
            tables |= measurement.tables(results)
    if first := _read(folder / FIRST_400.name / tasks.FILE):
        tables["first-400"] = markdown_tables(first)
    if laboratory := _read(folder / "ablation-laboratory.json"):
        tables["ablation-laboratory"] = ablation.markdown_tables(laboratory, "as shipped, on faces alone")
    if summary := summary_table(folder):
        tables["summary"] = summary
    return tables


def _read(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(argv)
    for name, text in all_tables(RESULTS).items():
        update_pages(name, text)
        print(f"wrote the table {name}")
    overview.draw(RESULTS / overview.FILE)
    print(f"drew {overview.FILE}")


if __name__ == "__main__":
    main()
