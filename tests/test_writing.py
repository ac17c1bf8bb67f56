import httpx2
import pytest
from huggingface_hub import close_session, constants, get_session
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from fer_denoise.hub.writing import TIMEOUT, HubWriteError, remedy, writing


@pytest.mark.parametrize("error", [RuntimeError, NotImplementedError, KeyError, TypeError, ValueError])
def test_a_fault_of_our_own_is_not_told_as_one_of_the_hub(error):
    with pytest.raises(error, match="a slip of the pen") as caught, writing():
        raise error("a slip of the pen")
    assert type(caught.value) is error


def test_an_upload_that_fails_is_told_by_its_cause():
    with pytest.raises(HubWriteError, match=r"cannot be reached \(ConnectionResetError\)"), writing():
        raise RuntimeError("an upload failed") from ConnectionResetError()


def test_the_client_is_patient_while_something_is_written_and_only_then():
    close_session()
    usual = get_session().timeout
    with writing():
        assert get_session().timeout == httpx2.Timeout(TIMEOUT)
    assert get_session().timeout == usual


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "HF_TOKEN"),
        (403, "may write"),
        (404, "check the id"),
        (412, "meanwhile"),
        (429, "minutes"),
        (500, "later"),
    ],
)
def test_what_the_hub_refuses_has_a_remedy(status, told):
    request = httpx2.Request("POST", f"{constants.ENDPOINT}/x", headers={"authorization": "Bearer hf_secret"})
    error = HfHubHTTPError("hf_secret", response=httpx2.Response(status, request=request))
    assert str(status) in remedy(error) and told in remedy(error) and "hf_secret" not in remedy(error)


def test_silence_and_being_offline_have_a_remedy():
    assert f"{TIMEOUT} seconds" in remedy(httpx2.ReadTimeout("hf_secret"))
    assert "HF_HUB_OFFLINE" in remedy(OfflineModeIsEnabled())
    assert "cannot be reached (ConnectError)" in remedy(httpx2.ConnectError("hf_secret"))
