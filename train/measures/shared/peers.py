"""Denoising networks that others published, as rivals on the same noise: `python -m train.benchmark --peers FOLDER`.

FOLDER holds their authors' files, from `model/` of https://github.com/cszn/DnCNN and `models/` of
https://github.com/cszn/FFDNet. These are MATLAB v7.3, that is HDF5, which `h5py` reads (`pip install h5py`). They state
no licence, so they are for measuring alone. `python -m train.peers` checks them.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.method import KnownNoise, Method, ProgressCallback
from fer_denoise.models.restoration import CPU_BATCH_SIZE
from fer_denoise.precision import on_device


@dataclass(frozen=True)
class Published:
    """What a person should know of a published network.

    Attributes:
        file: its name in the authors' repository.
        takes_sigma: whether it has to be given sigma; else it is blind.
        bsd68: its published PSNR on BSD68 at sigma 25/255, the noise not clipped; None where there is none.
        paper: where it is described.
    """

    file: str
    takes_sigma: bool
    bsd68: float | None
    year: int
    paper: str
    authors: str = "Zhang et al."


DNCNN, FDNCNN, FFDNET = (
    (2017, "https://arxiv.org/abs/1608.03981"),
    (2018, "https://github.com/cszn/DnCNN"),
    (2018, "https://arxiv.org/abs/1710.04026"),
)
PEERS = {
    "DnCNN-B": Published("GD_Gray_Blind.mat", False, 29.16, *DNCNN),
    "DnCNN-3": Published("DnCNN3.mat", False, 29.02, *DNCNN),
    "FDnCNN": Published("FDnCNN_gray.mat", True, 29.22, *FDNCNN),
    "FDnCNN-Clip": Published("FDnCNN_Clip_gray.mat", True, None, *FDNCNN),
    "FFDNet": Published("FFDNet_gray.mat", True, 29.19, *FFDNET),
    "FFDNet-Clip": Published("FFDNet_Clip_gray.mat", True, None, *FFDNET),
}


class PublishedNetwork(nn.Module):
    """3x3 convolutions with ReLU between them.

    By the channels that they take: an image (the result is its noise); an image and a map of sigma; or an image's four
    interleaved quarters and a map of sigma.

    Args:
        convolutions: weights (out, in, 3, 3) and biases (out,), in order.
    """

    def __init__(self, convolutions: list[tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for weight, bias in convolutions:
            layer = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
            layer.load_state_dict({"weight": weight, "bias": bias})
            layers += [layer, nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])
        channels = convolutions[0][0].shape[1]
        self.takes_sigma = channels > 1
        self.scale = 2 if channels == 5 else 1

    @property
    def reach(self) -> int:
        """How many pixels away an input can change an output."""
        convolutions = sum(isinstance(layer, nn.Conv2d) for layer in self.layers)
        return self.scale * convolutions + self.scale - 1

    def forward(self, noisy: Tensor, sigma: float | None = None) -> Tensor:
        """Restore `noisy`, float (B, 1, H, W), any H and W; the result is not clipped.

        Args:
            sigma: of Gaussian noise on [0, 1]; the blind ones do not use it.
        """
        if not self.takes_sigma:
            return noisy - self.layers(noisy)
        height, width = noisy.shape[-2:]
        padded = F.pad(noisy, (0, -width % self.scale, 0, -height % self.scale), mode="replicate")
        # MATLAB's order of the quarters, which is its own inverse.
        order = [0, 2, 1, 3] if self.scale == 2 else [0]
        parts = F.pixel_unshuffle(padded, self.scale)[:, order]
        restored = self.layers(torch.cat([parts, torch.full_like(parts[:, :1], sigma or 0.0)], dim=1))
        return F.pixel_shuffle(restored[:, order], self.scale)[..., :height, :width]


class Peer(Method):
    """A published network, in float32 and on whole pictures.

    Args:
        name: out of `PEERS`.
        folder: where its file lies.
        device: where it runs; by default a GPU where there is one.

    Raises:
        ModelNotFoundError: no such file, or it cannot be read.
    """

    def __init__(self, name: str, folder: Path, device: str | None = None) -> None:
        self.name = name
        self.published = PEERS[name]
        self.needs = ("sigma",) if self.published.takes_sigma else ()
        self.blind = not self.needs
        file = folder / self.published.file
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.network = on_device(PublishedNetwork(read_convolutions(file)).eval(), self.device)
        self.record: dict[str, Any] = {
            "authors": self.published.authors,
            "year": self.published.year,
            "paper": self.published.paper,
            "told": "sigma" if self.published.takes_sigma else "nothing",
            "weights": hashlib.sha256(file.read_bytes()).hexdigest(),
        }

    @property
    def reach(self) -> int:
        return self.network.reach

    @torch.inference_mode()
    def restore_planes(self, planes: np.ndarray, noise: KnownNoise, on_progress: ProgressCallback) -> np.ndarray:
        images = torch.tensor(np.ascontiguousarray(planes)).unsqueeze(1)
        restored: list[Tensor] = []
        for part in images.split(CPU_BATCH_SIZE):
            restored.append(self.network(part.to(self.device), noise.sigma).cpu())
            on_progress(sum(map(len, restored)) / len(images))
        return torch.cat(restored).squeeze(1).numpy()


def read_convolutions(file: Path) -> list[tuple[Tensor, Tensor]]:
    """Weights (out, in, 3, 3) and biases (out,) of a network in a MATLAB v7.3 file.

    Raises:
        ModelNotFoundError: no such file, or it cannot be read; the message says what to do.
    """
    try:
        import h5py
    except ImportError:
        raise ModelNotFoundError("the published networks need the package h5py: pip install h5py") from None
    if not file.is_file():
        raise ModelNotFoundError(
            f"{file}: no such file; fetch it from https://github.com/cszn/DnCNN or https://github.com/cszn/FFDNet, or "
            "name the networks that are there with --models"
        )
    try:
        with h5py.File(file) as content:
            layers = [content[reference] for reference in content["net/layers"][()].ravel()]
            return [
                _convolution(*(content[reference][()] for reference in layer["weights"][()].ravel()))
                for layer in layers
                if bytes(layer["type"][()].ravel().tolist()) == b"conv"
            ]
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise ModelNotFoundError(f"{file}: holds no network as its authors published it ({error})") from error


def _convolution(weight: np.ndarray, bias: np.ndarray) -> tuple[Tensor, Tensor]:
    """MATLAB writes (out, in, W, H), and drops the dimension of a single output."""
    weight = weight.reshape(-1, *weight.shape[-3:]).swapaxes(-2, -1)
    return torch.from_numpy(weight.astype(np.float32)), torch.from_numpy(bias.ravel().astype(np.float32))


def load_peers(folder: Path, names: list[str], device: str | None = None) -> dict[str, Peer]:
    """The networks of these names, from their files in `folder`; ModelNotFoundError where one cannot be had."""
    return {name: Peer(name, folder, device) for name in names}
