import errno

import httpx2
import pytest
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RemoteEntryNotFoundError,
    RevisionNotFoundError,
)

from fer_denoise.hub.errors import DownloadError, HubDownError, explain, no_model, not_the_hub

REPO = "someone/model"


def answered(status: int, kind: type[HfHubHTTPError] = HfHubHTTPError) -> HfHubHTTPError:
    request = httpx2.Request("GET", f"https://huggingface.co/{REPO}/resolve/main/model.safetensors")
    return kind("Bearer hf_secret", response=httpx2.Response(status, request=request))


def because(cause: Exception) -> LocalEntryNotFoundError:
    error = LocalEntryNotFoundError("hf_secret")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (answered(403, GatedRepoError), "ask for access"),
        (answered(404, RevisionNotFoundError), "has no revision v1"),
        (answered(404, RemoteEntryNotFoundError), "has no model.safetensors"),
        (answered(401), "HF_TOKEN"),
        (answered(404), "check the id and the revision"),
        (HFValidationError("hf_secret"), "write user/repo"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device.*HF_HOME"),
    ],
)
def test_what_was_asked_for_cannot_be_had(error, told):
    problem = explain(error, REPO, "v1", 10)
    assert type(problem) is DownloadError and problem.args[0].startswith(REPO)
    with pytest.raises(DownloadError, match=told):
        raise problem
    assert "hf_secret" not in str(problem)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (answered(429), "higher limit"),
        (answered(503), "fails with status 503"),
        (httpx2.ReadTimeout("hf_secret"), "does not answer within 10 seconds"),
        (httpx2.ConnectError("hf_secret"), r"cannot be reached or breaks off \(ConnectError\)"),
        (ConnectionResetError(errno.ECONNRESET, "hf_secret"), "cannot be reached"),
        (OfflineModeIsEnabled("hf_secret"), "HF_HUB_OFFLINE forbids"),
        (because(httpx2.ReadTimeout("hf_secret")), "does not answer within 10 seconds"),
    ],
)
def test_what_may_pass_leaves_the_cached_copy_and_the_bundled_models(error, told):
    problem = explain(error, REPO, "main", 10)
    assert type(problem) is HubDownError and "bundled model" in str(problem)
    with pytest.raises(HubDownError, match=told):
        raise problem
    assert "hf_secret" not in str(problem)


def test_a_pickle_is_named_and_never_loaded():
    assert "pytorch_model.bin is a pickle" in str(no_model(REPO, "model.safetensors", ["b.txt", "pytorch_model.bin"]))
    assert "no model of this package" in str(no_model(REPO, "config.json", ["README.md"]))


def test_an_answer_of_somebody_else_may_pass():
    assert "wants a login" in str(not_the_hub(REPO)) and type(not_the_hub(REPO)) is HubDownError
