"""Model cards: the README.md of a model repo, made from `hub_cards/`, its config and the benchmark's results.

A card ends with the checksum of what stands above it, so that one which a person has edited is known and kept.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from huggingface_hub import EvalResult, ModelCard, ModelCardData

from fer_denoise.data import EMOTIONS, HUB_DATASET
from fer_denoise.evaluate import NOISY
from fer_denoise.hub.sources import BUNDLE, CODE_URL, bundled_models, weights_checksum
from fer_denoise.models import RestorationNetwork
from fer_denoise.models.pretrained import read_config
from fer_denoise.noise import TASK_RECORDS
from fer_denoise.zoo import CLASSIFIERS, MODELS, NETWORKS, UNIVERSAL, UNIVERSAL_LARGE, Family
from train.reporting import markdown
from train.reporting.report import unseen_sentence
from train.shared.run_folder import with_script

ANY = UNIVERSAL
"""The task of a model that serves all of them."""

TEMPLATES = Path(__file__).parents[2] / "hub_cards"
NOISE = {
    **{key: task.description for key, task in TASK_RECORDS.items()},
    ANY: "the noise that pictures carry: Gaussian, shot, speckle, correlated or local noise, impulses, stripes, dead "
    "lines, few gray levels and JPEG, alone or together",
}
EARLIER = "the weights of an earlier run"
_MARK = re.compile(r"\n*<!-- Generated, sha256 ([0-9a-f]{64})\. [^>]*-->\s*$")


class CardError(ValueError):
    """A card cannot be made; the message says what to do."""


def make_card(
    name: str,
    folder: Path,
    results: dict[str, Any] | None = None,
    source: str | None = None,
    revision: str | None = None,
) -> ModelCard:
    """The card of the model `name`, whose files are in `folder`.

    Args:
        results: what the benchmark wrote; without it, the card says that the model is not yet measured.
        source, revision: what the card's code loads; by default the bundled model.

    Raises:
        CardError: no script here trained it, or the results are not of it or not of these weights.
        ModelNotFoundError: `folder` holds no model.
    """
    config = read_config(folder)
    training = with_script(config.get("training") or {})
    if "task" not in training:
        raise CardError(f"{folder}: its config.json has no training record; give the folder model/ of a training run")
    task, recipe = training["task"], training.get("recipe", {})
    family = family_of(folder)
    by_kind = _restorer if issubclass(family.architecture, RestorationNetwork) else _classifier
    measured = by_kind(name, folder, task, results)
    parameters = sum(p.numel() for p in family.architecture(**config["config"]).parameters())
    data = ModelCardData(
        model_name=f"fer-denoise {name}",
        license="other",
        license_name="research-only",
        library_name="fer-denoise",
        datasets=[HUB_DATASET],
        **measured.metadata,
        tags=[*measured.tags, "fer2013", family.name],
        eval_results=measured.eval_results,
    )
    text = _template(family).render(
        card_data=data.to_yaml(),
        title=NETWORKS[name].title if name in NETWORKS else name,
        task=task.replace("_", "-"),
        noise=NOISE.get(task, f"the noise of the task {task}"),
        residual=config["config"].get("residual", False),
        temperature=config["config"].get("temperature"),
        biased=any(config["config"].get("bias") or ()),
        votes=config["config"].get("votes", False),
        parameters=f"{parameters:,}",
        code_url=CODE_URL,
        source=source or name,
        revision=revision,
        images=f"{training['data']['images']:,}",
        train_sha256=training["data"]["sha256"],
        train_commit=training["data"].get("commit"),
        script=training["script"],
        preset=training.get("preset"),
        seed=training.get("seed"),
        init=_describe_init(training, name),
        continued=_describe_init(training, name) == EARLIER,
        bundled=_is_bundled(name, folder),
        trained_on=training.get("noise"),
        pictures=training.get("pictures"),
        teacher=training.get("teacher"),
        passes=training.get("passes"),
        large=name == UNIVERSAL_LARGE,
        settings=recipe,
        recipe=describe_recipe(recipe),
        best_epoch=training.get("best_epoch"),
        validation_psnr=training.get("validation_psnr"),
        validation_accuracy=training.get("validation_accuracy"),
        hardware=training.get("hardware"),
        served=measured.served,
        results=measured.shown,
    )
    card = ModelCard(re.sub(r"\n{3,}", "\n\n", text).strip() + "\n")
    return ModelCard(sign(str(card)))


def results_file(name: str) -> str:
    """The file below `results/` that holds what was measured of the model `name`."""
    return "emotion.json" if name in CLASSIFIERS else "benchmark.json"


@dataclass(frozen=True)
class _Measured:
    """What a card says of a model by its kind, and what was measured of it, if anything."""

    metadata: dict[str, Any]
    tags: list[str]
    served: str
    """What the model does to a face."""
    eval_results: list[EvalResult] | None = None
    shown: dict[str, Any] | None = None


def _restorer(name: str, folder: Path, task: str, results: dict[str, Any] | None) -> _Measured:
    tasks = list(TASK_RECORDS) if task == ANY else [task]
    metadata = {"pipeline_tag": "image-to-image", "metrics": ["psnr", "ssim"]}
    tags = ["image-denoising", "image-restoration"]
    if not results:
        return _Measured(metadata, tags, "restored")
    if "tasks" not in results:
        raise CardError(f"{name}: the results are not those of the tasks; give {results_file(name)}")
    for measured in tasks:
        _check_weights(name, folder, _row(results["tasks"].get(measured, []), name, measured), "")
    rows = [each for task in tasks for each in _eval_results(name, task, results)]
    return _Measured(metadata, tags, "restored", rows, _results(name, tasks, results))


def _classifier(name: str, folder: Path, task: str, results: dict[str, Any] | None) -> _Measured:
    metadata = {"pipeline_tag": "image-classification", "metrics": ["accuracy", "f1"]}
    tags = ["emotion-recognition", "facial-expression-recognition"]
    if not results:
        return _Measured(metadata, tags, "recognised")
    if name not in results.get("classifiers", {}):
        raise CardError(f"{name}: is not among the classifiers of the results; give {results_file(name)}")
    row, data = results["classifiers"][name], results["data"]
    _check_weights(name, folder, row, " --emotion")
    evaluated = [
        EvalResult(
            task_type="image-classification",
            task_name="Facial emotion recognition",
            dataset_type=HUB_DATASET,
            dataset_name="FER2013",
            dataset_split="test",
            # Of a dataset that may lie on a disk and not on the Hub, this tells the version better than a branch.
            dataset_args={"sha256_of_pixels": data["sha256"]},
            metric_type=kind,
            metric_name=title,
            metric_value=row[column],
        )
        for column, kind, title in (("accuracy", "accuracy", "accuracy"), ("macro_f1", "f1", "macro F1"))
    ]
    shown = {
        "images": f"{data['images']:,}",
        "sha256": data["sha256"],
        "accuracy": f"{row['accuracy']:.1%}",
        "macro_f1": f"{row['macro_f1']:.3f}",
        "calibration_error": f"{row['calibration_error']:.3f}",
        "table": _confusion("labelled", row),
    }
    if votes := row.get("votes"):
        digits = {"macro_f1": 3, "calibration_error": 3, "cross_entropy": 2, "kl_divergence": 2}
        shown["votes"] = {name: f"{votes[name]:.{places}f}" for name, places in digits.items()} | {
            "faces": f"{votes['faces']:,}",
            "accuracy": f"{votes['accuracy']:.1%}",
            "table": _confusion("the crowd", votes),
        }
    return _Measured(metadata, tags, "recognised", evaluated, shown)


def _confusion(by: str, row: dict[str, Any]) -> str:
    """A table with a line for each emotion: how often it was given each answer, and how often the right one."""
    lines = [
        [emotion, *map(str, counts), f"{recall:.0%}"]
        for emotion, counts, recall in zip(EMOTIONS, row["confusion"], row["recall"], strict=True)
    ]
    return markdown.table((f"{by} \\ answered", *EMOTIONS, "right"), lines)


def _check_weights(name: str, folder: Path, row: dict[str, Any], option: str) -> None:
    if row.get("weights") != weights_checksum(folder):
        command = f"python -m train.benchmark{option or f' --models {name}'}"
        raise CardError(f"{name}: the results may be of other weights; run: {command}")


def model_name(folder: Path) -> str:
    """What the model in `folder` is called here, by its training record.

    Raises:
        CardError: the record doesn't tell.
    """
    record, family = read_config(folder), family_of(folder)
    task = (record.get("training") or {}).get("task")
    # The last that it may be is the most special one.
    for name, network in reversed(NETWORKS.items()):
        if network.family is family and network.serves(task) and _holds(record, network.recognised_by):
            return name
    raise CardError(f"{folder}: its config.json does not tell which model it is; add --name NAME")


def family_of(folder: Path) -> Family:
    """The family of the network in `folder`, by its class and the script that trained it.

    Raises:
        CardError: no script here trains such a network.
    """
    record = read_config(folder)
    script = with_script(record.get("training") or {})["script"]
    families = {network.family.script: network.family for network in NETWORKS.values()}
    family = families.get(script.removeprefix("train."))
    if family is None or record["architecture"] != family.architecture.__name__:
        raise CardError(
            f"{folder}: holds a {record['architecture']} of {script}; give the folder model/ of a run of "
            f"{', '.join(f'train.{name}' for name in families)}"
        )
    return family


def _holds(record: Any, part: Any) -> bool:
    """Whether a parsed JSON file has all that `part` has."""
    if not isinstance(part, Mapping):
        return record == part
    return isinstance(record, Mapping) and all(_holds(record.get(key), value) for key, value in part.items())


def describe_recipe(recipe: dict[str, Any]) -> str:
    """A recipe in one line: switches that are on, and the values of all other settings that are set."""
    parts = [
        name.replace("_", " ") if value is True else f"{name.replace('_', ' ')} {_short(value)}"
        for name, value in recipe.items()
        if value
    ]
    return ", ".join(parts) or "not recorded"


def sign(text: str) -> str:
    """`text` with a last line that tells later whether somebody has edited it."""
    text = _MARK.sub("", text).rstrip() + "\n"
    return f"{text}\n<!-- Generated, sha256 {_digest(text)}. Once it is edited, our scripts keep it as it is. -->\n"


def is_unedited(text: str) -> bool:
    """Whether `text` is as `sign` left it."""
    mark = _MARK.search(text)
    return mark is not None and _digest(text[: mark.start()]) == mark[1]


def _digest(text: str) -> str:
    # Editors and Git may change line ends; nobody's words are lost with them.
    return hashlib.sha256("\n".join(text.rstrip().splitlines()).encode()).hexdigest()


def _template(family: Family) -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.select_template([f"{family.name}.md", "base.md"])


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _describe_init(training: dict[str, Any], name: str) -> str | None:
    """A folder on the trainer's machine means nothing to a reader; nor does a name that has passed to this model."""
    init, revision = training.get("init"), training.get("init_revision")
    if init in (None, "none"):
        return None
    if revision:
        return f"`{init}` at commit `{revision}`"
    return f"`{init}`" if init in MODELS and init != name else EARLIER


def _is_bundled(name: str, folder: Path) -> bool:
    """Whether the weights in `folder` are those that come with the package, of which a template may tell more."""
    return name in bundled_models() and weights_checksum(folder) == weights_checksum(BUNDLE / name)


def _row(rows: list[dict[str, Any]], name: str, task: str) -> dict[str, Any]:
    for row in rows:
        if row["model"] == name:
            return row
    raise CardError(f"{name}: is not among the results of task {task}; run: python -m train.benchmark --models {name}")


def _eval_results(name: str, task: str, results: dict[str, Any]) -> list[EvalResult]:
    row, data = _row(results["tasks"].get(task, []), name, task), results["data"]
    return [
        EvalResult(
            task_type="image-to-image",
            task_name=f"Restoring faces from {NOISE[task]}",
            dataset_type=HUB_DATASET,
            dataset_name="FER2013",
            # Results that agree in all of this are taken for those of one task.
            dataset_config=task,
            dataset_split="test",
            dataset_args={"sha256_of_pixels": data["sha256"], "noise_seed": results["seed"]},
            metric_type=kind,
            metric_name=title,
            metric_value=round(float(row[kind]), 4),
        )
        for kind, title in (("psnr", "PSNR, dB"), ("ssim", "SSIM"))
    ]


def _results(name: str, tasks: list[str], results: dict[str, Any]) -> dict[str, Any]:
    """What a card's table shows: a row of the noisy input and one of the model for each task.

    The large version of a model has the small one's between them.
    """
    data = results["data"]
    shown: list[dict[str, Any]] = []
    rows: list[list[str | None]] = []
    compared = [(NOISY, "noisy input"), (name, "this model")]
    if name == UNIVERSAL_LARGE:
        compared.insert(1, (UNIVERSAL, f"`{UNIVERSAL}`"))
    for task in tasks:
        for model, label in compared:
            row = _row(results["tasks"].get(task, []), model, task)
            label = label if len(tasks) == 1 else f"{TASK_RECORDS[task].title}: {label}"
            rows.append([label, f"{row['psnr']:.2f}", f"{row['ssim']:.3f}"])
            shown.append(row)
    return {
        "table": markdown.table((None, "PSNR, dB", "SSIM"), rows),
        "images": f"{data['images']:,}",
        "unseen": unseen_sentence(shown, data["unseen"]),
        "sha256": data["sha256"],
        "seed": results["seed"],
    }
