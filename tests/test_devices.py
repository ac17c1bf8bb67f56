import pytest
import torch

from fer_denoise import Restorer
from fer_denoise.devices import DeviceError, check_device
from fer_denoise.models import AttentionUNet, EmotionClassifier, UniversalRestorer

MISSING = [
    "warp",
    "hpu",
    "meta",
    f"cuda:{torch.cuda.device_count()}",
    torch.device("cuda", torch.cuda.device_count()),
    *([] if torch.backends.mps.is_available() else ["mps"]),
    *([] if torch.xpu.is_available() else ["xpu"]),
]
LOADERS = {
    "a network": lambda device: Restorer.from_pretrained("universal", device=device),
    "a filter": lambda device: Restorer.from_pretrained("median", device=device),
    "a network as its class": lambda device: UniversalRestorer.from_pretrained("universal", device=device),
    "another network as its class": lambda device: AttentionUNet.from_pretrained("attention-unet-low", device=device),
    "a classifier": lambda device: EmotionClassifier.from_pretrained("emotion", device=device),
    "a restorer of a network": lambda device: Restorer(AttentionUNet(widths=(4, 8)), "x", device),
}


def test_a_device_that_is_there_is_given_back():
    assert check_device("cpu") == check_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("device", MISSING, ids=str)
@pytest.mark.parametrize("loader", LOADERS)
def test_whatever_is_loaded_a_device_that_is_not_there_is_refused_with_a_remedy(loader, device):
    with pytest.raises(DeviceError, match=f"^{device}: torch cannot compute there .*; choose cpu, or leave it out$"):
        LOADERS[loader](device)


@pytest.mark.parametrize("device", ["meta", "hpu", "vulkan"])
def test_of_what_torch_is_not_built_for_nothing_is_told_of_its_inside(device):
    with pytest.raises(DeviceError) as caught:
        check_device(device)
    message = f"{device}: torch cannot compute there (this build of it has no such device); choose cpu, or leave it out"
    assert str(caught.value) == message


def test_a_network_is_loaded_onto_the_device_asked_for():
    for loader in LOADERS.values():
        loaded = loader("cpu")
        device = loaded.device if isinstance(loaded, Restorer) else next(loaded.parameters()).device
        assert device == torch.device("cpu")
