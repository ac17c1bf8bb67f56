"""Every method there is, for the test of the contract, and what each makes of drawn faces.

    PYTHONPATH=. .venv/bin/python tests/every_method.py            # pins what every method gives, in tests/pins.json
    PYTHONPATH=. .venv/bin/python tests/every_method.py universal  # only of methods whose names begin so

Where weights or parameters are replaced on purpose, this makes the test of them pass again.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from drawn_faces import make_faces
from published_networks import write_peers

from fer_denoise import Restorer, list_models
from fer_denoise.evaluate import SELF_ENSEMBLE, SIGMA_GIVEN, restore
from fer_denoise.method import KnownNoise, Method
from fer_denoise.models import RESTORATION_NETWORKS
from fer_denoise.noise import TASKS
from fer_denoise.zoo import UNIVERSAL
from train.measures.shared.peers import PEERS, load_peers

FRESH = tuple(f"{name}, fresh" for name in RESTORATION_NETWORKS)
"""Every class of networks that restore, with random weights; their outputs are not pinned, nor what they gain."""
PINS = Path(__file__).with_name("pins.json")
NAMES = (*list_models(), SELF_ENSEMBLE, SIGMA_GIVEN, *PEERS, *FRESH)
PATCH = slice(20, 24)
"""Rows and columns of the face whose pixels are pinned."""


def every_method(folder: Path) -> dict[str, Method]:
    """All of `NAMES`, on the CPU in float32; published networks are random ones, whose files go to `folder`."""
    methods: dict[str, Method] = {
        name: Restorer.from_pretrained(name, device="cpu", precision="fp32") for name in list_models()
    }
    network = Restorer.from_pretrained(UNIVERSAL, device="cpu").model
    options = {"device": "cpu", "precision": "fp32"}
    methods[SELF_ENSEMBLE] = Restorer(network, SELF_ENSEMBLE, self_ensemble=True, **options)
    methods[SIGMA_GIVEN] = Restorer(network, SIGMA_GIVEN, needs=("sigma",), **options)
    torch.manual_seed(0)
    for name, network_class in zip(FRESH, RESTORATION_NETWORKS.values(), strict=True):
        methods[name] = Restorer(network_class(), name, **options)
    peers = load_peers(write_peers(folder), list(PEERS), "cpu")
    for peer in peers.values():
        if peer.needs:
            # Their output is the image itself, and of random ones else black.
            torch.nn.init.constant_(peer.network.layers[-1].bias, 0.5)
    return {**methods, **peers}


def patches(method: Method) -> Iterator[tuple[str, np.ndarray]]:
    """Each task, and a part of a drawn face that a method restored from its noise."""
    for task, noise in TASKS.items():
        noisy, known = noise(make_faces(1)[0], seed=0), KnownNoise.of(noise)
        yield task, restore(method.tuned_for(task), noisy, known)[PATCH, PATCH]


def main(prefixes: tuple[str, ...]) -> None:
    pins = json.loads(PINS.read_text()) if PINS.exists() else {}
    with TemporaryDirectory() as folder:
        for name, method in every_method(Path(folder)).items():
            if name.startswith(prefixes or "") and name not in FRESH:
                pins[name] = {task: patch.round(4).tolist() for task, patch in patches(method)}
    lines = [f'"{name}": {json.dumps(pins[name])}' for name in sorted(pins)]
    PINS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main(tuple(sys.argv[1:]))
