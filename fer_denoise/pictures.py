"""Picture files: what common formats hold, in and out as it was stored, with errors a person can act on."""

import io
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.AvifImagePlugin import AvifImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from pillow_heif import register_heif_opener

from fer_denoise.coded_colours import codes_of_avif, codes_of_heic, described, described_by_png
from fer_denoise.decoding import DamagedError, UnreadableError, decoding
from fer_denoise.deep_pictures import (
    MAIN_ALONE,
    DeepPicture,
    avif_bits,
    deep_picture,
    encode_pfm,
    encode_png,
    encode_pnm,
    encode_tiff,
    with_opacity,
)
from fer_denoise.files import no_space_left, part_of

# So that Pillow knows HEIC.
register_heif_opener()

MIN_SIDE = 8
MAX_PIXELS = 36_000_000
"""The largest picture that is opened: a 36-megapixel photo, 6000x6000."""
MAX_TOTAL_PIXELS = 10 * MAX_PIXELS
"""The same of all frames of a file."""

FACE = (48, 48)
"""The size of a face in FER2013."""

LOSSLESS = frozenset({".png", ".apng", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".pnm", ".pfm"})
"""The suffixes of pictures that come out in the format they came in; others do as PNG."""
SUFFIXES = LOSSLESS | {".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".avif", ".heic", ".heif", ".hif", ".pbm"}
"""What is taken for a picture wherever there is a choice of files."""
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM", "AVIF", "HEIF")
"""What Pillow may take a file for, whatever its suffix. Among the others is PostScript: a program, to be run."""
WITH_FRAMES = ("PNG", "TIFF", "WEBP", "GIF", "AVIF")
ALWAYS_COLOUR = ("WEBP", "GIF")
"""Formats that hold gray pictures as colours or a palette, for want of another way."""

DARK = 16383
"""16 bits of which none are above this may be 10, 12 or 14 bits as well."""
OVERSHOOT = 0.5
"""How far noise may go beyond black and white, as a fraction of white."""
DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
OTHER_COLOURS = ("CMYK", "LAB", "HSV", "YCbCr")
"""Modes that become RGB, with which their profile says nothing any more."""
ROUNDING = 1e-3
"""The distance to a whole number, in 8 bits, below which a level is that number in another depth."""
TRANSPARENT = "transparency was laid on white"
SAY_WHITE = (
    "say what number is white (--white, or White in the app), such as 255 for 8 bits, 4095 for 12, 16383 for 14, "
    "65535 for 16, or rescale it"
)


class PictureError(ValueError):
    """A file is no usable picture, or cannot be written; the message says what to do."""


CORRECT_WHITE = "correct what its head says is white, or save it as PNG"


@dataclass(frozen=True)
class Picture:
    """What a picture file holds, in the numbers that it holds.

    Attributes:
        frames: one, or those of an animation or a stack; (H, W), or (H, W, 3) where there is colour. All of one dtype:
            uint8, or of deeper pictures uint16, float32 or whatever the file has.
        white: the number that stands for white; black is 0.
        says_white: the file says itself that it is this one, and is to do so again.
        as_rgb: it is gray, but was stored as RGB, and so is to be written.
        info: what else goes into the file again, in the words of Pillow: durations, resolution, colour profile.
        notes: what was changed in reading, for a person to read.
    """

    frames: tuple[np.ndarray, ...]
    white: float = 255
    says_white: bool = False
    as_rgb: bool = False
    info: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, pixels: np.ndarray) -> Self:
        """A picture of one frame, uint8 (H, W) or (H, W, 3)."""
        return cls((pixels,))

    @property
    def deep(self) -> bool:
        """Whether it has more than 8 bits."""
        return self.frames[0].dtype != np.uint8

    @property
    def usual(self) -> bool:
        """Whether it has 8 bits, and all of them: black is 0, and white is 255."""
        return not self.deep and self.white == 255

    @property
    def images(self) -> list[np.ndarray]:
        """The frames as restorers take them: of a usual picture as they are, of others as float32 in [0, 1]."""
        if self.usual:
            return list(self.frames)
        return [np.clip(frame.astype(np.float64) / self.white, 0, 1).astype(np.float32) for frame in self.frames]

    def with_images(self, images: Sequence[np.ndarray]) -> Self:
        """The same with other pixels, which are as those of `images`."""
        if self.usual:
            return replace(self, frames=tuple(images))
        dtype = self.frames[0].dtype
        scaled = [image.astype(np.float64) * self.white for image in images]
        if np.issubdtype(dtype, np.integer):
            scaled = [np.rint(image) for image in scaled]
        return replace(self, frames=tuple(image.astype(dtype) for image in scaled))

    def in_8_bits(self, number: int = 0) -> np.ndarray:
        """A frame as uint8, for a face or for the screen."""
        (image,) = replace(self, frames=(self.frames[number],)).images
        return image if image.dtype == np.uint8 else np.rint(image * 255).astype(np.uint8)

    def simplified(self, colour: bool = False) -> tuple[np.ndarray, list[str]]:
        """The first frame in 8 bits, uint8 (H, W), and what was changed in reading or is by this, for a person to read.

        Args:
            colour: keep it, as uint8 (H, W, 3), where there is some.
        """
        changes = list(self.notes)
        frame = self.frames[0]
        if len(self.frames) > 1:
            changes.append("of several frames, the first was taken")
        if frame.ndim == 3 and not colour:
            changes.append("colours became gray")
            frame = _as_gray(frame, gray=True)
        alone = replace(self, frames=(frame,))
        image = alone.in_8_bits()
        if not self.usual and np.abs(255 * alone.images[0] - image).max() > ROUNDING:
            bits = 8 * frame.dtype.itemsize
            changes.append(f"{bits} bits became 8" if self.deep else f"white became 255, and was {self.white:g}")
        return image, changes


def read_picture(
    source: str | Path | BinaryIO, gray: bool = False, white: float | None = None, name: str | None = None
) -> Picture:
    """Read a picture, a path or an open file, with all its frames, in the depth that it is stored in.

    Transparency is laid on white, palettes and CMYK become RGB, and EXIF rotation is applied. White is what the file
    says, as PGM and PPM do, or else 255 in 8 bits, 65535 in 16, and 1 in floats. Where the pixels speak against it,
    `white` has to be given.

    Args:
        gray: take the luminance (ITU-R 601) of what has colour.
        white: the number that stands for white in a picture of more than 8 bits, such as 4095 for 12 bits.
        name: what to call it in messages; by default the name of the file.

    Raises:
        PictureError: not a picture, damaged, under 8 pixels a side, over 36 megapixels or all frames over 360, with NaN
            or infinite pixels, or it cannot be told what number is white.
    """
    with _opened(source, name) as (opened, shown):
        if isinstance(opened, DeepPicture):
            return _read_deep(opened, gray, white, shown)
        return _read_with_pillow(opened, gray, white, shown)


def picture_size(source: str | Path | BinaryIO, name: str | None = None) -> tuple[int, int, int]:
    """Width and height of a picture and the number of its frames, by its headers alone; arguments as `read_picture`.

    Raises:
        PictureError: as `read_picture`.
    """
    with _opened(source, name) as (opened, _):
        if isinstance(opened, DeepPicture):
            return *opened.sizes[0], len(opened.sizes)
        return *opened.size, _frame_count(opened)


def write_picture(path: str | Path, picture: Picture | np.ndarray) -> None:
    """Write a picture, or uint8 (H, W) or (H, W, 3); the suffix chooses the format, and PNG and TIFF lose nothing.

    The file appears once it is whole.

    Raises:
        PictureError: the place cannot be written to, or the format cannot hold the frames, depth, scale or colours.
        OSError: the disk is full.
    """
    path = Path(path)
    content = encode_picture(picture if isinstance(picture, Picture) else Picture.of(picture), path.suffix, str(path))
    part = part_of(path)
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        if no_space_left(error):
            raise
        raise PictureError(f"{path}: cannot be written ({error}); choose a writable place") from error


def encode_picture(picture: Picture, suffix: str, name: str = "the picture") -> bytes:
    """The content of a file with such a suffix.

    Raises:
        PictureError: no such format, or it cannot hold the frames, depth, scale or colours.
    """
    suffix = suffix.lower()
    file_format = Image.registered_extensions().get(suffix)
    if file_format not in FORMATS:
        raise PictureError(f"{name}: cannot be written, for {suffix or 'no suffix'} is no format; choose .png or .tif")
    frames, info = [_stored(frame, picture.as_rgb) for frame in picture.frames], picture.info
    if len(frames) > 1 and (file_format not in WITH_FRAMES or (picture.deep and file_format != "TIFF")):
        raise PictureError(f"{name}: cannot be written, for it would lose all frames but one; choose .tif")
    if suffix in (".pgm", ".pbm") and frames[0].ndim == 3:
        raise PictureError(f"{name}: cannot be written, for it would lose the colours; choose .png or .ppm")
    if picture.usual:
        return _encode_with_pillow(frames, file_format, info, name)
    if file_format == "PPM" and suffix not in (".pbm", ".pfm") and _fits_pnm(picture):
        return encode_pnm(frames[0], picture.white)
    if not picture.deep or (file_format == "PNG" and _has_white_to_say(picture)):
        choice = lossless_suffix(picture)
        raise PictureError(
            f"{name}: cannot be written, for white would no longer be {picture.white:g}; choose {choice}"
        )
    if file_format == "TIFF":
        return encode_tiff(frames, picture.white, info)
    if frames[0].dtype == np.uint16 and file_format == "PNG":
        gray = frames[0].ndim == 2
        return _encode_with_pillow(frames, file_format, info, name) if gray else encode_png(frames[0], info)
    if frames[0].dtype == np.float32 and suffix == ".pfm" and frames[0].ndim == 2:
        return encode_pfm(frames[0], info)
    raise PictureError(f"{name}: cannot be written, for it would be rounded to fewer bits; choose .tif")


def lossless_suffix(picture: Picture) -> str:
    """The suffix of a format that holds all of it: a PNG where it can be one, else a TIFF, a PGM or a PPM."""
    if _has_white_to_say(picture) and _fits_pnm(picture) and not picture.info:
        return ".ppm" if picture.as_rgb or picture.frames[0].ndim == 3 else ".pgm"
    of_16_bits = picture.frames[0].dtype == np.uint16 and len(picture.frames) == 1 and not _has_white_to_say(picture)
    return ".png" if picture.usual or of_16_bits else ".tif"


def _has_white_to_say(picture: Picture) -> bool:
    """Whether white is not the largest number that its pixels could have, and that has to stand in the file."""
    dtype = picture.frames[0].dtype
    return (
        (picture.says_white or not picture.deep)
        and np.issubdtype(dtype, np.integer)
        and picture.white < np.iinfo(dtype).max
    )


def _fits_pnm(picture: Picture) -> bool:
    """Whether a PGM or PPM can hold its pixels, which says itself what number is white."""
    return picture.frames[0].dtype in (np.uint8, np.uint16) and len(picture.frames) == 1 and 1 <= picture.white <= 65535


def to_face(picture: np.ndarray) -> np.ndarray:
    """The largest centred square of a picture, uint8 (H, W), resized to (48, 48), as FER2013 has faces."""
    if picture.shape == FACE:
        return picture
    return np.asarray(ImageOps.fit(Image.fromarray(picture), FACE, Image.Resampling.BICUBIC))


@contextmanager
def _opened(source: str | Path | BinaryIO, name: str | None = None) -> Iterator[tuple[Image.Image | DeepPicture, str]]:
    """A picture of a size that is allowed, not yet decoded, and what to call it; errors are those of `read_picture`."""
    if name is None:
        name = Path(source).name if isinstance(source, str | Path) else "the picture"
    try:
        with warnings.catch_warnings():
            # The check of sizes replaces Pillow's own warning.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with _file(source, name) as file:
                deep = deep_picture(file)
                if deep is not None:
                    _check_sizes(deep.sizes, name)
                    yield deep, name
                    return
                with decoding():
                    picture = Image.open(file, formats=FORMATS)
                with picture:
                    _check_sizes([picture.size] * _frame_count(picture), name)
                    yield picture, name
    except Image.DecompressionBombError as error:
        raise PictureError(f"{name} is too large to open safely; {_shrink_hint()}") from error
    except UnidentifiedImageError as error:
        raise PictureError(
            f"{name} is not a picture, or of a kind that is not read here; choose a PNG, JPEG, WebP, TIFF or BMP file"
        ) from error
    except UnreadableError as error:
        raise PictureError(f"{name} cannot be read: {error}") from error
    except DamagedError as error:
        raise PictureError(f"{name} is damaged or incomplete ({error}); save it again, best as PNG") from error


def _file(source: str | Path | BinaryIO, name: str) -> AbstractContextManager[BinaryIO]:
    if not isinstance(source, str | Path):
        return nullcontext(source)
    try:
        return open(source, "rb")
    except FileNotFoundError as error:
        raise PictureError(f"{name}: no such file; check the path") from error
    except OSError as error:
        raise PictureError(f"{name} cannot be read ({error.strerror}); choose a file that can be opened") from error


def _frame_count(picture: Image.Image) -> int:
    """The frames of an animation or a stack; what else a JPEG or HEIC may hold is no frame."""
    with decoding():
        return getattr(picture, "n_frames", 1) if picture.format in WITH_FRAMES else 1


def _check_sizes(sizes: list[tuple[int, int]], name: str) -> None:
    for width, height in sizes:
        if min(width, height) < MIN_SIDE:
            raise PictureError(f"{name} is {width}x{height} pixels; choose one of at least {MIN_SIDE}x{MIN_SIDE}")
        if width * height > MAX_PIXELS:
            raise PictureError(f"{name} is {width}x{height} pixels; {_shrink_hint()}")
    if sum(width * height for width, height in sizes) > MAX_TOTAL_PIXELS:
        most = MAX_TOTAL_PIXELS // (sizes[0][0] * sizes[0][1])
        raise PictureError(f"{name} holds {len(sizes)} frames; split it into files of {most} at most")


def _shrink_hint() -> str:
    return f"make it smaller, to {MAX_PIXELS // 10**6} megapixels (say 6000x6000) at most, or crop it"


def _read_deep(opened: DeepPicture, gray: bool, white: float | None, name: str) -> Picture:
    frames, notes = [], set(opened.notes)
    for pixels in opened.decode():
        if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
            pixels, note = _on_white(pixels, white or opened.white, name)
            notes |= {note} if note else set()
        frames.append(_turned(pixels, opened.orientation))
    return _finished(frames, opened.white, frames[0].ndim == 3, gray, white, opened.info, notes, name)


def _read_with_pillow(opened: Image.Image, gray: bool, white: float | None, name: str) -> Picture:
    bits, notes = _bits(opened), set()
    if bits > 8 and opened.format == "AVIF":
        notes.add(f"{bits} bits became 8")
    elif bits > 8 and opened.mode not in DEEP_MODES:
        raise PictureError(
            f"{name} has more than 8 bits in several channels, compressed in a way that is not read; save it without "
            "compression, or with deflate (zlib)"
        )
    if abs(opened.info.get("scale", 1)) != 1 and not white:
        raise PictureError(f"{name} states a scale of {opened.info['scale']:g}, which may mean two things; {SAY_WHITE}")
    info = _kept_info(opened)
    profile, lost = _colours(opened)
    info |= {"icc_profile": profile} if profile else {}
    notes |= {lost} if lost else set()
    _spread_key_colour(opened)
    frames, durations = [], []
    # Where it holds several and they are no frames, the main one is open.
    first = opened.tell()
    for index in range(first, first + _frame_count(opened)):
        with decoding():
            opened.seek(index)
        _check_sizes([opened.size], name)
        pixels, note = _to_pixels(opened, white, name)
        frames.append(pixels)
        notes |= {note} if note else set()
        durations.append(opened.info.get("duration", 0))
    if bits < 8 and opened.mode != "P":
        notes.add("1 bit became 8" if bits == 1 else f"{bits} bits became 8")
    if any(durations) and len(frames) > 1:
        info["duration"] = durations
    with decoding():
        in_all = getattr(opened, "n_frames", 1)
        opened.seek(first)
    if opened.format not in WITH_FRAMES and in_all > 1:
        notes.add(MAIN_ALONE)
    as_rgb = opened.mode in ("RGB", "RGBA") and opened.format not in ALWAYS_COLOUR
    return _finished(frames, 2**bits - 1 if 8 < bits < 16 else None, as_rgb, gray, white, info, notes, name)


def _finished(
    frames: list[np.ndarray],
    own_white: float | None,
    as_rgb: bool,
    gray: bool,
    white: float | None,
    info: dict[str, Any],
    notes: set[str],
    name: str,
) -> Picture:
    """Frames (H, W) or (H, W, 3) of any dtype as the picture that was asked for; `own_white` is white by the file."""
    if any(frame.dtype != frames[0].dtype for frame in frames):
        raise PictureError(f"{name} holds frames of different depths; save each as a file of its own")
    if frames[0].dtype == np.uint8:
        # What is told of deeper pictures says nothing of this one.
        white, own_white = None, own_white or 255
    says_white = own_white is not None and not white
    white = _check_range(frames, white or own_white, name)
    if any(frame.min() < 0 or frame.max() > white for frame in frames):
        notes = notes | {"pixels beyond black or white were taken for them"}
    had_colour = frames[0].ndim == 3
    frames = [_as_gray(frame, gray) for frame in frames]
    if had_colour != (frames[0].ndim == 3 or (as_rgb and not gray)):
        # A profile of colours says nothing of gray.
        info = {key: value for key, value in info.items() if key != "icc_profile"}
    return Picture(tuple(frames), white, says_white, as_rgb and not gray, info, tuple(sorted(notes)))


def _check_range(frames: list[np.ndarray], white: float | None, name: str) -> float:
    """The number that is white.

    Raises:
        PictureError: nothing says which it is, or there are pixels far beyond it.
    """
    dtype = frames[0].dtype
    if np.issubdtype(dtype, np.complexfloating) or not np.issubdtype(dtype, np.number):
        raise PictureError(f"{name} holds numbers of type {dtype}; save it as floats or in 16 bits")
    low, high = (float(extreme(list(map(extreme, frames)))) for extreme in (np.min, np.max))
    if not math.isfinite(low + high):
        raise PictureError(f"{name} holds NaN or infinite pixels; replace them and save it again")
    if white is None:
        if np.issubdtype(dtype, np.floating):
            white = 1
        elif dtype == np.uint16 and high > DARK:
            white = 65535
        else:
            raise PictureError(
                f"{name} has {dtype} pixels from {low:g} to {high:g}, which may be of many scales; {SAY_WHITE}"
            )
    if low < -OVERSHOOT * white or high > (1 + OVERSHOOT) * white:
        remedy = CORRECT_WHITE if dtype == np.uint8 else SAY_WHITE
        raise PictureError(f"{name} has pixels from {low:g} to {high:g}, too far from 0 to {white:g}; {remedy}")
    return white


def _as_gray(frame: np.ndarray, gray: bool) -> np.ndarray:
    """A frame (H, W, 3) as (H, W), where it has no colour or is to have none."""
    if frame.ndim == 2:
        return frame
    if (frame == frame[..., :1]).all():
        return frame[..., 0]
    if not gray:
        return frame
    if frame.dtype == np.uint8:
        return np.asarray(Image.fromarray(frame).convert("L"))
    luminance = frame.astype(np.float64) @ (0.299, 0.587, 0.114)
    return (np.rint(luminance) if np.issubdtype(frame.dtype, np.integer) else luminance).astype(frame.dtype)


def _to_pixels(picture: Image.Image, white: float | None, name: str) -> tuple[np.ndarray, str]:
    """The current frame, uint8 (H, W) or (H, W, 3), or deeper (H, W), and what was changed."""
    with decoding():
        frame = ImageOps.exif_transpose(picture)
    if frame.mode in DEEP_MODES:
        pixels = np.asarray(frame)
        pixels = pixels.astype(np.uint16 if picture.format == "PNG" else pixels.dtype.newbyteorder("="), copy=False)
        key_colour = picture.info.get("transparency")
        return (
            (pixels, "") if key_colour is None else _on_white(with_opacity(pixels[..., None], key_colour), white, name)
        )
    if frame.has_transparency_data:
        with decoding():
            rgba = frame.convert("RGBA")
        seen = rgba.getchannel("A").getextrema() != (255, 255)
        frame = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
        return np.asarray(frame), TRANSPARENT if seen else ""
    if frame.mode in ("L", "RGB"):
        return np.asarray(frame), ""
    note = f"{frame.mode} became RGB" if frame.mode in OTHER_COLOURS else ""
    with decoding():
        frame = frame.convert("L" if frame.mode == "1" else "RGB")
    return np.asarray(frame), note


def _on_white(pixels: np.ndarray, white: float | None, name: str) -> tuple[np.ndarray, str]:
    """Gray or RGB, whose last channel says how opaque it is, as (H, W) or (H, W, 3), and what was changed."""
    integers = np.issubdtype(pixels.dtype, np.integer)
    colours, opaque = pixels[..., :-1], pixels[..., -1:] / (np.iinfo(pixels.dtype).max if integers else 1)
    note = ""
    if (opaque < 1).any():
        # By what is seen, for white itself would speak for the largest number there is.
        seen = colours[opaque[..., 0] > 0]
        white = (
            _check_range([seen], white, name) if seen.size else white or (np.iinfo(pixels.dtype).max if integers else 1)
        )
        mixed = colours * opaque + white * (1 - opaque)
        colours, note = (np.rint(mixed) if integers else mixed).astype(pixels.dtype), TRANSPARENT
    return colours[..., 0] if colours.shape[2] == 1 else colours, note


def _spread_key_colour(picture: Image.Image) -> None:
    """Pillow spreads gray of 2 and 4 bits over 8, but not the gray that a PNG says is transparent."""
    if isinstance(picture, PngImageFile) and _gray_bits(picture) in (2, 4) and "transparency" in picture.info:
        picture.info["transparency"] *= 255 // (2 ** _gray_bits(picture) - 1)


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """As Pillow's methods of the same names do."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels[::-1] if orientation in (3, 4, 7, 8) else pixels


def _bits(picture: Image.Image) -> int:
    """The bits of a channel, as far as Pillow's modes do not say them."""
    if isinstance(picture, AvifImageFile) and picture.fp:
        picture.fp.seek(0)
        return avif_bits(picture.fp.read())
    if isinstance(picture, TiffImageFile) and picture.mode != "1":
        with decoding():
            return max(map(int, picture.tag_v2.get(258, (8,))))
    return _gray_bits(picture)


def _gray_bits(picture: Image.Image) -> int:
    """The bits of a gray as the file has them, where Pillow spreads fewer over 8; else 8."""
    stored = picture.tile[0].args if isinstance(picture, PngImageFile) and picture.tile else ""
    return {"L;2": 2, "L;4": 4}.get(str(stored), 1 if picture.mode == "1" else 8)


def _colours(picture: Image.Image) -> tuple[bytes | None, str]:
    """The ICC profile of a picture, as it is or made of the numbers in its place; and what is lost of its colours."""
    if isinstance(picture, PngImageFile) and picture.fp:
        return described_by_png(picture.info, picture.fp, gray=picture.mode not in ("RGB", "RGBA", "P"))
    if "icc_profile" in picture.info or picture.mode not in ("RGB", "RGBA"):
        return None if picture.mode in OTHER_COLOURS else picture.info.get("icc_profile"), ""
    if isinstance(picture, AvifImageFile) and picture.fp:
        picture.fp.seek(0)
        return described(codes_of_avif(picture.fp.read()))
    return described(codes_of_heic(picture.info))


def _kept_info(picture: Image.Image) -> dict[str, Any]:
    """What is written again as it was."""
    info = {key: picture.info[key] for key in ("loop", "default_image", "scale") if picture.info.get(key)}
    if isinstance(picture, TiffImageFile):
        tags = {270: "description", 282: "x_resolution", 283: "y_resolution", 296: "resolution_unit"}
        with decoding():
            info |= {key: picture.tag_v2[tag] for tag, key in tags.items() if tag in picture.tag_v2}
            if isinstance(text := info.get("description"), str):
                # As bytes, which come out as they came in: of text, Pillow would write a question mark for each letter
                # that is none of ASCII.
                info["description"] = text.encode("latin-1")
    elif all(0 < side < 1e5 for side in picture.info.get("dpi", (0,))):
        info["dpi"] = picture.info["dpi"]
    return info


def _stored(frame: np.ndarray, as_rgb: bool) -> np.ndarray:
    return np.ascontiguousarray(np.repeat(frame[..., None], 3, axis=2) if as_rgb and frame.ndim == 2 else frame)


def _encode_with_pillow(frames: list[np.ndarray], file_format: str, info: dict[str, Any], name: str) -> bytes:
    first, *others = map(Image.fromarray, frames)
    options = dict(info)
    if not others:
        options.pop("duration", None)
    elif file_format != "TIFF":
        # Without a word on it, a GIF is shown once.
        options.setdefault("loop", 1)
    if file_format in ("WEBP", "AVIF"):
        options |= {"lossless": True, "quality": 100}
    elif file_format == "HEIF":
        options |= {"quality": -1, "chroma": 444, "matrix_coefficients": 0}
    elif file_format == "JPEG":
        options["quality"] = 95
    target = io.BytesIO()
    try:
        first.save(target, file_format, save_all=bool(others), append_images=others, **options)
    except (OSError, ValueError) as error:
        raise PictureError(f"{name}: cannot be written as {file_format} ({error}); choose .png or .tif") from error
    return target.getvalue()
