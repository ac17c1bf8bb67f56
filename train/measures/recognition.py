"""What denoising is for: how well emotions are recognised in noisy faces, before and after they are restored.

`python -m train.benchmark --emotion` runs it, against FER2013's labels and, with `--votes fer2013new.csv`, against what
ten people saw, too. The classifier was trained on clean faces. Two controls stand beside the restorers: the same
classifier trained on noisy faces too, which needs no restorer, and clean faces that are restored all the same, which
shows what harm a restorer does. What is measured is kept after every noise, so that an interrupted run goes on.
"""

from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from fer_denoise import Restorer, list_models
from fer_denoise.classical import FILTERS
from fer_denoise.data import EMOTIONS, Faces
from fer_denoise.data.votes import Votes
from fer_denoise.evaluate import NOISY, level_name, restore
from fer_denoise.images import to_float
from fer_denoise.method import KnownNoise
from fer_denoise.models import EmotionClassifier
from fer_denoise.models.emotion import VotesError
from fer_denoise.noise import mixed_noise, task_at
from fer_denoise.precision import fold_batch_norm
from fer_denoise.zoo import CLASSIFIERS, EMOTION, EMOTION_IN_NOISE, MODELS, UNIVERSAL, specialists
from train.measures import answers, oracle, world
from train.measures.request import Request
from train.reporting import markdown
from train.reporting.results import load_previous, save, weights_of

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
KINDS = (
    ("random impulses", "10%"),
    ("Poisson", "100 photons"),
    ("speckle", "sigma 0.2"),
    ("correlated", "sigma 0.06, width 1.5"),
    ("local, smooth", "up to sigma 0.3"),
    ("stripes, rows", "sigma 0.06"),
    ("dead lines", "6"),
    ("gray levels", "8"),
    ("JPEG", "quality 20"),
    ("Gaussian, then JPEG", "sigma 0.06, quality 30"),
    ("Gaussian and random impulses", "sigma 0.06, 10%"),
    ("camera", "gain 8"),
)
"""Noise that pictures carry, out of `train.measures.world.KINDS`."""
FACES_OF_KINDS = 1000
"""The first so many get it: there the interval of a gain is two points to either side."""
TUNED_ON = 100
"""How many of them, the first, filters are tuned on: they have the parameters that are best there."""


class Cell(NamedTuple):
    """A noise to measure in: one of `LEVELS`, or a kind and level of `KINDS`."""

    level: tuple[float, float] | None
    kind: tuple[str, str] = ("", "")

    @property
    def name(self) -> str:
        """What it is called in the results."""
        return level_name(*self.level) if self.level else ": ".join(self.kind)

    @property
    def task(self) -> str | None:
        """The task whose noise it is."""
        return task_at(*self.level) if self.level else None

    def noisy(self, clean: np.ndarray, seed: int) -> np.ndarray:
        """Float32 (N, H, W) in [0, 1]."""
        if self.level:
            return mixed_noise(clean, *self.level, seed=seed)
        kind, level = self.kind
        return world.KINDS[kind][level](clean, seed=seed)

    def restored(
        self, name: str, restorer: Restorer, noisy: np.ndarray, clean: np.ndarray, pool: Executor
    ) -> np.ndarray:
        """What a method makes of `noisy`; a filter that cannot be told the level has the best parameters there are."""
        if self.level or name not in FILTERS:
            return restore(restorer, noisy, KnownNoise(*(self.level or ())), pool)
        point = oracle.best_point(name, noisy[:TUNED_ON], clean[:TUNED_ON], pool)
        return oracle.restore_with(name, point, noisy, pool)


def cells() -> list[Cell]:
    """The noise levels, then the kinds of noise."""
    return [*(Cell(level) for level in LEVELS), *(Cell(None, kind) for kind in KINDS)]


class Answers(NamedTuple):
    """What a classifier says of faces: probabilities of labels, and where they are asked for of votes, (N, 7) each."""

    labels: np.ndarray
    votes: np.ndarray | None

    @classmethod
    def of(cls, classifier: EmotionClassifier, faces: np.ndarray, with_votes: bool) -> "Answers":
        faces = to_float(faces)
        return cls(*classifier.probabilities_and_votes(faces)) if with_votes else cls(classifier(faces), None)

    def first(self, count: int) -> "Answers":
        """The answers to the first faces."""
        return Answers(self.labels[:count], None if self.votes is None else self.votes[:count])


class Truth(NamedTuple):
    """What is known of N faces."""

    labels: np.ndarray
    votes: Votes | None

    def score(self, given: Answers, on_clean: Answers) -> dict[str, Any]:
        """How good the answers are, by the labels and, in `votes`, by the crowd."""
        row = answers.score(given.labels, on_clean.labels, self.labels)
        if self.votes and given.votes is not None:
            row["votes"] = answers.score_votes(given.votes, self.votes)
        return row

    def add_gains(self, row: dict[str, Any], given: Answers, rivals: dict[str, Answers]) -> None:
        """Put into the row of `given` by how much it is right more often than each rival."""
        right = {name: each.labels.argmax(axis=1) == self.labels for name, each in {"": given, **rivals}.items()}
        row |= answers.gains_over({name: right[name] for name in rivals}, right[""])
        if self.votes:
            clear = self.votes.majority >= 0
            right = {
                name: np.where(clear, each.votes.argmax(axis=1) == self.votes.majority, np.nan)
                for name, each in {"": given, **rivals}.items()
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
    on_clean = {name: Answers.of(each, faces.images, votes is not None) for name, each in classifiers.items()}
    results: dict[str, Any] = {
        **conditions,
        "made_of": made_of,
        "classifiers": {name: describe(name, given, faces, votes) for name, given in on_clean.items()},
        "rows": previous["rows"] if same else [],
        "levels": previous["levels"] if same else [],
    }
    save(file, results)
    done = {row["noise"] for row in results["rows"]}
    with ProcessPoolExecutor(request.workers) as pool:
        for cell in tqdm([each for each in cells() if each.name not in done], "emotion"):
            results["rows"] += measure_cell(
                cell, faces, votes, request.restorers, classifiers, on_clean, request.seed, pool
            )
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
    on_clean: dict[str, Answers],
    seed: int,
    pool: Executor,
) -> list[dict[str, Any]]:
    """A row for each method: what the classifiers make of the faces; that of `UNIVERSAL` against each filter's, too.

    Args:
        votes: on the faces; None where they are not known.
        classifiers: `EMOTION` and, for the control, `EMOTION_IN_NOISE`, which sees the noisy faces alone.
        on_clean: what they say of all the clean faces.
    """
    count = len(test.labels) if cell.level else min(FACES_OF_KINDS, len(test.labels))
    clean, crowd = test.images[:count], Votes(votes.counts[:count]) if votes else None
    truth = Truth(test.labels[:count], crowd)
    noisy = cell.noisy(clean, seed)
    level = {"noise": cell.name, **dict(zip(("sigma", "amount"), cell.level or (), strict=False)), "faces": count}

    def answer(name: str, faces: np.ndarray) -> Answers:
        return Answers.of(classifiers[name], faces, votes is not None)

    on_clean = {name: given.first(count) for name, given in on_clean.items()}
    on_noisy = {name: answer(name, noisy) for name in classifiers}
    rows = [
        {**level, "method": NOISY, "classifier": name, **truth.score(given, on_clean[name])}
        for name, given in on_noisy.items()
    ]
    on_restored = {
        name: answer(EMOTION, cell.restored(name, restorer, noisy, clean, pool))
        for name, restorer in restorers.items()
        if MODELS[name].serves(cell.task) and (cell.level or name not in FILTERS or name in oracle.FILTERS)
    }
    on_filtered = {name: given for name, given in on_restored.items() if not restorers[name].blind}
    for name, given in on_restored.items():
        row = {**level, "method": name, "classifier": EMOTION, **truth.score(given, on_clean[EMOTION])}
        truth.add_gains(row, given, {**on_noisy, **on_filtered} if name == UNIVERSAL else on_noisy)
        rows.append(row)
    return rows


def describe(name: str, given: Answers, test: Faces, votes: Votes | None) -> dict[str, Any]:
    """How good a bundled classifier is, by what it says of clean faces; by the labels and, in `votes`, by the crowd."""
    truth = Truth(test.labels, votes)
    row = truth.score(given, given)
    described = {**weights_of(name), **answers.describe(given.labels, test.labels)}
    described["calibration_error"] = row["calibration_error"]
    if votes and given.votes is not None:
        clear = votes.majority >= 0
        described["votes"] = row["votes"] | answers.describe(given.votes[clear], votes.majority[clear])
    return described


def summary(rows: list[dict[str, Any]], of_crowd: bool = False) -> list[dict[str, Any]]:
    """The accuracies that tables and app show of each noise, by column; what is not measured is left out.

    Args:
        of_crowd: those by the majority of the crowd; else by the labels.
    """
    noises: dict[str, dict[tuple[str, str], dict[str, Any]]] = {}
    for row in rows:
        noises.setdefault(row["noise"], {})[row["method"], row["classifier"]] = row["votes"] if of_crowd else row
    levels: dict[str, dict[str, float]] = {
        row["noise"]: {key: row[key] for key in ("sigma", "amount") if key in row} for row in rows
    }
    shown = []
    for noise, level in noises.items():
        amounts = levels[noise]
        task = task_at(amounts["sigma"], amounts["amount"]) if amounts else None
        filters = {method: row for (method, _), row in level.items() if method in FILTERS}
        best = max(filters, key=lambda name: filters[name]["accuracy"], default=None)
        universal = level.get((UNIVERSAL, EMOTION), {})
        unet, patchgan = (level.get((name, EMOTION)) for name in specialists(task)) if task else (None, None)
        columns = {
            "noisy": level[NOISY, EMOTION]["accuracy"],
            "universal": universal.get("accuracy"),
            "gain": universal.get(f"over_{EMOTION}"),
            "gain_interval": universal.get(f"over_{EMOTION}_interval"),
            "unet": unet and unet["accuracy"],
            "patchgan": patchgan and patchgan["accuracy"],
            "filter": best and filters[best]["accuracy"],
            "best_filter": best,
            "control": level.get((NOISY, EMOTION_IN_NOISE), {}).get("accuracy"),
            "over_control": universal.get(f"over_{EMOTION_IN_NOISE}"),
            "over_control_interval": universal.get(f"over_{EMOTION_IN_NOISE}_interval"),
        }
        measured = {name: value for name, value in columns.items() if value is not None}
        shown.append({"noise": noise, **amounts, **measured})
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
