"""Which models there are: the restorers, which are bundled networks and classical filters, and the classifiers."""

from dataclasses import dataclass

from fer_denoise import classical
from fer_denoise.hub import sources
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


_PATCHGAN = (
    "Attention U-Net trained against a PatchGAN discriminator for {} noise; texture more like that of a real photo, "
    "a little less true pixel by pixel."
)
_UNET = "Attention U-Net trained on FER2013 for {} noise; blind, and a specialist: best at the level it was trained at."


def _attention_unet(task: Task) -> ModelInfo:
    return ModelInfo(f"Attention U-Net, {task.name}", _UNET.format(task.name), task.key)


def _patchgan(task: Task) -> ModelInfo:
    return ModelInfo(f"PatchGAN, {task.name}", _PATCHGAN.format(task.name), task.key)


MODELS: dict[str, ModelInfo] = {
    UNIVERSAL: ModelInfo(
        "Universal",
        "One network for the noise that pictures carry, of many kinds and every level, alone and together; blind.",
    ),
    UNIVERSAL_LARGE: ModelInfo(
        "Universal, large",
        "The same network with more channels and blocks, at five times the operations, and trained for less time: "
        "ahead on impulses, sharp drawings and tiny faces, a little behind on most other noise.",
    ),
    **{task.networks[0]: _attention_unet(task) for task in TASK_RECORDS.values()},
    **{task.networks[1]: _patchgan(task) for task in TASK_RECORDS.values()},
    **{name: ModelInfo(each.title, each.summary) for name, each in classical.FILTERS.items()},
}
"""The restorers."""

EMOTION, EMOTION_IN_NOISE = "emotion", "emotion-noise"
CLASSIFIERS: dict[str, ModelInfo] = {
    EMOTION: ModelInfo("Emotion", "Guesses which of seven emotions people saw in a face; trained on clean faces."),
    EMOTION_IN_NOISE: ModelInfo("Emotion, in noise", "The same network, trained on noisy faces too."),
}


def specialists(task: str) -> tuple[str, str]:
    """The two networks of a task: the one that is truest to the pixels, and the one with the most natural texture."""
    return TASK_RECORDS[task].networks


def bundled_restorers() -> list[str]:
    """Names of the networks that restore and came with this package."""
    return [name for name in sources.bundled_models() if name in MODELS]


def list_models() -> list[str]:
    """Names that `Restorer.from_pretrained` takes here: bundled networks, then classical filters.

    `bm3d` is among them where that package is installed.
    """
    present = {*sources.bundled_models(), *classical.available_filters()}
    return [name for name in MODELS if name in present]
