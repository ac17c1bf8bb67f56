"""Which models there are: the restorers, which are bundled networks and classical filters, and the classifiers."""

from dataclasses import dataclass

from fer_denoise import classical
from fer_denoise.hub import sources

UNIVERSAL = "universal"
DEFAULT_MODEL = UNIVERSAL


@dataclass(frozen=True)
class ModelInfo:
    """What a person should know of a model: its title, what it is, and the task it was trained for, if one."""

    title: str
    summary: str
    task: str | None = None

    def serves(self, task: str | None) -> bool:
        """Whether it is at home on `task`, None for noise of no task: its specialist, or a model of no task at all."""
        return self.task in (None, task)


_PATCHGAN = (
    "Attention U-Net trained against a PatchGAN discriminator for {}; texture more like that of a real photo, "
    "a little less true pixel by pixel."
)
_UNET = "Attention U-Net trained on FER2013 for {}; blind, and a specialist: best at the level it was trained at."

MODELS: dict[str, ModelInfo] = {
    UNIVERSAL: ModelInfo(
        "Universal",
        "One network for the noise that pictures carry, of many kinds and every level, alone and together; blind.",
    ),
    "attention-unet-low": ModelInfo("Attention U-Net, low Gaussian", _UNET.format("low Gaussian noise"), "low"),
    "attention-unet-high": ModelInfo("Attention U-Net, high Gaussian", _UNET.format("high Gaussian noise"), "high"),
    "attention-unet-salt-pepper": ModelInfo(
        "Attention U-Net, salt-and-pepper", _UNET.format("salt-and-pepper noise"), "salt_pepper"
    ),
    "patchgan-low": ModelInfo("PatchGAN, low Gaussian", _PATCHGAN.format("low Gaussian noise"), "low"),
    "patchgan-high": ModelInfo("PatchGAN, high Gaussian", _PATCHGAN.format("high Gaussian noise"), "high"),
    "patchgan-salt-pepper": ModelInfo(
        "PatchGAN, salt-and-pepper", _PATCHGAN.format("salt-and-pepper noise"), "salt_pepper"
    ),
    "median": ModelInfo("Median filter", "Replaces each pixel by the median of its neighbourhood."),
    "switching-median": ModelInfo(
        "Switching median", "Replaces only black and white pixels, by the median of the others around."
    ),
    "tv": ModelInfo("Total variation", "Finds the flattest picture that is near the noisy one."),
    "wavelet": ModelInfo("Wavelet shrinkage", "Shrinks small wavelet coefficients (BayesShrink)."),
    "nl-means": ModelInfo("Non-local means", "Averages pixels whose surroundings look alike."),
    "bm3d": ModelInfo("BM3D", "Filters groups of similar patches together; the best filter that needs no training."),
}
"""The restorers."""

EMOTION, EMOTION_IN_NOISE = "emotion", "emotion-noise"
CLASSIFIERS: dict[str, ModelInfo] = {
    EMOTION: ModelInfo("Emotion", "Guesses which of seven emotions people saw in a face; trained on clean faces."),
    EMOTION_IN_NOISE: ModelInfo("Emotion, in noise", "The same network, trained on noisy faces too."),
}


def specialists(task: str) -> tuple[str, str]:
    """The two networks of a task: the one that is truest to the pixels, and the one with the most natural texture."""
    suffix = task.replace("_", "-")
    return f"attention-unet-{suffix}", f"patchgan-{suffix}"


def bundled_restorers() -> list[str]:
    """Names of the networks that restore and came with this package."""
    return [name for name in sources.bundled_models() if name in MODELS]


def list_models() -> list[str]:
    """Names that `Restorer.from_pretrained` takes here: bundled networks, then classical filters.

    `bm3d` is among them where that package is installed.
    """
    present = {*sources.bundled_models(), *classical.available_filters()}
    return [name for name in MODELS if name in present]
