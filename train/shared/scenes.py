"""Clean pictures that are no plain faces: with some in every step, a network learns not to take them for noise.

Photographs and textures, so that detail is not taken for noise; text, line art and codes, and faces in frames, so that
true black and white are not taken for impulses.
"""

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from skimage import data
from skimage.color import rgb2gray
from skimage.transform import downscale_local_mean
from skimage.util import img_as_float32
from torch import Tensor
from torch.nn import functional as F

from fer_denoise.data import DataError
from fer_denoise.data.fer2013 import decode_image, tell_changes
from fer_denoise.data.hub_dataset import HubDataset
from train.shared import sampling
from train.shared.picture_sets import read_set

SCENES = {
    "cat": data.cat,
    "clock": data.clock,
    "coffee": data.coffee,
    "grass": data.grass,
    "gravel": data.gravel,
    "immunohistochemistry": data.immunohistochemistry,
    "moon": data.moon,
    "motorcycle": lambda: data.stereo_motorcycle()[0],
    "page": data.page,
    "rocket": data.rocket,
    "text": data.text,
}
"""Pictures of scikit-image; those that `train.measures.generalisation` measures on are not among them."""
REDUCTIONS = (1, 2, 3, 4)
"""Factors by which each picture is reduced: the smaller it gets, the sharper its detail."""
DRAWINGS = 4000
DRAWN, FRAMED = 0.2, 0.12
"""Fractions: of the scenes that are drawings, of the faces that are put in a frame."""


def shipped_scenes() -> list[np.ndarray]:
    """Pictures that scikit-image ships, in gray, uint8 (H, W)."""
    pictures = (load() for load in SCENES.values())
    return [_as_uint8(rgb2gray(picture) if picture.ndim == 3 else img_as_float32(picture)) for picture in pictures]


def load_pictures(source: str, revision: str | None = None) -> list[np.ndarray]:
    """Pictures of a folder, of a Parquet file with a column `image`, or of a Hub dataset; in gray, uint8 (H, W).

    Args:
        revision: commit, tag or branch of the Hub dataset.

    Raises:
        DataError: it holds none, or they cannot be read.
    """
    if Path(source).exists():
        return read_set(Path(source))
    splits = HubDataset(source, revision).splits()
    if "train" not in splits:
        raise DataError(f"{source}: has no split train, only {', '.join(splits)}; choose another dataset")
    rows = splits["train"].iter_rows([splits["train"].column])
    changes: Counter[str] = Counter()
    pictures = [decode_image(image, f"{source}, {place}", source, changes) for place, (image,) in rows]
    tell_changes(changes, source)
    return pictures


def pictures_commit(source: str, revision: str | None = None) -> str | None:
    """The commit that a Hub dataset of pictures is now, at `revision`; None for pictures that lie here."""
    return None if Path(source).exists() else HubDataset(source, revision).commit


class Scenes:
    """Other clean pictures to train on beside the faces of a step.

    Args:
        fraction: how many to add, as a fraction of the faces.
        size: height and width of the faces.
        device: where the pictures lie, as uint8.
        pictures: (H, W) each, uint8, that patches are cut from, at several scales.
        drawings: whether text, line art and codes are among them, and some faces stand in frames.
    """

    def __init__(
        self,
        fraction: float,
        size: tuple[int, ...],
        device: torch.device,
        pictures: list[np.ndarray],
        drawings: bool = False,
    ) -> None:
        self._fraction = fraction
        self._framed = FRAMED if drawings else 0.0
        self._crops = Crops(pictures, size, device)
        self._drawings = sampling.as_batch(draw_patches(DRAWINGS, *size), device) if drawings else None

    def beside(self, faces: Tensor, rng: torch.Generator) -> Tensor:
        """`faces` (B, 1, H, W), some of them in a frame, and behind them the fraction of other pictures; uint8."""
        count = round(self._fraction * len(faces))
        drawn = round(DRAWN * count) if self._drawings is not None else 0
        parts = [faces, turned(self._crops.draw(count - drawn, rng), rng)]
        if framed := round(self._framed * len(faces)):
            parts[0] = torch.cat([frame(faces[:framed], rng), faces[framed:]])
        if self._drawings is not None and drawn:
            index = torch.randint(len(self._drawings), (drawn,), generator=rng, device=faces.device)
            parts.append(turned(self._drawings[index], rng))
        return torch.cat(parts)


class Crops:
    """Random crops of pictures of any sizes, cut on their device.

    Args:
        pictures: (H, W) each, uint8.
        size: height and width of a crop.
        device: where they lie.
    """

    def __init__(self, pictures: list[np.ndarray], size: tuple[int, ...], device: torch.device) -> None:
        height, width = size
        scaled = [_reduced(picture, factor) for picture in pictures for factor in REDUCTIONS]
        scaled = [picture for picture in scaled if picture.shape[0] >= height and picture.shape[1] >= width]
        if not scaled:
            raise DataError(f"no picture is as large as {width}x{height} pixels, the size of the faces")
        sides = torch.tensor([picture.shape for picture in scaled])
        self._pixels = torch.cat([torch.tensor(picture).flatten() for picture in scaled]).to(device)
        self._starts = (sides.prod(dim=1).cumsum(0) - sides.prod(dim=1)).to(device)
        self._widths = sides[:, 1].to(device)
        self._places = (sides - torch.tensor([height, width]) + 1).to(device)
        chances = sides.prod(dim=1).double().sqrt()
        self._up_to = (chances.cumsum(0) / chances.sum()).float().to(device)
        rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
        self._rows, self._columns = rows.view(1, -1, 1), columns.view(1, 1, -1)

    def draw(self, count: int, rng: torch.Generator) -> Tensor:
        """`count` crops (count, 1, H, W), uint8; a picture of twice the sides is cut from twice as often."""
        chances = torch.rand(count, 3, generator=rng, device=self._up_to.device)
        index = torch.searchsorted(self._up_to, chances[:, 0].contiguous(), right=True).clamp_(max=len(self._up_to) - 1)
        corner = chances[:, 1:] * self._places[index]
        top, left = corner.long().view(count, 2, 1, 1).unbind(1)
        places = (top + self._rows) * self._widths[index].view(-1, 1, 1) + left + self._columns
        return self._pixels[places + self._starts[index].view(-1, 1, 1)].unsqueeze(1)


def turned(patches: Tensor, rng: torch.Generator) -> Tensor:
    """Square patches (B, 1, H, H), some upside down, some with rows for columns."""
    down, across = torch.rand(2, len(patches), 1, 1, 1, generator=rng, device=patches.device) < 0.5
    patches = torch.where(down, patches.flip(-2), patches)
    return torch.where(across, patches.mT, patches) if patches.shape[-1] == patches.shape[-2] else patches


def frame(faces: Tensor, rng: torch.Generator) -> Tensor:
    """Faces (B, 1, H, W), uint8, as people crop and turn them: in bars, in a disc, or turned, on black, white or gray.

    Corners are rounded off to whole gray levels, as any program would save them.
    """
    batch, _, height, width = faces.shape
    device = faces.device
    choice, ground, size, shift, angle = torch.rand(5, batch, 1, 1, 1, generator=rng, device=device)
    down = torch.linspace(-1, 1, height, device=device).view(1, 1, -1, 1)
    across = torch.linspace(-1, 1, width, device=device).view(1, 1, 1, -1)
    # From 2% to 45% of a side, on both sides or on one.
    bar = 0.04 + 0.86 * size
    sideways, one_side = shift < 0.5, (4 * shift) % 1 < 0.3
    along = torch.where(sideways, across, down)
    in_bars = torch.where(one_side, along + 1 < bar, along.abs() > 1 - bar)
    out_of_disc = (down.square() + across.square()).sqrt() > 0.5 + 0.5 * size
    turn = (angle - 0.5) * math.pi / 2
    rotation = torch.cat([turn.cos(), -turn.sin(), turn.sin(), turn.cos()], dim=1).view(batch, 2, 2)
    grid = F.affine_grid(F.pad(rotation, (0, 1)), list(faces.shape), align_corners=False)
    ground = torch.where(ground < 0.45, 0.0, torch.where(ground < 0.8, 255.0, (255 * ground).round()))
    face = faces.float()
    rotated = F.grid_sample(face - ground, grid, align_corners=False).add(ground).round_().clamp_(0, 255)
    framed = torch.where(in_bars, ground, face)
    framed = torch.where(choice < 0.4, framed, torch.where(out_of_disc, ground, face))
    return torch.where(choice < 0.6, framed, rotated).to(faces.dtype)


def draw_patches(count: int, height: int, width: int) -> np.ndarray:
    """Text, line art and codes, uint8 (count, height, width), always the same."""
    rng = np.random.default_rng(0)
    patches = np.empty((count, height, width), np.uint8)
    for patch in patches:
        # Half in pure black and white; what is drawn large and reduced has soft edges.
        dark, light = (0, 255) if rng.random() < 0.5 else sorted(rng.choice(256, 2, replace=False).tolist())
        scale = int(rng.choice([1, 1, 2, 4]))
        ground, ink = (dark, light) if rng.random() < 0.3 else (light, dark)
        sheet = Image.new("L", (width * scale, height * scale), ground)
        draw: Callable[..., None] = DRAWERS[rng.integers(len(DRAWERS))]
        draw(sheet, ink, scale, rng)
        patch[:] = np.asarray(sheet.reduce(scale) if scale > 1 else sheet)
    return patches


def _draw_text(sheet: Image.Image, ink: int, scale: int, rng: np.random.Generator) -> None:
    pen, size = ImageDraw.Draw(sheet), int(rng.integers(7, 26)) * scale
    pen.fontmode = "1" if rng.random() < 0.3 else "L"
    font = ImageFont.load_default(size)
    letters = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?()-")
    top = int(rng.integers(-size, size // 2))
    while top < sheet.height:
        words = "".join(rng.choice(letters, 24)) if rng.random() < 0.9 else ""
        pen.text((int(rng.integers(-size, 2)), top), words[:5] + " " + words[5:], fill=ink, font=font)
        top += int(size * 1.25)


def _draw_lines(sheet: Image.Image, ink: int, scale: int, rng: np.random.Generator) -> None:
    pen = ImageDraw.Draw(sheet)
    for _ in range(rng.integers(1, 9)):
        corners = rng.integers(-10, sheet.width + 10, 4).tolist()
        thickness = int(rng.integers(1, 4)) * scale
        box = [*np.minimum(corners[:2], corners[2:]).tolist(), *np.maximum(corners[:2], corners[2:]).tolist()]
        match rng.integers(4):
            case 0:
                pen.line(corners, fill=ink, width=thickness)
            case 1:
                pen.ellipse(box, outline=ink, width=thickness)
            case 2:
                pen.rectangle(box, outline=ink, width=thickness)
            case _:
                start, end = rng.integers(0, 360, 2).tolist()
                pen.arc(box, start, end, fill=ink, width=thickness)


def _draw_shapes(sheet: Image.Image, ink: int, scale: int, rng: np.random.Generator) -> None:
    pen = ImageDraw.Draw(sheet)
    for _ in range(rng.integers(1, 5)):
        fill = ink if rng.random() < 0.6 else int(rng.integers(256))
        corners = rng.integers(-10, sheet.width + 10, 6).tolist()
        low, high = np.minimum(corners[:2], corners[2:4]).tolist(), np.maximum(corners[:2], corners[2:4]).tolist()
        match rng.integers(3):
            case 0:
                pen.ellipse([*low, *high], fill=fill)
            case 1:
                pen.rectangle([*low, *high], fill=fill)
            case _:
                pen.polygon(corners, fill=fill)


def _draw_code(sheet: Image.Image, ink: int, scale: int, rng: np.random.Generator) -> None:
    module = int(rng.integers(1, 7)) * scale
    side = -(-max(sheet.size) // module)
    cells = rng.random((side, 1 if rng.random() < 0.25 else side)) < rng.uniform(0.1, 0.6)
    grid = np.kron(np.broadcast_to(cells, (side, side)), np.ones((module, module), bool))
    sheet.paste(ink, mask=Image.fromarray(grid[: sheet.height, : sheet.width]))


DRAWERS = (_draw_text, _draw_text, _draw_lines, _draw_shapes, _draw_code)


def _reduced(picture: np.ndarray, factor: int) -> np.ndarray:
    """A picture in gray, uint8, `factor` times smaller."""
    return picture if factor == 1 else _as_uint8(downscale_local_mean(picture / 255, factor))


def _as_uint8(picture: np.ndarray) -> np.ndarray:
    return np.rint(picture * 255).astype(np.uint8)
