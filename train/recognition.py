"""What denoising is for: how well emotions are recognised in noisy faces, before and after they are restored.

`python -m train.benchmark --emotion` runs it. The classifier was trained on clean faces. Two controls stand beside the
restorers: the same classifier trained on noisy faces too, which needs no restorer, and clean faces that are restored
all the same, which shows what harm a restorer does.
"""

from collections.abc import Iterator
from concurrent.futures import Executor
from typing import Any

import numpy as np

from fer_denoise import Restorer
from fer_denoise.data import EMOTIONS, Faces
from fer_denoise.evaluate import NOISY, restore_levels
from fer_denoise.images import to_float
from fer_denoise.models import EmotionClassifier
from fer_denoise.noise import mixed_noise
from fer_denoise.zoo import MODELS

FILE = "emotion.json"
LEVELS = (
    (0, 0),
    (0.02, 0),
    (0.06, 0),
    (0.1, 0),
    (0.15, 0),
    (0.2, 0),
    (0.3, 0),
    (0, 0.05),
    (0, 0.1),
    (0, 0.2),
    (0, 0.3),
    (0, 0.5),
    (0.1, 0.1),
    (0.2, 0.3),
)
"""Sigma and amount of impulses; clean faces, the three tasks, and beyond."""
TASK_OF_LEVEL = {(0.02, 0): "low", (0.06, 0): "high", (0, 0.1): "salt_pepper"}

CLEAN_TRAINED, NOISE_TRAINED = "trained on clean faces", "trained on noisy faces too"
RESAMPLES = 1000


def measure(
    test: Faces, restorers: dict[str, Restorer], classifiers: dict[str, EmotionClassifier], seed: int, pool: Executor
) -> Iterator[dict[str, Any]]:
    """A row for each noise level and method: what the classifiers make of the faces.

    Args:
        classifiers: by `CLEAN_TRAINED` and, for the control, `NOISE_TRAINED`, which sees the noisy faces alone.
    """
    on_clean = {name: classifier(test.images) for name, classifier in classifiers.items()}
    for sigma, amount in LEVELS:
        noisy = mixed_noise(test.images, sigma, amount, seed=seed)
        task = TASK_OF_LEVEL.get((sigma, amount))
        for name in (NOISY, *restorers):
            if name != NOISY and MODELS[name].task not in (None, task):
                continue
            restored = noisy if name == NOISY else restore_levels(restorers[name], noisy, sigma, amount, pool)
            for trained, classifier in classifiers.items():
                if trained == CLEAN_TRAINED or name == NOISY:
                    scores = score(classifier(to_float(restored)), on_clean[trained], test.labels)
                    yield {"sigma": sigma, "amount": amount, "method": name, "classifier": trained, **scores}


def score(probabilities: np.ndarray, on_clean: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Accuracy and macro F1 against the labels; agreement with, and divergence from, the answer to the clean face.

    Intervals hold 95% of what is found on faces drawn anew with replacement (Efron 1979).

    Args:
        probabilities, on_clean: (N, 7).
        labels: (N,).
    """
    answers, clean_answers = probabilities.argmax(axis=1), on_clean.argmax(axis=1)
    right, agree = answers == labels, answers == clean_answers
    divergence = (on_clean * np.log((on_clean + 1e-9) / (probabilities + 1e-9))).sum(axis=1)
    resamples = np.random.default_rng(0).integers(len(labels), size=(RESAMPLES, len(labels)))
    return {
        "accuracy": float(right.mean()),
        "accuracy_interval": _interval(right[resamples].mean(axis=1)),
        "macro_f1": macro_f1(answers, labels),
        "macro_f1_interval": _interval(np.array([macro_f1(answers[each], labels[each]) for each in resamples])),
        "agreement": float(agree.mean()),
        "agreement_interval": _interval(agree[resamples].mean(axis=1)),
        "kl_divergence": float(divergence.mean()),
        "kl_divergence_interval": _interval(divergence[resamples].mean(axis=1)),
    }


def macro_f1(answers: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the emotions of the harmonic mean of precision and recall; 0 for one that is never answered."""
    count = len(EMOTIONS)
    confusion = np.bincount(count * labels + answers, minlength=count**2).reshape(count, count)
    found = confusion.diagonal()
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    present = confusion.sum(axis=1) > 0
    return float(np.mean(2 * found[present] / np.maximum(total[present], 1)))


def _interval(values: np.ndarray) -> list[float]:
    return np.quantile(values, (0.025, 0.975)).round(4).tolist()
