"""Pictures whose depth or scale Pillow would change: TIFF, PNG in colour and PNM, in and out, and HEIC, in."""

import io
import math
import operator
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import png
from PIL import ExifTags, Image
from pillow_heif import open_heif
from tifffile import COMPRESSION, PHOTOMETRIC, TIFF, TiffFile, TiffPage, TiffWriter

from fer_denoise.coded_colours import codes_of_heic, described, described_by_png
from fer_denoise.decoding import DamagedError, UnreadableError, decoding

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PNG_COLOUR_TYPES = {2: 3, 4: 2, 6: 4}
"""Samples a pixel of the PNGs with several, by the number in their header."""
DEFLATE = (COMPRESSION.DEFLATE, COMPRESSION.ADOBE_DEFLATE)
LARGEST_TILE = 2**24
"""How many pixels a tile of a TIFF may have."""
USUAL_WHITES = {2**bits - 1 for bits in range(9, 17)}
AVIF_BITS = {0x00: 8, 0x20: 8, 0x40: 10, 0x60: 12}
"""The bits of an AVIF by its two flags: more than 8, and then 12."""
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC} | {0xF7}
"""The markers of a JPEG behind which the bits of a sample stand."""
LOSSLESS_FRAMES = {0xC3, 0xC7, 0xCB, 0xCF, 0xF7}
"""The markers among these of kinds without loss, which Pillow does not read; the last is JPEG-LS."""
SAVE_DEEP = "save it as PNG, or as TIFF without compression"
MAIN_ALONE = "of several pictures in a file, the main one was taken; others may be previews or maps of depth or gain"
FIRST_ALONE = "of several pictures in a file, the first was taken"
MAX_SAMPLE_VALUE = 281
"""The TIFF tag that says what number is white, where that is not the largest there can be."""

RESOLUTION_UNITS = (1, 2, 3)
"""What a TIFF may number as the unit of its resolution: none, inch and centimetre."""
NUMBERS_OF_A_PAGE = (
    "imagewidth",
    "imagelength",
    "tilewidth",
    "tilelength",
    "rowsperstrip",
    "samplesperpixel",
    "bitspersample",
    "photometric",
    "compression",
    "predictor",
)
"""What in a broken TIFF may be something else than one number."""


@dataclass(frozen=True)
class DeepPicture:
    """A picture that Pillow is not to read, not yet decoded.

    Attributes:
        sizes: width and height of each frame.
        decode: gives the frames, each (H, W) or (H, W, C) of one dtype; C is 2 or 4 where there is transparency. It
            raises what `deep_picture` does.
        white: the number that the file says is white; None where it says nothing.
        orientation: how the frames are to be turned, as EXIF numbers it.
        info: what else is to be kept, in the words of Pillow.
        notes: what is left out, for a person to read.
    """

    sizes: list[tuple[int, int]]
    decode: Callable[[], list[np.ndarray]]
    white: int | None = None
    orientation: int = 1
    info: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def deep_picture(file: BinaryIO) -> DeepPicture | None:
    """What `file` holds, or None where it is for Pillow to read.

    Raises:
        UnreadableError: it is of a kind that nothing here reads.
        DamagedError: it is broken.
    """
    with decoding():
        start = file.read(26)
        file.seek(0)
    if start[:4] in TIFF_STARTS:
        return _tiff(file)
    if start[:2] == b"\xff\xd8":
        _check_jpeg(file)
    if start[:2] in (b"P2", b"P3", b"P5", b"P6"):
        return _pnm(file)
    if start[4:8] == b"ftyp":
        return _heic(file)
    if start[:4] == b"\x89PNG" and len(start) == 26:
        width, height, bits, colour_type = struct.unpack(">IIBB", start[16:26])
        if bits == 16 and colour_type in PNG_COLOUR_TYPES:
            return _png(file, (width, height), PNG_COLOUR_TYPES[colour_type])
    return None


def avif_bits(content: bytes) -> int:
    """The most bits of a channel in any of the pictures of an AVIF, which Pillow reads in 8 whatever they are."""
    # The flags stand in the record of AV1's configuration, behind its marker and version, and profile and level.
    flags = [found[1][0] for found in re.finditer(rb"av1C\x81.(.)", content, re.DOTALL)]
    return max((AVIF_BITS[byte & 0x60] for byte in flags), default=8)


def encode_tiff(frames: list[np.ndarray], white: float, info: dict[str, Any]) -> bytes:
    """Frames (H, W) or (H, W, 3) of any dtype as a TIFF of as many pages."""
    target = io.BytesIO()
    below_max = np.issubdtype(frames[0].dtype, np.integer) and white < np.iinfo(frames[0].dtype).max
    with TiffWriter(target) as writer:
        for frame in frames:
            writer.write(
                frame,
                photometric=PHOTOMETRIC.RGB if frame.ndim == 3 else PHOTOMETRIC.MINISBLACK,
                description=info.get("description"),
                resolution=(info["x_resolution"], info["y_resolution"]) if "x_resolution" in info else None,
                resolutionunit=info.get("resolution_unit"),
                iccprofile=info.get("icc_profile"),
                extratags=[(MAX_SAMPLE_VALUE, "H", 1, int(white), True)] if below_max and white <= 65535 else None,
                metadata=None,
                software=False,
                contiguous=False,
            )
    return target.getvalue()


def encode_png(frame: np.ndarray, info: dict[str, Any]) -> bytes:
    """uint16 (H, W, 3) as a PNG of 16 bits, with the colour profile and the resolution in `info`."""
    height, width = frame.shape[:2]
    written, target = io.BytesIO(), io.BytesIO()
    png.Writer(width, height, greyscale=False, bitdepth=16).write(written, frame.reshape(height, -1))
    header, *others = png.Reader(bytes=written.getvalue()).chunks()
    png.write_chunks(target, [header, *_chunks(info), *others])
    return target.getvalue()


def _chunks(info: dict[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG that say what stands in `info`."""
    if profile := info.get("icc_profile"):
        yield b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile)
    if dpi := info.get("dpi"):
        yield b"pHYs", struct.pack(">IIB", *(round(side / 0.0254) for side in dpi), 1)


def encode_pnm(frame: np.ndarray, white: float) -> bytes:
    """uint8 or uint16 (H, W) or (H, W, 3), with white from 1 to 65535, as a binary PGM or PPM."""
    height, width = frame.shape[:2]
    magic, numbers = "P5" if frame.ndim == 2 else "P6", ">u2" if white > 255 else "u1"
    return f"{magic}\n{width} {height}\n{int(white)}\n".encode() + frame.clip(0, int(white)).astype(numbers).tobytes()


def encode_pfm(frame: np.ndarray, info: dict[str, Any]) -> bytes:
    """float32 (H, W) as a PFM, with the scale in `info`."""
    height, width = frame.shape
    # Rows are from the bottom up. That the scale is negative says that numbers begin with their low byte.
    return f"Pf\n{width} {height}\n{-info.get('scale', 1.0)}\n".encode() + frame[::-1].astype("<f4").tobytes()


def with_opacity(pixels: np.ndarray, key_colour: int | tuple[int, ...]) -> np.ndarray:
    """uint16 (H, W, C) with one channel more, which is 0 where the pixel is `key_colour`, and else its maximum."""
    opaque = (pixels != np.asarray(key_colour)).any(axis=-1, keepdims=True)
    return np.concatenate([pixels, opaque * np.iinfo(pixels.dtype).max], axis=-1, dtype=pixels.dtype, casting="unsafe")


def _tiff(file: BinaryIO) -> DeepPicture | None:
    try:
        with decoding():
            pages = _pages(TiffFile(file))
    except DamagedError:
        # Pillow knows what to say of it, or reads more than tifffile does.
        return None
    finally:
        file.seek(0)
    # Pillow takes signed numbers of 8 bits for unsigned ones.
    signed = any(page.dtype == np.int8 for page in pages)
    if not signed and not any(page.dtype is not None and page.dtype.itemsize > 1 for page in pages):
        return None
    if not all(map(_is_readable, pages)):
        if signed:
            raise UnreadableError(f"it holds signed numbers, compressed in a way that is not read; {SAVE_DEEP}")
        return None
    first = pages[0]
    if any(page.dtype != first.dtype for page in pages):
        raise UnreadableError("its pages hold different kinds of numbers; save each as a file of its own")
    for page in pages:
        _check_page(page)
    with decoding():
        tags = {name: first.tags[name].value for name in ("MaxSampleValue", "Orientation") if name in first.tags}
        # As bytes, for letters such as that of micrometres are none of ASCII, to which text is confined.
        info: dict[str, Any] = {"icc_profile": first.iccprofile, "description": first.description.encode()}
        resolution, unit = first.get_resolution(), int(first.resolutionunit)
        if "XResolution" in first.tags and unit in RESOLUTION_UNITS and all(0 < side < 2**32 for side in resolution):
            info["x_resolution"], info["y_resolution"] = resolution
            info["resolution_unit"] = unit
        # One number, or one for each channel.
        whites = {*np.ravel(tags.get("MaxSampleValue", 0)).tolist()}
    white = whites.pop() if len(whites) == 1 else None
    return DeepPicture(
        [(page.imagewidth, page.imagelength) for page in pages],
        lambda: [_decode_page(page) for page in pages],
        white=white if white in USUAL_WHITES else None,
        orientation=tags.get("Orientation", 1),
        info={name: value for name, value in info.items() if value},
    )


def _pages(tiff: TiffFile) -> list[TiffPage]:
    """The pages of a TIFF, of which all that is asked here is as it should be; else something is raised."""
    pages: dict[int, TiffPage] = {}
    for page in tiff.pages:
        if page.offset in pages:
            raise RuntimeError("its pages go round in a circle")
        pages[page.offset] = page.aspage()
        for name in NUMBERS_OF_A_PAGE:
            operator.index(getattr(pages[page.offset], name))
    return list(pages.values())


def _is_readable(page: TiffPage) -> bool:
    """Whether tifffile reads it without the package imagecodecs; what is compressed in other ways, Pillow does."""
    packed = page.bitspersample % 8 != 0
    return page.compression in (COMPRESSION.NONE, *DEFLATE) and page.predictor in TIFF.UNPREDICTORS and not packed


def _check_page(page: TiffPage) -> None:
    transparent = any(sample in (1, 2) for sample in page.extrasamples[:1])
    colours: dict[int, int] = {PHOTOMETRIC.MINISBLACK: 1, PHOTOMETRIC.RGB: 3}
    if page.photometric not in colours or page.samplesperpixel != colours[page.photometric] + transparent:
        photometric = getattr(page.photometric, "name", page.photometric)
        raise UnreadableError(
            f"it has {page.samplesperpixel} samples a pixel of kind {photometric}; save it in gray, black as 0, or as "
            "RGB"
        )


def _decode_page(page: TiffPage) -> np.ndarray:
    area = page.tilewidth * page.tilelength if page.is_tiled else page.imagewidth * page.rowsperstrip
    if page.is_tiled and area > LARGEST_TILE:
        raise UnreadableError(f"its tiles have {page.tilewidth}x{page.tilelength} pixels; save it without tiles")
    if page.compression in DEFLATE:
        most = area * page.samplesperpixel * page.bitspersample // 8
        with decoding():
            for start, length in zip(page.dataoffsets, page.databytecounts, strict=True):
                page.parent.filehandle.seek(start)
                _check_inflated(page.parent.filehandle.read(length), most)
    if page.axes not in ("YX", "YXS", "SYX"):
        raise UnreadableError(f"its pages have the axes {page.axes}; save each plane as a page")
    with decoding():
        pixels = page.asarray()
        if page.axes == "SYX":
            pixels = np.moveaxis(pixels, 0, -1)
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)


def _check_inflated(compressed: bytes, most: int) -> None:
    """Refuse what would fill the memory: neither tifffile nor pypng asks how much comes out.

    Raises:
        DamagedError: it is more than `most` bytes, or broken.
    """
    with decoding():
        inflated = zlib.decompressobj().decompress(compressed, most + 1)
    if len(inflated) > most:
        raise DamagedError("it holds more pixels than it says")


def _check_jpeg(file: BinaryIO) -> None:
    """Say what a JPEG is that Pillow takes for no picture.

    Raises:
        UnreadableError: it has more than 8 bits, or is of a kind without loss.
    """
    try:
        file.seek(2)
        # Segment by segment, up to the frame, which tells, or to the first that is none.
        while len(head := file.read(5)) == 5 and head[0] == 0xFF:
            marker, length, bits = struct.unpack(">xBHB", head)
            if marker in FRAMES:
                if bits != 8:
                    raise UnreadableError(f"it is a JPEG of {bits} bits, and only those of 8 are read; {SAVE_DEEP}")
                if marker in LOSSLESS_FRAMES:
                    raise UnreadableError(f"it is a lossless JPEG, which is not read; {SAVE_DEEP}")
                return
            # A marker may be padded.
            file.seek(-4 if marker == 0xFF else length - 3, io.SEEK_CUR)
    finally:
        file.seek(0)


def _pnm(file: BinaryIO) -> DeepPicture | None:
    """A PGM or PPM, plain or binary."""
    with decoding():
        content = file.read()
        file.seek(0)
    between = rb"(?:\s|#[^\r\n]*[\r\n])+"
    head = re.match(rb"P([2356])" + 3 * (between + rb"(\d{1,9})") + rb"(?:#[^\r\n]*)?\s", content)
    if head is None or not 0 < int(head[4]) < 65536:
        # Pillow knows what to say of it.
        return None
    width, height, white = map(int, head.groups()[1:])
    shape = (height, width) if content[1] in b"25" else (height, width, 3)
    dtype = np.dtype("u1" if white < 256 else "u2")
    plain, start = content[1] in b"23", head.end()
    end = len(content) if plain else start + math.prod(shape) * dtype.itemsize

    def decode() -> list[np.ndarray]:
        if plain:
            numbers = _plain_numbers(content[start:])[: math.prod(shape)].clip(0, 2 ** (8 * dtype.itemsize) - 1)
        else:
            whole = (len(content[start:end]) // dtype.itemsize) * dtype.itemsize
            numbers = np.frombuffer(content[start : start + whole], dtype.newbyteorder(">"))
        if len(numbers) < math.prod(shape):
            raise DamagedError(f"it ends after {len(numbers)} of {math.prod(shape)} numbers")
        return [numbers.astype(dtype).reshape(shape)]

    others = re.match(rb"\s*P[1-7]\s", content[end : end + 99])
    return DeepPicture([(width, height)], decode, white, notes=(FIRST_ALONE,) if others else ())


def _plain_numbers(text: bytes) -> np.ndarray:
    """The whole numbers of a plain PGM or PPM.

    Raises:
        DamagedError: it holds something else.
    """
    text = re.sub(rb"#[^\r\n]*", b"", text).strip()
    if not re.fullmatch(rb"[\d\s]*", text):
        raise DamagedError("it holds what is no whole number")
    return np.fromstring(text.decode(), np.int64, sep=" ")


def _heic(file: BinaryIO) -> DeepPicture | None:
    # Which brands the file has stands in its first box, after the length of that.
    brands = file.read(min(int.from_bytes(file.read(4)), 256))
    file.seek(0)
    if b"avif" in brands:
        return None
    try:
        with decoding():
            heic = open_heif(file, convert_hdr_to_8bit=False, hdr_to_16bit=False)
            main = heic[heic.primary_index]
    except DamagedError:
        # Pillow knows what to say of it.
        return None
    finally:
        file.seek(0)
    white = 2 ** main.info["bit_depth"] - 1
    if white == 255:
        return None

    def decode() -> list[np.ndarray]:
        # Spread over 16 bits, for a PNG cannot say that 1023 is white.
        with decoding():
            pixels = np.asarray(main)
        return [np.rint(pixels * (65535 / white)).astype(np.uint16)]

    profile, lost = main.info.get("icc_profile"), ""
    if not profile and main.mode.startswith("RGB"):
        profile, lost = described(codes_of_heic(main.info))
    notes = (MAIN_ALONE if len(heic) > 1 else "", lost)
    return DeepPicture(
        [main.size],
        decode,
        white=65535,
        info={"icc_profile": profile} if profile else {},
        notes=tuple(filter(None, notes)),
    )


def _png(file: BinaryIO, size: tuple[int, int], samples: int) -> DeepPicture:
    with decoding(), Image.open(file, formats=("PNG",)) as picture:
        frames = getattr(picture, "n_frames", 1)
        orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
        found = dict(picture.info)
    if frames > 1:
        raise UnreadableError("it is an animation of 16 bits; save its frames as a TIFF")
    profile, lost = described_by_png(found, file, gray=samples < 3)
    info = {key: value for key, value in (("icc_profile", profile), ("dpi", found.get("dpi"))) if value}
    key_colour = found.get("transparency")
    file.seek(0)

    def decode() -> list[np.ndarray]:
        content = file.read()
        with decoding():
            compressed = b"".join(
                data for chunk_type, data in png.Reader(bytes=content).chunks() if chunk_type == b"IDAT"
            )
        # An interlaced picture has more rows, each with a byte of its own.
        _check_inflated(compressed, 2 * size[1] * (1 + size[0] * samples * 2))
        with decoding():
            _, _, rows, _ = png.Reader(bytes=content).read()
            pixels = np.vstack([np.asarray(row, np.uint16) for row in rows]).reshape(size[1], size[0], samples)
        return [pixels if key_colour is None else with_opacity(pixels, key_colour)]

    return DeepPicture([size], decode, orientation=orientation, info=info, notes=(lost,) if lost else ())
