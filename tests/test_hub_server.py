"""Loading from a Hub: what works, and what a person is told where it does not."""

import json
import pickle
import time
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from fake_hub import TOKEN, Fault
from huggingface_hub import close_session, constants, snapshot_download
from safetensors.torch import load_file, save

from fer_denoise import Restorer
from fer_denoise.__main__ import main
from fer_denoise.command.job import Restoration
from fer_denoise.data import Faces
from fer_denoise.demo.restorers import Restorers
from fer_denoise.hub import download
from fer_denoise.hub.sources import BUNDLE, ModelNotFoundError, bundled_models, model_folder, weights_checksum
from fer_denoise.models import AttentionUNet
from fer_denoise.pictures import Picture, write_picture
from fer_denoise.zoo import bundled_restorers

ROOT = Path(__file__).parents[1]
SECONDS = 30
"""More than any failure may take; the time-outs are set to one second."""

FAULTS = {
    "needs-login": (Fault(status=401), "HF_TOKEN"),
    "forbidden": (Fault(status=403), "HF_TOKEN"),
    "not-found": (Fault(status=404), "check the id"),
    "busy": (Fault(status=429, headers={"Retry-After": "300"}), "wait some minutes"),
    "broken": (Fault(status=500), "try again later"),
    "down-for-repair": (Fault(status=503, headers={"Retry-After": "300"}), "try again later"),
    "silent": (Fault(hang=True), "does not answer within 1 seconds"),
    "files-busy": (Fault(status=429, headers={"Retry-After": "300"}, where="resolve"), "wait some minutes"),
    "files-broken": (Fault(status=500, where="resolve"), "try again later"),
    "files-silent": (Fault(hang=True, where="cdn"), "had not come whole after 3 seconds"),
    "cut-off": (Fault(truncate=True, where="cdn"), "had not come whole after 3 seconds"),
    "altered": (Fault(corrupt=True, where="cdn"), "does not match the Hub's checksum"),
    "config-altered": (Fault(corrupt=True, where="resolve.*config"), "does not match the Hub's checksum"),
    "trickling": (Fault(trickle=True, where="cdn"), "had not come whole after 3 seconds"),
}
WITH_BUNDLE_AS_REMEDY = set(FAULTS) - {"needs-login", "forbidden", "not-found"}


@pytest.fixture(scope="module")
def model_files(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    torch.manual_seed(0)
    AttentionUNet(widths=(4, 8)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", autouse=True)
def models(hub_server, model_files) -> None:
    hub_server.add_repo("somebody/model", model_files)
    hub_server.add_repo("somebody/private", model_files, private=True)


def refusal(source: str, **options) -> str:
    with pytest.raises(ModelNotFoundError) as caught:
        Restorer.from_pretrained(source, **options)
    assert source in str(caught.value)
    return str(caught.value)


def contents(folder: Path, *names: str) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names}


def left_in(cache: Path) -> set[bytes]:
    """What is in the cache for everybody who reads it."""
    return {file.read_bytes() for file in blobs(cache)}


def blobs(cache: Path) -> list[Path]:
    """The files of the cache, but not what a download that goes on is at."""
    files = (file for file in cache.rglob("*") if file.is_file() and file.parent.name == "blobs")
    return [file for file in files if file.suffix != ".incomplete"]


def test_a_model_from_the_hub_restores_as_its_folder_does(connected, model_files, make_faces):
    faces = make_faces(2)
    expected = Restorer.from_pretrained(model_files)(faces)
    assert np.array_equal(Restorer.from_pretrained("somebody/model")(faces), expected)
    model = AttentionUNet.from_pretrained("somebody/model", revision="main")
    assert np.array_equal(Restorer(model, "model")(faces), expected)


def test_only_config_and_weights_are_fetched(connected, model_files):
    files = contents(model_files, "config.json", "model.safetensors")
    connected.add_repo("somebody/more", {**files, "pytorch_model.bin": b"no", "README.md": b"# More"})
    Restorer.from_pretrained("somebody/more")
    fetched = {request.rpartition("/")[2] for request in connected.requests if "/resolve/" in request}
    assert fetched == {"config.json", "model.safetensors"}


def test_a_mirror_that_lists_no_checksums_is_checked_by_its_headers(connected, monkeypatch):
    monkeypatch.setattr(connected, "lists_checksums", False)
    connected.faults["somebody/model"] = Fault(corrupt=True, where="cdn")
    assert "does not match" in refusal("somebody/model")
    connected.faults.clear()
    Restorer.from_pretrained("somebody/model")


def test_each_revision_gives_its_own_weights(connected, model_files, tmp_path):
    repo = connected.add_repo("somebody/revised", model_files)
    first = repo.commits[0].oid
    repo.tags["v1"] = first
    torch.manual_seed(1)
    AttentionUNet(widths=(4, 8)).save_pretrained(tmp_path / "second")
    connected.commit(repo, {"model.safetensors": (tmp_path / "second" / "model.safetensors").read_bytes()})

    def weight(revision: str | None) -> float:
        return AttentionUNet.from_pretrained("somebody/revised", revision=revision).head.weight.flatten()[0].item()

    assert weight("v1") == weight(first) != weight("main") == weight(None) == weight(repo.commits[1].oid)


def test_a_commit_in_the_cache_needs_no_request_and_a_branch_one(connected):
    commit = connected.repos["model", "somebody/model"].commits[0].oid
    Restorer.from_pretrained("somebody/model", commit)
    connected.requests.clear()
    Restorer.from_pretrained("somebody/model", commit)
    assert connected.requests == []
    Restorer.from_pretrained("somebody/model", "main")
    assert connected.requests == ["GET /api/models/somebody/model/revision/main"]


@pytest.fixture
def moving(connected, model_files, tmp_path):
    """A repo, and what moves its branch on to other weights."""
    repo = connected.add_repo("somebody/branch", model_files)
    torch.manual_seed(1)
    AttentionUNet(widths=(4, 8)).save_pretrained(tmp_path / "newer")
    weights = (tmp_path / "newer" / "model.safetensors").read_bytes()
    return repo, lambda: connected.commit(repo, {"model.safetensors": weights})


def test_a_job_takes_one_commit_of_a_branch_in_all_its_processes_and_records_it(connected, moving, make_faces):
    repo, move = moving
    faces, first = make_faces(2), repo.commits[0].oid
    pictures = [Picture.of(face) for face in faces]
    expected = Restorer.from_pretrained("somebody/branch", first)(faces)
    job = Restoration("somebody/branch", "main", device="cpu")
    job.check()
    move()
    connected.requests.clear()
    workers = [job, *(pickle.loads(pickle.dumps(job)) for _ in range(2))]
    for worker in workers:
        np.testing.assert_array_equal([picture.frames[0] for picture in worker(pictures, [0, 1])], expected)
        assert worker.record["revision"] == first
        assert worker.record["weights"] == weights_checksum(model_folder("somebody/branch", first))
    assert connected.requests == []
    assert (Restorer.from_pretrained("somebody/branch", "main")(faces) != expected).any()


def test_a_job_that_nobody_checked_takes_one_commit_too(moving, make_faces):
    repo, move = moving
    job = Restoration("somebody/branch", device="cpu")
    before = pickle.loads(pickle.dumps(job))
    move()
    assert job.commit == before.commit == repo.commits[0].oid
    one, other = (worker([Picture.of(make_faces(1)[0])], [0])[0] for worker in (job, before))
    np.testing.assert_array_equal(one.frames[0], other.frames[0])


def test_a_job_does_not_go_on_with_other_weights(moving, make_faces, tmp_path, monkeypatch, capsys):
    repo, move = moving
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    for number, face in enumerate(make_faces(2)):
        write_picture(source / f"{number}.png", face)
    command = ["restore", str(source), str(target), "--model", "somebody/branch", "--device", "cpu"]
    with monkeypatch.context() as patch:
        patch.setattr(Restoration, "__call__", Mock(side_effect=KeyboardInterrupt))
        assert main(command) == 130
    move()
    assert main(command) == 2
    first = repo.commits[0].oid
    assert f"'revision': '{first}'" in capsys.readouterr().err
    assert main([*command, "--revision", first]) == 0


def test_processes_started_together_are_told_to_name_the_commit(moving, make_faces, tmp_path, monkeypatch, capsys):
    repo, _ = moving
    source = tmp_path / "in"
    source.mkdir()
    write_picture(source / "0.png", make_faces(1)[0])
    monkeypatch.setenv("WORLD_SIZE", "2")
    command = ["restore", str(source), str(tmp_path / "out"), "--model", "somebody/branch", "--device", "cpu"]
    for more in ([], ["--revision", "main"]):
        assert main([*command, *more]) == 2
        assert f"name the commit with --revision {repo.commits[0].oid}" in capsys.readouterr().err
    assert main([*command, "--revision", repo.commits[0].oid]) == 0
    assert main([*command[:2], str(tmp_path / "another"), "--model", "median"]) == 0


def test_the_cache_is_one_that_huggingface_hub_knows(connected, tmp_path):
    Restorer.from_pretrained("somebody/model")
    folder = snapshot_download("somebody/model", local_files_only=True)
    assert sorted(file.name for file in Path(folder).iterdir()) == ["config.json", "model.safetensors"]
    assert left_in(tmp_path)


def test_what_huggingface_hub_has_cached_is_not_fetched_again(connected):
    snapshot_download("somebody/model")
    connected.requests.clear()
    Restorer.from_pretrained("somebody/model")
    assert not [request for request in connected.requests if "resolve" in request]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_ends_within_seconds_with_a_remedy_and_keeps_nothing_bad(connected, model_files, tmp_path, name):
    fault, expected = FAULTS[name]
    connected.add_repo(f"faulty/{name}", model_files)
    connected.faults[f"faulty/{name}"] = fault
    started = time.monotonic()
    message = refusal(f"faulty/{name}")
    assert time.monotonic() - started < SECONDS
    assert expected in message
    assert ("bundled model" in message) == (name in WITH_BUNDLE_AS_REMEDY)
    assert "\n" not in message and "Traceback" not in message
    assert left_in(tmp_path) <= {file.read_bytes() for file in model_files.iterdir()}
    assert not [*tmp_path.rglob("*.partial")]
    # Only what goes on after its time is at something still.
    assert "had not come whole" in message or not [*tmp_path.rglob("*.incomplete")]


def test_after_a_fault_the_same_model_loads(connected):
    connected.faults["somebody/model"] = Fault(corrupt=True, where="cdn")
    refusal("somebody/model")
    connected.faults.clear()
    Restorer.from_pretrained("somebody/model")


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("name", ["broken", "busy", "silent"])
def test_where_the_hub_does_not_answer_the_cached_copy_is_taken_and_said_so(connected, caplog, name):
    Restorer.from_pretrained("somebody/model")
    connected.faults["somebody/model"] = FAULTS[name][0]
    Restorer.from_pretrained("somebody/model")
    assert "Taking the copy in the cache" in caplog.text


@pytest.mark.parametrize("error", [KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError])
@pytest.mark.parametrize("where", ["_ask", "_fetch_file", "_matches"])
def test_a_fault_of_our_own_looks_like_one_and_no_cached_copy_hides_it(
    connected, model_files, monkeypatch, caplog, where, error
):
    repo = connected.add_repo("somebody/moving", model_files)
    Restorer.from_pretrained("somebody/moving")
    connected.commit(repo, {"config.json": (model_files / "config.json").read_bytes() + b" "})

    def fail(*args, **options):
        raise error("a slip of the pen")

    monkeypatch.setattr(download, where, fail)
    with pytest.raises(error, match="a slip of the pen") as caught:
        Restorer.from_pretrained("somebody/moving")
    assert type(caught.value) is error and "Taking the copy" not in caplog.text


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>Welcome to our hotel</html>",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"sha": null}',
        b'{"sha": "main", "siblings": []}',
        b'{"id": "somebody/roaming", "sha": null}',
        b'{"id": "somebody/roaming", "sha": "main", "siblings": []}',
        b'{"id": "somebody/roaming", "sha": "0123456789abcdef0123456789abcdef01234567", "siblings": [1]}',
        b'{"id": "somebody/roaming", "sha": "0123456789abcdef0123456789abcdef01234567", "siblings": [{"name": "a"}]}',
    ],
)
def test_an_answer_that_is_not_the_hubs_is_told_and_the_cached_copy_is_taken(connected, model_files, caplog, answer):
    connected.add_repo("somebody/roaming", model_files)
    connected.faults["somebody/roaming"] = Fault(answer=answer)
    message = refusal("somebody/roaming")
    assert "answers, but not as the Hub does" in message and "wants a login" in message and "bundled model" in message
    connected.faults.clear()
    Restorer.from_pretrained("somebody/roaming")
    connected.faults["somebody/roaming"] = Fault(answer=answer)
    Restorer.from_pretrained("somebody/roaming")
    assert "Taking the copy in the cache" in caplog.text


@pytest.mark.parametrize(
    ("name", "value"), [("ALL_PROXY", "odd://user:secret@proxy.test"), ("SSL_CERT_FILE", "/no/such/certificate.pem")]
)
def test_settings_of_the_network_that_cannot_be_used_are_told_without_passwords(connected, monkeypatch, name, value):
    close_session()
    monkeypatch.setenv(name, value)
    message = refusal("somebody/model")
    assert name in message and "correct or unset" in message and "secret" not in message


def test_a_token_of_strange_letters_is_told_and_not_shown(connected, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_gehëim")
    message = refusal("somebody/model")
    assert "HF_TOKEN holds letters that no token has" in message and "hëim" not in message


def test_what_takes_too_long_does_not_keep_the_program_from_its_end(run_python):
    code = """if True:
        from threading import Event
        from fer_denoise.hub import download
        download.PATIENCE = 0.1
        try:
            download._in_time("somebody/model", Event().wait)
        except download.HubDownError as error:
            print(error)
    """
    assert "had not come whole after 0.1 seconds" in run_python("-c", code).stdout


@pytest.mark.usefixtures("impatient")
def test_what_comes_after_the_time_is_up_is_there_for_the_next_try(connected, model_files, tmp_path):
    repo = connected.add_repo("somebody/slow", model_files)
    connected.faults["somebody/slow"] = Fault(trickle=True, where="cdn")
    commit = repo.commits[0].oid
    assert "had not come whole after 3 seconds" in refusal("somebody/slow", revision=commit)
    connected.faults.clear()
    expected = {file.read_bytes() for file in model_files.iterdir()}
    until = time.monotonic() + SECONDS
    while left_in(tmp_path) != expected or [*tmp_path.rglob("*.incomplete")]:
        assert time.monotonic() < until
        time.sleep(0.1)
    connected.requests.clear()
    Restorer.from_pretrained("somebody/slow", commit)
    assert connected.requests == []


@pytest.mark.parametrize("error", [RuntimeError, ValueError, ConnectionError, TimeoutError, OSError])
def test_a_fault_of_xet_is_told_and_the_cached_copy_is_taken(connected, model_files, monkeypatch, caplog, error):
    repo = connected.add_repo("somebody/over-xet", model_files)
    Restorer.from_pretrained("somebody/over-xet")
    newer = connected.commit(repo, {"config.json": (model_files / "config.json").read_bytes() + b" "})
    monkeypatch.setattr(download, "hf_hub_download", Mock(side_effect=error("the network is unreachable")))
    assert f"({error.__name__})" in refusal("somebody/over-xet", revision=newer.oid)
    Restorer.from_pretrained("somebody/over-xet")
    assert "Taking the copy in the cache" in caplog.text


@pytest.mark.usefixtures("impatient")
def test_where_a_newer_commit_breaks_off_the_cached_one_is_taken(connected, model_files):
    repo = connected.add_repo("somebody/growing", model_files)
    Restorer.from_pretrained("somebody/growing")
    connected.commit(repo, {"model.safetensors": b"another"})
    connected.faults["somebody/growing"] = Fault(truncate=True, where="cdn")
    Restorer.from_pretrained("somebody/growing")


@pytest.mark.parametrize("status", [401, 404])
def test_where_the_hub_refuses_the_cached_copy_is_not_taken(connected, status):
    Restorer.from_pretrained("somebody/model")
    connected.faults["somebody/model"] = Fault(status=status)
    assert str(status) in refusal("somebody/model")


def test_a_damaged_cache_is_mended_or_refused(connected, tmp_path, monkeypatch):
    commit = connected.repos["model", "somebody/model"].commits[0].oid
    Restorer.from_pretrained("somebody/model", commit)
    weights = max(blobs(tmp_path), key=lambda file: file.stat().st_size)
    sound = weights.read_bytes()
    damaged = sound[:-1] + bytes([sound[-1] ^ 1])
    weights.write_bytes(damaged)
    Restorer.from_pretrained("somebody/model", commit)
    assert weights.read_bytes() == sound
    weights.write_bytes(damaged)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert "unset HF_HUB_OFFLINE" in refusal("somebody/model", revision=commit)


def test_a_missing_repo_or_revision_is_named(connected, monkeypatch):
    assert "check the id" in refusal("somebody/nothing")
    message = refusal("somebody/model", revision="v9")
    assert "no revision v9" in message and f"{connected.url}/somebody/model/commits/main" in message
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert "(404)" in refusal("somebody/nothing")


def test_a_private_repo_needs_a_token_and_no_message_holds_it(connected, monkeypatch):
    assert "HF_TOKEN" in refusal("somebody/private")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong_secret")
    message = refusal("somebody/private")
    assert "token is not valid" in message and "wrong_secret" not in message
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    Restorer.from_pretrained("somebody/private")


def test_a_gated_repo_tells_where_to_ask(connected, model_files, monkeypatch):
    connected.add_repo("somebody/gated", model_files, gated=True)
    message = refusal("somebody/gated")
    assert "gated" in message and f"ask for access at {connected.url}/somebody/gated" in message
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    Restorer.from_pretrained("somebody/gated")


def test_a_pickle_is_refused_and_never_fetched(connected, model_files):
    connected.add_repo("somebody/pickle", {**contents(model_files, "config.json"), "pytorch_model.bin": b"\x80\x04"})
    message = refusal("somebody/pickle")
    assert "has no model.safetensors" in message and "pytorch_model.bin is a pickle" in message
    assert not [request for request in connected.requests if "resolve" in request]


def test_a_repo_without_config_is_refused(connected, model_files):
    connected.add_repo("somebody/bare", contents(model_files, "model.safetensors"))
    assert "has no config.json" in refusal("somebody/bare")


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (b"{broken", "Expecting property name"),
        (b'{"model_type": "bert"}', "it has no 'architecture'"),
        (b'{"architecture": "AttentionUNet"}', "it has no 'config'"),
        (b'{"architecture": "AttentionUNet", "config": 3}', "its 'config' is not an object"),
        (b'{"architecture": "os.system", "config": {}}', "holds a os.system"),
        (b'{"architecture": "AttentionUNet", "config": {"widths": [4, 16]}}', "do not fit AttentionUNet"),
        (b'{"architecture": "AttentionUNet", "config": {"widths": [4, 8], "depth": 1}}', "'depth'"),
    ],
)
def test_a_wrong_config_is_told_what_is_wrong_with_it(connected, model_files, config, reason):
    connected.add_repo("somebody/odd", {**contents(model_files, "model.safetensors"), "config.json": config})
    assert reason in refusal("somebody/odd")


def test_a_missing_tensor_is_refused_by_name(connected, model_files):
    tensors = load_file(model_files / "model.safetensors")
    del tensors["head.bias"]
    files = {**contents(model_files, "config.json"), "model.safetensors": save(tensors)}
    connected.add_repo("somebody/partial", files)
    assert "head.bias" in refusal("somebody/partial")


def test_the_environment_is_obeyed(run_python, hub_server, tmp_path):
    """HF_ENDPOINT, HF_TOKEN and HF_HOME; then the same with HF_HUB_OFFLINE."""
    code = """if True:
        import sys
        from fer_denoise import Restorer
        for source in sys.argv[1:]:
            try:
                Restorer.from_pretrained(source)
                print(source, "loaded")
            except ValueError as error:
                print(error)
    """
    hub_server.faults.clear()
    online = run_python("-c", code, "somebody/private", HF_TOKEN=TOKEN)
    assert online.stdout == "somebody/private loaded\n" and TOKEN not in online.stderr
    assert blobs(tmp_path / "home" / "hub")
    hub_server.requests.clear()
    offline = run_python("-c", code, "somebody/private", "somebody/model", HF_HUB_OFFLINE="1")
    loaded, refused = offline.stdout.splitlines()
    assert loaded == "somebody/private loaded" and "unset HF_HUB_OFFLINE" in refused
    assert hub_server.requests == []


def test_the_app_falls_back_to_its_bundle_within_seconds_and_says_so(run_python, hub_server):
    """Owners whose repos fail in one way each, one whose second repo fails, and one that has all."""
    faults = {"broken": Fault(status=500), "busy": Fault(status=429, headers={"Retry-After": "300"})}
    faults |= {"locked": Fault(status=401), "gone": Fault(status=404), "silent": Fault(hang=True)}
    faults |= {"cut-off": Fault(truncate=True, where="cdn"), "altered": Fault(corrupt=True, where="cdn")}
    for owner in ("sound", "partial", *faults):
        for name in bundled_models():
            hub_server.add_repo(f"{owner}/fer-denoise-{name}", BUNDLE / name)
    hub_server.faults = {**faults, f"partial/fer-denoise-{bundled_models()[1]}": Fault(status=500)}
    code = """if True:
        import json, os, sys, time
        from fer_denoise.demo import build
        from fer_denoise.demo.restorers import Restorers
        answers = {}
        for owner in sys.argv[1:]:
            os.environ["FER_DENOISE_HUB_OWNER"] = owner
            started = time.monotonic()
            restorers = Restorers()
            restorers.load_networks()
            answers[owner] = restorers.weights_source(), time.monotonic() - started
        os.environ["FER_DENOISE_HUB_OWNER"] = "broken"
        answers["page"] = str(build().get_config_file()), 0
        print(json.dumps(answers))
    """
    finished = run_python("-c", code, "sound", "partial", *faults)
    assert finished.returncode == 0, finished.stderr
    answers = json.loads(finished.stdout)
    assert answers.pop("sound")[0] == "Hub repos of sound, revision main"
    assert "the Hub repos of broken could not be read" in answers.pop("page")[0]
    for owner, (source, seconds) in answers.items():
        assert source == f"bundled with this version (the Hub repos of {owner} could not be read)"
        assert seconds < SECONDS
        assert f"Taking the bundled weights: {owner}/" in finished.stderr


def test_where_one_model_fails_the_app_takes_all_from_its_bundle(connected, model_files, monkeypatch):
    first, *others = bundled_restorers()
    connected.add_repo(f"mixed/fer-denoise-{first}", model_files)
    monkeypatch.setenv("FER_DENOISE_HUB_OWNER", "mixed")
    restorers = Restorers()
    restorers.load_networks()
    for name in (first, *others):
        assert restorers.get(name).model.config == Restorer.from_pretrained(name).model.config
    assert f"GET /mixed/fer-denoise-{first}" in " ".join(connected.requests)
    assert f"GET /api/models/mixed/fer-denoise-{others[0]}/revision/main" in connected.requests


def test_without_a_server_the_app_starts_and_the_command_tells_the_remedy(run_python, tmp_path):
    nowhere = "http://127.0.0.1:9"
    code = "from fer_denoise.demo import build; build()"
    started = run_python("-c", code, HF_ENDPOINT=nowhere, FER_DENOISE_HUB_OWNER="somebody")
    assert started.returncode == 0 and "cannot be reached" in started.stderr
    picture = str(ROOT / "docs" / "app.png")
    command = ("-m", "fer_denoise", "restore", picture, str(tmp_path / "out.png"), "--model", "somebody/model")
    finished = run_python(*command, HF_ENDPOINT=nowhere)
    assert finished.returncode == 2
    assert finished.stderr.startswith("error: somebody/model: http://127.0.0.1:9 cannot be reached")
    assert "Traceback" not in finished.stderr


def test_training_pulls_its_data_from_the_hub(run_python, hub_server, make_faces, tmp_path):
    """A dataset shaped like FER2013, pushed and pulled by the real `datasets`; then a model is trained with it."""
    np.save(tmp_path / "faces.npy", make_faces(24))
    push = """if True:
        import sys
        import numpy as np
        from datasets import ClassLabel, Dataset, DatasetDict, Features, Image
        from PIL import Image as Picture
        faces = [Picture.fromarray(face) for face in np.load(sys.argv[1])]
        names = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
        features = Features({"image": Image(), "label": ClassLabel(names=names)})
        splits = {"train": faces[:16], "valid": faces[16:20], "test": faces[20:]}
        DatasetDict({
            name: Dataset.from_dict({"image": part, "label": [i % 7 for i in range(len(part))]}, features=features)
            for name, part in splits.items()
        }).push_to_hub("somebody/faces")
    """
    hub_server.faults.clear()
    pushed = run_python("-c", push, str(tmp_path / "faces.npy"), HF_TOKEN=TOKEN)
    assert pushed.returncode == 0, pushed.stderr
    options = ["--task", "low", "--widths", "4", "8", "--epochs", "1", "--batch-size", "8", "--device", "cpu"]
    command = ["-m", "train.unet", *options, "--data", "somebody/faces", "--out", str(tmp_path / "run")]
    hub_server.requests.clear()
    trained = run_python(*command)
    assert trained.returncode == 0, trained.stderr
    record = AttentionUNet.from_pretrained(tmp_path / "run" / "model").training_record
    assert record["data"]["images"] == 16
    # Both splits are of one commit, though the branch may move between them.
    assert hub_server.requests.count("GET /api/datasets/somebody/faces/revision/main") == 1
    assert record["data"]["sha256"] == Faces(make_faces(24)[:16], np.zeros(16), "").fingerprint
    assert record["data"]["commit"].startswith("somebody/faces@")
