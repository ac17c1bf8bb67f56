import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import datasets
import pytest
from training_data import write_faces

from fer_denoise import Restorer
from fer_denoise.classical import FILTERS
from fer_denoise.zoo import CLASSIFIERS, MODELS, NETWORKS
from train import benchmark, universal, zoo

ROOT = Path(__file__).parents[1]


def arguments(*options: str):
    return zoo.parse_args(["--data", "faces", "--out", "runs", *options])


def test_every_network_there_is_is_trained_after_what_it_starts_from():
    assert {*NETWORKS} == {*MODELS, *CLASSIFIERS} - {*FILTERS}
    order = list(NETWORKS)
    assert all(order.index(each.start) < order.index(name) for name, each in NETWORKS.items() if each.start)
    assert list(zoo.chosen_models(["patchgan-high"])) == ["attention-unet-high", "patchgan-high"]


def test_each_gets_its_part_of_the_time_and_the_options_that_its_script_knows(monkeypatch):
    args = arguments("--minutes", "100", "--votes", "votes.csv", "--pictures", "photos", "--compile")
    for name, network in NETWORKS.items():
        script = network.family.script
        command = zoo.training_command(name, network, 12.5, args)
        assert command[:2] == ["-m", f"train.{script}"] and "--resume" in command and "--compile" in command
        assert command[command.index("--minutes") + 1] == "12.5"
        assert ("--votes" in command) == (script == "emotion")
        assert ("--pictures" in command) == (script == "universal")
        module = __import__(f"train.{script}", fromlist=["parse_args"])
        assert module.parse_args(command[2:]).out == Path("runs") / name
    assert zoo.training_command("patchgan-low", NETWORKS["patchgan-low"], None, args)[-2] == str(
        Path("runs/attention-unet-low/model")
    )


def test_all_take_datasets_at_the_commits_that_the_zoo_was_begun_with(publish, tmp_path):
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    splits = {"train": datasets.Dataset.from_dict({"image": [], "label": []}, features)}

    def revisions_of(*options: str) -> tuple[str, str]:
        hub = ["--data", "somebody/faces", "--pictures", "somebody/pictures"]
        args = zoo.parse_args([*hub, "--out", str(tmp_path / "zoo"), *options])
        zoo.fix_commits(args)
        command = zoo.training_command("universal", NETWORKS["universal"], None, args)
        assert ["--revision", args.revision] == next(zoo.measuring_commands([], args))[-2:]
        assert "--pictures-revision" not in zoo.training_command("emotion", NETWORKS["emotion"], None, args)
        revision, of_pictures = (command[command.index(f"--{name}revision") + 1] for name in ("", "pictures-"))
        assert vars(universal.parse_args(command[2:]))["pictures_revision"] == of_pictures
        return revision, of_pictures

    first, second = "a" * 40, "b" * 40
    publish(splits, first)
    assert revisions_of() == (first, first)
    publish(splits, second)
    assert revisions_of() == (first, first), "the branches have moved meanwhile"
    assert revisions_of("--revision", "next") == (second, first)
    assert revisions_of("--revision", "next", "--pictures-revision", "next") == (second, second)
    local = zoo.parse_args(["--data", str(tmp_path), "--pictures", str(tmp_path), "--out", str(tmp_path / "other")])
    zoo.fix_commits(local)
    assert local.revision is local.pictures_revision is None and not (tmp_path / "other").exists()


def test_afterwards_everything_is_measured_that_the_benchmark_knows():
    commands = list(zoo.measuring_commands(NETWORKS, arguments()))
    measured = [benchmark.parse_args(command[2:]) for command in commands if command[1] == "train.benchmark"]
    # Those that need pictures of their own cannot be.
    expected = {name for name, each in benchmark.MEASUREMENTS.items() if each.PLACE is None}
    assert {name for name in expected for args in measured if getattr(args, name)} == expected
    (put,) = [command for command in commands if command[1] == "train.bundle" and len(command) > 2]
    assert {pair.partition("=")[0] for pair in put[2:]} == {*NETWORKS}
    assert commands[-1] == ["-m", "train.bundle"]


def test_one_line_says_how_far_it_is_and_how_much_time_is_left(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(zoo, "show", shown.append)
    monkeypatch.setattr(zoo, "POLL", 0.01)
    (tmp_path / "log.jsonl").write_text('{"epoch": 1, "validation_psnr": 33.333}\n')
    for left, expected in ((7.2, ", about 7 min left for all"), (None, "")):
        zoo.run(["-c", "pass"], "universal", tmp_path, "1 of 3,", left)
        assert shown[-1] == f"1 of 3, universal: epoch 2, 33.33 on validation, 0.0 min{expected}"


@pytest.mark.slow
def test_a_zoo_is_trained_end_to_end_and_goes_on_after_a_kill(tmp_path, make_faces, monkeypatch, capsys):
    # Where `-m` finds the scripts.
    monkeypatch.chdir(ROOT)
    data = tmp_path / "data"
    data.mkdir()
    write_faces(data, make_faces)
    out = tmp_path / "zoo"
    names = ["attention-unet-low", "patchgan-low"]
    arguments = ["--data", str(data), "--out", str(out), "--only", *names]
    arguments += ["--epochs", "2", "--batch-size", "8", "--device", "cpu", "--no-bundle"]
    process = subprocess.Popen([sys.executable, "-m", "train.zoo", *arguments], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (out / zoo.REPORT).exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.wait(60)
    first = out / "attention-unet-low" / "model" / "model.safetensors"
    trained = first.read_bytes()

    zoo.main(arguments)
    assert first.read_bytes() == trained
    report = json.loads((out / zoo.REPORT).read_text())
    assert [row["model"] for row in report] == names and all(row["epochs"] == 2 for row in report)
    assert all(Restorer.from_pretrained(out / name / "model") for name in names)
    assert "attention-unet-low: 2 epochs" in capsys.readouterr().out


@pytest.mark.slow
def test_a_training_that_fails_ends_with_its_own_words(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit, match=r"(?s)emotion failed:.*no such file or folder"):
        zoo.main(["--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "zoo"), "--only", "emotion"])
