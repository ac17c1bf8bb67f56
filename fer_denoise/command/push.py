"""A restored or corrupted dataset, as a dataset repo of the Hub with a card that says what was done to it."""

import json
from pathlib import Path

from huggingface_hub import CommitOperationAdd, DatasetCard, DatasetCardData, HfApi
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

import fer_denoise
from fer_denoise.command.job import Job, Report
from fer_denoise.data import DataError
from fer_denoise.hub.sources import CODE_URL
from fer_denoise.hub.writing import writing

CARD = """---
{data}
---

# {title}

The images of `{source}`, {done} {made_by} {version}.

- {lines}
- What it was done with: `{record}`

Rows that could not be read are as they were in the source. The licence and the limits of the source hold here too.

{note}
"""
MADE_BY = f"by [fer-denoise]({CODE_URL})"
"""What tells a card of ours."""
NOTES = {
    "restored": "A restorer fills in what is likely, not what was there. Do not use these images to identify anybody,\n"
    "as evidence, or to judge what somebody feels.",
    "corrupted": "The noise of an image depends on the seed and its row alone, so this set can be made again.",
}


def prepare_repo(repo: str, private: bool) -> None:
    """Create the repo, so that a wrong name or token shows at once.

    Raises:
        DataError: no repo has such a name, or it is public already where it is to be private, or it holds something
            else, which is not to be written over.
        HubWriteError: the Hub does not let us write.
    """
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        raise DataError(f"{repo}: no name of a repo ({error}); write USER/NAME") from None
    with writing():
        _api().create_repo(repo, repo_type="dataset", private=private or None, exist_ok=True)
        info = _api().dataset_info(repo)
        present = {file.rfilename for file in info.siblings or []} - {".gitattributes"}
        card = _api().hf_hub_download(repo, "README.md", repo_type="dataset") if "README.md" in present else None
    if private and not info.private:
        raise DataError(f"{repo}: is public already; make it private in its settings, or choose another")
    if present and not (card and MADE_BY in Path(card).read_text(encoding="utf-8")):
        raise DataError(f"{repo}: holds other files already; choose a new repo, so that nothing is overwritten")


def push(target: Path, repo: str, source: str, job: Job, report: Report) -> str:
    """Send the files of `target`, and a card, in one commit; gives its address.

    Raises:
        HubWriteError: the Hub did not take it.
    """
    root = target if target.is_dir() else target.parent
    files = sorted(path for path in target.rglob("*") if path.is_file()) if target.is_dir() else [target]
    operations = [CommitOperationAdd(path.relative_to(root).as_posix(), path) for path in files]
    operations.append(CommitOperationAdd("README.md", str(make_card(repo, source, job, report)).encode()))
    with writing():
        commit = _api().create_commit(
            repo, operations, commit_message=f"Images of {source}, {job.done}", repo_type="dataset"
        )
    return commit.commit_url


def make_card(repo: str, source: str, job: Job, report: Report) -> DatasetCard:
    """What was done to the images, for people and for the Hub."""
    data = DatasetCardData(
        pretty_name=repo.partition("/")[2] or repo,
        tags=["fer-denoise", "image-denoising"],
        task_categories=["image-to-image"],
    )
    return DatasetCard(
        CARD.format(
            data=data.to_yaml(),
            title=repo,
            # A folder on somebody's machine means nothing to a reader.
            source=source if not Path(source).exists() else Path(source).name,
            done=job.done,
            made_by=MADE_BY,
            version=fer_denoise.__version__,
            lines="\n- ".join(report.lines(job)),
            record=json.dumps(job.record),
            note=NOTES[job.done],
        )
    )


def _api() -> HfApi:
    return HfApi(library_name="fer-denoise", library_version=fer_denoise.__version__)
