"""Where a model's files are: bundled with the package, in a local folder, or in a repo on the Hub.

A model folder is a complete Hub model repo: `config.json`, `model.safetensors`, `README.md`. Nothing else is ever
fetched or read, so no pickle is ever loaded.
"""

import hashlib
import re
from pathlib import Path

from fer_denoise.hub.download import DownloadError, download

CODE_URL = "https://github.com/fer-denoise/fer-denoise"
BUNDLE = Path(__file__).parents[1] / "weights"
CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"


class ModelNotFoundError(ValueError):
    """No usable model at that name, folder or Hub repo; the message says what to do."""


class UnknownModelError(ModelNotFoundError):
    """A name that is no model; the message lists those that are."""

    def __init__(self, source: str | Path, names: list[str]) -> None:
        super().__init__(
            f"{source}: no such model; use one of {', '.join(names)}, a folder, or a Hub repo id (user/repo)"
        )


def is_repo_id(source: str) -> bool:
    """Whether `source` has the form of a Hub repo id, "user/repo"."""
    return re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", source) is not None


def bundled_models() -> list[str]:
    """Names of the models that came with this package."""
    return sorted(config.parent.name for config in BUNDLE.glob(f"*/{CONFIG_FILE}"))


def model_folder(source: str | Path, revision: str | None = None) -> Path:
    """The folder with the files of a model.

    Args:
        source: the name of a bundled model, a local folder, or a Hub repo id ("user/repo"), which is downloaded.
        revision: commit, tag or branch of the Hub repo; a commit is the only one that cannot change.

    Raises:
        ModelNotFoundError: nothing there, files missing, or the Hub cannot be reached.
    """
    return _local_folder(source, revision) or _download(str(source), revision)


def model_commit(source: str | Path, revision: str | None = None) -> str | None:
    """The commit that a revision of a Hub repo is now; None for a model that is not on the Hub.

    A job that loads a model more than once asks first, and takes the commit from then on. Arguments and errors are
    those of `model_folder`; the files of the model are in the cache afterwards.
    """
    return None if _local_folder(source, revision) else _download(str(source), revision).name


def weights_checksum(folder: Path) -> str:
    """SHA-256 of the weights in a model folder."""
    return hashlib.sha256((folder / WEIGHTS_FILE).read_bytes()).hexdigest()


def _local_folder(source: str | Path, revision: str | None) -> Path | None:
    """The folder of a model that is bundled or on this machine; None for one on the Hub."""
    folder = BUNDLE / source if str(source) in bundled_models() else Path(source).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise ModelNotFoundError(
                f"{source}: is not on the Hub and has no revision {revision}; leave the revision out"
            )
        for name in (CONFIG_FILE, WEIGHTS_FILE):
            if not (folder / name).is_file():
                raise ModelNotFoundError(
                    f"{folder}: has no {name}; give the folder that save_pretrained or training wrote"
                )
        return folder
    if is_repo_id(str(source)):
        return None
    raise UnknownModelError(source, bundled_models())


def _download(repo_id: str, revision: str | None) -> Path:
    try:
        return download(repo_id, revision, [CONFIG_FILE, WEIGHTS_FILE])
    except DownloadError as error:
        raise ModelNotFoundError(str(error)) from error
