"""Faces that may be shown: photos that scikit-image ships, and one drawn here."""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw
from skimage import data

from fer_denoise.pictures import to_face

ASTRONAUT_FACE = (slice(40, 190), slice(150, 300))
"""Rows and columns of the face in `skimage.data.astronaut`."""

LFW_FACES = (18, 31, 46, 51, 53, 39)
"""Faces of `skimage.data.lfw_subset` (25x25, from Labeled Faces in the Wild) that read well when enlarged."""


@cache
def sample_faces() -> dict[str, np.ndarray]:
    """Title to face, uint8 (48, 48)."""
    astronaut = np.asarray(Image.fromarray(data.astronaut()[ASTRONAUT_FACE]).convert("L"))
    cat = np.asarray(Image.fromarray(data.chelsea()[20:260, 110:350]).convert("L"))
    faces = {"Astronaut (NASA)": to_face(astronaut)}
    lfw = data.lfw_subset()
    for number, index in enumerate(LFW_FACES, 1):
        faces[f"Face {number} (LFW)"] = to_face(np.rint(lfw[index] * 255).astype(np.uint8))
    faces["Drawing"] = _drawn_face()
    faces["Cat (S. van der Walt)"] = to_face(cat)
    return faces


def _drawn_face() -> np.ndarray:
    """A smiling face of shaded discs, with true black and true white pixels, which impulse noise is mistaken for."""
    scale = 8
    rows, columns = np.mgrid[-1 : 1 : 48j * scale, -1 : 1 : 48j * scale]
    light = np.clip(0.75 - 0.25 * columns - 0.25 * rows, 0, 1)
    inside = columns**2 / 0.62 + rows**2 / 0.85 < 1
    face = Image.fromarray(np.where(inside, 255 * light, 40 + 20 * rows).astype(np.uint8))
    draw = ImageDraw.Draw(face)

    def box(left: float, top: float, right: float, bottom: float) -> list[float]:
        return [side * scale for side in (left, top, right, bottom)]

    for x in (16, 32):
        draw.ellipse(box(x - 4, 16, x + 4, 23), fill=255)
        draw.ellipse(box(x - 2, 17, x + 2, 22), fill=0)
        draw.arc(box(x - 6, 10, x + 6, 20), 200, 340, fill=30, width=scale)
    draw.line([(24 * scale, 22 * scale), (22 * scale, 29 * scale), (25 * scale, 30 * scale)], fill=90, width=scale)
    draw.arc(box(14, 22, 34, 38), 20, 160, fill=0, width=2 * scale)
    return to_face(np.asarray(face))
