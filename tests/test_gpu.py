import pickle
import sys
import types

import numpy as np
import pytest

from fer_denoise.demo.batch_restoration import picture_restorer
from fer_denoise.demo.gpu import lends_gpus, with_lent_gpu
from fer_denoise.demo.restorers import Restorers
from fer_denoise.pictures import Picture


@pytest.fixture
def zero_gpu(monkeypatch):
    """A Space with ZeroGPU, as far as its package `spaces` is concerned."""
    marked = []
    spaces = types.ModuleType("spaces")
    spaces.__spec__ = types.SimpleNamespace(name="spaces")
    spaces.GPU = lambda function: marked.append(function) or function
    monkeypatch.setitem(sys.modules, "spaces", spaces)
    monkeypatch.setenv("SPACES_ZERO_GPU", "1")
    return marked


def test_a_function_stays_as_it_is_where_no_gpu_is_lent():
    assert not lends_gpus()
    assert with_lent_gpu(len) is len


def test_a_function_is_marked_where_gpus_are_lent(zero_gpu):
    assert lends_gpus()
    assert with_lent_gpu(len) is len and zero_gpu == [len]


def test_only_small_things_are_sent_to_the_process_with_the_gpu(zero_gpu, monkeypatch):
    sent = []

    def lend(function):
        return lambda *arguments: sent.append(pickle.dumps(arguments)) or function(*arguments)

    monkeypatch.setattr(sys.modules["spaces"], "GPU", lend)
    picture = Picture.of(np.zeros((9, 9), np.uint8))
    (restored,) = picture_restorer(Restorers())("median", [picture])
    assert restored.frames[0].shape == (9, 9)
    assert len(sent) == 1 and len(sent[0]) < 1000


def test_what_shows_a_face_at_once_runs_on_the_processor_there(zero_gpu):
    assert Restorers().get("universal").device.type == "cpu"
    assert Restorers().get_on_gpu("median").name == "median"


def test_a_heavy_job_takes_the_same_restorer_elsewhere():
    restorers = Restorers()
    assert restorers.get_on_gpu("universal") is restorers.get("universal")
