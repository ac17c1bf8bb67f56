"""What is imported is declared: in pyproject.toml what the package, the app and the training need, pinned for tests."""

import ast
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OUR_OWN = {"fer_denoise", "train", *(file.stem for file in (ROOT / "tests").glob("*.py"))}


def imported(files: list[Path]) -> set[str]:
    """The distributions of the modules that files import, wherever in them; the standard library has none."""
    modules = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                modules |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                modules.add(str(node.module).partition(".")[0])
    installed = packages_distributions()
    # One that is not installed, such as bm3d, goes by the name of its module.
    return {
        canonicalize_name(installed.get(module, [module])[0])
        for module in modules - OUR_OWN - set(sys.stdlib_module_names)
    }


def names(requirements: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in requirements}


def pins() -> dict[str, Requirement]:
    """The requirements of the tests, and of all else, by distribution."""
    files = (ROOT / name for name in ("requirements.txt", "tests/requirements.txt"))
    lines = [line for file in files for line in file.read_text().splitlines() if not line.startswith("-")]
    return {canonicalize_name(pin.name): pin for pin in map(Requirement, lines)}


@pytest.mark.parametrize(
    ("folder", "extras"),
    [("fer_denoise", ["bm3d"]), ("fer_denoise/demo", ["app", "bm3d"]), ("train", ["train", "bm3d", "peers"])],
)
def test_what_is_imported_is_declared(folder, extras):
    files = [file for file in (ROOT / folder).rglob("*.py") if folder.endswith("demo") or "demo" not in file.parts]
    assert files
    optional = PROJECT["optional-dependencies"]
    declared = names([*PROJECT["dependencies"], *(line for extra in extras for line in optional[extra])])
    assert imported(files) <= declared


def test_what_the_tests_import_is_pinned():
    assert imported([*(ROOT / "tests").glob("*.py")]) <= set(pins())


def test_what_is_declared_is_pinned_to_a_version_that_it_allows():
    # BM3D is not free for all, and so never installed unasked.
    extras = [line for extra, lines in PROJECT["optional-dependencies"].items() if extra != "bm3d" for line in lines]
    for requirement in map(Requirement, [*PROJECT["dependencies"], *extras]):
        (pin,) = pins()[canonicalize_name(requirement.name)].specifier
        assert pin.operator == "==" and pin.version in requirement.specifier, requirement
