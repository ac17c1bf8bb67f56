"""What is wrong with a dataset of faces: images that stand in it twice, with two labels, in two splits; blank ones."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

BLANK = 3.0
"""Standard deviation in gray levels below which an image shows nothing."""
ALIKE = 0.98
"""Correlation of the pixels from which two images are nearly the same."""
BLOCK = 3
"""Side in pixels of what is taken together where images are compared first."""
ROWS = 2048
"""Images that are compared with all others at once, which bounds the memory."""


def exact_copies(images: np.ndarray) -> list[list[int]]:
    """Groups of two or more of `images`, uint8 (N, H, W), that are the same, pixel for pixel; blank ones left out."""
    copies = defaultdict(list)
    for index in np.flatnonzero(~blank(images)):
        copies[images[index].tobytes()].append(int(index))
    return [group for group in copies.values() if len(group) > 1]


def near_copies(images: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of `images`, uint8 (N, H, W), that are nearly the same, or each other's mirror image, but not exactly.

    Their correlation is at least `ALIKE`, whatever their brightness and contrast. Of images that are the same, only the
    first is compared; blank ones are not.
    """
    _, first = np.unique(images.reshape(len(images), -1), axis=0, return_index=True)
    chosen = np.sort(first[~blank(images[first])])
    # What is alike in all pixels is so in blocks, of which there are nine times fewer.
    patterns = _patterns(_in_blocks(images[chosen]))
    mirrored = _patterns(_in_blocks(images[chosen][:, :, ::-1]))
    pairs = set()
    for others, flipped in ((patterns, False), (mirrored, True)):
        for one, other in _pairs(patterns, others):
            if _correlation(images[chosen[one]], images[chosen[other]], flipped) >= ALIKE:
                pairs.add((int(chosen[one]), int(chosen[other])))
    return sorted(pairs)


def blank(images: np.ndarray) -> np.ndarray:
    """Which of `images`, uint8 (N, H, W), show nothing: a mask (N,)."""
    return images.std(axis=(1, 2)) < BLANK


def _in_blocks(images: np.ndarray) -> np.ndarray:
    count, height, width = images.shape
    rows, columns = height // BLOCK, width // BLOCK
    blocks = images[:, : rows * BLOCK, : columns * BLOCK].reshape(count, rows, BLOCK, columns, BLOCK)
    return blocks.mean(axis=(2, 4), dtype=np.float32)


def _patterns(images: np.ndarray) -> np.ndarray:
    """Images (N, H, W) as vectors (N, H * W) of mean 0 and length 1, whose products are correlations."""
    vectors = images.reshape(len(images), -1).astype(np.float32)
    vectors -= vectors.mean(axis=1, keepdims=True)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)


def _pairs(patterns: np.ndarray, others: np.ndarray) -> Iterator[tuple[int, int]]:
    """Indices of `patterns` and of `others` after them that are alike."""
    for start in range(0, len(patterns), ROWS):
        alike = patterns[start : start + ROWS] @ others[start:].T >= ALIKE - 0.01
        for one, other in np.argwhere(np.triu(alike, 1)):
            yield start + int(one), start + int(other)


def _correlation(one: np.ndarray, other: np.ndarray, flipped: bool) -> float:
    first, second = _patterns(np.stack([one, other[:, ::-1] if flipped else other]))
    return float(first @ second)
