"""Fetch the files of a model repo: within seconds or not at all, checked, and kept in the Hub's own cache.

`huggingface_hub.snapshot_download` can do neither: its first request has no time-out, it sleeps and asks again for
minutes while the Hub is down or limits the rate, it may never end with a server that cuts every download off, and it
does not compare what came with its checksum. So the files are requested here, once, through that library's session,
and stored in the layout of its cache, where it and `hf cache` find them.
"""

import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import httpx2
from huggingface_hub import constants, get_session, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import REGEX_COMMIT_HASH, repo_folder_name
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status, validate_repo_id
from huggingface_hub.utils.sha import git_hash

from fer_denoise.files import write_whole

logger = logging.getLogger(__name__)

ASK_TIMEOUT = constants.HF_HUB_ETAG_TIMEOUT
DOWNLOAD_TIMEOUT = constants.HF_HUB_DOWNLOAD_TIMEOUT
"""Seconds that the Hub may be silent."""
CONNECT_TIMEOUT = 3
"""The Hub has several addresses, which are tried one after the other."""
PATIENCE = 3 * DOWNLOAD_TIMEOUT
"""Seconds for all files of a model, which are a few megabytes, however the Hub trickles."""

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
OR_BUNDLED = "or use a bundled model, which needs no network"


class DownloadError(Exception):
    """The files cannot be had; the message says why and what to do."""


class HubDownError(DownloadError):
    """The fault is not in what was asked for and may pass: no answer, a server error, too many requests, offline."""


def download(repo_id: str, revision: str | None, names: Sequence[str]) -> Path:
    """The folder of the Hub's cache that holds the files `names` of a model repo, fetched where they are not there.

    A commit that is in the cache needs no request. A branch or tag is asked for every time; the cached copy is taken
    where the Hub does not answer.

    Raises:
        DownloadError: the repo, the revision or a file is not there, may not be read, or does not arrive whole.
    """
    revision = revision or constants.DEFAULT_REVISION
    storage = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo_id, repo_type="model")
    cached = _cached_snapshot(storage, revision, names)
    if cached and REGEX_COMMIT_HASH.fullmatch(revision):
        return cached
    try:
        return _fetch_snapshot(repo_id, revision, names, storage)
    # Nothing wider, or a fault of our own would pass for one of the network, and be hidden by an old copy.
    except (DownloadError, HFValidationError, httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        problem = error if isinstance(error, DownloadError) else _explain(error, repo_id, revision)
        if cached and isinstance(problem, HubDownError):
            logger.warning("%s. Taking the copy in the cache.", problem)
            return cached
        raise problem from (None if problem is error else error)


def _fetch_snapshot(repo_id: str, revision: str, names: Sequence[str], storage: Path) -> Path:
    commit, checksums = _ask(repo_id, revision)
    if missing := [name for name in names if checksums and name not in checksums]:
        raise DownloadError(f"{repo_id}: has no {missing[0]}; {_reason(checksums)}")
    snapshot = storage / "snapshots" / commit
    deadline = time.monotonic() + PATIENCE
    for name in names:
        if not _is_intact(snapshot / name):
            _fetch_file(repo_id, commit, name, checksums.get(name), storage, deadline)
    if revision != commit:
        write_whole(storage / "refs" / revision, commit.encode())
    return snapshot


def _ask(repo_id: str, revision: str) -> tuple[str, dict[str, str | None]]:
    """The commit that a revision is now, and its files: the SHA-256 of one in LFS, Git's SHA-1 of another one.

    Where a mirror tells no checksum, there is None in its place. `HfApi.model_info` asks the same, but fails in many
    ways where the answer is somebody else's, such as a hotel's, which cannot be told from faults of our own.
    """
    validate_repo_id(repo_id)
    url = f"{constants.ENDPOINT}/api/models/{repo_id}/revision/{quote(revision, safe='')}"
    client, headers = _client(repo_id), _headers(repo_id)
    response = client.get(url, params={"blobs": True}, headers=headers, timeout=_timeout(ASK_TIMEOUT))
    hf_raise_for_status(response)
    try:
        answer = response.json()
    except ValueError:
        answer = None
    match answer:
        case {"sha": str(commit), "siblings": [*files]} if REGEX_COMMIT_HASH.fullmatch(commit):
            listed = [_name_and_checksum(file) for file in files]
            if None not in listed:
                return commit, dict(filter(None, listed))
        case {"sha": str(commit)} if REGEX_COMMIT_HASH.fullmatch(commit):
            return commit, {}
    raise HubDownError(
        f"{repo_id}: {constants.ENDPOINT} answers, but not as the Hub does; check whether this network wants a login, "
        f"and the proxy and HF_ENDPOINT, try again later, {OR_BUNDLED}"
    )


def _name_and_checksum(file: object) -> tuple[str, str | None] | None:
    match file:
        case {"rfilename": str(name), "lfs": {"sha256": str(checksum)}}:
            return name, checksum
        case {"rfilename": str(name), "blobId": str(checksum)}:
            return name, checksum
        case {"rfilename": str(name)}:
            return name, None
    return None


def _client(repo_id: str) -> httpx2.Client:
    """The client of `huggingface_hub`, which reads the settings of the network when it is made."""
    try:
        return get_session()
    except (ImportError, OSError, ValueError) as error:
        # The text may hold the password of a proxy.
        raise DownloadError(
            f"{repo_id}: the network cannot be used as HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE say "
            f"({type(error).__name__}); correct or unset them (SOCKS needs: pip install 'httpx2[socks]'), {OR_BUNDLED}"
        ) from None


def _headers(repo_id: str) -> dict[str, str]:
    headers = build_hf_headers()
    if not headers.get("authorization", "").isascii():
        raise DownloadError(f"{repo_id}: HF_TOKEN holds letters that no token has; copy it anew, or unset it")
    return headers


def _timeout(seconds: float) -> httpx2.Timeout:
    return httpx2.Timeout(seconds, connect=min(seconds, CONNECT_TIMEOUT))


def _reason(files: Iterable[str]) -> str:
    pickles = sorted(name for name in files if name.endswith(PICKLES))
    if pickles:
        return (
            f"{pickles[0]} is a pickle, which can run code when it is read and is never loaded here: ask its owner "
            "for safetensors"
        )
    return "it is no model of this package: check the id and the revision"


def _fetch_file(repo_id: str, commit: str, name: str, listed: str | None, storage: Path, deadline: float) -> None:
    """Store a file in the cache, if it has the checksum that is `listed` or, as with mirrors, in the headers."""
    where = f"{repo_id}: {name}"
    content = bytearray()
    url = hf_hub_url(repo_id, name, revision=commit)
    client, headers = _client(repo_id), _headers(repo_id)
    with client.stream("GET", url, headers=headers, timeout=_timeout(DOWNLOAD_TIMEOUT)) as response:
        hf_raise_for_status(response)
        checksum = listed or _checksum_in_headers([*response.history, response])
        try:
            for part in response.iter_bytes():
                content += part
                if time.monotonic() > deadline:
                    raise HubDownError(
                        f"{where}: had not come whole after {PATIENCE} seconds; try again later or with "
                        f"HF_HUB_DOWNLOAD_TIMEOUT={2 * DOWNLOAD_TIMEOUT}, {OR_BUNDLED}"
                    )
        except httpx2.RemoteProtocolError as error:
            raise HubDownError(f"{where}: broke off after {len(content):,} bytes; try again, {OR_BUNDLED}") from error
    if checksum is None or _checksum(bytes(content), like=checksum) != checksum:
        raise DownloadError(
            f"{where}: what came does not match the Hub's checksum ({checksum}) and was not kept; try again, and if "
            f"that does not help, look for a proxy or mirror (HF_ENDPOINT) that alters files, {OR_BUNDLED}"
        )
    blob, pointer = storage / "blobs" / checksum, storage / "snapshots" / commit / name
    write_whole(blob, bytes(content))
    pointer.parent.mkdir(parents=True, exist_ok=True)
    link = pointer.with_name(f"{name}.{uuid4().hex}.incomplete")
    try:
        link.symlink_to(os.path.relpath(blob, pointer.parent))
    except OSError:
        shutil.copyfile(blob, link)  # Windows allows links to few users
    link.replace(pointer)


def _checksum_in_headers(responses: list[httpx2.Response]) -> str | None:
    tags = [response.headers.get(name, "") for response in responses for name in ("X-Linked-Etag", "ETag")]
    tags = [tag.removeprefix("W/").strip('"') for tag in tags]
    return next((tag for tag in tags if re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", tag)), None)


def _cached_snapshot(storage: Path, revision: str, names: Sequence[str]) -> Path | None:
    """The snapshot of `revision` in the cache, if it is whole."""
    reference = storage / "refs" / revision
    commit = reference.read_text(encoding="utf-8") if reference.is_file() else revision
    snapshot = storage / "snapshots" / commit
    return snapshot if all(_is_intact(snapshot / name) for name in names) else None


def _is_intact(pointer: Path) -> bool:
    """Whether a file of the cache is there, and is what its blob is named after: its SHA-256, or Git's SHA-1."""
    if not pointer.is_file():
        return False
    blob = pointer.resolve()
    return blob.parent.name != "blobs" or _checksum(blob.read_bytes(), like=blob.name) == blob.name


def _checksum(content: bytes, like: str) -> str:
    return hashlib.sha256(content).hexdigest() if len(like) == 64 else git_hash(content)


def _explain(error: Exception, repo_id: str, revision: str) -> DownloadError:
    """The same fault, with a remedy in place of a trace; texts of the client may hold headers and are left out."""
    if isinstance(error, OfflineModeIsEnabled):
        return HubDownError(
            f"{repo_id}: is not in the cache, and HF_HUB_OFFLINE forbids the network; unset HF_HUB_OFFLINE, "
            f"{OR_BUNDLED}"
        )
    if isinstance(error, HFValidationError):
        return DownloadError(f"{repo_id}: is no valid repo id; write user/repo")
    if isinstance(error, HfHubHTTPError):
        return _explain_status(error, repo_id, revision)
    if isinstance(error, httpx2.TimeoutException):
        return HubDownError(
            f"{repo_id}: {constants.ENDPOINT} does not answer within {ASK_TIMEOUT} seconds; try again later or with a "
            f"higher HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT, {OR_BUNDLED}"
        )
    if isinstance(error, OSError):
        return DownloadError(
            f"{repo_id}: cannot be stored in {constants.HF_HUB_CACHE} ({error.strerror}); set HF_HOME to a folder "
            "that has room and may be written"
        )
    return HubDownError(
        f"{repo_id}: {constants.ENDPOINT} cannot be reached ({type(error).__name__}); check the network, proxy and "
        f"HF_ENDPOINT, try again later, {OR_BUNDLED}"
    )


def _explain_status(error: HfHubHTTPError, repo_id: str, revision: str) -> DownloadError:
    status = error.response.status_code
    if isinstance(error, GatedRepoError):
        return DownloadError(
            f"{repo_id}: is gated ({status}); ask for access at {constants.ENDPOINT}/{repo_id}, then set HF_TOKEN to a "
            "token of that account"
        )
    if isinstance(error, RevisionNotFoundError):
        return DownloadError(
            f"{repo_id}: has no revision {revision} ({status}); give a commit, tag or branch out of "
            f"{constants.ENDPOINT}/{repo_id}/commits/main"
        )
    if isinstance(error, RemoteEntryNotFoundError):
        return DownloadError(
            f"{repo_id}: has no {str(error.request.url).rpartition('/')[2]}; it is no model of this package, which "
            "reads weights from safetensors and never from a pickle: check the id and the revision"
        )
    if status in (401, 403):
        return DownloadError(
            f"{repo_id}: may not be read ({status}): it is private or does not exist, or the token is not valid; check "
            "the id, and set HF_TOKEN to a token that may read it, or run `hf auth login`"
        )
    if status == 404:
        return DownloadError(
            f"{repo_id}: is not at {constants.ENDPOINT} in revision {revision} (404); check the id and the revision, "
            "and set HF_TOKEN if it is private"
        )
    if status == 429:
        return HubDownError(
            f"{repo_id}: the Hub gets too many requests from here (429); wait some minutes, set HF_TOKEN for a higher "
            f"limit, {OR_BUNDLED}"
        )
    return HubDownError(f"{repo_id}: the Hub fails with status {status}; try again later, {OR_BUNDLED}")
