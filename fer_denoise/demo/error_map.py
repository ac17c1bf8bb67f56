"""Maps in colours: the error of a restored face, its impulses, where the noise is, and where a network looks."""

import numpy as np
from PIL import Image

from fer_denoise.restore import NoiseMap

COLOURS = np.array(
    [
        (0, 0, 4),
        (40, 11, 84),
        (101, 21, 110),
        (159, 42, 99),
        (212, 72, 66),
        (245, 125, 21),
        (250, 193, 39),
        (252, 255, 164),
    ]
)
"""Colours from 0 to 1 in equal steps; dark to light, so that it reads without colour too."""

ERROR_LIMIT = 0.1
"""The absolute error that gets the lightest colour."""


def colour(values: np.ndarray) -> np.ndarray:
    """RGB, uint8 (H, W, 3), for values (H, W); those outside [0, 1] get the colour of the nearer end."""
    steps = np.linspace(0, 1, len(COLOURS))
    channels = [np.interp(values, steps, COLOURS[:, channel]) for channel in range(3)]
    return np.rint(np.stack(channels, axis=-1)).astype(np.uint8)


def error_picture(restored: np.ndarray, clean: np.ndarray) -> Image.Image:
    """The absolute difference of two faces, float (H, W) in [0, 1]."""
    return Image.fromarray(colour(np.abs(restored - clean) / ERROR_LIMIT))


def attention_picture(face: np.ndarray, coefficients: np.ndarray) -> Image.Image:
    """Attention coefficients over a face, both float (H, W) in [0, 1]; light where the network looks.

    The colours span the lowest to the highest coefficient, which often differ little.
    """
    low, high = coefficients.min(), coefficients.max()
    relative = (coefficients - low) / max(high - low, 1e-6)
    gray = np.repeat(np.rint(face * 255)[..., None], 3, axis=-1)
    return Image.fromarray(np.rint(0.4 * gray + 0.6 * colour(relative)).astype(np.uint8))


SIGMA_LIMIT = 0.2
"""The noise level that gets the lightest colour."""


def noise_picture(noise_map: NoiseMap) -> Image.Image:
    """The level of the noise at each pixel; pixels that are probably lost to impulses are blue."""
    picture = colour(noise_map.sigma / SIGMA_LIMIT)
    picture[noise_map.impulses > 0.5] = REPAINTED
    return Image.fromarray(picture)


REPAIRED, MISSED, REPAINTED = (45, 160, 90), (230, 70, 60), (70, 130, 240)
"""Impulses that were replaced, those that stayed, and true black or white that was replaced."""

CHANGED = 10 / 255
"""The difference from which on a pixel counts as replaced."""


def impulse_picture(clean: np.ndarray, noisy: np.ndarray, restored: np.ndarray) -> Image.Image:
    """What became of the black and white pixels of a noisy face; all float (H, W) in [0, 1]."""
    extreme = (noisy <= 0) | (noisy >= 1)
    hit = extreme & (np.abs(noisy - clean) > CHANGED)
    replaced = extreme & (np.abs(restored - noisy) > CHANGED)
    picture = np.repeat(np.rint(60 + 90 * clean)[..., None], 3, axis=-1)
    for mask, shade in ((hit & replaced, REPAIRED), (hit & ~replaced, MISSED), (replaced & ~hit, REPAINTED)):
        picture[mask] = shade
    return Image.fromarray(picture.astype(np.uint8))


def impulse_legend() -> str:
    """What the colours of `impulse_picture` mean, as HTML."""
    meanings = ((REPAIRED, "replaced"), (MISSED, "missed"), (REPAINTED, "truly black or white, but replaced"))
    return "".join(
        f"<p class='note'><span class='swatch' style='background: rgb{shade}'></span>{meaning}</p>"
        for shade, meaning in meanings
    )


def error_legend() -> str:
    """A colour bar for `error_picture`, as HTML."""
    stops = ", ".join(f"rgb({r}, {g}, {b})" for r, g, b in COLOURS)
    labels = [f"{fraction * ERROR_LIMIT * 255:.0f}" for fraction in (0, 0.5)] + [f"{ERROR_LIMIT * 255:.0f} or more"]
    marks = "".join(f"<span>{label}</span>" for label in labels)
    return (
        f"<div class='colour-bar' role='img' aria-label='Colours: dark is no error, light is {labels[-1]} gray levels'>"
        f"<div style='background: linear-gradient(90deg, {stops})'></div><p>{marks}</p></div>"
        "<p class='note'>Error in gray levels, of 255</p>"
    )
