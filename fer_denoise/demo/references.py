"""Clean pictures that visitors send beside their noisy ones, found by name, and how near to them a picture is."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import repeat
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from fer_denoise.data import DataError
from fer_denoise.demo.incoming import Incoming, receive
from fer_denoise.demo.numbers import fixed
from fer_denoise.demo.received_table import ReceivedTable, decode_row
from fer_denoise.demo.uploads import read_upload
from fer_denoise.metrics import SSIM_MIN_SIZE, mean_psnr, psnr, ssim
from fer_denoise.pictures import Picture, PictureError
from fer_denoise.zoo import UNIVERSAL


@dataclass(frozen=True)
class Clean:
    """The clean one of a noisy picture; where it cannot be compared, None, and perhaps why."""

    picture: Picture | None = None
    remark: str = ""


class References:
    """Clean pictures and tables by their names, whatever their formats.

    Args:
        paths: of what was uploaded; a folder in an archive counts only where it tells two of one name apart.

    Raises:
        ValueError: as `receive`.
    """

    def __init__(self, paths: Iterable[str] = ()) -> None:
        received = receive(paths)
        self.left_out = received.left_out
        self._by_path = {_key(file, file.name): file for file in received.files}
        self._by_name: dict[Any, list[Incoming]] = {}
        for file in received.files:
            self._by_name.setdefault(_key(file, PurePosixPath(file.name).name), []).append(file)
        self._unused = {file.name: None for file in received.files}

    def of(self, noisy: Incoming, white: float | None, folder: Path) -> Iterator[Clean]:
        """The clean ones of what is in a file, in its order; there is always one more.

        Args:
            white: of pictures that do not tell what number is white.
            folder: where a table may lie for the time.
        """
        file = self._find(noisy)
        if file is not None:
            self._unused.pop(file.name, None)
            yield from _pictures_in(file, white, folder)
        yield from repeat(Clean(remark="no clean one has its name, to compare it with" if self._by_path else ""))

    def unused(self) -> list[str]:
        """The names of those that were asked for by none."""
        return list(self._unused)

    def _find(self, noisy: Incoming) -> Incoming | None:
        alike = self._by_name.get(_key(noisy, PurePosixPath(noisy.name).name), [])
        return self._by_path.get(_key(noisy, noisy.name)) or (alike[0] if len(alike) == 1 else None)


def _pictures_in(file: Incoming, white: float | None, folder: Path) -> Iterator[Clean]:
    def tried(read: Callable[[], Picture]) -> Clean:
        try:
            return Clean(read())
        except (PictureError, DataError) as error:
            return Clean(remark=f"the clean one cannot be compared: {error}")

    if not file.is_table:
        yield tried(lambda: read_upload(BytesIO(file.read()), UNIVERSAL, white=white, name=file.name))
        return
    try:
        for first, part in ReceivedTable(file, folder).parts():
            for row, value in enumerate(part.images.to_pylist(), first):
                yield tried(partial(decode_row, value, f"{file.name}, row {row}", UNIVERSAL, white))
    except (PictureError, DataError) as error:
        yield from repeat(Clean(remark=f"the clean one cannot be compared: {error}"))


def _key(file: Incoming, name: str) -> tuple[bool, str]:
    return file.is_table, str(PurePosixPath(name).with_suffix("")).casefold()


def quality(noisy: Picture, restored: Picture, clean: Picture) -> dict[str, str]:
    """PSNR and SSIM before and after, of several frames the mean, as a `ReportRow` has them.

    Raises:
        PictureError: the clean picture has another size, other frames or other colours.
    """
    like = len(clean.frames) == len(noisy.frames)
    right = [_in_colours_of(*pair) for pair in zip(clean.images, noisy.images, strict=True)] if like else []
    if [image.shape for image in noisy.images] != [image.shape for image in right]:
        raise PictureError("the clean one has another size, other frames or other colours, so it is not compared")
    return {
        name: value
        for state, picture in (("noisy", noisy), ("restored", restored))
        for name, value in _measured(state, picture.images, right)
    }


def _measured(state: str, images: list[np.ndarray], right: list[np.ndarray]) -> Iterator[tuple[str, str]]:
    pairs = list(zip(images, right, strict=True))
    values = np.array([psnr(image, clean) for image, clean in pairs])
    yield f"{state}_psnr", fixed(float(values[0]) if len(values) == 1 else mean_psnr(values), 2)
    if min(right[0].shape[:2]) >= SSIM_MIN_SIZE:
        yield f"{state}_ssim", fixed(float(np.mean([ssim(image, clean) for image, clean in pairs])), 4)


def _in_colours_of(image: np.ndarray, other: np.ndarray) -> np.ndarray:
    """A gray picture as three like channels where the other has colours, which noise brings too."""
    return np.repeat(image[..., None], 3, axis=2) if image.ndim < other.ndim else image
