"""Photos: pictures of any depth, in colour or of several frames, restored as a whole or only the faces in them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageFilter
from skimage.color import rgb2gray
from skimage.data import lbp_frontal_face_cascade_filename
from skimage.feature import Cascade

from fer_denoise.colour import has_colour_way, restore_colour
from fer_denoise.images import to_dtype, to_float
from fer_denoise.method import ProgressCallback
from fer_denoise.pictures import Picture
from fer_denoise.restore import NoiseLevel, NoiseMap, Restorer

MARGIN = 0.15
"""The fraction of a face's box that is added on each side: FER2013's faces show forehead and chin."""
PARTS, PART = 8, 96
"""The noise of a photo of more than so many times so many pixels a side is estimated from parts of that side. They are
two of the windows long in which it is estimated, so that none of these spans two parts."""
SMALLEST_FACE = 24
SEARCHED_SIDE = 800
"""A larger photo is reduced to this before it is searched."""


class Box(NamedTuple):
    """A square in a picture, in pixels."""

    top: int
    left: int
    side: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of the square."""
        return slice(self.top, self.top + self.side), slice(self.left, self.left + self.side)

    def lies_in(self, other: "Box") -> bool:
        """Whether at least half of it does."""
        rows = min(self.top + self.side, other.top + other.side) - max(self.top, other.top)
        columns = min(self.left + self.side, other.left + other.side) - max(self.left, other.left)
        return 2 * max(0, rows) * max(0, columns) >= self.side**2


def restore_picture(
    restorer: Restorer,
    picture: Picture,
    sigma: float | None = None,
    on_progress: ProgressCallback | None = None,
) -> Picture:
    """Restore all frames of a picture in its own depth and colours; arguments as those of `Restorer`."""
    images = picture.images
    restored = []
    for done, image in enumerate(images):
        of_frame = on_progress and partial(_report_frame, on_progress, done, len(images))
        restored.append(restore_photo(restorer, image, sigma, of_frame))
    return picture.with_images(restored)


def restore_pictures(restorer: Restorer, pictures: Sequence[Picture], sigma: float | None = None) -> list[Picture]:
    """As `restore_picture` each of several of any sizes, depths and colours, frames that are alike in one batch."""
    images = [image for picture in pictures for image in picture.images]
    alike: dict[Any, list[int]] = {}
    for index, image in enumerate(images):
        alike.setdefault((image.shape, image.dtype), []).append(index)
    for indices in alike.values():
        batch = restore_photos(restorer, [images[index] for index in indices], sigma)
        for index, restored in zip(indices, batch, strict=True):
            images[index] = restored
    frames = iter(images)
    return [picture.with_images(list(islice(frames, len(picture.frames)))) for picture in pictures]


def picture_noise_level(restorer: Restorer, picture: Picture) -> NoiseLevel | None:
    """The noise of a picture, of several frames that of the first; None if the model cannot tell."""
    return photo_noise_level(restorer, replace(picture, frames=picture.frames[:1]).images[0])


def picture_noise_map(restorer: Restorer, picture: Picture) -> NoiseMap | None:
    """Where the noise of a picture is, of several frames that of the first; None if the model cannot tell."""
    return restorer.noise_map(replace(picture, frames=picture.frames[:1]).images[0])


def restore_photo(
    restorer: Restorer,
    photo: np.ndarray,
    sigma: float | None = None,
    on_progress: ProgressCallback | None = None,
) -> np.ndarray:
    """Restore (H, W) or (H, W, 3), uint8 or float in [0, 1]; arguments and result are as those of `Restorer`.

    Networks restore a photo in colour by `restore_colour`. Filters take each channel by itself, and so do networks
    where there are impulses. `python -m train.benchmark --colour` measures what that gains.
    """
    if has_colour_way(restorer, photo):
        return restore_colour(restorer, photo, sigma, on_progress)
    return restorer(photo, sigma, on_progress)


def restore_photos(restorer: Restorer, photos: list[np.ndarray], sigma: float | None = None) -> list[np.ndarray]:
    """As `restore_photo` each of several of one size, small ones and those without colour in one batch."""
    restored = {
        index: restore_colour(restorer, photo, sigma)
        for index, photo in enumerate(photos)
        if has_colour_way(restorer, photo)
    }
    if others := [index for index in range(len(photos)) if index not in restored]:
        batch = restorer(np.stack([photos[index] for index in others]), sigma)
        restored |= dict(zip(others, batch, strict=True))
    return [restored[index] for index in range(len(photos))]


def restore_luminance(restorer: Restorer, photo: np.ndarray, sigma: float | None = None) -> np.ndarray:
    """Restore only the brightness of uint8 (H, W, 3) and keep the colours as they are."""
    colours = to_float(photo.reshape(-1, 3)).reshape(photo.shape)
    luminance = rgb2gray(colours).astype(np.float32)
    restored = restorer(np.clip(luminance, 0, 1), sigma)
    return to_dtype(np.clip(colours + (restored - luminance)[..., None], 0, 1), np.dtype(np.uint8))


def photo_noise_level(restorer: Restorer, photo: np.ndarray) -> NoiseLevel | None:
    """The noise of (H, W) or (H, W, 3), uint8 or float in [0, 1]: the mean over its channels; None if none is told.

    Of a large one, that of parts that are spread over it evenly.
    """
    rows, columns = map(_spread, photo.shape[:2])
    return restorer.noise_level(photo[rows][:, columns])


def _spread(side: int) -> np.ndarray:
    """Which of so many rows are looked at: all, or those of `PARTS` strips from the first to the last."""
    if side <= PARTS * PART:
        return np.arange(side)
    starts = np.linspace(0, side - PART, PARTS).round().astype(int)
    return (starts[:, None] + np.arange(PART)).ravel()


def find_faces(photo: np.ndarray) -> list[Box]:
    """Frontal faces in uint8 (H, W) or (H, W, 3), from the top left; best in a photo that is already restored.

    scikit-image's cascade of local binary patterns (Liao et al. 2007, https://doi.org/10.1007/978-3-540-74549-5_87)
    finds them; turned and hidden faces are missed, and those smaller than a twelfth of the photo's shorter side.
    """
    height, width = photo.shape[:2]
    if min(height, width) < SMALLEST_FACE:
        return []
    scale = max(1.0, max(height, width) / SEARCHED_SIDE)
    reduced = Image.fromarray(photo)
    reduced.thumbnail((SEARCHED_SIDE, SEARCHED_SIDE))
    # Binary patterns compare neighbouring pixels, so noise too weak to be seen would hide a face.
    reduced = reduced.filter(ImageFilter.GaussianBlur(1))
    shorter = min(reduced.size)
    found = _cascade().detect_multi_scale(
        np.asarray(reduced),
        scale_factor=1.1,
        step_ratio=1,
        min_size=(max(SMALLEST_FACE, shorter // 12),) * 2,
        max_size=(shorter, shorter),
        min_neighbor_number=10,
    )
    boxes = []
    for detection in found:
        side = min(round(scale * detection["width"] * (1 + 2 * MARGIN)), height, width)
        rim = scale * detection["width"] * MARGIN
        top = min(max(0, round(scale * detection["r"] - rim)), height - side)
        left = min(max(0, round(scale * detection["c"] - rim)), width - side)
        boxes.append(Box(top, left, side))
    faces: list[Box] = []
    # The cascade takes part of a face for a face of its own where the two are of different sizes.
    for box in sorted(boxes, key=lambda box: -box.side):
        if not any(box.lies_in(face) for face in faces):
            faces.append(box)
    return sorted(faces)


def keep_only(boxes: list[Box], restored: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """`photo` with what lies in `boxes` taken from `restored`."""
    result = photo.copy()
    for box in boxes:
        result[box.slices] = restored[box.slices]
    return result


def blend_towards_input(photo: np.ndarray, restored: np.ndarray, strength: float) -> np.ndarray:
    """Mix two pictures of one shape, uint8 or float: `strength` 0 gives `photo`, 1 `restored`.

    Raises:
        ValueError: `strength` is not in [0, 1].
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"the strength must lie in [0, 1], got {strength}")
    mixed = (1 - strength) * photo.astype(np.float32) + strength * restored.astype(np.float32)
    return np.rint(mixed).astype(np.uint8) if photo.dtype == np.uint8 else mixed.astype(photo.dtype)


def blend_pictures(picture: Picture, restored: Picture, strength: float) -> Picture:
    """`blend_towards_input`, frame by frame."""
    if strength in (0, 1):
        # As it is, without a way through floats.
        return restored if strength else picture
    pairs = zip(picture.images, restored.images, strict=True)
    return picture.with_images([blend_towards_input(*pair, strength) for pair in pairs])


def _report_frame(on_progress: ProgressCallback, done: int, frames: int, progress: float) -> None:
    on_progress((done + progress) / frames)


@cache
def _cascade() -> Cascade:
    return Cascade(lbp_frontal_face_cascade_filename())
