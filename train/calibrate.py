"""Calibrate a trained classifier of emotions anew, on the validation split.

    python -m train.calibrate runs/emotion/model

`train.emotion` does so with every best epoch; this is for a model that was trained before calibration changed. The
weights stay as they are, and so does what it says of votes; `config.json` gets the temperature and the biases. What the
validation split says of the answers, before and after, is printed.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from fer_denoise.data import EMOTIONS, load_fer2013
from fer_denoise.files import write_whole
from fer_denoise.hub.sources import CONFIG_FILE
from fer_denoise.models import EmotionClassifier
from train.shared import setup
from train.shared.calibration import calibrate
from train.shared.classification import calibration_error, macro_f1


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    setup.add_data_options(parser)
    parser.add_argument("model", type=Path, help="its folder")
    return parser.parse_args(argv)


def describe(probabilities: np.ndarray, labels: np.ndarray) -> str:
    """What the labels (N,) say of the answers, in a line."""
    answers = probabilities.argmax(axis=1)
    right = answers == labels
    disgust = labels == EMOTIONS.index("disgust")
    recall = f"{right[disgust].mean():.1%}" if disgust.any() else "none there"
    return (
        f"accuracy {right.mean():.2%}, macro F1 {macro_f1(answers, labels):.4f}, recall of disgust {recall}, "
        f"calibration error {calibration_error(probabilities, labels):.4f}"
    )


def run(args: argparse.Namespace) -> None:
    model = EmotionClassifier.from_pretrained(args.model)
    faces = load_fer2013(args.data, "validation", args.revision)
    print("before:", describe(model(faces.images), faces.labels))
    # Probabilities of no temperature and no bias are logits up to a constant, which makes no difference.
    model.config |= {"temperature": 1.0, "bias": [0.0] * len(EMOTIONS)}
    logits = torch.from_numpy(model(faces.images)).clamp(min=1e-30).log()
    model.config |= calibrate(logits, torch.from_numpy(faces.labels))._asdict()
    print("after: ", describe(model(faces.images), faces.labels))
    file = args.model / CONFIG_FILE
    record = json.loads(file.read_text(encoding="utf-8")) | {"config": model.config}
    write_whole(file, (json.dumps(record, indent=2) + "\n").encode())


def main(argv: list[str] | None = None) -> None:
    setup.with_message(run, parse_args(argv))


if __name__ == "__main__":
    main()
