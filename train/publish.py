"""Publish a model or the app on the Hugging Face Hub.

    python -m train.publish --model attention-unet-low --repo USER/fer-denoise-attention-unet-low --dry-run
    python -m train.publish --model runs/low/model --repo USER/REPO --private --tag v2
    python -m train.publish --space USER/fer-denoise

A model goes in one commit: weights, config and card; then into the collection of all models, and last gets its tag.
`--dry-run` shows all of it and asks the Hub for nothing. Writing needs a token: set HF_TOKEN, or run `hf auth login`.
"""

import argparse
import json
import re
import tomllib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, RepoCard
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

import fer_denoise
from fer_denoise.hub.sources import (
    BUNDLE,
    CODE_URL,
    CONFIG_FILE,
    WEIGHTS_FILE,
    ModelNotFoundError,
    UnknownModelError,
    bundled_models,
    is_repo_id,
    model_folder,
)
from fer_denoise.hub.writing import TIMEOUT, HubWriteError, writing
from train.reporting.cards import CardError, family_of, is_unedited, make_card, model_name, results_file, sign

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
CARD = "README.md"
SHOWN = ("results/*.json", "results/realism.png")
"""What the app's tab of results reads."""
PICTURE = re.compile(r"!\[[^]]*\]\(([\w./-]+)\)")
"""A picture of the repository, on a page in Markdown."""
LINK = re.compile(r"(?<![!\w])(\[[^]]*\]\()([\w.-][\w./#-]*\))")
"""A link to a page of the repository, on one in Markdown."""
TORCH_OF_SPACES = "<2.12"
"""ZeroGPU runs no newer PyTorch than 2.11."""


@dataclass(frozen=True)
class Parcel:
    """What goes to a repo in one commit: path there -> content."""

    repo_type: Literal["model", "space"]
    repo_id: str
    title: str
    files: dict[str, bytes]
    stale: str | None = None
    """Files of the repo below this folder are deleted if they are not among `files`."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--model", help=f"{', '.join(bundled_models())}, or the folder model/ of a run; needs --repo")
    what.add_argument("--space", metavar="USER/SPACE", help="publish the app there")
    parser.add_argument("--repo", metavar="USER/REPO", help="where the model goes")
    parser.add_argument("--name", help="what a run's model is, where its record does not tell")
    parser.add_argument("--results", type=Path, help="the benchmark's JSON with this model; default: ours, if bundled")
    parser.add_argument("--tag", default=f"v{fer_denoise.__version__}", help="of the commit (default: %(default)s)")
    parser.add_argument("--collection", default="fer-denoise", help="its title; none for no collection")
    parser.add_argument("--private", action="store_true", help="only you, or your organisation, can see it")
    parser.add_argument("--overwrite-card", action="store_true", help="also write over a card edited by hand")
    parser.add_argument("--dry-run", action="store_true", help="show what would be sent, and send nothing")
    args = parser.parse_args(argv)
    if (args.model is None) != (args.repo is None):
        parser.error("--model and --repo belong together")
    for repo_id in (args.repo, args.space):
        if repo_id is not None and not _is_valid(repo_id):
            parser.error(f"{repo_id}: is no repo id; write USER/REPO")
    return args


def _is_valid(repo_id: str) -> bool:
    try:
        validate_repo_id(repo_id)
    except HFValidationError:
        return False
    return is_repo_id(repo_id)


def model_parcel(args: argparse.Namespace) -> Parcel:
    if args.model not in bundled_models() and not Path(args.model).is_dir():
        raise UnknownModelError(args.model, bundled_models())
    folder = model_folder(args.model)
    name = args.name or (args.model if folder.parent == BUNDLE else model_name(folder))
    # Proves that the weights fit the config, before anybody downloads them.
    family_of(folder).architecture.from_pretrained(folder)
    files = {file: (folder / file).read_bytes() for file in (CONFIG_FILE, WEIGHTS_FILE)}
    card = make_card(name, folder, _results(args, name, files[WEIGHTS_FILE]), args.repo, args.tag)
    return Parcel("model", args.repo, f"Publish {name} {args.tag}", {CARD: str(card).encode(), **files})


def _results(args: argparse.Namespace, name: str, weights: bytes) -> dict | None:
    """What the benchmark measured of exactly these weights."""
    file = args.results
    if file is None:
        bundled = BUNDLE / name / WEIGHTS_FILE
        file = RESULTS / results_file(name)
        if not (bundled.is_file() and bundled.read_bytes() == weights and file.is_file()):
            return None
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CardError(
            f"{file}: cannot be read ({error}); give the {results_file(name)} that train.benchmark wrote"
        ) from None


def space_parcel(args: argparse.Namespace) -> Parcel:
    readme = RepoCard((ROOT / CARD).read_text(encoding="utf-8"))
    owner = args.space.partition("/")[0]
    readme.data["models"] = [f"{owner}/fer-denoise-{name}" for name in bundled_models()]
    paths = [ROOT / "app.py", ROOT / "LICENSE", *package_files()]
    paths += [path for pattern in SHOWN for path in sorted(ROOT.glob(pattern))]
    paths += [ROOT / picture for picture in PICTURE.findall(readme.text)]
    # The pages behind the README stay in the repository.
    readme.text = LINK.sub(rf"\1{CODE_URL}/blob/main/\2", readme.text)
    files = {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in paths}
    files |= {CARD: sign(str(readme)).encode(), "requirements.txt": space_requirements().encode()}
    return Parcel("space", args.space, f"Publish the app, {fer_denoise.__version__}", files, stale="fer_denoise/")


def package_files() -> list[Path]:
    """The files of the package with its weights, as pyproject.toml lists them."""
    setuptools = _pyproject()["tool"]["setuptools"]
    files = {file for package in setuptools["packages"] for file in (ROOT / package.replace(".", "/")).glob("*.py")}
    for package, patterns in setuptools["package-data"].items():
        files |= {file for pattern in patterns for file in (ROOT / package).glob(pattern)}
    return sorted(files)


def space_requirements() -> str:
    """The versions that we test with, for what the app needs.

    Gradio is left out, since the Space installs the `sdk_version` of its README. PyTorch is a range: pinned to ours,
    the Space could not be moved to ZeroGPU.
    """
    project = _pyproject()["project"]
    needed = {re.split(r"[^\w-]", requirement)[0]: requirement for requirement in project["dependencies"]}
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8").split()
    needed_pins = [pin for pin in pins if pin.partition("==")[0] in needed and not pin.startswith("torch==")]
    return "\n".join([*needed_pins, f"{needed['torch']},{TORCH_OF_SPACES}"]) + "\n"


def _pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def show(parcel: Parcel, args: argparse.Namespace) -> None:
    """Print what would be sent."""
    print(f"would send to the {'private ' if args.private else ''}{parcel.repo_type} {parcel.repo_id}: {parcel.title}")
    for path, content in sorted(parcel.files.items()):
        print(f"  {len(content):>10,}  {sha256(content).hexdigest()[:12]}  {path}")
    if parcel.repo_type == "model":
        print(f"  tag {args.tag}")
    if args.collection != "none":
        print(f"  into the collection {args.collection!r} of {parcel.repo_id.partition('/')[0]}")
    for path in (CARD, "requirements.txt"):
        if path in parcel.files and (path != CARD or parcel.repo_type == "model"):
            print(f"\n--- {path}\n{parcel.files[path].decode()}")


def send(parcel: Parcel, args: argparse.Namespace) -> None:
    """Send it, and print where it is."""
    api = HfApi(library_name="fer-denoise", library_version=fer_denoise.__version__)
    where: dict[str, Any] = {"repo_id": parcel.repo_id, "repo_type": parcel.repo_type}
    sdk = "gradio" if parcel.repo_type == "space" else None
    url = api.create_repo(**where, private=args.private or None, exist_ok=True, space_sdk=sdk)
    info = api.repo_info(**where, timeout=TIMEOUT)
    if args.private and not info.private:
        raise SystemExit(f"{parcel.repo_id}: is public already; make it private in its settings, or choose another")
    if parcel.repo_type == "model" and args.tag in [tag.name for tag in api.list_repo_refs(**where).tags]:
        raise SystemExit(f"{parcel.repo_id}: has a tag {args.tag} already, and tags do not move; give another --tag")
    present = {file.rfilename for file in getattr(info, "siblings", None) or []}
    files = dict(parcel.files)
    if CARD in present and not args.overwrite_card:
        card = Path(api.hf_hub_download(**where, filename=CARD, revision=info.sha)).read_text(encoding="utf-8")
        if not is_unedited(card):
            del files[CARD]
            print(f"kept the {CARD} of {parcel.repo_id}, which was edited by hand; --overwrite-card replaces it")
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationAdd(path, content) for path, content in files.items()
    ]
    if parcel.stale:
        stale = sorted(path for path in present - set(files) if path.startswith(parcel.stale))
        operations += [CommitOperationDelete(path) for path in stale]
    # With `parent_commit`, an edit made since the card was read makes this fail instead of being lost.
    commit = api.create_commit(**where, operations=operations, commit_message=parcel.title, parent_commit=info.sha)
    if args.collection != "none":
        owner = parcel.repo_id.partition("/")[0]
        collection = api.create_collection(args.collection, namespace=owner, private=args.private, exists_ok=True)
        api.add_collection_item(collection.slug, parcel.repo_id, parcel.repo_type, exists_ok=True)
    if parcel.repo_type == "model":
        # Last, so that a tag stands for a complete publication, and a broken one can be repeated.
        api.create_tag(**where, tag=args.tag, revision=commit.oid)
    print(f"published {url} at commit {commit.oid}")


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        parcel = model_parcel(args) if args.model else space_parcel(args)
    except (CardError, ModelNotFoundError) as error:
        raise SystemExit(str(error)) from None
    if args.dry_run:
        show(parcel, args)
        return
    try:
        with writing():
            send(parcel, args)
    except ValueError as error:
        raise SystemExit(f"not published: {error}") from None
    except HubWriteError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
