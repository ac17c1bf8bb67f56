"""Pictures on the page: a picker that reads any file itself, sharp enlarged displays, and errors in plain words."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import gradio as gr
import numpy as np
from gradio.data_classes import ImageData
from PIL import Image

from fer_denoise.hub import ModelNotFoundError
from fer_denoise.images import to_dtype, to_float


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


def as_picture(image: np.ndarray) -> Image.Image:
    """Gray pixels (H, W), uint8 or float in [0, 1], as a picture to show."""
    return Image.fromarray(to_dtype(to_float(image), np.dtype(np.uint8)))


def in_plain_words(function: Callable[..., Any]) -> Callable[..., Any]:
    """Show a person the message of an error that they can mend, instead of a failure."""

    @wraps(function)
    def wrapper(*args: Any) -> Any:
        try:
            return function(*args)
        except (ValueError, TypeError, ModelNotFoundError) as error:
            raise gr.Error(str(error), title="This did not work", print_exception=False) from error

    return wrapper
