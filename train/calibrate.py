"""Calibrate a trained classifier of emotions anew, on the validation split.

    python -m train.calibrate runs/emotion/model
    python -m train.calibrate runs/emotion/model --votes fer2013new.csv    # what it says of votes too

`train.emotion` does so with every best epoch; this is for a model that was trained before calibration changed. The
weights stay as they are; `config.json` gets the temperatures and the biases. What the validation split says of the
answers, before and after, is printed.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from fer_denoise.data import EMOTIONS, load_fer2013
from fer_denoise.data.votes import load_votes
from fer_denoise.files import write_whole
from fer_denoise.hub.sources import CONFIG_FILE
from fer_denoise.models import EmotionClassifier
from train.shared import setup
from train.shared.calibration import calibrate, calibrate_votes, held_out
from train.shared.classification import (
    calibration_error,
    calibration_error_by_chance,
    calibration_error_of_votes,
    macro_f1,
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    setup.add_data_options(parser)
    parser.add_argument("model", type=Path, help="its folder")
    parser.add_argument("--votes", type=Path, help="fer2013new.csv of FER+, where it has a head for votes")
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


def describe_votes(fractions: np.ndarray, crowd: np.ndarray) -> str:
    """What the crowd (N, 7) says of the fractions that are guessed of it, in a line."""
    return f"calibration error {calibration_error_of_votes(fractions, crowd):.4f}"


def as_logits(probabilities: np.ndarray) -> torch.Tensor:
    """Logits of probabilities with no temperature and no bias, up to a constant, which makes no difference."""
    return torch.from_numpy(probabilities).clamp(min=1e-30).log()


def run(args: argparse.Namespace) -> None:
    model = EmotionClassifier.from_pretrained(args.model)
    if args.votes and model.votes_head is None:
        raise SystemExit(f"{args.model} has no head for votes: leave --votes out")
    faces = load_fer2013(args.data, "validation", args.revision)
    learned = torch.from_numpy(load_fer2013(args.data, "train", args.revision).labels)
    frequencies = torch.bincount(learned, minlength=len(EMOTIONS))
    votes = load_votes(args.votes, faces, "validation") if args.votes else None
    print("before:", describe(model(faces.images), faces.labels))
    model.config |= {"temperature": 1.0, "bias": [0.0] * len(EMOTIONS)}
    logits, labels = as_logits(model(faces.images)), torch.from_numpy(faces.labels)
    model.config |= calibrate(logits, labels, frequencies)._asdict()
    print("after: ", describe(model(faces.images), faces.labels))
    print("on faces that it was not fitted to:", describe(held_out(logits, labels, frequencies).numpy(), faces.labels))
    by_chance = calibration_error_by_chance(model(faces.images))
    print(
        f"calibration error by chance, were all true: {by_chance.mean():.4f}, "
        f"in one of forty cases {np.quantile(by_chance, 0.975):.4f} or more"
    )
    if votes:
        print("votes, before:", describe_votes(model.votes(faces.images), votes.distribution))
        model.config["votes_temperature"] = 1.0
        logits = as_logits(model.votes(faces.images))
        model.config["votes_temperature"] = calibrate_votes(logits, torch.from_numpy(votes.distribution))
        print("votes, after: ", describe_votes(model.votes(faces.images), votes.distribution))
    file = args.model / CONFIG_FILE
    record = json.loads(file.read_text(encoding="utf-8")) | {"config": model.config}
    write_whole(file, (json.dumps(record, indent=2) + "\n").encode())


def main(argv: list[str] | None = None) -> None:
    setup.with_message(run, parse_args(argv))


if __name__ == "__main__":
    main()
