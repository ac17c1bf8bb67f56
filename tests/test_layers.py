"""Data flows one way: a file imports only what stands beside or below it."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ABOVE = {
    "fer_denoise/noise": ("fer_denoise.models", "fer_denoise.zoo", "fer_denoise.restore"),
    "fer_denoise/metrics.py": ("fer_denoise.noise", "fer_denoise.models"),
    "fer_denoise/images.py": ("fer_denoise.noise", "fer_denoise.models"),
    "fer_denoise/models": ("fer_denoise.zoo", "fer_denoise.restore", "fer_denoise.command", "fer_denoise.demo"),
    "fer_denoise": ("train",),
}
"""What a folder or file of the package must not import."""
TRAIN = ("train.shared", "train.reporting", "train.measures.shared", "train.measures")
"""The folders of `train`, each of which may import those before it; the commands above them may import all."""


def imports(file: Path) -> set[str]:
    """The modules, and the names in them, that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def below(module: str, folders: tuple[str, ...]) -> bool:
    return any(f"{module}.".startswith(f"{folder}.") for folder in folders)


@pytest.mark.parametrize("place", ABOVE)
def test_nothing_in_the_package_imports_what_stands_above_it(place):
    files = [ROOT / place] if place.endswith(".py") else sorted((ROOT / place).rglob("*.py"))
    assert files
    for file in files:
        assert not [name for name in imports(file) if below(name, ABOVE[place])], file


@pytest.mark.parametrize("folder", TRAIN)
def test_what_the_commands_share_knows_no_command(folder):
    allowed = TRAIN[: TRAIN.index(folder) + 1]
    files = sorted((ROOT / folder.replace(".", "/")).rglob("*.py"))
    assert files
    for file in files:
        assert not [name for name in imports(file) if below(name, ("train",)) and not below(name, allowed)], file


def test_no_command_imports_another_but_the_one_that_writes_all_tables():
    for file in {*(ROOT / "train").glob("*.py")} - {ROOT / "train" / "tables.py"}:
        assert not [name for name in imports(file) if below(name, ("train",)) and not below(name, TRAIN)], file
