"""Writing to the Hub: a client that does not wait for ever, and errors that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
from huggingface_hub import constants, set_client_factory
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled
from huggingface_hub.utils._http import default_client_factory

TIMEOUT = 60
"""Seconds that the Hub may be silent; the client's own default is for ever."""


class HubWriteError(Exception):
    """The Hub did not take it; the message says what to do."""


@contextmanager
def writing() -> Iterator[None]:
    """A context in which the client is patient, but not without end.

    Raises:
        HubWriteError: the network or the Hub failed; what was done may be done again.
    """
    set_client_factory(_patient_client)
    try:
        yield
    except (OSError, RuntimeError, httpx2.HTTPError) as error:
        # An upload that fails is a RuntimeError around its cause.
        cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
        if not isinstance(cause, OSError | httpx2.HTTPError):
            raise
        raise HubWriteError(f"stopped, and may be repeated: {remedy(cause)}") from None
    finally:
        set_client_factory(default_client_factory)


def remedy(error: BaseException) -> str:
    """What went wrong at the Hub, and what to do; texts of the client may hold headers and are left out."""
    if isinstance(error, OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE forbids the network: unset it, or add --dry-run"
    if isinstance(error, httpx2.TimeoutException):
        return f"{constants.ENDPOINT} does not answer within {TIMEOUT} seconds: try again later"
    if not isinstance(error, HfHubHTTPError):
        return (
            f"{constants.ENDPOINT} cannot be reached ({type(error).__name__}): check the network, proxy and "
            "HF_ENDPOINT, or try again later"
        )
    status = error.response.status_code
    remedies = {
        401: "set HF_TOKEN to a valid token that may write, or run `hf auth login`",
        403: "take a token that may write for that user or organisation",
        404: "check the id",
        409: "somebody else changes it at the same time; try again",
        412: "somebody has changed the repo meanwhile; look at it and try again",
        429: "too many requests; wait some minutes and try again",
    }
    return f"the Hub says {status}: {remedies.get(status, 'try again later')}"


def _patient_client() -> httpx2.Client:
    client = default_client_factory()
    client.timeout = httpx2.Timeout(TIMEOUT)
    return client
