"""Small copies of FER2013 in the forms that people have them in, and what is refused of others."""

import io
from collections.abc import Sequence
from pathlib import Path

import datasets
import numpy as np
import pytest
from PIL import Image

from fer_denoise.data import EMOTIONS, DataError, Faces, load_fer2013

SIZES = {"train": 12, "validation": 5, "test": 6}


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def assert_same(loaded: Faces, expected: Faces) -> None:
    np.testing.assert_array_equal(loaded.images, expected.images)
    np.testing.assert_array_equal(loaded.labels, expected.labels)
    assert loaded.images.dtype == np.uint8 and loaded.labels.dtype == np.int64
    assert loaded.images.shape == (len(expected), 48, 48) and len(loaded) == len(expected)


def write_parquet(path: Path, faces: Faces, names: Sequence[str] = EMOTIONS) -> Path:
    labels = [names.index(EMOTIONS[label]) for label in faces.labels]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(names))})
    records = {"image": [{"bytes": png(image), "path": None} for image in faces.images], "label": labels}
    path.parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(records, features=features).to_parquet(path)
    return path


def write_columns(path: Path, columns: dict) -> Path:
    datasets.Dataset.from_dict(columns).to_parquet(path)
    return path


def pixel_text(image: np.ndarray) -> str:
    return " ".join(map(str, image.ravel()))


def write_csv(path: Path, lines: list[str], header: str = "emotion,pixels,Usage") -> Path:
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def write_class_folders(root: Path, faces: Faces, suffix: str = "png") -> None:
    for number, (image, label) in enumerate(zip(faces.images, faces.labels, strict=True), 1):
        folder = root / EMOTIONS[label]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / f"{number}.{suffix}")


def by_pixels(faces: Faces) -> dict[bytes, int]:
    return {image.tobytes(): int(label) for image, label in zip(faces.images, faces.labels, strict=True)}


def refusal(source, split="train", **options) -> str:
    with pytest.raises(DataError) as caught:
        load_fer2013(source, split, **options)
    return str(caught.value)


def rows_of(faces: Faces, *more: str) -> list[str]:
    return [
        ",".join([str(label), pixel_text(image), *more])
        for label, image in zip(faces.labels, faces.images, strict=True)
    ]


def one_line(tmp_path: Path, pixels: str, emotion: str = "3", usage: str = "Training") -> Path:
    good = f"0,{' '.join(['7'] * 2304)},Training"
    return write_csv(tmp_path / "fer2013.csv", [good, good, f"{emotion},{pixels},{usage}"])
