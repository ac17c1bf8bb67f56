"""Why the files of a model repo cannot be had from the Hub, and what to do."""

from collections.abc import Iterable

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RevisionNotFoundError,
)

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
OR_BUNDLED = "or use a bundled model, which needs no network"


class DownloadError(Exception):
    """The files cannot be had; the message says why and what to do."""


class HubDownError(DownloadError):
    """The fault is not in what was asked for and may pass: no answer, a server error, too many requests, offline."""


def not_the_hub(repo_id: str) -> HubDownError:
    """An answer came that is somebody else's, such as a hotel's."""
    return HubDownError(
        f"{repo_id}: {constants.ENDPOINT} answers, but not as the Hub does; check whether this network wants a login, "
        f"and the proxy and HF_ENDPOINT, try again later, {OR_BUNDLED}"
    )


def no_model(repo_id: str, missing: str, files: Iterable[str]) -> DownloadError:
    """A file is not among those of the repo."""
    pickles = sorted(name for name in files if name.endswith(PICKLES))
    if pickles:
        return DownloadError(
            f"{repo_id}: has no {missing}; {pickles[0]} is a pickle, which can run code when it is read and is never "
            "loaded here: ask its owner for safetensors"
        )
    return DownloadError(f"{repo_id}: has no {missing}; it is no model of this package: check the id and the revision")


def explain(error: Exception, repo_id: str, revision: str, timeout: float) -> DownloadError:
    """The same fault, with a remedy in place of a trace; texts of the client may hold headers and are left out."""
    if isinstance(error, LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
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
            f"{repo_id}: {constants.ENDPOINT} does not answer within {timeout} seconds; try again later or with a "
            f"higher HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT, {OR_BUNDLED}"
        )
    if isinstance(error, OSError) and error.errno and not isinstance(error, ConnectionError | TimeoutError):
        return DownloadError(
            f"{repo_id}: cannot be stored in {constants.HF_HUB_CACHE} ({error.strerror}); set HF_HOME to a folder "
            "that has room and may be written"
        )
    return HubDownError(
        f"{repo_id}: {constants.ENDPOINT} cannot be reached or breaks off ({type(error).__name__}); check the network, "
        f"proxy and HF_ENDPOINT, try again later, {OR_BUNDLED}"
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
        missing = error.response.request.url.path.rpartition("/")[2]
        return DownloadError(
            f"{repo_id}: has no {missing}; it is no model of this package, which reads weights from "
            "safetensors and never from a pickle: check the id and the revision"
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
