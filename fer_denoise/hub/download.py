"""Fetch the files of a model repo: within seconds or not at all, checked, and kept in the Hub's own cache.

Left to itself `huggingface_hub` tries for minutes while the Hub is down or limits the rate, does not end with a server
that trickles, and does not compare what came with its checksum. So it works in a thread that is left behind when the
time is up, and every file is compared with its checksum, when it has come and whenever it is read from the cache. Not
by `snapshot_download`, whose pool of threads Python waits for at its end, however long the Hub is silent.
"""

import hashlib
import logging
import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from huggingface_hub import (
    HfApi,
    constants,
    get_hf_file_metadata,
    get_session,
    get_token,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)
from huggingface_hub.errors import HFValidationError
from tqdm import tqdm

from fer_denoise.files import write_whole
from fer_denoise.hub.errors import OR_BUNDLED, DownloadError, HubDownError, explain, no_model, not_the_hub

Result = TypeVar("Result")

logger = logging.getLogger(__name__)

ASK_TIMEOUT = constants.HF_HUB_ETAG_TIMEOUT
"""Seconds that the Hub may be silent before it answers a question."""
DOWNLOAD_TIMEOUT = constants.HF_HUB_DOWNLOAD_TIMEOUT
PATIENCE = 3 * DOWNLOAD_TIMEOUT
"""Seconds for all files of a model, which are a few megabytes, however the Hub trickles, breaks off or is silent."""


def download(repo_id: str, revision: str | None, names: Sequence[str]) -> Path:
    """The folder of the Hub's cache that holds the files `names` of a model repo, fetched where they are not there.

    A commit that is in the cache needs no request. A branch or tag is asked for every time; the cached copy is taken
    where the Hub does not answer.

    Raises:
        DownloadError: the repo, the revision or a file is not there, may not be read, or does not arrive whole.
    """
    revision = revision or constants.DEFAULT_REVISION
    cached = None
    try:
        cached = _cached_snapshot(repo_id, revision, names)
        if cached and cached.name == revision:  # a commit, which never changes
            return cached
        return _fetch_snapshot(repo_id, revision, names, cached)
    # Nothing wider, or a fault of our own would pass for one of the network, and be hidden by an old copy.
    except (DownloadError, HFValidationError, httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        problem = error if isinstance(error, DownloadError) else explain(error, repo_id, revision, ASK_TIMEOUT)
        if cached and isinstance(problem, HubDownError):
            logger.warning("%s. Taking the copy in the cache.", problem)
            return cached
        raise problem from (None if problem is error else error)


def _fetch_snapshot(repo_id: str, revision: str, names: Sequence[str], cached: Path | None) -> Path:
    _check_settings(repo_id)
    commit, checksums = _in_time(repo_id, lambda: _ask(repo_id, revision))
    if missing := [name for name in names if checksums and name not in checksums]:
        raise no_model(repo_id, missing[0], checksums)
    snapshot = _cached_snapshot(repo_id, commit, names) or _fetch(repo_id, commit, {n: checksums.get(n) for n in names})
    if revision != commit and snapshot != cached:
        write_whole(snapshot.parents[1] / "refs" / revision, commit.encode())
    return snapshot


def _check_settings(repo_id: str) -> None:
    try:
        get_session()  # reads the settings of the network when it is first called
    except (ImportError, OSError, ValueError) as error:
        # The text may hold the password of a proxy.
        raise DownloadError(
            f"{repo_id}: the network cannot be used as HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE say "
            f"({type(error).__name__}); correct or unset them (SOCKS needs: pip install 'httpx2[socks]'), {OR_BUNDLED}"
        ) from None
    if not (get_token() or "").isascii():
        raise DownloadError(f"{repo_id}: HF_TOKEN holds letters that no token has; copy it anew, or unset it")


def _in_time(repo_id: str, call: Callable[[], Result]) -> Result:
    """What `call` returns, unless it takes longer than `PATIENCE`, which raises a HubDownError.

    What takes too long is left to its own end, and does not keep the program from its end.
    """
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return future.result(PATIENCE)
    except TimeoutError:
        if future.done():  # a time-out of its own
            raise
        raise HubDownError(
            f"{repo_id}: had not come whole after {PATIENCE} seconds; try again later or with "
            f"HF_HUB_DOWNLOAD_TIMEOUT={2 * DOWNLOAD_TIMEOUT}, {OR_BUNDLED}"
        ) from None


def _ask(repo_id: str, revision: str) -> tuple[str, dict[str, str | None]]:
    """The commit that a revision is now, and its files: the SHA-256 of one in LFS, Git's SHA-1 of another one.

    Where a mirror tells no checksum, there is None in its place.
    """
    try:
        info = HfApi().model_info(repo_id, revision=revision, files_metadata=True, timeout=ASK_TIMEOUT)
    except HFValidationError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # So ends the reading of an answer that is somebody else's, such as a hotel's.
        raise not_the_hub(repo_id) from error
    if not re.fullmatch(r"[0-9a-f]{40}", str(info.sha)):
        raise not_the_hub(repo_id)
    files = info.siblings or []
    return str(info.sha), {file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id for file in files}


def _fetch(repo_id: str, commit: str, checksums: dict[str, str | None]) -> Path:
    """The folder of the cache with all files of `checksums`, of which those that were not in it have been fetched."""

    def fetch_files() -> list[Path]:
        cached = {name: _cached_file(repo_id, commit, name) for name in checksums}
        return [cached[name] or _fetch_file(repo_id, commit, name, checksums[name]) for name in checksums]

    return _in_time(repo_id, fetch_files)[0].parent


def _fetch_file(repo_id: str, commit: str, name: str, listed: str | None) -> Path:
    """Fetch a file into the cache; it has the checksum that is `listed` or, as with mirrors, in the headers."""
    # Asked for once before, for the download goes on asking for minutes where this fails.
    metadata = get_hf_file_metadata(hf_hub_url(repo_id, name, revision=commit), timeout=ASK_TIMEOUT)
    try:
        # Forced, or a damaged copy in the cache would be taken for the file.
        file = Path(hf_hub_download(repo_id, name, revision=commit, force_download=True, tqdm_class=_NoBar))
    except (RuntimeError, ValueError) as error:  # of Xet, over which large files may come
        raise HubDownError(
            f"{repo_id}: {name}: did not come ({type(error).__name__}); try again, {OR_BUNDLED}"
        ) from error
    checksum = listed or metadata.etag
    if not _matches(file, checksum):
        file.resolve().unlink()
        raise DownloadError(
            f"{repo_id}: {name}: what came does not match the Hub's checksum ({checksum}) and was not kept; try again, "
            f"and if that does not help, look for a proxy or mirror (HF_ENDPOINT) that alters files, {OR_BUNDLED}"
        )
    return file


class _NoBar(tqdm):
    """A bar that is not drawn, for one that is left behind would draw over what comes after."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "disable": True})


def _cached_snapshot(repo_id: str, revision: str, names: Sequence[str]) -> Path | None:
    """The snapshot of `revision` in the cache, if it is whole."""
    files = [_cached_file(repo_id, revision, name) for name in names]
    return files[0].parent if files[0] and None not in files else None


def _cached_file(repo_id: str, revision: str, name: str) -> Path | None:
    """A file of the cache, if it is there, and is what its blob is named after: its SHA-256, or Git's SHA-1."""
    found = try_to_load_from_cache(repo_id, name, revision=revision)
    if not isinstance(found, str):
        return None
    file = Path(found)
    return file if not file.is_symlink() or _matches(file, file.readlink().name) else None


def _matches(file: Path, checksum: str | None) -> bool:
    """Whether a file has a checksum, which is a SHA-256 or Git's SHA-1; nothing matches what is neither."""
    content = file.read_bytes()
    sha1 = hashlib.sha1(b"blob %d\0" % len(content) + content)
    return checksum in (hashlib.sha256(content).hexdigest(), sha1.hexdigest())
