"""Tables in Markdown."""

from collections.abc import Collection, Iterable, Sequence


def table(columns: Sequence[str | None], rows: Iterable[Sequence[str | None]], left: Collection[int] = (0,)) -> str:
    """A table of texts.

    Args:
        columns: what stands above them; None for nothing.
        rows: the cells of each; None for one that a row has not.
        left: the columns that are set flush left, as words are; all others are flush right, as numbers are.
    """
    rules = ["---" if column in left else "--:" for column in range(len(columns))]
    return "\n".join(
        " ".join([*("|" if cell is None else f"| {cell}" for cell in cells), "|"]) for cells in (columns, rules, *rows)
    )
