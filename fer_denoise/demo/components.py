"""Pictures on the page: a picker that reads any file itself, sharp enlarged displays, and errors in plain words."""

import base64
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import isgeneratorfunction
from pathlib import Path, PureWindowsPath
from typing import Any

import gradio as gr
import numpy as np
from gradio.components.gallery import GalleryData, GalleryImage
from gradio.data_classes import ImageData
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder
from PIL import Image

from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.images import to_dtype, to_float
from fer_denoise.pictures import SUFFIXES, Picture, encode_picture, lossless_suffix

HEAVY_JOB: dict[str, Any] = {"concurrency_id": "heavy job", "concurrency_limit": 16}
"""Options of events that may take long: a `FairQueue` lets them take turns, and the faces of the task tabs go past."""

PREVIEW = 480
"""Pixels a side of an enlarged picture; a multiple of 48 keeps the pixels of a face of one size."""
LARGEST_PREVIEW = 1280

NAMED_PICTURES = """
() => {
    const name = () => {
        document.querySelectorAll(".thumbnail-item").forEach((picture) => {
            const title = picture.querySelector("img")?.alt;
            if (title && picture.ariaLabel !== title) picture.ariaLabel = title;
        });
        document.querySelectorAll(".empty[aria-label]:not([role])").forEach((none) => none.setAttribute("role", "img"));
    };
    new MutationObserver(name).observe(document.body, { childList: true, subtree: true });
}
"""
"""Names the pictures of galleries by their captions, where Gradio would say which of how many each is; and what stands
in the place of a picture, which Gradio gives a name that an element without a role cannot have."""

UNSEEN_PICTURES = """
() => {
    const say = (event, picture, words) => document.addEventListener(event, ({ target }) => {
        if (!target.matches?.(`.image-frame ${picture}`)) return;
        target.alt = words;
        target.toggleAttribute("data-unseen", Boolean(words));
    }, true);
    say("error", "img", "This browser cannot show such a file, which is read all the same.");
    say("load", "img[data-unseen]", "");
}
"""
"""Says so where a picker holds what browsers do not show, such as TIFF or HEIC."""

TYPED_PICTURES = f"""
() => {{
    const suffixes = {json.dumps(sorted(SUFFIXES))};
    const suffix = (file) => suffixes.find((each) => !file.type && file.name.toLowerCase().endsWith(each));
    const someUntyped = (files) => [...files ?? []].some(suffix);
    const typed = (files) => {{
        const list = new DataTransfer();
        for (const file of files) {{
            const type = suffix(file) ? `image/${{suffix(file).slice(1)}}` : file.type;
            list.items.add(new File([file], file.name, {{ type }}));
        }}
        return list;
    }};
    document.addEventListener("change", ({{ target }}) => {{
        if (target.type === "file" && someUntyped(target.files)) target.files = typed(target.files).files;
    }}, true);
    document.addEventListener("drop", (event) => {{
        if (!someUntyped(event.dataTransfer?.files)) return;
        event.preventDefault();
        event.stopPropagation();
        const dataTransfer = typed(event.dataTransfer.files);
        event.target.dispatchEvent(new DragEvent("drop", {{ dataTransfer, bubbles: true, cancelable: true }}));
    }}, true);
}}
"""
"""Gives files the type that their suffix says where the browser has none, as for HEIC on many systems: Gradio's picker
of pictures would refuse them by that."""

FAILED = "This did not work"
"""What stands over the message of an error that a person can mend."""


class PictureInput(gr.Image):
    """A picture picker that hands on the path of the file as it was sent, undecoded.

    Decoding is left to `fer_denoise.pictures.read_picture`, which knows what to say of a file that is no picture.
    """

    is_template = True

    def preprocess(self, payload: ImageData | None) -> str | None:
        return payload.path if payload else None

    async def async_move_resource_to_block_cache(self, url_or_file_path: str | Path | None) -> str | None:
        try:
            return await super().async_move_resource_to_block_cache(url_or_file_path)
        # Gradio raises this class itself. Why it failed is not told: it would tell of the network that the app is in.
        except Exception as error:
            raise gr.Error(
                f"The picture at {url_or_file_path} could not be fetched: give an address that everybody can open, or "
                "upload the file.",
                title=FAILED,
                print_exception=False,
            ) from error


def inline(picture: Image.Image, name: str) -> ImageData:
    """A small picture as it is sent within the answer: no file is written, and the browser need not ask for one."""
    png = io.BytesIO()
    picture.save(png, "PNG", compress_level=1)
    url = f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"
    file = re.sub("[^a-z0-9.]+", "-", name.lower()).strip("-.")
    return ImageData(url=url, orig_name=f"{file or 'picture'}.png", mime_type="image/png")


class InlineGallery(gr.Gallery):
    """A display of small pictures with captions."""

    is_template = True

    def postprocess(self, value: list[tuple[Image.Image, str]] | None) -> GalleryData:  # type: ignore[override]
        return GalleryData(
            root=[GalleryImage(image=inline(picture, caption), caption=caption) for picture, caption in value or []]
        )


class BoundedSlider(gr.Slider):
    """A slider that takes what is typed beyond an end for that end, as the browser does once the number box is left."""

    is_template = True

    def preprocess(self, payload: float | None) -> float:
        number = self.minimum if payload is None else min(max(payload, self.minimum), self.maximum)
        return super().preprocess(number)


class NamedNumber(gr.Number):
    """A box for a number from 0, or another minimum, whose errors say which box is meant and what it takes."""

    is_template = True

    def preprocess(self, payload: float | None) -> float | int | None:
        if payload is None:
            return None
        whole = self.precision == 0
        low = 0 if self.minimum is None else self.minimum
        high = sys.float_info.max if self.maximum is None else self.maximum
        is_number = isinstance(payload, int | float) and not isinstance(payload, bool)
        if is_number and low <= payload <= high and not (whole and payload % 1):
            return super().preprocess(payload)
        kind = "a whole number" if whole else "a number"
        bounds = f"of at least {low}" if self.maximum is None else f"from {low} to {high}"
        raise gr.Error(f"{self.label}: give {kind} {bounds}, not {payload}.", title=FAILED, print_exception=False)


def pixel_gallery(value: Any = None, *, columns: int, label: str | None = None, **options: Any) -> gr.Gallery:
    """A row of small pictures with captions: enlarged with sharp edges, lossless."""
    return InlineGallery(
        value,
        label=label,
        show_label=label is not None,
        columns=columns,
        height="auto",
        object_fit="cover",
        buttons=["download"],
        elem_classes="pixels wide-gallery",
        **options,
    )


def white_number() -> NamedNumber:
    """A field for what number is white, for pictures that do not tell."""
    return NamedNumber(
        0,
        label="White",
        info="Of pictures of more than 8 bits: the number that is white, such as 4095. 0: as the picture tells.",
        minimum=0,
    )


def as_picture(image: np.ndarray) -> Image.Image:
    """Gray pixels (H, W), uint8 or float in [0, 1], as a picture to show."""
    return Image.fromarray(to_dtype(to_float(image), np.dtype(np.uint8)))


def picture_file(picture: Picture, source: str | None, done: str = "restored") -> str:
    """A picture as a file to hand out, in its own depth and scale with all frames, in the format of `lossless_suffix`.

    Args:
        source: the file that it was made from, whose name it has.
        done: what stands behind that name, if anything.
    """
    suffix = lossless_suffix(picture)
    # On whatever system the file came from.
    name = "_".join(filter(None, (PureWindowsPath(source or "picture").stem, done)))
    return save_bytes_to_cache(encode_picture(picture, suffix), name + suffix, get_upload_folder())


def preview(photo: np.ndarray, profile: bytes | None = None) -> Image.Image:
    """uint8 (H, W) or (H, W, 3) at a size to look at: a small one enlarged with sharp edges, a large one reduced.

    Args:
        profile: of its colours (ICC), which the browser is to know too.
    """
    picture = Image.fromarray(photo)
    if profile:
        picture.info["icc_profile"] = profile
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
        # A TypeError would be a fault of our own: no control gives another type than it should.
        except (ValueError, ModelNotFoundError) as error:
            raise gr.Error(str(error), title=FAILED, print_exception=False) from error

    @wraps(function)
    def wrapper(*args: Any) -> Any:
        with translated():
            return function(*args)

    @wraps(function)
    def generator(*args: Any) -> Any:
        with translated():
            yield from function(*args)

    return generator if isgeneratorfunction(function) else wrapper
