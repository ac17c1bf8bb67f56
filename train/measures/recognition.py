"""What denoising is for: how well emotions are recognised in noisy faces, before and after they are restored.

`python -m train.benchmark --emotion` runs it. The classifier was trained on clean faces. Two controls stand beside the
restorers: the same classifier trained on noisy faces too, which needs no restorer, and clean faces that are restored
all the same, which shows what harm a restorer does. Intervals hold 95% of what is found on faces drawn anew with
replacement (Efron 1979, https://doi.org/10.1214/aos/1176344552), the same draws for every method.
"""

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any

import numpy as np
from tqdm import tqdm

from fer_denoise import Restorer, list_models
from fer_denoise.classical import FILTERS
from fer_denoise.data import EMOTIONS, Faces
from fer_denoise.evaluate import NOISY, restore
from fer_denoise.hub.sources import model_folder, weights_checksum
from fer_denoise.images import to_float
from fer_denoise.method import KnownNoise
from fer_denoise.models import EmotionClassifier
from fer_denoise.noise import mixed_noise, task_at
from fer_denoise.zoo import CLASSIFIERS, EMOTION, EMOTION_IN_NOISE, MODELS, UNIVERSAL, specialists
from train.measures.request import Request
from train.reporting import markdown
from train.reporting.results import save

FILE = "emotion.json"
HELP = "how well emotions are recognised in noisy and in restored faces"
WITH_PEERS = False
PLACE: str | None = None
methods = list_models

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

RESAMPLES = 1000
BINS = 15
"""Of the confidence, for the calibration error."""


def measure(request: Request) -> dict[str, Any]:
    """What both classifiers make of the test faces: clean, noisy, and restored by every method."""
    faces = request.faces()
    request.lose_nothing(request.out / FILE, len(faces.images))
    classifiers = {name: EmotionClassifier.from_pretrained(name) for name in CLASSIFIERS}
    results: dict[str, Any] = request.conditions(faces.images)
    results["classifiers"] = {name: describe(name, classifier, faces) for name, classifier in classifiers.items()}
    with ProcessPoolExecutor(request.workers) as pool:
        rows = measure_rows(faces, request.restorers, classifiers, request.seed, pool)
        results["rows"] = list(tqdm(rows, "emotion"))
    results["levels"] = summary(results["rows"])
    save(request.out / FILE, results)
    return results


def tables(results: dict[str, Any]) -> dict[str, str]:
    return {"emotion": markdown_tables(results)}


def measure_rows(
    test: Faces, restorers: dict[str, Restorer], classifiers: dict[str, EmotionClassifier], seed: int, pool: Executor
) -> Iterator[dict[str, Any]]:
    """A row for each noise level and method: what the classifiers make of the faces; that of `UNIVERSAL` against each
    filter's, too.

    Args:
        classifiers: `EMOTION` and, for the control, `EMOTION_IN_NOISE`, which sees the noisy faces alone.
    """
    resamples = np.random.default_rng(0).integers(len(test.labels), size=(RESAMPLES, len(test.labels)))
    on_clean = {name: classifier(test.images) for name, classifier in classifiers.items()}
    for sigma, amount in LEVELS:
        noisy = mixed_noise(test.images, sigma, amount, seed=seed)
        task = task_at(sigma, amount)
        level = {"sigma": sigma, "amount": amount}
        on_noisy = {name: classifier(to_float(noisy)) for name, classifier in classifiers.items()}
        for name, answers in on_noisy.items():
            scores = score(answers, on_clean[name], test.labels, resamples)
            yield {**level, "method": NOISY, "classifier": name, **scores}
        on_restored = {
            name: classifiers[EMOTION](to_float(restore(restorer, noisy, KnownNoise(sigma, amount), pool)))
            for name, restorer in restorers.items()
            if MODELS[name].serves(task)
        }
        on_filtered = {name: answers for name, answers in on_restored.items() if not restorers[name].blind}
        for name, answers in on_restored.items():
            scores = score(answers, on_clean[EMOTION], test.labels, resamples)
            rivals = {**on_noisy, **on_filtered} if name == UNIVERSAL else on_noisy
            gains = gains_over(rivals, answers, test.labels, resamples)
            yield {**level, "method": name, "classifier": EMOTION, **scores, **gains}


def describe(name: str, classifier: EmotionClassifier, test: Faces) -> dict[str, Any]:
    """How good a bundled classifier is on clean faces: in all, for each emotion, and how far it can be believed."""
    probabilities = classifier(test.images)
    answers = probabilities.argmax(axis=1)
    confusion = _confusion(answers, test.labels)
    found = confusion.diagonal()
    return {
        "weights": weights_checksum(model_folder(name)),
        "accuracy": round(float((answers == test.labels).mean()), 4),
        "macro_f1": round(macro_f1(answers, test.labels), 4),
        "recall": (found / np.maximum(confusion.sum(axis=1), 1)).round(4).tolist(),
        "precision": (found / np.maximum(confusion.sum(axis=0), 1)).round(4).tolist(),
        "confusion": confusion.tolist(),
        "calibration_error": round(calibration_error(probabilities, test.labels), 4),
    }


def score(probabilities: np.ndarray, on_clean: np.ndarray, labels: np.ndarray, resamples: np.ndarray) -> dict[str, Any]:
    """Accuracy and macro F1 against the labels; agreement with, and divergence from, the answer to the clean face.

    Args:
        probabilities, on_clean: (N, 7).
        labels: (N,).
        resamples: indices (R, N) of the faces drawn anew.
    """
    answers, clean_answers = probabilities.argmax(axis=1), on_clean.argmax(axis=1)
    right, agree = answers == labels, answers == clean_answers
    divergence = (on_clean * np.log((on_clean + 1e-9) / (probabilities + 1e-9))).sum(axis=1)
    return {
        "accuracy": round(float(right.mean()), 4),
        "accuracy_interval": _interval(right[resamples].mean(axis=1)),
        "macro_f1": round(macro_f1(answers, labels), 4),
        "macro_f1_interval": _interval(np.array([macro_f1(answers[each], labels[each]) for each in resamples])),
        "agreement": round(float(agree.mean()), 4),
        "agreement_interval": _interval(agree[resamples].mean(axis=1)),
        "kl_divergence": round(float(divergence.mean()), 4),
        "kl_divergence_interval": _interval(divergence[resamples].mean(axis=1)),
    }


def gains_over(
    others: dict[str, np.ndarray], probabilities: np.ndarray, labels: np.ndarray, resamples: np.ndarray
) -> dict[str, Any]:
    """By how much the accuracy of `probabilities` (N, 7) is above that of `others`, each of them alone.

    Both sides are drawn together: what is common to them does not widen the interval.
    """
    right = probabilities.argmax(axis=1) == labels
    gains: dict[str, Any] = {}
    for name, other in others.items():
        gain = right.astype(float) - (other.argmax(axis=1) == labels)
        gains[f"over_{name}"] = round(float(gain.mean()), 4)
        gains[f"over_{name}_interval"] = _interval(gain[resamples].mean(axis=1))
    return gains


def macro_f1(answers: np.ndarray, labels: np.ndarray) -> float:
    """Mean over the emotions of the harmonic mean of precision and recall; 0 for one that is never answered."""
    confusion = _confusion(answers, labels)
    found = confusion.diagonal()
    total = confusion.sum(axis=0) + confusion.sum(axis=1)
    present = confusion.sum(axis=1) > 0
    return float(np.mean(2 * found[present] / np.maximum(total[present], 1)))


def calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error: by how much confidence and accuracy differ, over `BINS` bins of confidence.

    Naeini et al. 2015, https://doi.org/10.1609/aaai.v29i1.9602.

    Args:
        probabilities: (N, 7).
        labels: (N,).
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights=right - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(labels))


def summary(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each noise level the accuracies that tables and app show, by column; what is not measured is left out."""
    levels: dict[tuple[float, float], dict[tuple[str, str], dict[str, Any]]] = {}
    for row in rows:
        levels.setdefault((row["sigma"], row["amount"]), {})[row["method"], row["classifier"]] = row
    shown = []
    for (sigma, amount), level in levels.items():
        task = task_at(sigma, amount)
        filters = [row for (method, _), row in level.items() if method in FILTERS]
        best = max(filters, key=lambda row: row["accuracy"], default=None)
        universal = level.get((UNIVERSAL, EMOTION), {})
        unet, patchgan = (level.get((name, EMOTION)) for name in specialists(task)) if task else (None, None)
        columns = {
            "noisy": level[NOISY, EMOTION]["accuracy"],
            "universal": universal.get("accuracy"),
            "gain": universal.get(f"over_{EMOTION}"),
            "gain_interval": universal.get(f"over_{EMOTION}_interval"),
            "unet": unet and unet["accuracy"],
            "patchgan": patchgan and patchgan["accuracy"],
            "filter": best and best["accuracy"],
            "best_filter": best and best["method"],
            "control": level.get((NOISY, EMOTION_IN_NOISE), {}).get("accuracy"),
            "over_control": universal.get(f"over_{EMOTION_IN_NOISE}"),
            "over_control_interval": universal.get(f"over_{EMOTION_IN_NOISE}_interval"),
        }
        measured = {name: value for name, value in columns.items() if value is not None}
        shown.append({"sigma": sigma, "amount": amount, **measured})
    return shown


def markdown_tables(results: dict[str, Any]) -> str:
    """Accuracy over the noise levels, and of each emotion on clean faces, as tables."""
    columns = {
        "noisy": "noisy",
        "universal": "`universal`",
        "gain": "gain, 95% interval",
        "unet": "specialist U-Net",
        "patchgan": "PatchGAN",
        "filter": "best filter",
        "control": "noisy, by the control",
        "over_control": "`universal` over the control",
    }
    lines = []
    for row in results["levels"]:
        cells = {
            name: f"{row[name]:.1%}" for name in ("noisy", "universal", "unet", "patchgan", "control") if name in row
        }
        if "filter" in row:
            cells["filter"] = f"{row['filter']:.1%} ({row['best_filter']})"
        for name in ("gain", "over_control"):
            if name in row:
                low, high = row[f"{name}_interval"]
                cells[name] = f"{100 * row[name]:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
        lines.append([f"{row['sigma']:g}", f"{row['amount']:.0%}", *(cells.get(name, "") for name in columns)])
    by_level = markdown.table(("sigma", "impulses", *columns.values()), lines, left=())
    by_emotion = markdown.table(
        ("on clean faces", "all", *EMOTIONS),
        [
            (f"`{name}`", f"{row['accuracy']:.1%}", *(f"{each:.0%}" for each in row["recall"]))
            for name, row in results["classifiers"].items()
        ],
    )
    return f"{by_level}\n\n{by_emotion}"


def _confusion(answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many faces of each label (rows) were given each answer (columns), (7, 7)."""
    count = len(EMOTIONS)
    return np.bincount(count * labels + answers, minlength=count**2).reshape(count, count)


def _interval(values: np.ndarray) -> list[float]:
    return np.quantile(values, (0.025, 0.975)).round(4).tolist()
