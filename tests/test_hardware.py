from argparse import Namespace
from types import SimpleNamespace

import pytest
import torch

from train.shared import hardware


@pytest.mark.parametrize(
    ("asked", "there", "taken"), [("auto", True, "cuda"), ("auto", False, "cpu"), ("cpu", True, "cpu")]
)
def test_a_gpu_is_taken_where_there_is_one_and_the_options_let_it(monkeypatch, asked, there, taken):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    assert hardware.pick_device(Namespace(device=asked)).type == taken


@pytest.mark.parametrize(
    ("asked", "fast", "word"),
    [("auto", True, "bf16"), ("auto", False, "no"), ("bf16", False, "bf16"), ("fp32", True, "no")],
)
def test_half_precision_is_taken_where_it_is_fast_or_asked_for(monkeypatch, asked, fast, word):
    monkeypatch.setattr(hardware, "bf16_is_fast", lambda device: fast)
    assert hardware.mixed_precision(Namespace(device="cpu", precision=asked)) == word


def test_a_record_names_the_gpu_or_the_cores_and_their_processor(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    assert hardware.describe(torch.device("cuda")) == "NVIDIA H200"
    monkeypatch.setattr(hardware.os, "cpu_count", lambda: 3)
    told = "processor\t: 0\nmodel name\t: A Processor\nprocessor\t: 1\nmodel name\t: A Processor\n"
    monkeypatch.setattr(hardware, "Path", lambda _: SimpleNamespace(read_text=lambda: told))
    assert hardware.describe(torch.device("cpu")) == "3 CPU cores, A Processor"


def test_where_the_system_does_not_tell_the_processor_its_family_stands(monkeypatch, tmp_path):
    monkeypatch.setattr(hardware, "Path", lambda _: tmp_path / "is not there")
    monkeypatch.setattr(hardware.platform, "processor", lambda: "")
    monkeypatch.setattr(hardware.platform, "machine", lambda: "arm64")
    assert hardware.describe(torch.device("cpu")).endswith("CPU cores, arm64")
