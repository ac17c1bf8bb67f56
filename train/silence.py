"""Silence the channels of batch norm that amplify rounding, in a network that was trained before training did so.

    python -m train.silence attention-unet-low patchgan-low      # bundled ones
    python -m train.silence runs/unet-low/model

Overwrites the variances of those channels in `model.safetensors`, and nothing else; `silenced_channels` in
`config.json` counts them. `train.shared.batch_norm.silence_channels` says which these are. Measure the network anew
afterwards.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save

from fer_denoise.data import DataError, load_fer2013
from fer_denoise.files import write_whole
from fer_denoise.hub.sources import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    ModelNotFoundError,
    UnknownModelError,
    bundled_models,
    model_folder,
)
from fer_denoise.images import to_float
from fer_denoise.models import ARCHITECTURES
from fer_denoise.models.pretrained import read_config
from fer_denoise.noise import TASKS
from train.shared import batch_norm, setup

BATCH_SIZE = 32
BATCHES = 5


def silence(folder: Path, faces: np.ndarray) -> int:
    """Silence the network in `folder`, which sees the noise of its task on `faces`, uint8 (N, H, W).

    Returns:
        How many channels it silenced.
    """
    record = read_config(folder)
    model = ARCHITECTURES[record["architecture"]].from_pretrained(folder)
    task = TASKS.get(model.training_record.get("task", ""))
    seen = torch.from_numpy(task(faces, seed=0) if task else to_float(faces)).unsqueeze(1)
    silenced = batch_norm.silence_channels(model, seen.split(BATCH_SIZE))
    if silenced:
        variances = {name: buffer for name, buffer in model.named_buffers() if name.endswith("running_var")}
        tensors = load_file(folder / WEIGHTS_FILE) | variances
        write_whole(folder / WEIGHTS_FILE, save(tensors, metadata={"format": "pt"}))
        training = record.setdefault("training", {})
        training["silenced_channels"] = training.get("silenced_channels", 0) + silenced
        write_whole(folder / CONFIG_FILE, (json.dumps(record, indent=2) + "\n").encode())
    return silenced


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a bundled name, or the folder model/ of a run")
    setup.add_data_options(parser)
    args = parser.parse_args(argv)
    try:
        faces = load_fer2013(args.data, "train", args.revision).images[: BATCH_SIZE * BATCHES]
        for name in args.models:
            if name not in bundled_models() and not Path(name).is_dir():
                raise UnknownModelError(name, bundled_models())
            print(f"{name}: {silence(model_folder(name), faces)} channels silenced")
    except (DataError, ModelNotFoundError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
