"""What the tests of measurements share."""

IMAGES = 12
"""So many faces the benchmark measures on, where no other number is given."""


def rows_of(results: dict, task: str) -> dict[str, dict]:
    return {row["model"]: row for row in results["tasks"][task]}
