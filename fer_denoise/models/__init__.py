"""The networks."""

from fer_denoise.models.attention_unet import AttentionUNet
from fer_denoise.models.emotion import EmotionClassifier
from fer_denoise.models.patchgan import PatchGANDiscriminator
from fer_denoise.models.pretrained import PretrainedModel
from fer_denoise.models.restoration import RestorationNetwork
from fer_denoise.models.universal import UniversalRestorer

ARCHITECTURES: dict[str, type[PretrainedModel]] = {
    network.__name__: network for network in (AttentionUNet, UniversalRestorer, EmotionClassifier)
}
"""What a `config.json` may name."""
RESTORATION_NETWORKS: dict[str, type[RestorationNetwork]] = {
    name: network for name, network in ARCHITECTURES.items() if issubclass(network, RestorationNetwork)
}
"""The architectures that restore."""
