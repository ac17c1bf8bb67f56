"""Picture files: any format that Pillow reads, in and out as grayscale uint8, with errors a person can act on."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

MIN_SIDE = 8
MAX_PIXELS = 36_000_000
"""The largest picture that is opened: a 36-megapixel photo, 6000x6000."""

FACE = (48, 48)
"""The size of a face in FER2013."""

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".pgm"})
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM")
"""What Pillow may take a file for, whatever its suffix. Among the others is PostScript: a program, to be run."""


class PictureError(ValueError):
    """A file is no usable picture; the message says what to do."""


def read_picture(source: str | Path | BinaryIO, colour: bool = False, name: str | None = None) -> np.ndarray:
    """Read a picture, a path or an open file, as grayscale uint8 (H, W).

    Colour becomes luminance (ITU-R 601), transparency is laid on white, EXIF rotation is applied, 16 bits are rounded
    to 8, and of an animation the first frame is taken.

    Args:
        colour: keep it, as uint8 (H, W, 3), in a picture that has some.
        name: what to call it in messages; by default the name of the file.

    Raises:
        PictureError: not a picture, damaged, under 8 pixels a side, over 36 megapixels, or with NaN or infinite pixels.
    """
    with _opened(source, name) as (picture, shown):
        return _to_pixels(picture, shown, colour)


def picture_size(path: str | Path) -> tuple[int, int]:
    """Width and height of a picture, by its header alone.

    Raises:
        PictureError: as `read_picture`.
    """
    with _opened(path) as (picture, _):
        return picture.size


@contextmanager
def _opened(source: str | Path | BinaryIO, name: str | None = None) -> Iterator[tuple[Image.Image, str]]:
    """A picture of a size that is allowed, not yet decoded, and what to call it; errors are those of `read_picture`."""
    if name is None:
        name = Path(source).name if isinstance(source, str | Path) else "the picture"
    try:
        with warnings.catch_warnings():
            # The check below replaces Pillow's own warning.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(source, formats=FORMATS) as picture:
                _check_size(picture.size, name)
                yield picture, name
    except PictureError:
        raise
    except FileNotFoundError as error:
        raise PictureError(f"{name}: no such file; check the path") from error
    except Image.DecompressionBombError as error:
        raise PictureError(f"{name} is too large to open safely; {_shrink_hint()}") from error
    except UnidentifiedImageError as error:
        raise PictureError(f"{name} is not a picture; choose a PNG, JPEG, WebP, TIFF or BMP file") from error
    except Exception as error:
        raise PictureError(f"{name} is damaged or incomplete ({error}); save it again, best as PNG") from error


def write_picture(path: str | Path, picture: np.ndarray) -> None:
    """Write uint8 (H, W) or (H, W, 3); the suffix chooses the format, and PNG is the one that loses nothing."""
    try:
        Image.fromarray(picture).save(path)
    except (OSError, ValueError) as error:
        raise PictureError(
            f"{path}: cannot be written ({error}); choose a writable place and a suffix such as .png"
        ) from error


def to_face(picture: np.ndarray) -> np.ndarray:
    """The largest centred square of a picture, uint8 (H, W), resized to (48, 48), as FER2013 has faces."""
    if picture.shape == FACE:
        return picture
    return np.asarray(ImageOps.fit(Image.fromarray(picture), FACE, Image.Resampling.BICUBIC))


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if min(size) < MIN_SIDE:
        raise PictureError(f"{name} is {width}x{height} pixels; choose one of at least {MIN_SIDE}x{MIN_SIDE}")
    if width * height > MAX_PIXELS:
        raise PictureError(f"{name} is {width}x{height} pixels; {_shrink_hint()}")


def _shrink_hint() -> str:
    return f"make it smaller, to {MAX_PIXELS // 10**6} megapixels (say 6000x6000) at most, or crop it"


def _to_pixels(picture: Image.Image, name: str, colour: bool) -> np.ndarray:
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I") or picture.mode == "F":
        return _rescale(np.asarray(picture, dtype=np.float64), picture.mode, name)
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    elif picture.mode not in ("L", "RGB"):
        picture = picture.convert("RGB")
    if colour and picture.mode == "RGB":
        pixels = np.asarray(picture)
        if (pixels != pixels[..., :1]).any():
            return pixels
    return np.asarray(picture.convert("L"))


def _rescale(pixels: np.ndarray, mode: str, name: str) -> np.ndarray:
    """16-bit integers, or floats in [0, 1] or [0, 255], to uint8."""
    if not np.isfinite(pixels).all():
        raise PictureError(f"{name} holds NaN or infinite pixels; replace them and save it as 8-bit PNG")
    white = 65535 if mode != "F" else 1 if pixels.max() <= 1 else 255
    if pixels.min() < 0 or pixels.max() > white:
        raise PictureError(f"{name} has pixels outside 0 to {white}; rescale it and save it as 8-bit PNG")
    return np.rint(pixels * (255 / white)).astype(np.uint8)
