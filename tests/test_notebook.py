"""The notebook runs from top to bottom, on small data and without network."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from huggingface_hub import constants
from nbclient import NotebookClient

from train.publish import package_files

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "train" / "fer_denoise.ipynb"


@pytest.fixture
def notebook() -> nbformat.NotebookNode:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    return notebook


def tagged(notebook: nbformat.NotebookNode, tag: str) -> nbformat.NotebookNode:
    (cell,) = [cell for cell in notebook.cells if tag in cell.metadata.get("tags", [])]
    return cell


def test_it_is_stored_without_output_and_names_the_repository_once(notebook):
    assert all(not cell.outputs and cell.execution_count is None for cell in notebook.cells if cell.cell_type == "code")
    address = re.search(r'REPOSITORY = "(.*)"', tagged(notebook, "parameters").source)[1]
    assert NOTEBOOK.read_text().count(address) == 1
    path = address.removeprefix("https://github.com/")
    badge = f"https://colab.research.google.com/github/{path}/blob/main/train/fer_denoise.ipynb"
    assert badge in (ROOT / "README.md").read_text()


def test_it_holds_no_logic_of_its_own(notebook):
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    assert not re.search(r"^\s*(def|class|if|while|try)\b", code, flags=re.MULTILINE)


@pytest.mark.slow
def test_it_runs(notebook, make_faces, tmp_path, monkeypatch):
    needed = [*package_files(), *(ROOT / "train").rglob("*.py"), *(ROOT / "hub_cards").glob("*.md"), ROOT / "README.md"]
    for file in needed:
        copy = tmp_path / "repo" / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    usages = ["Training"] * 16 + ["PublicTest"] * 4 + ["PrivateTest"] * 4
    rows = [f"{i % 7},{' '.join(map(str, face.ravel()))},{usages[i]}" for i, face in enumerate(make_faces(24))]
    (tmp_path / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]))
    overrides = {
        "DATA": str(tmp_path / "fer2013.csv"),
        "OPTIONS": ["--widths", "4", "8", "--epochs", "1", "--batch-size", "8", "--device", "cpu"],
        "REPO": "somebody/mine",
        "ZOO": ["--only", "attention-unet-low", "--epochs", "1", "--batch-size", "8", "--device", "cpu", "--no-bundle"],
    }
    tagged(notebook, "parameters").source += "".join(f"\n{name} = {value!r}" for name, value in overrides.items())
    notebook.cells.remove(tagged(notebook, "install"))
    assert constants.HF_HUB_OFFLINE
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # It writes into the package that it imports: that is to be the copy, wherever the tests look for theirs.
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "repo"))
    resources = {"metadata": {"path": str(tmp_path / "repo")}}
    NotebookClient(notebook, timeout=400, kernel_name="python3", resources=resources).execute()
    (publish,) = [cell for cell in notebook.cells if cell.get("id") == "publish"]
    shown = "".join(output.text for output in publish.outputs if output.output_type == "stream")
    assert "would send to the model somebody/mine: Publish attention-unet-low" in shown
    assert "On the 4 images of the test split" in shown
    run = tmp_path / "repo" / "runs" / "notebook"
    assert (run / "model" / "model.safetensors").is_file()
    assert (run / "zoo" / "attention-unet-low" / "model" / "model.safetensors").is_file()
