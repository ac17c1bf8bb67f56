"""What the tests of the training scripts share: small data, and how to read a run's folder."""

import json
from pathlib import Path

import datasets
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from fer_denoise.data import EMOTIONS

TRAIN_IMAGES, VALIDATION_IMAGES = 26, 9


def write_faces(folder: Path, make_faces) -> Path:
    """A small FER2013 of smooth shapes, as Parquet."""
    for seed, (split, count) in enumerate([("train", TRAIN_IMAGES), ("validation", VALIDATION_IMAGES)]):
        labels = [EMOTIONS[index % 7] for index in range(count)]
        pixels = [image.ravel().tolist() for image in make_faces(count, seed=seed)]
        datasets.Dataset.from_dict({"pixels": pixels, "emotion": labels}).to_parquet(folder / f"{split}.parquet")
    return folder


def write_votes(file: Path) -> Path:
    """FER+'s votes on the faces of `write_faces`: most people see what the label says."""
    names = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
    by_label = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    lines = ["Usage,Image name," + ",".join(names)]
    for usage, count in (("Training", TRAIN_IMAGES), ("PublicTest", VALIDATION_IMAGES)):
        for index in range(count):
            votes = dict.fromkeys(names, 0) | {by_label[index % 7]: 7, "unknown": 3}
            lines.append(f"{usage},a.png," + ",".join(str(votes[name]) for name in names))
    file.write_text("\n".join(lines))
    return file


def options(data: Path, out: Path, *more: str, epochs: int = 3, task: str = "low") -> list[str]:
    """The command line of a small, exact run."""
    small = ["--widths", "4", "8", "--batch-size", "8", "--epochs", str(epochs)]
    exact = ["--device", "cpu", "--precision", "fp32"]
    return ["--data", str(data), "--out", str(out), "--task", task, *small, *exact, *more]


def read_log(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def without_log_seconds(out: Path) -> list[dict]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in read_log(out)]


def without_seconds(value):
    if isinstance(value, dict):
        return {key: without_seconds(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_seconds(item) for item in value if not (isinstance(item, list) and item[:1] == ["seconds"])]
    return value


def read_checkpoint(out: Path) -> tuple[dict[str, torch.Tensor], dict]:
    path = out / "checkpoint.safetensors"
    with safe_open(path, "pt") as file:
        layout = json.loads(file.metadata()["layout"])
    return load_file(path), without_seconds(layout)


def assert_same_tensors(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    assert [name for name in left if left[name].dtype != right[name].dtype] == []
    assert [name for name in left if not torch.equal(left[name], right[name])] == []
