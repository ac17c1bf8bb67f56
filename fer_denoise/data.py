"""FER2013 through `datasets`: from the Hub, from Parquet, from Kaggle's CSV, or from images by class.

Goodfellow et al. 2013, "Challenges in Representation Learning: A Report on Three Machine Learning Contests",
https://arxiv.org/abs/1307.0414
"""

import glob
import hashlib
import io
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import datasets
import httpx2
import numpy as np
from datasets.utils.file_utils import xopen
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.file_download import repo_folder_name

from fer_denoise.files import no_space_left
from fer_denoise.hub import is_repo_id
from fer_denoise.pictures import FACE, Picture, PictureError, read_picture

HUB_DATASET = "AutumnQiu/fer2013"
HUB_REVISION = "main"
"""What is loaded where no revision is named; `Faces.fingerprint` tells which pixels it held."""

SIZE = FACE[0]
EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SPLITS = ("train", "validation", "test")

_SPLIT_NAMES = {
    "train": {"train", "training"},
    "validation": {"validation", "valid", "val", "dev", "publictest"},
    "test": {"test", "testing", "eval", "privatetest"},
}
_EMOTION_NAMES = {
    "angry": {"angry", "anger", "0"},
    "disgust": {"disgust", "disgusted", "1"},
    "fear": {"fear", "fearful", "2"},
    "happy": {"happy", "happiness", "3"},
    "sad": {"sad", "sadness", "4"},
    "surprise": {"surprise", "surprised", "5"},
    "neutral": {"neutral", "6"},
}
NO_SPACE = "make space on the disk, or set HF_HOME to a folder on one that has some"
IMAGE_COLUMNS = ("image", "img", "img_bytes", "image_bytes", "pixels")
LABEL_COLUMNS = ("label", "labels", "emotion", "emotions")
ARCHIVES = {"zip", "tar", "gzip", "bz2", "xz", "zstd", "lz4"}
"""In what an image may lie that a dataset names by its path."""
_IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp"}


class DataError(ValueError):
    """The data cannot be read; the message names the place and the remedy."""


@dataclass(frozen=True)
class Faces:
    """A split of FER2013: images uint8 (N, 48, 48); labels int64 (N,), indices into `EMOTIONS`; its source."""

    images: np.ndarray
    labels: np.ndarray
    source: str

    def __len__(self) -> int:
        return len(self.images)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the pixels in order: tells which copy of the data a result was made with."""
        return hashlib.sha256(np.ascontiguousarray(self.images).data).hexdigest()

    @property
    def record(self) -> dict[str, str | int]:
        """What a training record says of them."""
        return {"name": "FER2013", "images": len(self), "sha256": self.fingerprint}


def load_fer2013(source: str | Path = HUB_DATASET, split: str = "train", revision: str | None = None) -> Faces:
    """Load one split, decoded once to uint8.

    Args:
        source: a Hub dataset id, a Parquet or CSV file, or a folder of Parquet files, of images by class
            (`train/happy/1.png`), or with Kaggle's `fer2013.csv` (columns emotion, pixels, Usage).
        split: "train", "validation" or "test"; the names of the common copies ("PublicTest", "valid", ...) are known.
        revision: commit, tag or branch of a Hub dataset. A branch is looked up once in a process, so that all splits
            are of one commit, which `Faces.source` tells.

    Raises:
        DataError: a wrong path, a missing column, a damaged row or an unknown split.
    """
    split = canonical_split(split)
    path = Path(source).expanduser()
    if path.exists():
        if revision is not None:
            raise DataError(f"{source}: is not on the Hub and has no revision {revision}; leave the revision out")
        return _load_local(path, split)
    if is_repo_id(str(source)):
        return _load_hub(str(source), split, revision)
    raise DataError(
        f"{source}: no such file or folder; give one that exists, or a Hub dataset id such as {HUB_DATASET}"
    )


def stands_in(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of `images` (N, H, W) also stand in `others`, pixel for pixel: a mask (N,)."""
    known = {image.tobytes() for image in others}
    return np.array([image.tobytes() in known for image in images])


def canonical_split(name: str) -> str:
    """The name used here for a split of any of the common copies."""
    split = _match(_SPLIT_NAMES, [re.sub(r"[^a-z]", "", name.lower())])
    if split is None:
        raise DataError(f"unknown split {name!r}; choose one of {', '.join(SPLITS)}")
    return split


def _load_local(path: Path, split: str) -> Faces:
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    by_suffix: dict[str, list[Path]] = {}
    for file in files:
        by_suffix.setdefault(file.suffix.lower(), []).append(file)
    if parquet := by_suffix.get(".parquet"):
        return _from_columns(_open("parquet", _of_split(parquet, path, split)), f"{path} ({split})")
    if tables := by_suffix.get(".csv"):
        table = next((file for file in tables if file.stem.lower() == "fer2013"), tables[0])
        return _from_csv(table, split)
    if images := [file for suffix in _IMAGE_SUFFIXES for file in by_suffix.get(suffix, [])]:
        return _from_class_folders(sorted(_of_split(images, path, split)), f"{path} ({split})")
    raise DataError(f"{path}: holds no Parquet, CSV or image files; point --data at the folder that does")


def _of_split(files: list[Path], root: Path, split: str) -> list[Path]:
    """Those of `files` whose path below `root` names `split`; all of them are train if no path names any split."""
    named: dict[str, list[Path]] = {}
    for file in files:
        words = [re.sub(r"[^a-z]", "", part.lower()) for part in file.relative_to(root).parts] if file != root else []
        words += re.split(r"[^a-z]+", file.stem.lower())
        named.setdefault(_match(_SPLIT_NAMES, words) or "train", []).append(file)
    if split not in named:
        present = ", ".join(sorted(named))
        raise DataError(f"{root}: has no {split!r} split, only {present}; name its files or folders after it")
    return named[split]


def _open(builder: str, files: list[Path], **options) -> datasets.Dataset:
    try:
        return datasets.load_dataset(
            builder, data_files=[glob.escape(str(file)) for file in files], split="train", **options
        )
    except Exception as error:
        cause = error.__cause__ or error
        remedy = NO_SPACE if no_space_left(error) else "download or export it again"
        raise DataError(f"{files[0]}: cannot be read as {builder} ({cause}); {remedy}") from error


@cache
def _dataset_commit(repo: str, revision: str) -> str:
    """The commit that a revision was when it was first asked for; what fails is asked for again."""
    info = HfApi().dataset_info(repo, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    return info.sha or revision


def _load_hub(repo: str, split: str, revision: str | None) -> Faces:
    revision = revision or HUB_REVISION
    # Where the Hub does not answer, `datasets` may have a copy, or tells why.
    with suppress(HfHubHTTPError, HFValidationError, httpx2.HTTPError, OSError):
        revision = _dataset_commit(repo, revision)
    where = f"{repo}@{revision}"
    try:
        names = datasets.get_dataset_split_names(repo, revision=revision)
        matching = [name for name in names if _match(_SPLIT_NAMES, [re.sub(r"[^a-z]", "", name.lower())]) == split]
        if not matching:
            raise DataError(f"{where}: has no {split!r} split, only {', '.join(names)}; choose another copy")
        dataset = datasets.load_dataset(repo, split=matching[0], revision=revision)
    except DataError:
        raise
    except Exception as error:
        check = "check the id, the revision, your network and HF_TOKEN, or give --data a local copy"
        remedy = NO_SPACE if no_space_left(error) else check
        raise DataError(f"{where}: cannot be loaded from the Hub ({error}); {remedy}") from error
    return _from_columns(dataset, f"{where} ({split})", repo)


def _from_columns(dataset: datasets.Dataset, source: str, repo: str | None = None) -> Faces:
    image_column = find_column(dataset, IMAGE_COLUMNS, source)
    label_column = find_column(dataset, LABEL_COLUMNS, source)
    label_names = getattr(dataset.features[label_column], "names", None) or list("0123456")
    if isinstance(dataset.features[image_column], datasets.Image):
        dataset = dataset.cast_column(image_column, datasets.Image(decode=False))
    images = (_face(value, f"{source}, row {row}", repo) for row, value in enumerate(dataset[image_column]))
    labels = [
        _emotion_index(label_names, label, f"{source}, row {row}") for row, label in enumerate(dataset[label_column])
    ]
    return _stack(images, labels, source)


def _from_class_folders(files: list[Path], source: str) -> Faces:
    labels = [_emotion_index([file.parent.name], 0, f"{file}: folder") for file in files]
    dataset = _open("imagefolder", files, drop_labels=True, drop_metadata=True)
    dataset = dataset.cast_column("image", datasets.Image(decode=False))
    images = (_face(value, str(file)) for file, value in zip(files, dataset["image"], strict=True))
    return _stack(images, labels, source)


def _from_csv(file: Path, split: str) -> Faces:
    dataset = _open("csv", [file])
    dataset = dataset.rename_columns({name: name.strip() for name in dataset.column_names if name != name.strip()})
    source = f"{file} ({split})"
    pixels, labels = find_column(dataset, ("pixels",), source), find_column(dataset, LABEL_COLUMNS, source)
    usage = []
    for row, name in enumerate(dataset[find_column(dataset, ("Usage", "usage"), source)]):
        try:
            usage.append(canonical_split(str(name)))
        except DataError as error:
            raise DataError(f"{file}, line {row + 2}: Usage: {error}") from error
    rows = [row for row, name in enumerate(usage) if name == split]
    if not rows:
        raise DataError(f"{file}: has no {split!r} rows, only {', '.join(sorted(set(usage)))}; see its Usage column")
    chosen = dataset.select(rows)
    # The header is line 1 of the file.
    places = [f"{file}, line {row + 2}" for row in rows]
    images = (_face(value, place) for value, place in zip(chosen[pixels], places, strict=True))
    emotions = [
        _emotion_index(list("0123456"), label, place) for label, place in zip(chosen[labels], places, strict=True)
    ]
    return _stack(images, emotions, source)


def find_column(dataset: datasets.Dataset, names: Iterable[str], source: str) -> str:
    """The first of `names` that is a column of `dataset`; DataError where none is."""
    for name in names:
        if name in dataset.column_names:
            return name
    present = ", ".join(dataset.column_names)
    raise DataError(f"{source}: has no column {' or '.join(names)}, only {present}; rename one of them")


def decode_image(value: Any, place: str, repo: str | None = None) -> np.ndarray:
    """One image of a dataset as uint8 (H, W); arguments and errors as those of `decode_picture`."""
    return decode_picture(value, place, repo, gray=True).in_8_bits()


def decode_picture(
    value: Any, place: str, repo: str | None = None, gray: bool = False, white: float | None = None
) -> Picture:
    """One image of a dataset in its own depth and colours, with all its frames.

    Args:
        value: encoded bytes, the record of an undecoded `datasets.Image`, or 2,304 pixels as text, list or array.
        place: where it stands, for the error.
        repo: the Hub dataset that it comes from, whose author is not to choose which other files are read.
        gray, white: as those of `read_picture`.

    Raises:
        DataError: it is damaged, missing, or has another number of pixels.
    """
    if isinstance(value, dict):
        value = value.get("bytes") or _fetch(value.get("path"), place, repo)
    if isinstance(value, bytes):
        try:
            return read_picture(io.BytesIO(value), gray, white, name="it")
        except PictureError as error:
            raise DataError(f"{place}: the image cannot be decoded ({error}); replace or remove it") from error
    try:
        pixels = np.array(value.split() if isinstance(value, str) else value)
        if not (pixels.astype(np.int64) == pixels.astype(np.float64)).all():
            raise ValueError("found fractions")
        pixels = pixels.astype(np.int64).ravel()
    except (TypeError, ValueError) as error:
        raise DataError(f"{place}: the pixels are not whole numbers ({error}); replace or remove the row") from error
    if pixels.size != SIZE * SIZE:
        raise DataError(f"{place}: has {pixels.size} pixels, not {SIZE * SIZE}; replace or remove the row")
    if pixels.min() < 0 or pixels.max() > 255:
        raise DataError(f"{place}: has pixels outside 0 to 255; replace or remove the row")
    return Picture.of(pixels.astype(np.uint8).reshape(SIZE, SIZE))


def _fetch(path: str | None, place: str, repo: str | None) -> bytes:
    """The bytes of an image that a dataset holds as a file of this machine or of the Hub, perhaps in an archive."""
    *archives, file_or_url = (path or "").split("::")
    try:
        # Whoever made the dataset is not to choose whom this machine calls.
        known = all("://" in part and part.partition("://")[0] in ARCHIVES for part in archives)
        if not known or not (file_or_url.startswith("hf://") or Path(file_or_url).is_file()):
            raise ValueError(f"{path or 'nothing'} is no file here or on the Hub")
        if repo is not None and not _belongs_to(repo, file_or_url):
            raise ValueError(f"{path} did not come with {repo}, which is not to choose what else is read")
        with xopen(path, "rb") as opened:
            return opened.read()
    except Exception as error:
        raise DataError(f"{place}: the image cannot be read ({error}); replace or remove it") from error


def _belongs_to(repo: str, file: str) -> bool:
    """Whether `file` came with the Hub dataset `repo`: it is there, or where it is downloaded or unpacked to."""
    if file.startswith("hf://"):
        # This machine's token may open other repos, which are not to be shown or published.
        return bool(re.match(rf"hf://datasets/{re.escape(repo)}[@/]", file)) and ".." not in file.split("/")
    own = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=repo, repo_type="dataset"))
    caches = own, datasets.config.HF_DATASETS_CACHE, datasets.config.DOWNLOADED_DATASETS_PATH
    return any(Path(file).resolve().is_relative_to(Path(cache).resolve()) for cache in caches)


def _face(value: Any, place: str, repo: str | None = None) -> np.ndarray:
    image = decode_image(value, place, repo)
    if image.shape != (SIZE, SIZE):
        height, width = image.shape
        raise DataError(f"{place}: the image is {width}x{height}, not {SIZE}x{SIZE}; replace or remove it")
    return image


def _emotion_index(names: list[str], label, place: str) -> int:
    name = None
    if isinstance(label, str):
        name = label.lower()
    elif isinstance(label, int) and 0 <= label < len(names):
        name = names[label].lower()
    emotion = _match(_EMOTION_NAMES, [name])
    if emotion is None:
        known = ", ".join(EMOTIONS)
        raise DataError(f"{place}: {name or label!r} is no emotion; use one of {known}, or 0 to 6 in that order")
    return EMOTIONS.index(emotion)


def _match(table: dict[str, set[str]], words: Iterable[str | None]) -> str | None:
    return next((key for word in words for key, names in table.items() if word in names), None)


def _stack(images: Iterable[np.ndarray], labels: list[int], source: str) -> Faces:
    if not labels:
        raise DataError(f"{source}: is empty; choose another split or file")
    faces = np.empty((len(labels), SIZE, SIZE), dtype=np.uint8)
    for row, image in enumerate(images):
        faces[row] = image
    return Faces(images=faces, labels=np.array(labels, dtype=np.int64), source=source)
