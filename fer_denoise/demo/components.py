"""Pictures on the page: a picker that reads any file itself, sharp enlarged displays, and errors in plain words."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import isgeneratorfunction
from typing import Any

import gradio as gr
import numpy as np
from gradio.data_classes import ImageData
from PIL import Image

from fer_denoise.hub import ModelNotFoundError
from fer_denoise.images import to_dtype, to_float

MUCH_WORK: dict[str, Any] = {"concurrency_id": "much work", "concurrency_limit": 1}
"""For events that may take long: they wait for each other, and not the faces of the task tabs for them."""

PREVIEW = 480
"""Pixels a side of an enlarged picture; a multiple of 48 keeps the pixels of a face of one size."""
LARGEST_PREVIEW = 1280


class PictureInput(gr.Image):
    """A picture picker that hands on the path of the file as it was sent, undecoded.

    Decoding is left to `fer_denoise.pictures.read_picture`, which knows what to say of a file that is no picture.
    """

    is_template = True

    def preprocess(self, payload: ImageData | None) -> str | None:
        return payload.path if payload else None


def pixel_image(label: str, mode: str = "L", **options: Any) -> gr.Image:
    """A display of a small picture, gray ("L") or in colour ("RGB"): enlarged with sharp edges, lossless."""
    return gr.Image(
        label=label,
        format="png",
        image_mode=mode,
        interactive=False,
        buttons=["download", "fullscreen"],
        elem_classes="pixels result",
        min_width=120,
        alt_text=f"{label} face",
        **options,
    )


def pixel_gallery(value: Any = None, *, columns: int, label: str | None = None, **options: Any) -> gr.Gallery:
    """A row of small pictures with captions: enlarged with sharp edges, lossless."""
    return gr.Gallery(
        value,
        label=label,
        show_label=label is not None,
        format="png",
        columns=columns,
        height="auto",
        object_fit="cover",
        buttons=["download"],
        elem_classes="pixels wide-gallery",
        **options,
    )


def as_picture(image: np.ndarray) -> Image.Image:
    """Gray pixels (H, W), uint8 or float in [0, 1], as a picture to show."""
    return Image.fromarray(to_dtype(to_float(image), np.dtype(np.uint8)))


def preview(photo: np.ndarray) -> Image.Image:
    """uint8 (H, W) or (H, W, 3) at a size to look at: a small one enlarged with sharp edges, a large one reduced."""
    picture = Image.fromarray(photo)
    side = max(picture.size)
    if side < PREVIEW:
        factor = PREVIEW // side
        return picture.resize((factor * picture.width, factor * picture.height), Image.Resampling.NEAREST)
    if side > LARGEST_PREVIEW:
        picture.thumbnail((LARGEST_PREVIEW, LARGEST_PREVIEW))
    return picture


def in_plain_words(function: Callable[..., Any]) -> Callable[..., Any]:
    """Show a person the message of an error that they can mend, instead of a failure; generators too."""

    @contextmanager
    def translated() -> Iterator[None]:
        try:
            yield
        except (ValueError, TypeError, ModelNotFoundError) as error:
            raise gr.Error(str(error), title="This did not work", print_exception=False) from error

    @wraps(function)
    def wrapper(*args: Any) -> Any:
        with translated():
            return function(*args)

    @wraps(function)
    def generator(*args: Any) -> Any:
        with translated():
            yield from function(*args)

    return generator if isgeneratorfunction(function) else wrapper
