"""Publishing to a Hub, with the real client over HTTP."""

import json
import re
import subprocess
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_hub import TOKEN, FakeHub, Fault
from huggingface_hub import ModelCard, RepoCard, constants
from huggingface_hub.utils import validate_repo_id
from packaging.requirements import Requirement

import fer_denoise
from fer_denoise import Restorer
from fer_denoise.hub.sources import BUNDLE, CODE_URL, bundled_models, weights_checksum
from fer_denoise.models import AttentionUNet
from fer_denoise.zoo import CLASSIFIERS, bundled_restorers
from train import publish
from train.reporting.cards import is_unedited

ROOT = Path(__file__).parents[1]
NAME = "attention-unet-low"
TAG = f"v{fer_denoise.__version__}"


@pytest.fixture(autouse=True)
def empty(connected: FakeHub, monkeypatch) -> None:
    connected.repos.clear()
    connected.collections.clear()
    monkeypatch.setenv("HF_TOKEN", TOKEN)


@pytest.fixture
def trained(tmp_path) -> Path:
    """The folder model/ of a run."""
    torch.manual_seed(0)
    model = AttentionUNet(widths=(4, 8))
    model.training_record = {
        "task": "low",
        "preset": "origin",
        "recipe": {"epochs": 2},
        "seed": 0,
        "init": str(tmp_path / "earlier"),
        "data": {"name": "FER2013", "images": 20, "sha256": "00" * 32},
    }
    model.save_pretrained(tmp_path / "run" / "model")
    return tmp_path / "run" / "model"


def publish_model(repo: str = "somebody/low", *options: str, model: str | Path = NAME) -> None:
    publish.main(["--model", str(model), "--repo", repo, *options])


def refusal(*options: str) -> str:
    with pytest.raises(SystemExit) as caught:
        publish.main(list(options))
    assert TOKEN not in str(caught.value)
    return str(caught.value)


def card_at(hub: FakeHub, repo_id: str = "somebody/low") -> str:
    return hub.repos["model", repo_id].commits[-1].files["README.md"].content.decode()


def test_a_published_model_loads_at_its_tag_and_restores_the_same(connected, make_faces, capsys):
    publish_model()
    repo = connected.repos["model", "somebody/low"]
    _, commit = repo.commits
    assert set(commit.files) == {".gitattributes", "README.md", "config.json", "model.safetensors"}
    assert repo.tags == {TAG: commit.oid} and not repo.private
    assert commit.oid in capsys.readouterr().out
    faces = make_faces(2)
    expected = Restorer.from_pretrained(NAME)(faces)
    assert np.array_equal(Restorer.from_pretrained("somebody/low", revision=TAG)(faces), expected)
    assert np.array_equal(Restorer.from_pretrained("somebody/low", revision=commit.oid)(faces), expected)


def test_the_code_of_a_published_card_runs_as_printed(connected):
    publish_model()
    card = ModelCard(card_at(connected))
    assert len(card.data.eval_results) == 2
    (code,) = re.findall(r"```python\n(.*?)```", card.text, flags=re.DOTALL)
    assert f'from_pretrained("somebody/low", revision="{TAG}")' in code
    found: dict = {}
    connected.requests.clear()
    exec(code, found)
    assert found["restored"].shape == (48, 48)
    assert f"GET /api/models/somebody/low/revision/{TAG}" in connected.requests


def test_a_run_is_published_without_numbers_it_has_not(connected, trained):
    publish_model("somebody/mine", "--tag", "first", model=trained)
    card = card_at(connected, "somebody/mine")
    assert "Not yet measured" in card and ModelCard(card).data.eval_results is None
    assert str(trained.parents[1]) not in card
    Restorer.from_pretrained("somebody/mine", revision="first")


def test_measured_elsewhere_a_run_has_its_numbers(connected, trained, tmp_path):
    results = json.loads((ROOT / "results" / "benchmark.json").read_text())
    row = next(row for row in results["tasks"]["low"] if row["model"] == NAME)
    row |= {"psnr": 12.3456, "weights": weights_checksum(trained)}
    (tmp_path / "mine.json").write_text(json.dumps(results))
    publish_model("somebody/mine", "--results", str(tmp_path / "mine.json"), model=trained)
    assert ModelCard(card_at(connected, "somebody/mine")).data.eval_results[0].metric_value == 12.3456


def test_all_models_are_in_one_collection(connected):
    publish_model()
    publish_model("somebody/high", model="attention-unet-high")
    publish_model("somebody/alone", "--collection", "none")
    (collection,) = connected.collections.values()
    assert collection["title"] == "fer-denoise" and collection["owner"] == "somebody"
    assert [(item["type"], item["id"]) for item in collection["items"]] == [
        ("model", "somebody/low"),
        ("model", "somebody/high"),
    ]


@pytest.mark.parametrize(
    "what", [("--model", NAME, "--repo", "somebody/low"), ("--space", "somebody/app")], ids=["model", "space"]
)
def test_a_dry_run_shows_what_would_be_sent_and_sends_nothing(connected, capsys, what):
    publish.main([*what, "--private", "--dry-run"])
    shown = capsys.readouterr().out
    assert connected.requests == [] and not connected.repos
    kind = what[0].removeprefix("--")
    assert f"the private {kind} {what[-1]}" in shown and "README.md" in shown and "model.safetensors" in shown
    assert "'fer-denoise' of somebody" in shown and TOKEN not in shown
    if kind == "model":
        assert f"tag {TAG}" in shown and "## Intended use" in shown
    publish.main([*what, "--private"])
    (repo,) = connected.repos.values()
    sent = set(repo.commits[-1].files) - {".gitattributes"}
    assert {line.split()[2] for line in shown.splitlines() if re.match(r" +[\d,]+  [0-9a-f]{12}  ", line)} == sent


def test_private_is_private_or_refused(connected):
    publish_model("somebody/secret", "--private")
    assert connected.repos["model", "somebody/secret"].private
    assert all(collection["private"] for collection in connected.collections.values())
    publish_model("somebody/open")
    message = refusal("--model", NAME, "--repo", "somebody/open", "--private", "--tag", "v2")
    assert "public already" in message and len(connected.repos["model", "somebody/open"].commits) == 2


def test_a_tag_never_moves(connected):
    publish_model()
    message = refusal("--model", "attention-unet-high", "--repo", "somebody/low")
    assert f"a tag {TAG} already" in message and "another --tag" in message
    repo = connected.repos["model", "somebody/low"]
    assert len(repo.commits) == 2 and repo.tags[TAG] == repo.commits[1].oid


def test_a_generated_card_is_renewed(connected):
    publish_model()
    publish_model("somebody/low", "--tag", "v2")
    assert 'revision="v2"' in card_at(connected) and is_unedited(card_at(connected))


def test_an_edited_card_is_kept_unless_asked(connected, capsys):
    publish_model()
    repo = connected.repos["model", "somebody/low"]
    edited = card_at(connected).replace("## Bias", "## Bias, as I see it")
    connected.commit(repo, {"README.md": edited.encode()})
    publish_model("somebody/low", "--tag", "v2")
    assert card_at(connected) == edited
    assert "edited by hand" in capsys.readouterr().out and "v2" in repo.tags
    publish_model("somebody/low", "--tag", "v3", "--overwrite-card")
    assert "as I see it" not in card_at(connected) and is_unedited(card_at(connected))


def test_what_broke_off_can_be_repeated(connected, monkeypatch):
    class Down(dict):
        def __contains__(self, slug):
            raise ConnectionAbortedError

    monkeypatch.setattr(connected, "collections", Down())
    assert "may be repeated" in refusal("--model", NAME, "--repo", "somebody/low")
    repo = connected.repos["model", "somebody/low"]
    assert len(repo.commits) == 2 and not repo.tags
    monkeypatch.setattr(connected, "collections", {})
    publish_model()
    assert len(repo.commits) == 2 and repo.tags == {TAG: repo.commits[1].oid}


def test_without_or_with_a_wrong_token_the_remedy_is_told(connected, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    assert "set HF_TOKEN" in refusal("--model", NAME, "--repo", "somebody/low")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong_secret")
    message = refusal("--model", NAME, "--repo", "somebody/low")
    assert "set HF_TOKEN" in message and "wrong_secret" not in message
    monkeypatch.setenv("HF_TOKEN", "hf_of_another")
    assert "may write for that user" in refusal("--model", NAME, "--repo", "somebody/low")
    assert not connected.repos


@pytest.mark.parametrize(("status", "expected"), [(429, "wait some minutes"), (500, "try again later")])
def test_a_hub_in_trouble_is_told(connected, status, expected):
    connected.add_repo("somebody/low", {"a.txt": b"a"})
    connected.faults["somebody/low"] = Fault(status=status)
    message = refusal("--model", NAME, "--repo", "somebody/low")
    assert str(status) in message and expected in message


def test_offline_nothing_is_published(connected, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "unset it, or add --dry-run" in refusal("--model", NAME, "--repo", "somebody/low")


def test_a_silent_hub_is_given_up(connected, monkeypatch):
    monkeypatch.setattr(publish, "TIMEOUT", 1)
    monkeypatch.setattr("fer_denoise.hub.writing.TIMEOUT", 1)
    connected.add_repo("somebody/low", {"a.txt": b"a"})
    connected.faults["somebody/low"] = Fault(hang=True)
    assert "does not answer within 1 seconds" in refusal("--model", NAME, "--repo", "somebody/low")


def test_what_is_no_model_is_not_published(connected, tmp_path, trained):
    assert "no such model" in refusal("--model", "attention-unet-medium", "--repo", "somebody/x")
    assert "has no config.json" in refusal("--model", str(tmp_path), "--repo", "somebody/x")
    weights = trained / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert "do not fit" in refusal("--model", str(trained), "--repo", "somebody/x")
    assert connected.requests == []


@pytest.mark.parametrize(
    "options",
    [[], ["--model", NAME], ["--repo", "a/b"], ["--model", NAME, "--repo", "no-owner"], ["--space", "a/b/c"]],
    ids=str,
)
def test_wrong_options_are_refused(options, capsys):
    with pytest.raises(SystemExit) as caught:
        publish.main(options)
    assert caught.value.code == 2 and "usage" in capsys.readouterr().err


@pytest.mark.slow
def test_the_command_publishes(connected, run_python):
    finished = run_python("-m", "train.publish", "--model", NAME, "--repo", "somebody/low", HF_TOKEN=TOKEN)
    assert finished.returncode == 0, finished.stderr
    assert TOKEN not in finished.stdout + finished.stderr
    assert "somebody/low at commit" in finished.stdout


@pytest.mark.slow
def test_a_space_gets_what_the_app_needs_and_starts_from_it(connected, run_python, tmp_path):
    publish.main(["--space", "somebody/app"])
    space = connected.repos["space", "somebody/app"]
    assert space.sdk == "gradio"
    files = {path: file.content for path, file in space.commits[-1].files.items()}
    results = {"results/benchmark.json", "results/realism.png", "results/overview.png"}
    assert {"app.py", "requirements.txt", "README.md", "LICENSE", *results} <= set(files)
    assert not [path for path in files if path.startswith(("tests/", "train/", "hub_cards/", "docs/"))]
    assert not [path for path in files if "__pycache__" in path]
    for path, content in files.items():
        file = tmp_path / "space" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    code = "import app, fer_denoise; print(len(app.demo.blocks), fer_denoise.list_models(), fer_denoise.__file__)"
    finished = run_python("-c", code, cwd=tmp_path / "space", HF_HUB_OFFLINE="1")
    assert finished.returncode == 0, finished.stderr
    assert all(name in finished.stdout for name in bundled_restorers())
    assert str(tmp_path / "space") in finished.stdout
    card = RepoCard(files["README.md"].decode())
    assert card.data.models == [f"somebody/fer-denoise-{name}" for name in bundled_models()]
    for picture in re.findall(r"!\[[^]]*\]\((?!http)(.*?)\)", card.text):
        assert picture in files
    # What the README leads to is in the repository alone.
    links = re.findall(r"(?<![!\w])\[[^]]*\]\((.*?)\)", card.text)
    assert f"{CODE_URL}/blob/main/docs/limits.md" in links
    assert all(link.startswith("https://") for link in links)


def test_a_space_is_renewed_without_stale_files_of_the_package(connected):
    space = connected.add_repo("somebody/app", {"fer_denoise/old.py": b"", "mine.txt": b"keep"}, kind="space")
    publish.main(["--space", "somebody/app"])
    files = space.commits[-1].files
    assert "fer_denoise/old.py" not in files and "mine.txt" in files and "app.py" in files


def test_the_whole_package_is_sent():
    tracked = subprocess.run(["git", "ls-files", "fer_denoise"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode:
        pytest.skip("no Git checkout")
    assert {file.relative_to(ROOT).as_posix() for file in publish.package_files()} == set(tracked.stdout.split())


def test_the_spaces_requirements_are_the_tested_versions_and_let_zerogpu_have_its_pytorch():
    requirements = {line.name: line for line in map(Requirement, publish.space_requirements().split())}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(requirements) == {Requirement(line).name for line in project["dependencies"]}
    assert "2.11.0" in requirements["torch"].specifier and "2.12.0" not in requirements["torch"].specifier
    pins = [Requirement(line) for line in (ROOT / "requirements.txt").read_text().split()]
    for pin in pins:
        if pin.name in requirements and pin.name != "torch":
            assert requirements[pin.name].specifier == pin.specifier


def test_the_front_matter_of_the_readme_is_one_that_a_space_accepts():
    data = RepoCard((ROOT / "README.md").read_text()).data
    pins = {pin.name: pin for pin in map(Requirement, (ROOT / "requirements.txt").read_text().split())}
    assert data.sdk == "gradio" and pins["gradio"].specifier == f"=={data.sdk_version}"
    assert isinstance(data.python_version, str) and re.fullmatch(r"3\.\d+", data.python_version)
    assert (ROOT / data.app_file).is_file()
    colors = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {data.colorFrom, data.colorTo} <= colors
    assert len(data.short_description) <= 60 and len(data.emoji) == 1
    assert data.license == "mit" and data.pinned is False and data.title
    for repo_id in [*data.models, *data.datasets]:
        validate_repo_id(repo_id)
    assert data.models == [f"fer-denoise/fer-denoise-{name}" for name in bundled_models()]


def test_the_bundled_models_are_what_is_published(connected):
    publish_model()
    files = connected.repos["model", "somebody/low"].commits[-1].files
    for name in ("config.json", "model.safetensors"):
        assert files[name].content == (BUNDLE / NAME / name).read_bytes()


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_classifier_is_published_as_one(connected, name):
    publish.main(["--model", name, "--repo", f"somebody/{name}"])
    files = connected.repos["model", f"somebody/{name}"].commits[-1].files
    assert files["model.safetensors"].content == (BUNDLE / name / "model.safetensors").read_bytes()
    card = ModelCard(files["README.md"].content.decode())
    assert card.data.pipeline_tag == "image-classification"
    assert f'EmotionClassifier.from_pretrained("somebody/{name}", revision=' in card.text
