"""What README and docs say is so: links lead somewhere, options exist, and each code block runs as it is printed.

The blocks of a page run in their order, in a folder that was empty, with the package as its wheel installs it. A block
of the shell that begins with a comment "needs ..." is not run: its commands are parsed. Of those, what needs a clone
alone runs in one. Those that speak to the running app are run by `test_app.py`.
"""

import argparse
import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from fer_denoise import __main__ as command
from fer_denoise import __version__
from fer_denoise.demo.explain_tab import TEXT
from fer_denoise.noise import KINDS, as_function
from train import benchmark, publish

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "results" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKED = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
SCRIPTS = [file for file in sorted((ROOT / "train").glob("*.py")) if "def main(" in file.read_text(encoding="utf-8")]
NO_BEGINNING = (
    *("Of", "By", "With", "In", "To", "For", "From", "On", "At", "Over", "Among", "Beside", "Besides", "While"),
    *("Is", "Those", "That", "So", "But", "And", "Nothing", "Added", "Its", "Their", "Both", "None", "Within"),
    *("Against", "Between", "Remembered", "Smaller", "Larger", "Hold"),
)
"""Words with which a docstring would only hint at what is meant."""
APP = "http://127.0.0.1:7860"
RUN = """
import json, subprocess, sys
names = {}
for language, code in json.load(sys.stdin):
    if language == "python":
        exec(code, names)
    else:
        subprocess.run(["bash", "-euo", "pipefail", "-c", code], check=True)
"""


class Block(NamedTuple):
    """A block of code on a page."""

    language: str
    code: str

    @property
    def runs(self) -> bool:
        """Whether a test can run it: it neither says that it needs something, nor speaks to the app."""
        return not self.code.startswith("# needs ") and APP not in self.code

    @property
    def needs_a_clone(self) -> bool:
        """Whether a clone of the repository is all that it needs."""
        return self.code.startswith("# needs a clone of the repository\n")


def blocks(page: Path) -> list[Block]:
    return [Block(*found) for found in re.findall(r"```(\w*)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)]


def prose(page: Path) -> str:
    """A page without its front matter and its code."""
    text = re.sub(r"\A---\n.*?\n---\n", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(code: str) -> list[tuple[str, list[str]]]:
    """What of this repository a block of the shell runs: the module of each command, and its arguments."""
    found = []
    for line in code.splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["fer-denoise"]:
            found.append(("fer_denoise.__main__", words[1:]))
        elif "-m" in words:
            module, *arguments = words[words.index("-m") + 1 :]
            if module.startswith("train."):
                found.append((module, arguments))
            elif module == "fer_denoise":
                found.append(("fer_denoise.__main__", arguments))
    return found


def test_a_docstring_begins_with_what_a_thing_is_or_does():
    # A word alone, such as a unit, does not say of what it is.
    begun = re.compile(rf'"""(({"|".join(NO_BEGINNING)})\b.*|\w+\."""$)', re.MULTILINE)
    sources = [file for folder in ("fer_denoise", "train") for file in sorted((ROOT / folder).rglob("*.py"))]
    assert sources
    found = [f"{name_of(file)}: {text[0]}" for file in sources for text in begun.finditer(file.read_text("utf-8"))]
    assert found == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 180


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_every_relative_link_leads_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists() and target.is_relative_to(ROOT), f"{link}: no such file"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


@pytest.mark.parametrize("page", PAGES[1:], ids=name_of)
def test_every_page_is_a_click_away_from_the_readme(page):
    assert f"]({name_of(page)}" in prose(ROOT / "README.md")


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_the_files_that_are_named_exist(page):
    places = r"`((?:fer_denoise|train|tests|results|docs|hub_cards|\.ci)/[\w./-]*(?:\.py|\.json|\.md|/))`"
    named = re.findall(places, prose(page))
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_is_understood(page, monkeypatch):
    class UnderstoodError(Exception):
        """The arguments are right; what they ask for is not done."""

    parse = argparse.ArgumentParser.parse_args

    def parse_only(self, args=None, namespace=None):
        parse(self, args, namespace)
        raise UnderstoodError

    shell = [block for block in blocks(page) if block.language == "bash" and APP not in block.code]
    for name, arguments in [found for block in shell for found in commands(block.code)]:
        module = importlib.import_module(name)
        if hasattr(module, "parse_args"):
            module.parse_args(arguments)
        else:
            with monkeypatch.context() as patched:
                patched.setattr(argparse.ArgumentParser, "parse_args", parse_only)
                with pytest.raises(UnderstoodError):
                    module.main(arguments)


@pytest.fixture(scope="module")
def options() -> set[str]:
    """All options of the commands of this repository."""
    known: set[str] = set()
    add = argparse.ArgumentParser.add_argument

    def remember(self, *names, **more):
        action = add(self, *names, **more)
        known.update(action.option_strings)
        return action

    mains = [command.main, *(importlib.import_module(f"train.{file.stem}").main for file in SCRIPTS)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(argparse._ActionsContainer, "add_argument", remember)
        for main in mains:
            with pytest.raises(SystemExit):
                main(["--help"])
    return known


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_the_options_that_are_named_exist(page, options):
    code = " ".join(re.findall(r"`([^`]+)`", prose(page)))
    assert set(re.findall(r"(?<!\S)--[a-z][\w-]*", code)) - options == set()


def test_the_page_on_python_names_the_function_of_every_kind_of_noise():
    named = {*re.findall(r"`(\w+)`", prose(ROOT / "docs" / "python.md"))}
    assert {as_function(kind).__name__ for kind in KINDS.values()} <= named


def test_the_page_on_measuring_shows_every_measurement():
    shown = [words for block in blocks(ROOT / "docs" / "measuring.md") for _, words in commands(block.code)]
    assert {f"--{name}" for name in benchmark.MEASUREMENTS} <= {word for words in shown for word in words}


def test_the_results_begin_with_a_list_of_their_parts():
    text = prose(ROOT / "results" / "README.md")
    assert re.findall(r"^- \[(.*)\]\(#", text, re.MULTILINE) == re.findall(r"^## (.*)$", text, re.MULTILINE)


def test_the_files_and_lists_that_contributing_names_are_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    places = r"(?<![\w/.])(?:fer_denoise|train|tests|docs|hub_cards|results|\.ci)/[\w/-]*(?:\.\w+)?"
    assert [name for name in re.findall(places, text) if not (ROOT / name).exists()] == []
    lists = re.findall(r"`(\w+)` (?:in|of) `([\w/]+\.py)`", text)
    lists += [(name, file) for file, name in re.findall(r"`([\w/]+\.py)` \| `(\w+)` there", text)]
    assert len(lists) > 12
    for name, file in lists:
        assert re.search(rf"^(def |class )?{name}\b", (ROOT / file).read_text("utf-8"), re.MULTILINE), (
            f"{name} in {file}"
        )


def test_ci_runs_what_contributing_asks_for():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (block,) = blocks(ROOT / "CONTRIBUTING.md")
    for command_line in block.code.replace(" && ", "\n").splitlines():
        assert command_line.replace("pip install", "pip install --quiet") in script


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if any(b.needs_a_clone for b in blocks(page))], ids=name_of)
def test_what_needs_a_clone_alone_runs_in_one_and_changes_no_page(page, tmp_path):
    for name in ("train", "fer_denoise"):
        (tmp_path / name).symlink_to(ROOT / name)
    for name in ("docs", "results"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copyfile(ROOT / "README.md", tmp_path / "README.md")
    (tmp_path / "results" / "overview.png").unlink()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": ""}
    for block in blocks(page):
        if block.needs_a_clone:
            subprocess.run(["bash", "-euo", "pipefail", "-c", block.code], cwd=tmp_path, env=environment, check=True)
    assert (tmp_path / "results" / "overview.png").is_file()
    for each in PAGES:
        assert (tmp_path / name_of(each)).read_text("utf-8") == each.read_text("utf-8")


def test_ci_runs_the_readmes_two_commands():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    run, test = (block.code for block in blocks(ROOT / "README.md")[:2])
    assert ".venv/bin/python app.py" in run and ".venv/bin/python app.py" in script
    make, install, check = test.splitlines()[1].split(" && ")
    assert make in script and check in script
    assert install.replace("pip install", "pip install --quiet") in script
    assert all((ROOT / file).is_file() for file in re.findall(r"-r (\S+)", run + test))


@pytest.fixture(scope="session")
def installed(tmp_path_factory) -> dict[str, str]:
    """The environment of one who has installed the package; it is built out of the files that pyproject.toml lists."""
    folder = tmp_path_factory.mktemp("installed")
    for file in [*publish.package_files(), *(ROOT / name for name in ("pyproject.toml", "README.md", "LICENSE"))]:
        copy = folder / "source" / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    pip = [sys.executable, "-m", "pip", "--quiet", "install", "--no-deps", "--no-index", "--no-build-isolation"]
    place = ["--target", str(folder / "site"), str(folder / "source")]
    built = subprocess.run([*pip, *place], capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    path = [str(folder / "site" / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]
    return {**os.environ, "PYTHONPATH": str(folder / "site"), "PATH": os.pathsep.join(path)}


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if any(block.runs for block in blocks(page))], ids=name_of)
def test_the_blocks_of_a_page_run_as_printed_from_an_empty_folder(page, installed, tmp_path):
    if not shutil.which("bash"):
        pytest.skip("needs bash")
    runs = [block for block in blocks(page) if block.runs]
    assert {block.language for block in runs} <= {"bash", "python"}
    ended = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps(runs),
        cwd=tmp_path,
        env=installed,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert any(tmp_path.iterdir())


def test_whoever_cites_it_names_the_version_there_is():
    lines = (ROOT / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    cited = {name: value.strip('"') for name, _, value in (line.partition(": ") for line in lines)}
    assert cited["version"] == __version__ and cited["title"] in TEXT and cited["repository-code"] in TEXT


def test_the_code_that_the_app_shows_runs(samples):
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    names = {"faces": samples}
    exec(code, names)
    assert names["restored"].shape == samples.shape and names["restored"].dtype == samples.dtype
