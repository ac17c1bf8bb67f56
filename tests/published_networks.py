"""Tiny networks in the file layout of those that others published."""

from pathlib import Path

import h5py
import numpy as np

from train.measures.shared.peers import PEERS


def random_convolutions(channels: tuple[int, ...], seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights (out, in, 3, 3) and biases (out,) of convolutions between so many channels; they change little."""
    rng = np.random.default_rng(seed)
    shapes = zip(channels[1:], channels[:-1], strict=True)
    return [(0.02 * rng.standard_normal((out, into, 3, 3)), 0.01 * rng.standard_normal(out)) for out, into in shapes]


def write_network(file: Path, convolutions: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """As MATLAB writes it: dimensions reversed, the last one dropped where it is 1, and references to everything."""
    with h5py.File(file, "w") as content:

        def reference(value: np.ndarray | None = None) -> h5py.Reference:
            name = f"#refs#/{len(content.get('#refs#', ()))}"
            return (content.create_group(name) if value is None else content.create_dataset(name, data=value)).ref

        layers = []
        for weight, bias in convolutions:
            for kind, values in (("conv", (weight.swapaxes(-2, -1), bias[None])), ("relu", ())):
                layers.append(reference())
                layer = content[layers[-1]]
                layer["type"] = np.array([[ord(letter)] for letter in kind], dtype=np.uint16)
                if values:
                    values = tuple(value[0] if value.shape[0] == 1 and value.ndim == 4 else value for value in values)
                    references = [[reference(value.astype(np.float32))] for value in values]
                    layer.create_dataset("weights", data=np.array(references, dtype=h5py.ref_dtype))
        content.create_dataset("net/layers", data=np.array(layers[:-1], dtype=h5py.ref_dtype)[:, None])


def write_peers(folder: Path) -> Path:
    """A tiny network for each of `PEERS`; returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, (name, published) in enumerate(PEERS.items()):
        ends = (5, 4) if name.startswith("FFDNet") else (2, 1) if published.takes_sigma else (1, 1)
        write_network(folder / published.file, random_convolutions((ends[0], 3, ends[1]), seed=index))
    return folder
