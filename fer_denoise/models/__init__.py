"""The networks."""

from fer_denoise.models.attention_unet import AttentionUNet
from fer_denoise.models.emotion import EmotionClassifier
from fer_denoise.models.patchgan import PatchGANDiscriminator
from fer_denoise.models.pretrained import PretrainedModel
from fer_denoise.models.restoration import RestorationNetwork
from fer_denoise.models.universal import UniversalRestorer

ARCHITECTURES: dict[str, type[RestorationNetwork]] = {
    "AttentionUNet": AttentionUNet,
    "UniversalRestorer": UniversalRestorer,
}
"""The restorers that a `config.json` may name."""

__all__ = [
    "ARCHITECTURES",
    "AttentionUNet",
    "EmotionClassifier",
    "PatchGANDiscriminator",
    "PretrainedModel",
    "RestorationNetwork",
    "UniversalRestorer",
]
