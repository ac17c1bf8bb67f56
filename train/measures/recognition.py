"""What denoising is for: how well emotions are recognised in noisy faces, before and after they are restored.

`python -m train.benchmark --emotion` runs it, against FER2013's labels and, with `--votes fer2013new.csv`, against what
ten people saw, too. The classifier was trained on clean faces. Two controls stand beside the restorers: the same
classifier trained on noisy faces too, which needs no restorer, and clean faces that are restored all the same, which
shows what harm a restorer does. What is measured is kept after every noise, so that an interrupted run goes on.
"""

from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from fer_denoise import Restorer, list_models
from fer_denoise.classical import FILTERS
from fer_denoise.data import EMOTIONS, Faces
from fer_denoise.data.votes import Votes
from fer_denoise.evaluate import NOISY, level_name, restore
from fer_denoise.images import to_float
from fer_denoise.method import KnownNoise, Method
from fer_denoise.models import EmotionClassifier
from fer_denoise.models.emotion import VotesError
from fer_denoise.noise import TASKS, mixed_noise, task_at
from fer_denoise.precision import fold_batch_norm
from fer_denoise.zoo import CLASSIFIERS, EMOTION, EMOTION_IN_NOISE, MODELS, UNIVERSAL, specialists
from train.measures import world
from train.measures.shared import answers, oracle
from train.measures.shared.cells import Cell
from train.measures.shared.request import Request
from train.reporting import markdown
from train.reporting.results import load_previous, save, weights_of

FILE = "emotion.json"
HELP = "how well emotions are recognised in noisy and in restored faces"
WITH_PEERS = False
PLACE: str | None = None
methods = list_models

BEYOND_THE_TASKS = (
    (0, 0),
    (0.1, 0),
    (0.15, 0),
    (0.2, 0),
    (0.3, 0),
    (0, 0.05),
    (0, 0.2),
    (0, 0.3),
    (0, 0.5),
    (0.1, 0.1),
    (0.2, 0.3),
)
"""Sigma and amount of impulses of what is measured besides the tasks: clean faces first, then less and more noise."""
FACES_OF_KINDS = 1000
"""The first so many get it: there the interval of a gain is two points to either side."""
TUNED_ON = 100
"""How many of them, the first, filters are tuned on: they have the parameters that are best there."""


def levels() -> list[tuple[float, float]]:
    """The levels of the tasks and beyond: of Gaussian noise alone, of impulses alone, then of both."""
    of_tasks = [KnownNoise.of(noise) for noise in TASKS.values()]
    every = [*BEYOND_THE_TASKS, *((known.sigma or 0, known.amount or 0) for known in of_tasks)]
    return sorted(every, key=lambda level: (all(level), bool(level[1]), *level))


def cells(faces: np.ndarray, seed: int) -> Iterator[Cell]:
    """The noise levels on faces, uint8 (N, 48, 48), then the kinds of noise on the first of them."""
    for sigma, amount in levels():
        noisy = partial(mixed_noise, faces, sigma, amount, seed=seed)
        yield Cell(level_name(sigma, amount), faces, noisy, KnownNoise(sigma, amount))
    first = faces[:FACES_OF_KINDS]
    for title, kind in world.KINDS.items():
        if kind.of_recognition:
            noisy = partial(kind.settings[kind.of_recognition], first, seed=seed)
            yield Cell(world.cell_name(title, kind.of_recognition), first, noisy)


def restored(restorer: Restorer, noisy: np.ndarray, cell: Cell, pool: Executor) -> np.ndarray:
    """What a method makes of `noisy`; a filter that cannot be told the level has the best parameters there are."""
    method: Method = restorer
    if restorer.name in FILTERS and cell.known.amount is None:
        method = oracle.best_method(restorer.name, noisy[:TUNED_ON], cell.clean[:TUNED_ON], pool)
    return restore(method, noisy, cell.known, pool)


class Predictions(NamedTuple):
    """What a classifier says of faces: probabilities of labels, and where they are asked for of votes, (N, 7) each."""

    labels: np.ndarray
    votes: np.ndarray | None

    @classmethod
    def of(cls, classifier: EmotionClassifier, faces: np.ndarray, with_votes: bool) -> "Predictions":
        faces = to_float(faces)
        return cls(*classifier.probabilities_and_votes(faces)) if with_votes else cls(classifier(faces), None)

    def first(self, count: int) -> "Predictions":
        """The predictions for the first faces."""
        return Predictions(self.labels[:count], None if self.votes is None else self.votes[:count])


class FaceTargets(NamedTuple):
    """What is known of N faces."""

    labels: np.ndarray
    votes: Votes | None

    def score(self, predictions: Predictions, on_clean: Predictions) -> dict[str, Any]:
        """How good predictions are, by the labels and, in `votes`, by the crowd."""
        row = answers.score(predictions.labels, on_clean.labels, self.labels)
        if self.votes and predictions.votes is not None:
            row["votes"] = answers.score_votes(predictions.votes, self.votes)
        return row

    def add_gains(self, row: dict[str, Any], predictions: Predictions, rivals: dict[str, Predictions]) -> None:
        """Put into the row of `predictions` by how much it is right more often than each rival."""
        right = {name: each.labels.argmax(axis=1) == self.labels for name, each in {"": predictions, **rivals}.items()}
        row |= answers.gains_over({name: right[name] for name in rivals}, right[""])
        if self.votes:
            clear = self.votes.majority >= 0
            right = {
                name: np.where(clear, each.votes.argmax(axis=1) == self.votes.majority, np.nan)
                for name, each in {"": predictions, **rivals}.items()
                if each.votes is not None
            }
            row["votes"] |= answers.gains_over({name: right[name] for name in rivals}, right[""])


def measure(request: Request) -> dict[str, Any]:
    """What both classifiers make of the test faces: clean, noisy, and restored by every method.

    Raises:
        DataError: the votes are not those on these faces.
    """
    faces, votes = request.faces_and_votes()
    file = request.out / FILE
    request.lose_nothing(file)
    conditions = request.conditions(faces.images)
    previous = load_previous(file, conditions)
    classifiers = {name: fold_batch_norm(EmotionClassifier.from_pretrained(name)) for name in CLASSIFIERS}
    if votes and (blind := [name for name, each in classifiers.items() if each.votes_head is None]):
        raise VotesError(f"{', '.join(blind)} learned from labels alone: leave out --votes")
    made_of = {
        "restorers": {name: weights_of(name) for name in request.restorers},
        "classifiers": {name: {**weights_of(name), "config": each.config} for name, each in classifiers.items()},
        "votes": votes is not None,
    }
    same = previous.get("made_of") == made_of
    on_clean = {name: Predictions.of(each, faces.images, votes is not None) for name, each in classifiers.items()}
    results: dict[str, Any] = {
        **conditions,
        "made_of": made_of,
        "classifiers": {name: describe(name, predictions, faces, votes) for name, predictions in on_clean.items()},
        "rows": previous["rows"] if same else [],
        "levels": previous["levels"] if same else [],
    }
    save(file, results)
    done = {row["noise"] for row in results["rows"]}
    with ProcessPoolExecutor(request.workers) as pool:
        todo = [cell for cell in cells(faces.images, request.seed) if cell.name not in done]
        for cell in tqdm(todo, "emotion"):
            results["rows"] += measure_cell(cell, faces, votes, request.restorers, classifiers, on_clean, pool)
            results["levels"] = summary([row for row in results["rows"] if "sigma" in row])
            save(file, results)
    return results


def tables(results: dict[str, Any]) -> dict[str, str]:
    return {"emotion": markdown_tables(results)}


def measure_cell(
    cell: Cell,
    test: Faces,
    votes: Votes | None,
    restorers: dict[str, Restorer],
    classifiers: dict[str, EmotionClassifier],
    on_clean: dict[str, Predictions],
    pool: Executor,
) -> list[dict[str, Any]]:
    """A row for each method: what the classifiers make of the faces; that of `UNIVERSAL` against each filter's, too.

    Args:
        test: the faces that the first of are those of the cell, and their labels.
        votes: on the faces; None where they are not known.
        classifiers: `EMOTION` and, for the control, `EMOTION_IN_NOISE`, which sees the noisy faces alone.
        on_clean: what they say of all the clean faces.
    """
    count = len(cell.clean)
    targets = FaceTargets(test.labels[:count], Votes(votes.counts[:count]) if votes else None)
    noisy = cell.noisy()
    known = {name: level for name, level in cell.known._asdict().items() if level is not None}
    common = {"noise": cell.name, **known, "faces": count}
    task = task_at(**known) if known else None

    def predict(name: str, faces: np.ndarray) -> Predictions:
        return Predictions.of(classifiers[name], faces, votes is not None)

    on_clean = {name: predictions.first(count) for name, predictions in on_clean.items()}
    on_noisy = {name: predict(name, noisy) for name in classifiers}
    rows = [
        {**common, "method": NOISY, "classifier": name, **targets.score(predictions, on_clean[name])}
        for name, predictions in on_noisy.items()
    ]
    on_restored = {
        name: predict(EMOTION, restored(restorer, noisy, cell, pool))
        for name, restorer in restorers.items()
        if MODELS[name].serves(task) and (known or name not in FILTERS or name in oracle.FILTERS)
    }
    on_filtered = {name: predictions for name, predictions in on_restored.items() if not restorers[name].blind}
    for name, predictions in on_restored.items():
        row = {**common, "method": name, "classifier": EMOTION, **targets.score(predictions, on_clean[EMOTION])}
        targets.add_gains(row, predictions, {**on_noisy, **on_filtered} if name == UNIVERSAL else on_noisy)
        rows.append(row)
    return rows


def describe(name: str, predictions: Predictions, test: Faces, votes: Votes | None) -> dict[str, Any]:
    """How good a bundled classifier is, by what it says of clean faces; by the labels and, in `votes`, by the crowd."""
    row = FaceTargets(test.labels, votes).score(predictions, predictions)
    described = {**weights_of(name), **answers.describe(predictions.labels, test.labels)}
    described["calibration_error"] = row["calibration_error"]
    if votes and predictions.votes is not None:
        clear = votes.majority >= 0
        described["votes"] = row["votes"] | answers.describe(predictions.votes[clear], votes.majority[clear])
    return described


def summary(rows: list[dict[str, Any]], of_crowd: bool = False) -> list[dict[str, Any]]:
    """The accuracies that tables and app show of each noise, by column; what is not measured is left out.

    Args:
        of_crowd: those by the majority of the crowd; else by the labels.
    """
    noises: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
    for row in rows:
        noises.setdefault(row["noise"], {})[row["method"], row["classifier"]] = row["votes"] if of_crowd else row
    known: dict[str, dict[str, float]] = {
        row["noise"]: {key: row[key] for key in ("sigma", "amount") if key in row} for row in rows
    }
    shown = []
    for noise, by_method in noises.items():
        task = task_at(**known[noise]) if known[noise] else None
        filters = {method: row for (method, _), row in by_method.items() if method in FILTERS}
        best = max(filters, key=lambda name: filters[name]["accuracy"], default=None)
        universal = by_method.get((UNIVERSAL, EMOTION), {})
        unet, patchgan = (by_method.get((name, EMOTION)) for name in specialists(task)) if task else (None, None)
        columns = {
            "noisy": by_method[NOISY, EMOTION]["accuracy"],
            "universal": universal.get("accuracy"),
            "gain": universal.get(f"over_{EMOTION}"),
            "gain_interval": universal.get(f"over_{EMOTION}_interval"),
            "unet": unet and unet["accuracy"],
            "patchgan": patchgan and patchgan["accuracy"],
            "filter": best and filters[best]["accuracy"],
            "best_filter": best,
            "control": by_method.get((NOISY, EMOTION_IN_NOISE), {}).get("accuracy"),
            "over_control": universal.get(f"over_{EMOTION_IN_NOISE}"),
            "over_control_interval": universal.get(f"over_{EMOTION_IN_NOISE}_interval"),
        }
        measured = {name: value for name, value in columns.items() if value is not None}
        shown.append({"noise": noise, **known[noise], **measured})
    return shown


def markdown_tables(results: dict[str, Any]) -> str:
    """Accuracy over the noise levels and kinds, how far the crowd is from it, and each emotion on clean faces."""
    rows, described = results["rows"], results["classifiers"]
    crowd = bool(rows) and all("votes" in row for row in rows)
    kinds = [row for row in rows if "sigma" not in row]
    levels = [row for row in rows if "sigma" in row]
    parts: list[tuple[str, str]] = []
    if levels:
        parts.append(("**By the labels of FER2013**", _accuracies(summary(levels))))
    if levels and crowd:
        parts.append(("**By the crowd's majority**", _accuracies(summary(levels, of_crowd=True))))
    if kinds:
        text = f"**Kinds of noise that pictures carry, by the labels; the first {kinds[0]['faces']:,} faces**"
        parts.append((text, _accuracies(summary(kinds))))
        if crowd:
            parts.append(("**The same, by the crowd's majority**", _accuracies(summary(kinds, of_crowd=True))))
    if crowd:
        parts.append(("**How far the answer is from what the crowd says**", _distances(rows)))
    parts.append(("**On clean faces**", _on_clean(described)))
    return "\n\n".join(f"{title}\n\n{table}" for title, table in parts)


def _accuracies(shown: list[dict[str, Any]]) -> str:
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
    columns = {name: title for name, title in columns.items() if any(name in row for row in shown)}
    lines = []
    for row in shown:
        plain = [name for name in ("noisy", "universal", "unet", "patchgan", "control") if name in row]
        texts: dict[str, str] = {name: f"{row[name]:.1%}" for name in plain}
        if "filter" in row:
            texts["filter"] = f"{row['filter']:.1%} ({row['best_filter']})"
        for name in ("gain", "over_control"):
            if name in row:
                low, high = row[f"{name}_interval"]
                texts[name] = f"{100 * row[name]:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
        lines.append([row["noise"], *(texts.get(name, "") for name in columns)])
    return markdown.table(("noise", *columns.values()), lines)


def _distances(rows: list[dict[str, Any]]) -> str:
    """Divergence from the crowd's distribution, and cross-entropy behind it, for each noise."""
    shown = {(NOISY, EMOTION): "noisy", (UNIVERSAL, EMOTION): "`universal`", (NOISY, EMOTION_IN_NOISE): "the control"}
    by_noise: dict[str, dict[tuple[str, str], str]] = {}
    for row in rows:
        low, high = row["votes"]["kl_divergence_interval"]
        text = f"{row['votes']['kl_divergence']:.2f} ({low:.2f} to {high:.2f}); {row['votes']['cross_entropy']:.2f}"
        by_noise.setdefault(row["noise"], {})[row["method"], row["classifier"]] = text
    heads = ("noise", *(f"{title}: divergence; cross-entropy" for title in shown.values()))
    return markdown.table(heads, [[noise, *(texts.get(key, "") for key in shown)] for noise, texts in by_noise.items()])


def _on_clean(described: dict[str, dict[str, Any]]) -> str:
    lines = []
    for name, record in described.items():
        for title, row in ((f"`{name}`, labels", record), (f"`{name}`, crowd", record.get("votes"))):
            if row:
                figures = (f"{row['accuracy']:.1%}", f"{row['macro_f1']:.3f}", f"{row['calibration_error']:.3f}")
                lines.append([title, f"{row['faces']:,}", *figures, *(f"{each:.0%}" for each in row["recall"])])
    return markdown.table(("", "faces", "accuracy", "macro F1", "calibration error", *EMOTIONS), lines)
