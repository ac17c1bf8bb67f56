"""Clean pictures in which nothing is wrong, though they hold much true black and white: a restorer is to leave them."""

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import rotate

SIDE = 96
"""The side of the drawn pages, in pixels."""
PAGES = 50
"""How many of each kind are drawn."""
PADDING = 7
WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog,", "while", "0123456789", "(quietly)")


Drawn = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""One picture, uint8 (H, W), out of a face (H, W) and its own random numbers."""


def padded(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Black or white left and right, or above and below."""
    picture = face.copy()
    lines = picture if rng.random() < 0.5 else picture.T
    lines[:PADDING] = lines[-PADDING:] = rng.choice([0, 255])
    return picture


def turned(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Turned by up to 40 degrees, with black or white corners."""
    angle = rng.choice([-1, 1]) * rng.uniform(5, 40)
    return rotate(face, angle, reshape=False, order=1, cval=rng.choice([0, 255]))


def disc(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A round portrait on white."""
    height, width = face.shape
    rows, columns = np.ogrid[:height, :width]
    radius = rng.uniform(0.38, 0.48) * min(face.shape)
    inside = (rows - (height - 1) / 2) ** 2 + (columns - (width - 1) / 2) ** 2 <= radius**2
    return np.where(inside, face, 255).astype(np.uint8)


def text(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lines of words, black on white or white on black, with smooth letters or without."""
    paper, ink = (255, 0) if rng.random() < 0.7 else (0, 255)
    page, draw = _page(paper, smooth=rng.random() < 0.5)
    font = ImageFont.load_default(size=int(rng.integers(9, 15)))
    for top in range(2, SIDE, int(rng.integers(12, 18))):
        draw.text((3, top), " ".join(rng.choice(WORDS, 5)), fill=ink, font=font)
    return np.asarray(page)


def line_art(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Thin lines, ellipses and arcs, black on white."""
    page, draw = _page(255)
    for _ in range(7):
        box = np.sort(rng.integers(2, SIDE - 2, (2, 2)), axis=0).ravel().tolist()
        width = int(rng.integers(1, 3))
        match rng.integers(3):
            case 0:
                draw.line(rng.integers(0, SIDE, 4).tolist(), fill=0, width=width)
            case 1:
                draw.ellipse(box, outline=0, width=width)
            case _:
                start, end = sorted(rng.integers(0, 360, 2).tolist())
                draw.arc(box, start, end, fill=0, width=width)
    return np.asarray(page)


def code(face: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random black and white blocks with a white rim, as in a QR code."""
    block = int(rng.integers(2, 5))
    count = (SIDE - 16) // block
    blocks = np.kron(rng.integers(0, 2, (count, count)), np.ones((block, block), int)) * 255
    page = np.full((SIDE, SIDE), 255, np.uint8)
    start = (SIDE - count * block) // 2
    page[start : start + count * block, start : start + count * block] = blocks
    return page


HARMLESS: dict[str, tuple[Drawn, bool]] = {
    "black or white padding": (padded, True),
    "turned face": (turned, True),
    "round on white": (disc, True),
    "page of text": (text, False),
    "line art": (line_art, False),
    "code": (code, False),
}
"""How each kind is drawn, and whether it is made of a face; of the others there are `PAGES`."""


def harmless(kind: str, faces: np.ndarray, seed: int) -> np.ndarray:
    """Pictures of a kind, uint8 (N, H, W), made of faces uint8 (N, 48, 48); picture i draws from `seed` and i alone."""
    drawn, of_faces = HARMLESS[kind]
    chosen = faces if of_faces else faces[:PAGES]
    return np.stack([drawn(face, np.random.default_rng([seed, index])) for index, face in enumerate(chosen)])


def _page(paper: int, smooth: bool = False) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    page = Image.new("L", (SIDE, SIDE), paper)
    draw = ImageDraw.Draw(page)
    draw.fontmode = "L" if smooth else "1"
    return page, draw
