"""Which models there are: the restorers, which are bundled networks and classical filters, and the classifiers.

All that is said of a network stands in its record here. What trains, measures, bundles and publishes reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fer_denoise import classical
from fer_denoise.hub import sources
from fer_denoise.models import AttentionUNet, EmotionClassifier, PretrainedModel, UniversalRestorer
from fer_denoise.models.universal import LARGE
from fer_denoise.noise import TASK_RECORDS, Task

UNIVERSAL, UNIVERSAL_LARGE = "universal", "universal-large"
DEFAULT_MODEL = UNIVERSAL


@dataclass(frozen=True)
class ModelInfo:
    """What a model is: its title, a sentence about it, and the task that it was trained for, if one."""

    title: str
    summary: str
    task: str | None = None

    def serves(self, task: str | None) -> bool:
        """Whether it is trained for `task`, None for noise of no task: its specialist, or a model of no task at all."""
        return self.task in (None, task)


@dataclass(frozen=True)
class Family:
    """Networks of one class that one script trains."""

    name: str
    """Names the template of their cards in `hub_cards/`, and a tag of theirs on the Hub."""
    architecture: type[PretrainedModel]
    script: str
    """The module of `train` that trains them."""
    takes: tuple[str, ...] = ()
    """The options of the script that `train.zoo` gives a value: "init", "pictures", "pictures-revision", "votes"."""


@dataclass(frozen=True, kw_only=True)
class NetworkInfo(ModelInfo):
    """What a network is, and how it is trained."""

    family: Family
    options: tuple[str, ...] = ()
    """What its script is called with, besides what `train.zoo` gives all scripts."""
    start: str | None = None
    """The network whose weights its training starts from."""
    time_weight: float = 1.0
    """How much of the time of `train.zoo` it gets, beside the others."""
    recognised_by: Mapping[str, Any] = field(default_factory=dict)
    """Entries of its `config.json` that those before it of the same script and task have not."""


ATTENTION_UNETS = Family("attention-unet", AttentionUNet, "unet", takes=("init",))
PATCHGANS = Family("patchgan", AttentionUNet, "gan", takes=("init",))
UNIVERSAL_RESTORERS = Family("universal", UniversalRestorer, "universal", takes=("pictures", "pictures-revision"))
EMOTION_CLASSIFIERS = Family("emotion", EmotionClassifier, "emotion", takes=("votes",))

_PATCHGAN = (
    "Attention U-Net trained against a PatchGAN discriminator for {} noise; texture more like that of a real photo, "
    "a little less true pixel by pixel."
)
_UNET = "Attention U-Net trained on FER2013 for {} noise; blind, and a specialist: best at the level it was trained at."


def _attention_unet(task: Task) -> NetworkInfo:
    options = ("--task", task.key, "--preset", "improved")
    title, summary = f"Attention U-Net, {task.name}", _UNET.format(task.name)
    return NetworkInfo(title, summary, task.key, family=ATTENTION_UNETS, options=options, time_weight=2)


def _patchgan(task: Task) -> NetworkInfo:
    options, start = ("--task", task.key, "--preset", "improved"), task.networks[0]
    title, summary = f"PatchGAN, {task.name}", _PATCHGAN.format(task.name)
    return NetworkInfo(title, summary, task.key, family=PATCHGANS, options=options, start=start)


RESTORERS: dict[str, NetworkInfo] = {
    UNIVERSAL: NetworkInfo(
        "Universal",
        "One network for the noise that pictures carry, of many kinds and every level, alone and together; blind.",
        family=UNIVERSAL_RESTORERS,
        time_weight=8,
    ),
    UNIVERSAL_LARGE: NetworkInfo(
        "Universal, large",
        "The same network with more channels and blocks, at five times the operations, and trained for less time: "
        "ahead on impulses, sharp drawings and tiny faces, a little behind on most other noise.",
        family=UNIVERSAL_RESTORERS,
        options=("--large",),
        time_weight=12,
        recognised_by={"config": LARGE},
    ),
    **{task.networks[0]: _attention_unet(task) for task in TASK_RECORDS.values()},
    **{task.networks[1]: _patchgan(task) for task in TASK_RECORDS.values()},
}
"""The networks that restore, each after the one that it starts from."""
MODELS: dict[str, ModelInfo] = {
    **RESTORERS,
    **{name: ModelInfo(each.title, each.summary) for name, each in classical.FILTERS.items()},
}
"""The restorers."""

EMOTION, EMOTION_IN_NOISE = "emotion", "emotion-noise"
_OF_EMOTIONS = ("--blocks", "2", "1", "1", "--logit-adjustment", "0.5")
CLASSIFIERS: dict[str, NetworkInfo] = {
    EMOTION: NetworkInfo(
        "Emotion",
        "Guesses which of seven emotions people saw in a face; trained on clean faces.",
        family=EMOTION_CLASSIFIERS,
        options=_OF_EMOTIONS,
        time_weight=2,
    ),
    EMOTION_IN_NOISE: NetworkInfo(
        "Emotion, in noise",
        "The same network, trained on noisy faces too.",
        family=EMOTION_CLASSIFIERS,
        options=(*_OF_EMOTIONS, "--noise"),
        time_weight=2,
        recognised_by={"training": {"recipe": {"noise": True}}},
    ),
}

NETWORKS: dict[str, NetworkInfo] = {**RESTORERS, **CLASSIFIERS}
"""All networks that are trained here."""


def specialists(task: str) -> tuple[str, str]:
    """The two networks of a task: the one that is truest to the pixels, and the one with the most natural texture."""
    return TASK_RECORDS[task].networks


def bundled_restorers() -> list[str]:
    """Names of the networks that restore and came with this package."""
    return [name for name in sources.bundled_models() if name in RESTORERS]


def list_models() -> list[str]:
    """Names that `Restorer.from_pretrained` takes here: bundled networks, then classical filters.

    `bm3d` is among them where that package is installed.
    """
    present = {*sources.bundled_models(), *classical.available_filters()}
    return [name for name in MODELS if name in present]
