import numpy as np

from fer_denoise.demo.emotions import CROWD, NOTE, emotion_table
from fer_denoise.demo.face_view import restore_face, title_of
from fer_denoise.demo.restorers import Restorers
from fer_denoise.models import EmotionClassifier
from fer_denoise.noise import TASKS


def test_a_face_is_shown_with_what_the_classifier_takes_it_for(face):
    restorers = Restorers()
    noise = TASKS["high"]
    shown = restore_face(face, restorers, ("noisy", "universal"), noise, 3).emotions
    noisy = noise(face, seed=3)
    restored = restorers.get("universal")(noisy)
    classifier, faces = (
        EmotionClassifier.from_pretrained("emotion"),
        np.stack([face / np.float32(255), noisy, restored]),
    )
    votes = classifier.votes(faces)
    assert emotion_table(("Clean", "Noisy", "Universal"), classifier(faces), votes) in shown
    assert f"<i title='of a crowd'>{votes[0, 0]:.0%}</i>" in shown and CROWD in shown and NOTE in shown


def test_the_clean_face_is_classified_once_whatever_the_noise(face, monkeypatch):
    restorers, sizes = Restorers(), []
    features = EmotionClassifier._features
    monkeypatch.setattr(
        EmotionClassifier, "_features", lambda self, faces: sizes.append(len(faces)) or features(self, faces)
    )
    for sides in (("noisy", "universal"), ("noisy", "median"), ("clean", "median"), ("clean", "clean")):
        table = restore_face(face, restorers, sides, TASKS["high"], 3).emotions
        assert table.count("<th scope='col'>") == 1 + len({"Clean", *map(title_of, sides)})
    assert sizes == [1, 2, 2, 1]
