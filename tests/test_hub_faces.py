import re
import threading

import numpy as np
import pytest

from fer_denoise.data import DataError, Faces
from fer_denoise.demo import hub_faces
from fer_denoise.demo.hub_faces import HubFaces


def test_random_faces_come_from_the_hubs_test_split_with_their_emotion(monkeypatch, make_faces):
    images = make_faces(20)
    faces = Faces(images, np.arange(20) % 7, "")
    asked = []
    monkeypatch.setattr(hub_faces, "load_fer2013", lambda *args: asked.append(args) or faces)
    hub = HubFaces()
    for _ in range(2):
        drawn = hub.draw(np.random.default_rng(0))
        assert asked == [(hub_faces.HUB_DATASET, "test")] and len(drawn) == hub_faces.COUNT
        for title, image in drawn:
            index = next(i for i in range(20) if np.array_equal(images[i], image))
            assert title == ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")[index % 7]


def test_without_a_network_a_visitor_is_told_in_their_words_and_may_try_again(monkeypatch, make_faces, caplog):
    faces = Faces(make_faces(20), np.zeros(20, int), "")

    def fail(*args):
        raise DataError("cannot be loaded from the Hub (gaierror); set HF_TOKEN, or give --data a local copy")

    monkeypatch.setattr(hub_faces, "load_fer2013", fail)
    hub = HubFaces()
    with pytest.raises(DataError, match=r"shown still work.*later") as error:
        hub.draw(np.random.default_rng(0))
    assert not re.search("--data|HF_|gaierror|network", str(error.value))
    assert "gaierror" in caplog.text
    monkeypatch.setattr(hub_faces, "load_fer2013", lambda *args: faces)
    assert len(hub.draw(np.random.default_rng(0))) == hub_faces.COUNT


def test_a_visitor_does_not_wait_for_a_slow_hub_but_finds_its_faces_later(monkeypatch, make_faces):
    assert hub_faces.SECONDS <= 5
    faces, answers, asked = Faces(make_faces(20), np.zeros(20, int), ""), threading.Event(), []

    def slow(*args):
        asked.append(args)
        answers.wait()
        return faces

    monkeypatch.setattr(hub_faces, "load_fer2013", slow)
    monkeypatch.setattr(hub_faces, "SECONDS", 0.05)
    hub = HubFaces()
    for _ in range(2):
        with pytest.raises(DataError, match=r"did not come.*shown still work.*press again later"):
            hub.draw(np.random.default_rng(0))
    answers.set()
    monkeypatch.setattr(hub_faces, "SECONDS", 30)
    assert len(hub.draw(np.random.default_rng(0))) == hub_faces.COUNT and len(asked) == 1


def test_a_fault_of_our_own_is_not_taken_for_a_silent_hub(monkeypatch):
    monkeypatch.setattr(hub_faces, "load_fer2013", lambda *args: {}["wrong"])
    with pytest.raises(KeyError, match="wrong"):
        HubFaces().draw(np.random.default_rng(0))
