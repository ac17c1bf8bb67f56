"""Restore what lies on a disk or on the Hub: a picture, a folder, or a dataset; the same layout comes out."""

import glob
import io
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from PIL import Image
from tqdm import tqdm

from fer_denoise.data import IMAGE_COLUMNS, DataError, decode_image, find_column
from fer_denoise.hub import is_repo_id
from fer_denoise.pictures import MIN_SIDE, SUFFIXES, PictureError, read_picture, write_picture
from fer_denoise.restore import Restorer

TABLES = (".parquet", ".csv")
LOSSLESS = (".png", ".bmp", ".tif", ".tiff", ".pgm")
ROWS = 256


@dataclass
class Report:
    """What was done: how many images were restored, and what was left as it was, with the reason."""

    restored: int = 0
    skipped: list[str] = field(default_factory=list)

    def add(self, part: "Report") -> None:
        """Count `part` in."""
        self.restored += part.restored
        self.skipped += part.skipped


def restore_path(source: str, target: Path, restorer: Restorer, sigma: float | None = None) -> Report:
    """Restore `source` into `target`, never into itself.

    A picture gives a picture and a folder a folder, pictures in lossy formats as PNG. Parquet and CSV files in Kaggle's
    layout keep their names and columns; a Hub dataset gives a Parquet file for each split. Damaged rows of a dataset
    stay as they are, damaged pictures are left out; both are in the report.

    Raises:
        PictureError, DataError: nothing can be restored; the message says what to do.
    """
    path = Path(source)
    if not path.exists():
        if is_repo_id(source):
            return _restore_hub_dataset(source, target, restorer, sigma)
        raise PictureError(f"{source}: no such file or folder; check the path")
    if target.resolve().is_relative_to(path.resolve()):
        raise PictureError(f"{target}: lies in {source}, whose files must not be overwritten; choose another place")
    if path.is_file():
        if path.suffix.lower() in TABLES:
            return _restore_table(path, target, restorer, sigma)
        _restore_picture(path, target, restorer, sigma)
        return Report(restored=1)
    return _restore_folder(path, target, restorer, sigma)


def _restore_folder(folder: Path, target: Path, restorer: Restorer, sigma: float | None) -> Report:
    files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in (*SUFFIXES, *TABLES))
    if not files:
        raise PictureError(f"{folder}: holds no pictures and no Parquet or CSV files; check the path")
    report = Report()
    written: set[Path] = set()
    for file in tqdm(files, "restoring"):
        output = target / file.relative_to(folder)
        try:
            if file.suffix.lower() in TABLES:
                report.add(_restore_table(file, output, restorer, sigma))
                continue
            if file.suffix.lower() not in LOSSLESS:
                output = output.with_suffix(".png")
            if output in written:
                raise PictureError(f"{file}: another picture is already restored as {output.name}; rename one of them")
            _restore_picture(file, output, restorer, sigma)
            report.restored += 1
            written.add(output)
        except (DataError, PictureError) as error:
            report.skipped.append(str(error))
    return report


def _restore_picture(file: Path, output: Path, restorer: Restorer, sigma: float | None) -> None:
    restored = restorer(read_picture(file), sigma)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_picture(output, restored)


def _restore_table(file: Path, output: Path, restorer: Restorer, sigma: float | None) -> Report:
    if output.suffix.lower() != file.suffix.lower():
        raise DataError(f"{output}: give it the suffix {file.suffix}, since {file} comes out in its own layout")
    suffix = file.suffix.lower().removeprefix(".")
    try:
        dataset = datasets.load_dataset(suffix, data_files=glob.escape(str(file)), split="train")
    except Exception as error:
        raise DataError(f"{file}: cannot be read ({error.__cause__ or error}); download or export it again") from error
    return _restore_rows(dataset, output, str(file), restorer, sigma)


def _restore_hub_dataset(repo: str, target: Path, restorer: Restorer, sigma: float | None) -> Report:
    try:
        splits = datasets.load_dataset(repo)
    except Exception as error:
        raise DataError(
            f"{repo}: no such path here, and it cannot be loaded from the Hub ({error}); check the name, your network "
            "and HF_TOKEN"
        ) from error
    report = Report()
    for split, dataset in splits.items():
        report.add(_restore_rows(dataset, target / f"{split}.parquet", f"{repo} ({split})", restorer, sigma))
    return report


def _restore_rows(
    dataset: datasets.Dataset, output: Path, source: str, restorer: Restorer, sigma: float | None
) -> Report:
    column = find_column(dataset, IMAGE_COLUMNS, source)
    features = dataset.features
    if isinstance(features[column], datasets.Image):
        dataset = dataset.cast_column(column, datasets.Image(decode=False))
    report = Report()

    def restore_batch(batch: dict[str, list[Any]], rows: list[int]) -> dict[str, list[Any]]:
        values = batch[column]
        images: dict[int, np.ndarray] = {}
        for position, (row, value) in enumerate(zip(rows, values, strict=True)):
            try:
                images[position] = _checked(decode_image(value, f"{source}, row {row}"), f"{source}, row {row}")
            except DataError as error:
                report.skipped.append(str(error))
        for position, restored in zip(images, restore_images(restorer, list(images.values()), sigma), strict=True):
            values[position] = _encode(restored, values[position])
        report.restored += len(images)
        return {column: values}

    restored = dataset.map(
        restore_batch,
        batched=True,
        batch_size=ROWS,
        with_indices=True,
        load_from_cache_file=False,
        desc=f"restoring {source}",
    ).cast(features)
    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(output.name + ".partial")
    if output.suffix.lower() == ".csv":
        restored.to_csv(partial, index=False)
    else:
        restored.to_parquet(partial)
    partial.replace(output)
    return report


def restore_images(restorer: Restorer, images: Sequence[np.ndarray], sigma: float | None = None) -> list[np.ndarray]:
    """Restore uint8 images (H, W) of any sizes, those of equal size together."""
    by_shape: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        by_shape.setdefault(image.shape, []).append(index)
    restored: list[Any] = [None] * len(images)
    for indices in by_shape.values():
        for index, image in zip(indices, restorer(np.stack([images[i] for i in indices]), sigma), strict=True):
            restored[index] = image
    return restored


def _checked(image: np.ndarray, place: str) -> np.ndarray:
    if min(image.shape) < MIN_SIDE:
        raise DataError(f"{place}: the image is smaller than {MIN_SIDE}x{MIN_SIDE}")
    return image


def _encode(image: np.ndarray, like: Any) -> Any:
    """`image` in the form of the value that it replaces."""
    if isinstance(like, str):
        return " ".join(map(str, image.ravel()))
    if isinstance(like, (list, np.ndarray)):
        return image.reshape(np.shape(like)).tolist()
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    if isinstance(like, dict):
        return {"bytes": buffer.getvalue(), "path": like.get("path") and str(Path(like["path"]).with_suffix(".png"))}
    return buffer.getvalue()


def print_report(report: Report) -> None:
    """One line on standard output, and one for each thing skipped on standard error."""
    for line in report.skipped:
        print(f"skipped: {line}", file=sys.stderr)
    print(f"restored {report.restored}, skipped {len(report.skipped)}")
