"""FER2013 through `datasets`: from the Hub, from Parquet, from Kaggle's CSV, or from images by class.

Goodfellow et al. 2013, "Challenges in Representation Learning: A Report on Three Machine Learning Contests",
https://arxiv.org/abs/1307.0414
"""

import hashlib
import io
import logging
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from huggingface_hub import constants
from huggingface_hub.file_download import repo_folder_name

from fer_denoise.data.columns import EMOTIONS, SPLITS, DataError, canonical_split, match_split
from fer_denoise.data.hub_dataset import fixed_dataset
from fer_denoise.data.layouts import Rows, TableRows, find_rows
from fer_denoise.data.pixels import is_base64, read_base64, read_pixels
from fer_denoise.hub.sources import is_repo_id
from fer_denoise.pictures import FACE, Picture, PictureError, read_picture

__all__ = [
    "EMOTIONS",
    "SPLITS",
    "DataError",
    "Faces",
    "canonical_split",
    "decode_image",
    "decode_picture",
    "load_fer2013",
    "load_splits",
    "stands_in",
]

HUB_DATASET = "AutumnQiu/fer2013"
"""What is loaded where no source is named; `Faces.fingerprint` tells which pixels it held."""

SIZE = FACE[0]
ARCHIVES = {"zip", "tar", "gzip", "bz2", "xz", "zstd", "lz4"}
"""Archives in which an image may lie that a dataset names by its path."""
VALIDATION = 8
"""One in so many training images makes up the validation split where there is none, as in FER2013 itself."""
SEED = b"0"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Faces:
    """A split of FER2013.

    Attributes:
        images: uint8 (N, 48, 48).
        labels: int64 (N,), indices into `EMOTIONS`.
        source: where they are from, for a person to read.
        commit: of the Hub dataset that they are from, REPO@COMMIT; None where they are from a disk.
    """

    images: np.ndarray
    labels: np.ndarray
    source: str
    commit: str | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the pixels in order: tells which copy of the data a result was made with."""
        return hashlib.sha256(np.ascontiguousarray(self.images).data).hexdigest()

    @property
    def record(self) -> dict[str, str | int]:
        """What a training record says of them."""
        record: dict[str, str | int] = {"name": "FER2013", "images": len(self), "sha256": self.fingerprint}
        return {**record, "commit": self.commit} if self.commit else record


def load_fer2013(source: str | Path = HUB_DATASET, split: str = "train", revision: str | None = None) -> Faces:
    """Load one split, decoded once to uint8.

    Columns, splits and emotions may have the names of any of the common copies. Where there are train and test but no
    validation split, one in eight of the training images makes one up, always the same, and is not among the others.

    Args:
        source: a Hub dataset id; a Parquet or CSV file; or a folder of those, of one file for each split, of Kaggle's
            `fer2013.csv` or `icml_face_data.csv`, or of pictures by class (`train/happy/1.png`).
        split: "train", "validation" or "test", or what the copies call them ("PublicTest", "valid", ...).
        revision: commit, tag or branch of a Hub dataset. A branch is looked up once in a process, so that all splits
            are of one commit, which `Faces.source` tells.

    Raises:
        DataError: a wrong path, a missing column, a damaged row or an unknown split.
    """
    split = canonical_split(split)
    groups, where, repo = _find(source, revision)
    present = {name for group in groups for name in group.splits}
    if split != "test" and present == {"train", "test"}:
        return _part_of_train(_collect(groups, "train", where, repo), split, where)
    if split not in present:
        listed = ", ".join(sorted(present)) or "none"
        raise DataError(
            f"{where}: has no {split!r} split, only {listed}; name files or folders after it, or add a column Usage"
        )
    return _collect(groups, split, where, repo)


def load_splits(source: str | Path = HUB_DATASET, revision: str | None = None) -> dict[str, Faces]:
    """Load all splits that there are, by name; none is made up. Arguments and errors as those of `load_fer2013`."""
    groups, where, repo = _find(source, revision)
    present = {name for group in groups for name in group.splits}
    return {split: _collect(groups, split, where, repo) for split in SPLITS if split in present}


def stands_in(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of `images` (N, H, W) also stand in `others`, pixel for pixel: a mask (N,)."""
    contents = {image.tobytes() for image in others}
    return np.array([image.tobytes() in contents for image in images])


def _find(source: str | Path, revision: str | None) -> tuple[list[Rows], str, str | None]:
    """The faces of a dataset, what to call it, and the repo on the Hub that it is."""
    path = Path(source).expanduser()
    if path.exists():
        if revision is not None:
            raise DataError(f"{source}: is not on the Hub and has no revision {revision}; leave the revision out")
        return find_rows(path), str(path), None
    if not is_repo_id(str(source)):
        raise DataError(
            f"{source}: no such file or folder; give one that exists, or a Hub dataset id such as {HUB_DATASET}"
        )
    groups, where = _download(str(source), revision)
    return groups, where, str(source)


def _download(repo: str, revision: str | None) -> tuple[list[Rows], str]:
    """The faces of a Hub dataset, and what to call it."""
    dataset = fixed_dataset(repo, revision)
    where = f"{repo}@{dataset.commit}"
    found = dataset.splits()
    splits = {name: split for name in found if (split := match_split(name))}
    if not splits:
        raise DataError(f"{where}: has no split of a known name, only {', '.join(found)}; choose another copy")
    return [TableRows(found[name], split, f"{where} ({name})") for name, split in splits.items()], where


def _collect(groups: list[Rows], split: str, where: str, repo: str | None) -> Faces:
    images, labels = [], []
    changes: Counter[str] = Counter()
    for group in groups:
        for labelled in group.of(split):
            images.append(_face(labelled.image, labelled.location, repo, changes))
            labels.append(labelled.label)
    source = f"{where} ({split})"
    tell_changes(changes, source)
    if not images:
        raise DataError(f"{source}: is empty; choose another split or file")
    return Faces(np.stack(images), np.array(labels, dtype=np.int64), source, where if repo else None)


def _part_of_train(train: Faces, split: str, where: str) -> Faces:
    """The training images that make up the validation split, or those that are left.

    They are chosen by their pixels, so that neither the order of files matters nor copies of an image are parted.
    """
    digests = [hashlib.sha256(SEED + image.tobytes()).digest() for image in train.images]
    last = sorted(digests)[max(1, round(len(train) / VALIDATION)) - 1]
    validation = np.array([digest <= last for digest in digests])
    chosen = validation if split == "validation" else ~validation
    logger.warning(
        "%s: has no validation split, so %d of the %d training images are set apart as one",
        where,
        validation.sum(),
        len(train),
    )
    source = f"{where} ({split}, of the training images)"
    return Faces(train.images[chosen], train.labels[chosen], source, train.commit)


def decode_image(value: Any, location: str, repo: str | None = None, changes: Counter[str] | None = None) -> np.ndarray:
    """One image of a dataset as uint8 (H, W); other arguments and errors as those of `decode_picture`.

    Args:
        changes: counts what is changed by that.
    """
    image, changed = decode_picture(value, location, repo).simplified()
    if changes is not None:
        changes.update(changed)
    return image


def tell_changes(changes: Counter[str], source: str) -> None:
    """Say what became of the images of `source` when they were decoded."""
    for change, count in changes.items():
        logger.warning("%s: in %d image%s, %s", source, count, "s" * (count > 1), change)


def decode_picture(
    value: Any, location: str, repo: str | None = None, gray: bool = False, white: float | None = None
) -> Picture:
    """One image of a dataset in its own depth and colours, with all its frames.

    Args:
        value: a picture file as bytes or base64, the record of an undecoded `datasets.Image`, or 2,304 pixels as text
            or list, whole numbers in [0, 255] or fractions in [0, 1].
        location: where it stands, for messages.
        repo: the Hub dataset that it comes from, whose author is not to choose which other files are read.
        gray, white: as those of `read_picture`.

    Raises:
        DataError: it is damaged, missing, or has another number of pixels.
    """
    if isinstance(value, dict):
        value = value.get("bytes") or _fetch(value.get("path"), location, repo)
    if value is None or value == "":
        raise DataError(f"{location}: has no image; add it, or remove the row")
    if isinstance(value, str) and is_base64(value):
        try:
            value = read_base64(value)
        except ValueError as error:
            raise DataError(f"{location}: the image is {error}; replace or remove it") from error
    if isinstance(value, bytes):
        try:
            return read_picture(io.BytesIO(value), gray, white, name="it")
        except PictureError as error:
            raise DataError(f"{location}: the image cannot be decoded ({error}); replace or remove it") from error
    try:
        pixels = read_pixels(value)
    except ValueError as error:
        raise DataError(f"{location}: the pixels {error}, or remove the row") from error
    if pixels.size != SIZE * SIZE:
        raise DataError(f"{location}: has {pixels.size} pixels, not {SIZE * SIZE}; replace or remove the row")
    pixels = pixels.reshape(SIZE, SIZE)
    return Picture.of(pixels) if pixels.dtype == np.uint8 else Picture((pixels,), white=1)


def _fetch(path: str | None, location: str, repo: str | None) -> bytes:
    """The bytes of an image that a dataset holds as a file of this machine or of the Hub, perhaps in an archive."""
    *archives, file_or_url = (path or "").split("::")

    def refused(reason: object) -> DataError:
        return DataError(f"{location}: the image cannot be read ({reason}); replace or remove it")

    # Whoever made the dataset is not to choose whom this machine calls.
    are_archives = all("://" in part and part.partition("://")[0] in ARCHIVES for part in archives)
    if not are_archives or not (file_or_url.startswith("hf://") or _is_file(file_or_url)):
        raise refused(f"{path or 'nothing'} is no file here or on the Hub")
    if repo is not None and not _belongs_to(repo, file_or_url):
        raise refused(f"{path} did not come with {repo}, which is not to choose what else is read")
    from datasets.utils.file_utils import xopen

    try:
        with xopen(path, "rb") as opened:
            return opened.read()
    # The readers of a dozen kinds of archives, and the network, which raise whatever they like.
    except Exception as error:
        raise refused(error) from error


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except (OSError, ValueError):  # a name that no system takes
        return False


def _belongs_to(repo: str, file: str) -> bool:
    """Whether `file` came with the Hub dataset `repo`: it is there, or where it is downloaded or unpacked to."""
    if file.startswith("hf://"):
        # This machine's token may open other repos, which are not to be shown or published.
        return bool(re.match(rf"hf://datasets/{re.escape(repo)}[@/]", file)) and ".." not in file.split("/")
    import datasets

    own = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=repo, repo_type="dataset"))
    caches = own, datasets.config.HF_DATASETS_CACHE, datasets.config.DOWNLOADED_DATASETS_PATH
    return any(Path(file).resolve().is_relative_to(Path(cache).resolve()) for cache in caches)


def _face(value: Any, location: str, repo: str | None, changes: Counter[str]) -> np.ndarray:
    image = decode_image(value, location, repo, changes)
    if image.shape != (SIZE, SIZE):
        height, width = image.shape
        raise DataError(f"{location}: the image is {width}x{height}, not {SIZE}x{SIZE}; replace or remove it")
    return image
