"""The faces in a visitor's picture: kept apart from the rest of it, and shown as FER2013 would have them."""

import numpy as np
from PIL import Image

from fer_denoise.demo.emotions import emotion_table, note
from fer_denoise.demo.restorers import Restorers
from fer_denoise.photos import Box, find_faces, keep_only
from fer_denoise.pictures import Picture, to_face

FacePair = tuple[np.ndarray, np.ndarray]
"""A face noisy and restored, uint8 (48, 48) each."""


def keep_faces(picture: Picture, restored: Picture) -> Picture:
    """`picture` with the faces of each frame restored."""
    outcomes = []
    for number, (before, after) in enumerate(zip(picture.images, restored.images, strict=True)):
        boxes = find_faces(restored.in_8_bits(number))
        outcomes.append(keep_only(boxes, after, before))
    return picture.with_images(outcomes)


def small_faces(boxes: list[Box], photo: np.ndarray, restorers: Restorers, model: str) -> list[FacePair]:
    """Each face as FER2013 would have it, 48x48 and gray, noisy and restored."""
    if not boxes:
        return []
    gray = np.asarray(Image.fromarray(photo).convert("L"))
    noisy = np.stack([to_face(gray[box.slices]) for box in boxes])
    return list(zip(noisy, restorers.get(model)(noisy), strict=True))


def face_gallery(pairs: list[FacePair]) -> list[tuple[Image.Image, str]]:
    """Small faces with their captions."""
    return [
        (Image.fromarray(face), f"Face {number}, {state}")
        for number, pair in enumerate(pairs, 1)
        for face, state in zip(pair, ("noisy", "restored"), strict=True)
    ]


def emotion_tables(pairs: list[FacePair], restorers: Restorers) -> str:
    """What the emotion classifier takes each of the small faces for, before and after, as HTML."""
    tables = [
        emotion_table((f"Face {number}, noisy", "Restored"), restorers.classifier()(np.stack(pair)))
        for number, pair in enumerate(pairs, 1)
    ]
    return f"<div class='side-by-side'>{''.join(tables)}</div>{note()}"
