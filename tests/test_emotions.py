import numpy as np

from fer_denoise.demo.emotions import emotion_table, guesses, note
from fer_denoise.images import to_float
from fer_denoise.models import EmotionClassifier


def test_emotions_stand_side_by_side_with_the_likeliest_marked():
    probabilities = np.full((2, 7), 0.05)
    probabilities[0, 3] = probabilities[1, 6] = 0.7
    table = emotion_table(("Noisy", "Restored"), probabilities)
    assert table.count("class=best") == 2 and table.count("<b>70%</b>") == 2
    for row in table.split("<tr>")[2:]:
        emotion = row.removeprefix("<th scope='row'>").split("<")[0]
        cells = row.split("</td>")
        assert ("class=best" in cells[0]) == (emotion == "happy") and ("class=best" in cells[1]) == (
            emotion == "neutral"
        )


def test_a_classifier_of_labels_alone_shows_no_crowd(face):
    labels, votes = guesses(EmotionClassifier(widths=(4, 8)).eval(), to_float(face), [])
    assert votes is None and "crowd" not in emotion_table(("Clean",), labels, votes) + note(votes)
