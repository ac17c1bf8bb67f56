"""Datasets on the Hub, each at one commit, whatever becomes of its branch meanwhile."""

import logging
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RevisionNotFoundError

from fer_denoise.data.columns import DataError
from fer_denoise.data.formats import CsvTable, Table, table_of
from fer_denoise.files import no_space_left

if TYPE_CHECKING:
    from datasets.download import DownloadManager, StreamingDownloadManager

MAIN = "main"
"""What is taken where no revision is named."""
TEXT_TABLES = (".csv", ".tsv")
CHECK = "check the id, the revision, your network and HF_TOKEN, or take a local copy"
NO_SPACE = "make space on the disk, or set HF_HOME to a folder on one that has some"

logger = logging.getLogger(__name__)


def is_commit(revision: str | None) -> bool:
    """Whether a revision is a commit, which cannot change."""
    return re.fullmatch("[0-9a-f]{40}", revision or "") is not None


def current_commit(repo: str, revision: str | None = None) -> str | None:
    """The commit that a revision of a dataset repo is now; None where the Hub does not tell.

    Raises:
        DataError: the repo has no such revision.
    """
    try:
        return HfApi().dataset_info(repo, revision=revision or MAIN, timeout=constants.HF_HUB_ETAG_TIMEOUT).sha
    except RevisionNotFoundError as error:
        raise DataError(f"{repo}: has no revision {revision or MAIN}; give a commit, tag or branch of it") from error
    except (HfHubHTTPError, HFValidationError, httpx2.HTTPError, OSError):
        # `datasets` may have a copy, or tells why.
        return None


class HubDataset:
    """A dataset repo at one commit.

    Attributes:
        repo: its id, "user/repo".
        commit: that it is taken at, of a revision that may be a branch; where the Hub does not answer, the one in the
            cache.
    """

    def __init__(self, repo: str, revision: str | None = None) -> None:
        """Find out what it holds.

        Raises:
            DataError: it is neither on the Hub nor in the cache.
        """
        import datasets

        self.repo, self._name = repo, f"{repo}@{revision or MAIN}"
        commit = revision if is_commit(revision) else current_commit(repo, revision)
        with self._explained():
            self._builder = datasets.load_dataset_builder(repo, revision=commit or revision)
        self.commit = str(self._builder.hash)
        if commit and self.commit != commit:
            raise DataError(
                f"{self._name}: the Hub does not give commit {commit}, and in the cache is {self.commit}; {CHECK}"
            )
        self._name = f"{repo}@{self.commit}"

    def splits(self, stream: bool = False) -> dict[str, Table]:
        """The splits of the dataset by their names, in the types that `datasets` gives their columns.

        Args:
            stream: read them as they come, without a copy on the disk.

        Raises:
            DataError: it cannot be downloaded, or a split has no images.
        """
        with self._explained():
            if stream:
                found = self._builder.as_streaming_dataset()
            else:
                self._builder.download_and_prepare()
                found = self._builder.as_dataset()
            # A stream knows its columns only once it has been looked into.
            found = {
                split: dataset if dataset.features else dataset._resolve_features() for split, dataset in found.items()
            }
        return {split: table_of(dataset, f"{self.repo} ({split})") for split, dataset in found.items()}

    def files(self, stream: bool = False) -> dict[str, Table]:
        """The splits by the names of the files that they come out as: CSV as it is written, all others as Parquet.

        Arguments and errors are those of `splits`.
        """
        from datasets.download import DownloadManager, StreamingDownloadManager
        from datasets.utils.file_utils import xPath

        if self._builder.info.builder_name != "csv":
            self._say_what_is_inferred()
            return {f"{split}.parquet": table for split, table in self.splits(stream).items()}
        if self._builder.name != "csv":
            raise DataError(
                f"{self._name}: the cache does not hold its CSV files, only what was made of them, and the Hub does "
                f"not answer; {CHECK}"
            )
        with self._explained():
            found = list(self._text_files(StreamingDownloadManager if stream else DownloadManager))
        with self._explained((OSError, EOFError, zlib.error, httpx2.HTTPError)):
            return {name: CsvTable(xPath(path), record={}) for name, path in found}

    def _text_files(
        self, manager_class: "type[DownloadManager | StreamingDownloadManager]"
    ) -> Iterator[tuple[str, str]]:
        """What each comes out as, and where it lies."""
        from datasets.download import DownloadConfig

        manager = manager_class(dataset_name=self.repo, download_config=DownloadConfig(token=self._builder.token))
        for split, addresses in (self._builder.config.data_files or {}).items():
            found: list[tuple[str, str]] = []
            for address in addresses:
                suffixes = [suffix for suffix in Path(address).suffixes if suffix.lower() in TEXT_TABLES]
                paths = manager.iter_files(manager.download_and_extract(address))
                found += [(path, (suffixes or [".csv"])[-1]) for path in paths]
            for number, (path, suffix) in enumerate(found):
                shard = f"-{number:05}-of-{len(found):05}" if len(found) > 1 else ""
                yield f"{split}{shard}{suffix}", path

    def _say_what_is_inferred(self) -> None:
        files = [address for addresses in (self._builder.config.data_files or {}).values() for address in addresses]
        names = {Path(address).name for address in files} & {"metadata.csv"}
        if self._builder.info.builder_name == "json":
            names = {"JSON"}
        if names:
            logger.warning(
                "%s: what stands beside the images in its %s comes out in the types that `datasets` takes it for, so "
                "that 00001 may become 1; of CSV tables and Parquet everything is kept",
                self._name,
                *names,
            )

    @contextmanager
    def _explained(self, errors: tuple[type[Exception], ...] = (Exception,)) -> Iterator[None]:
        """Say what to do where `datasets` fails in any way, or with one of some `errors`.

        Raises:
            DataError: it does.
        """
        try:
            yield
        except DataError:
            raise
        except errors as error:
            remedy = NO_SPACE if no_space_left(error) else CHECK
            raise DataError(
                f"{self._name}: is no path here, and cannot be loaded from the Hub ({error}); {remedy}"
            ) from error


@cache
def fixed_dataset(repo: str, revision: str | None = None) -> HubDataset:
    """A dataset whose branch is looked up once in this process; what fails is tried again."""
    return HubDataset(repo, revision)
