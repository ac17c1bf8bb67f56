"""Colours that a file describes by numbers instead of an ICC profile.

HEIC, AVIF and PNG may do so by code numbers (CICP, ITU-T H.273), PNG also by a gamma and chromaticities.
"""

import struct
from collections.abc import Mapping, Sequence
from os import SEEK_CUR
from typing import IO, Any

import numpy as np

Chromaticity = tuple[float, float]
"""The x and y of a colour."""
PRIMARIES = {
    1: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), "D65"),
    4: ((0.67, 0.33), (0.21, 0.71), (0.14, 0.08), "C"),
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), "D65"),
    6: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), "D65"),
    7: ((0.63, 0.34), (0.31, 0.595), (0.155, 0.07), "D65"),
    9: ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046), "D65"),
    11: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), "DCI"),
    12: ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), "D65"),
    22: ((0.63, 0.34), (0.295, 0.605), (0.155, 0.077), "D65"),
}
"""Chromaticities x, y of red, green and blue, and the white, by code number."""
WHITES = {"D65": (0.3127, 0.3290), "C": (0.310, 0.316), "DCI": (0.314, 0.351)}
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
TELEVISION = (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081)
CURVES = {2: SRGB_CURVE, 4: (2.2,), 5: (2.8,), 8: (1.0,), 13: SRGB_CURVE} | dict.fromkeys((1, 6, 14, 15), TELEVISION)
"""What makes a pixel linear light, as the parameters of ICC's parametric curves, by code number."""
HDR = {16: "PQ", 18: "HLG"}
UNSAID = 2
"""The code number of what is not described, which is taken for sRGB."""
AS_SRGB = {1, 2, 6, 13, 14, 15}
"""Curves that with the primaries of sRGB, 1, are shown as sRGB."""

NEAR_GAMMA, NEAR_CHROMATICITY = 0.05, 0.004
"""Differences of a gamma, as a fraction, and of a chromaticity from those of sRGB that are still shown as sRGB."""
CHROMATICITIES_OF_SRGB = (*PRIMARIES[1][:3], WHITES["D65"])

PNG_SIGNATURE, PNG_CHECKSUM = 8, 4
"""Bytes before the first chunk of a PNG, and after each."""

BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
D50 = np.array([0.9642, 1.0, 0.8249])


def described(codes: tuple[int, int] | None, gray: bool = False) -> tuple[bytes | None, str]:
    """An ICC profile of colours with these code numbers of primaries and curve, and what is lost, for a person to read.

    There is neither for sRGB. There is no profile for HDR, whose brightness none can describe.

    Args:
        gray: the profile is to be of a picture without colour, of which the curve alone says something.
    """
    if codes is None or codes[0] == UNSAID or (codes[0] == 1 and codes[1] in AS_SRGB):
        return None, ""
    primaries, curve = codes
    if curve in HDR:
        return None, f"what is written does not say that its colours are for HDR displays ({HDR[curve]}): it looks dull"
    if primaries not in PRIMARIES or curve not in CURVES:
        return None, f"what is written does not say what its colours mean (CICP {primaries}, {curve})"
    *chromaticities, white = PRIMARIES[primaries]
    return _profile(f"CICP {primaries}, {curve}", (*chromaticities, WHITES[white]), CURVES[curve], gray), ""


def described_by_png(info: Mapping[Any, Any], file: IO[bytes], gray: bool) -> tuple[bytes | None, str]:
    """As `described`, of a PNG: its code numbers go before its profile, and that before gamma and chromaticities.

    W3C 2025, "Portable Network Graphics (PNG) Specification (Third Edition)", https://www.w3.org/TR/png-3/, 4.3.

    Args:
        info: what Pillow found in it.
        file: itself, for Pillow passes over the code numbers; it stays at its place.
    """
    if codes := _codes_of_png(file):
        profile, lost = described(codes, gray)
        # Beside numbers for HDR, it is meant for those who cannot read them.
        return (info.get("icc_profile"), lost) if lost else (profile, lost)
    if "icc_profile" in info or "srgb" in info:
        return info.get("icc_profile"), ""
    return _described_by_gamma(info.get("gamma"), info.get("chromaticity"), gray), ""


def _codes_of_png(file: IO[bytes]) -> tuple[int, int] | None:
    place, codes, chunk_type = file.tell(), b"", b""
    file.seek(PNG_SIGNATURE)
    while chunk_type not in (b"cICP", b"IDAT") and len(head := file.read(8)) == 8:
        length, chunk_type = struct.unpack(">I4s", head)
        if chunk_type == b"cICP":
            codes = file.read(min(length, 2))
        file.seek(length + PNG_CHECKSUM, SEEK_CUR)
    file.seek(place)
    return (codes[0], codes[1]) if len(codes) == 2 else None


def codes_of_heic(info: Mapping[Any, Any]) -> tuple[int, int] | None:
    """The code numbers in the `info` of a HEIC that pillow-heif opened."""
    numbers = info.get("nclx_profile") or {}
    return (numbers["color_primaries"], numbers["transfer_characteristics"]) if numbers else None


def codes_of_avif(content: bytes) -> tuple[int, int] | None:
    """The code numbers in an AVIF, of which Pillow gives none."""
    _, found, numbers = content.partition(b"colrnclx")
    return struct.unpack(">HH", numbers[:4]) if found and len(numbers) >= 4 else None


def _described_by_gamma(gamma: float | None, coordinates: Sequence[float] | None, gray: bool) -> bytes | None:
    """A profile of a PNG's gamma and the x and y of its white, red, green and blue; None where they are as sRGB's."""
    chromaticities: tuple[Chromaticity, ...] = CHROMATICITIES_OF_SRGB
    if coordinates is not None and not gray:
        white, *colours = zip(coordinates[::2], coordinates[1::2], strict=True)
        # What no eye can see is a mistake of whoever wrote it.
        if len(colours) == 3 and all(0 < x < 1 and 0.01 < y < 1 for x, y in (white, *colours)):
            chromaticities = (*colours, white)
    curve: tuple[float, ...] = SRGB_CURVE
    if gamma and 0.1 < gamma < 10 and abs(2.2 * gamma - 1) > NEAR_GAMMA:
        curve = (1 / gamma,)
    differences = np.abs(np.subtract(chromaticities, CHROMATICITIES_OF_SRGB))
    if curve is SRGB_CURVE and differences.max() <= NEAR_CHROMATICITY:
        return None
    try:
        return _profile("PNG", chromaticities, curve, gray)
    except (np.linalg.LinAlgError, struct.error):
        # Primaries in a line, and numbers that no profile holds.
        return None


def _profile(
    name: str, chromaticities: tuple[Chromaticity, ...], parameters: tuple[float, ...], gray: bool = False
) -> bytes:
    """An ICC profile, version 4, of a matrix and a curve, or for gray of a curve alone.

    Args:
        chromaticities: of red, green, blue and white.
        parameters: of the curve, as in `CURVES`.
    """
    *primaries, white_point = chromaticities
    colours, white = np.array([_xyz(primary) for primary in primaries]).T, _xyz(white_point)
    adapted = np.linalg.inv(BRADFORD) @ np.diag((BRADFORD @ D50) / (BRADFORD @ white)) @ BRADFORD
    curve_type = 0 if len(parameters) == 1 else 3
    light = b"para" + struct.pack(">4xHxx", curve_type) + _fixed(parameters)
    tags = {
        b"desc": _text(name),
        b"cprt": _text("No copyright"),
        b"wtpt": b"XYZ \0\0\0\0" + _fixed(D50),
        b"chad": b"sf32\0\0\0\0" + _fixed(adapted.ravel()),
    }
    if gray:
        tags[b"kTRC"] = light
    else:
        columns = (adapted @ colours @ np.diag(np.linalg.solve(colours, white))).T
        for colour, column in zip((b"r", b"g", b"b"), columns, strict=True):
            tags |= {colour + b"XYZ": b"XYZ \0\0\0\0" + _fixed(column), colour + b"TRC": light}
    start, table, data = 128 + 4 + 12 * len(tags), b"", b""
    for tag, content in tags.items():
        table += tag + struct.pack(">II", start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    header = struct.pack(
        ">I4xI4s4s4s12s4s28x12s48x",
        start + len(data),
        0x04300000,
        b"mntr",
        b"GRAY" if gray else b"RGB ",
        b"XYZ ",
        struct.pack(">6H", 2024, 1, 1, 0, 0, 0),
        b"acsp",
        _fixed(D50),
    )
    return header + struct.pack(">I", len(tags)) + table + data


def _xyz(chromaticity: tuple[float, float]) -> np.ndarray:
    x, y = chromaticity
    return np.array([x / y, 1, (1 - x - y) / y])


def _fixed(numbers: Any) -> bytes:
    return b"".join(struct.pack(">i", round(65536 * number)) for number in numbers)


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(encoded), 28) + encoded
