"""What became of each of many pictures: a row each, for the page and as CSV, and the first of them to be seen."""

import csv
import io
from dataclasses import dataclass, fields
from typing import Any

from PIL import Image

from fer_denoise.demo.example_pictures import thumbnail
from fer_denoise.pictures import FACE, Picture

FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet takes the beginning of a formula for."""

Pair = tuple[Image.Image, Image.Image]
"""The middle of a picture, noisy and restored."""


@dataclass(frozen=True)
class ReportRow:
    """What became of a picture; of one that was left out, `restored_as` is empty, and the remark says why."""

    file: str
    restored_as: str = ""
    width: int | str = ""
    height: int | str = ""
    sigma: float | str = ""
    """The estimate, on [0, 1]."""
    impulses: float | str = ""
    """The estimated fraction of the pixels."""
    noisy_psnr: str = ""
    """PSNR against the clean picture, in dB; as it is shown, like the three that follow."""
    restored_psnr: str = ""
    noisy_ssim: str = ""
    restored_ssim: str = ""
    seconds: float | str = ""
    remark: str = ""


MEASURED = {
    "noisy_psnr": "PSNR noisy",
    "restored_psnr": "PSNR restored",
    "noisy_ssim": "SSIM noisy",
    "restored_ssim": "SSIM restored",
}
"""Columns that are there where any row has something in them, and their heads."""
NUMBER_WIDTH, TEXT_WIDTHS = 70, {"file": 150, "restored as": 150, "remark": 250}
"""Widths of columns on the page, in pixels."""


def as_table(rows: list[ReportRow]) -> dict[str, list[Any]]:
    """Headers and data of a report."""
    names = [field.name for field in fields(ReportRow)]
    names = [name for name in names if name not in MEASURED or any(getattr(row, name) for row in rows)]
    headers = [MEASURED.get(name, name.replace("_", " ")) for name in names]
    return {"headers": headers, "data": [[getattr(row, name) for name in names] for row in rows]}


def column_widths(headers: list[str]) -> list[str | int]:
    """The widths of columns on the page, in pixels: text has more than numbers."""
    return [TEXT_WIDTHS.get(header, NUMBER_WIDTH) for header in headers]


def as_csv(rows: list[ReportRow]) -> str:
    """The report as CSV; text that a spreadsheet would take for a formula is disarmed."""
    table = as_table(rows)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(table["headers"])
    for row in table["data"]:
        writer.writerow("'" + cell if isinstance(cell, str) and cell.startswith(FORMULA) else cell for cell in row)
    return buffer.getvalue()


def pair_of(picture: Picture, restored: Picture) -> Pair:
    """Thumbnails of a picture before and after; a face as it is, which the page enlarges by a whole multiple."""
    before, after = (
        Image.fromarray(pixels) if pixels.shape[:2] == FACE else thumbnail(pixels)
        for pixels in (picture.in_8_bits(), restored.in_8_bits())
    )
    return before, after


def captioned(pairs: list[tuple[str, Pair]]) -> list[tuple[Image.Image, str]]:
    """Thumbnails under the names of their pictures."""
    return [
        (picture, f"{name}, {state}")
        for name, pair in pairs
        for picture, state in zip(pair, ("noisy", "restored"), strict=True)
    ]
