"""The tab for a visitor's own pictures: one that is looked at, or many that come back as a ZIP."""

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image
from skimage import data

from fer_denoise.demo.cancellable_job import Cancellations, Cancelled, run_with_progress
from fer_denoise.demo.components import (
    HEAVY_JOB,
    BoundedSlider,
    NamedNumber,
    PictureInput,
    in_plain_words,
    picture_file,
    pixel_gallery,
    preview,
    white_number,
)
from fer_denoise.demo.emotions import emotion_table, note
from fer_denoise.demo.error_map import noise_picture
from fer_denoise.demo.fair_queue import FairQueue, visitor_of
from fer_denoise.demo.job_controls import JobControls
from fer_denoise.demo.many_pictures import build_many_pictures
from fer_denoise.demo.restorers import Restorers
from fer_denoise.demo.uploads import read_upload
from fer_denoise.images import to_dtype
from fer_denoise.noise import mixed_noise
from fer_denoise.photos import (
    Box,
    blend_pictures,
    find_faces,
    keep_only,
    picture_noise_level,
    picture_noise_map,
    restore_picture,
)
from fer_denoise.pictures import Picture, lossless_suffix, to_face
from fer_denoise.restore import NoiseLevel
from fer_denoise.zoo import DEFAULT_MODEL, MODELS, UNIVERSAL, list_models

INTRODUCTION = """
Restore a picture of your own, in any size. There is no clean copy to compare with, so no quality can be measured here:
what you see is how noisy the picture seems to be, and what became of it.
"""

WHOLE, FACES = "Whole picture", "Faces in it"
FEW_IMPULSES = 0.015
"""An estimate below this also stands for somewhat more: the network tells few impulses as hardly any."""

MEMORY_SECONDS = 1800
"""How long a visitor's last picture stays in memory, for the strength to be changed."""


def build_own_tab(restorers: Restorers, cancellations: Cancellations, queue: FairQueue) -> None:
    """Fill the current tab."""
    gr.Markdown(INTRODUCTION)
    last = gr.State(None, time_to_live=MEMORY_SECONDS)
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            image = PictureInput(
                label="Noisy picture",
                placeholder="Drop a picture or click",
                sources=["upload", "webcam", "clipboard"],
                format="png",
                height=280,
                elem_classes="pixels fit",
            )
            example = gr.Button("No picture at hand? Take a noisy astronaut", size="sm")
            model = gr.Dropdown(
                [(MODELS[name].title, name) for name in list_models()],
                value=DEFAULT_MODEL,
                label="Restorer",
                info="Universal needs to be told nothing about the noise.",
            )
            part = gr.Radio(
                [WHOLE, FACES],
                value=WHOLE,
                label="What to restore",
                info="Faces are looked for, and each is also shown as FER2013 would: gray, 48x48.",
            )
            colour = gr.Checkbox(True, label="Keep the colours", info="Each colour channel is restored by itself.")
            with gr.Accordion("If you know the noise level, or what is white", open=False):
                sigma = NamedNumber(
                    0,
                    label="Noise level (sigma, 0 to 1)",
                    info="Universal and the filters can be told it. 0: it is estimated.",
                    minimum=0,
                    maximum=1,
                    step=0.01,
                )
                white = white_number()
            job = JobControls(cancellations, "Restore")
        with gr.Column(scale=4, min_width=300):
            job.add_status("Choose a picture and press *Restore*.")
            before_after = gr.ImageSlider(
                label="Drag: noisy | restored",
                format="png",
                interactive=False,
                buttons=["fullscreen"],
                height=480,
                elem_classes="pixels fit",
                visible=False,
            )
            strength_slider = BoundedSlider(
                0,
                1,
                1,
                step=0.05,
                label="Strength",
                info="0: your picture as it was. 1: all noise removed.",
                visible=False,
            )
            result = gr.Image(
                label="Restored",
                format="png",
                interactive=False,
                buttons=["download", "fullscreen"],
                height=480,
                elem_classes="pixels fit",
                alt_text="Restored picture",
                visible=False,
            )
            whole = gr.File(label="Restored, in its own depth", interactive=False, visible=False)
            noise = gr.Image(
                label="Where the noise is: light where it is strong, blue where a pixel is lost",
                format="png",
                interactive=False,
                buttons=["fullscreen"],
                height=320,
                elem_classes="pixels fit",
                alt_text="Map of the estimated noise",
                visible=False,
            )
            faces = pixel_gallery(columns=4, label="The faces, at 48x48: noisy, then restored", visible=False)
            emotions_html = gr.HTML(padding=False, visible=False)

    @in_plain_words
    def restore_own(
        path: str | None,
        model: str,
        part: str,
        keep_colour: bool,
        sigma: float | None,
        white: float | None,
        strength: float,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[dict[Any, Any]]:
        picture = read_upload(path, model, not keep_colour, white)
        cancelled = job.begin(request)
        yield job.busy(queue, path)

        def restore_and_estimate(report: Callable[[float], None]) -> tuple[Any, ...]:
            with queue.take(visitor_of(request), cancelled):
                restored = restore_picture(restorers.get(model), picture, sigma or None, report)
                estimator = restorers.get(UNIVERSAL)
                level, where = picture_noise_level(estimator, picture), picture_noise_map(estimator, picture)
            boxes = find_faces(restored.in_8_bits()) if part == FACES else None
            outcome = restored if boxes is None else keep_faces(picture, restored)
            return outcome, level, where, boxes, small_faces(boxes or [], picture.in_8_bits(), restorers, model)

        try:
            for fraction, done in run_with_progress(restore_and_estimate, cancelled):
                if done is None:
                    progress(fraction, desc="Restoring")
            outcome, level, where, boxes, pairs = done
            if cancelled.is_set():
                raise Cancelled
        except Cancelled:
            yield job.without_results("Stopped.")
            return
        yield {
            last: (picture, outcome),
            **job.done(f"Restored by *{MODELS[model].title}*. {describe(picture, level, boxes)}"),
            **mixed(picture, outcome, strength, visible=True),
            strength_slider: gr.Slider(value=strength, visible=True),
            noise: gr.Image(None if where is None else preview(np.asarray(noise_picture(where))), visible=bool(where)),
            faces: gr.Gallery(face_gallery(pairs), visible=bool(boxes)),
            emotions_html: gr.HTML(emotion_tables(pairs, restorers), visible=bool(boxes)),
        }

    def mixed(picture: Picture, restored: Picture, strength: float, **options: Any) -> dict[Any, Any]:
        blended = blend_pictures(picture, restored, strength)
        file, seen = picture_file(blended), blended.in_8_bits()
        # No browser shows a TIFF.
        is_shown = lossless_suffix(blended) == ".png"
        return {
            before_after: gr.ImageSlider((preview(picture.in_8_bits()), preview(seen)), **options),
            result: gr.Image(file if is_shown else Image.fromarray(seen), **options),
            whole: gr.File(None) if is_shown else gr.File(file, **options),
        }

    @in_plain_words
    def change_strength(pictures: tuple[Picture, Picture] | None, strength: float) -> dict[Any, Any]:
        if pictures is None:
            gr.Warning("That picture is no longer in memory: restore it again.")
            return job.no_results()
        # Not "visible": another run may have begun meanwhile.
        return mixed(*pictures, strength)

    hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    example.click(noisy_astronaut, None, image, **hidden)
    results = {last: None, before_after: None, strength_slider: 1, result: None, whole: None}
    results |= {noise: None, faces: None, emotions_html: None}
    job.listen(restore_own, [image, model, part, colour, sigma, white, strength_slider], results)
    # Not "change", which the app itself raises as well. A slider that is put back is only released.
    gr.on(
        [strength_slider.input, strength_slider.release],
        change_strength,
        [last, strength_slider],
        [*results, job.status],
        trigger_mode="always_last",
        **hidden,
        **HEAVY_JOB,
    )
    build_many_pictures(restorers, cancellations, queue)


def noisy_astronaut() -> np.ndarray:
    """A portrait in colour (NASA), with Gaussian noise and impulses in every channel, uint8 (H, W, 3)."""
    channels = np.moveaxis(data.astronaut()[:384, 64:448], -1, 0)
    noisy = mixed_noise(channels, 0.08, 0.03, seed=0)
    return np.moveaxis(to_dtype(noisy, np.dtype(np.uint8)), 0, -1)


def keep_faces(picture: Picture, restored: Picture) -> Picture:
    """`picture` with the faces of each frame restored."""
    outcomes = []
    for number, (before, after) in enumerate(zip(picture.images, restored.images, strict=True)):
        boxes = find_faces(restored.in_8_bits(number))
        outcomes.append(keep_only(boxes, after, before))
    return picture.with_images(outcomes)


def describe(picture: Picture, level: NoiseLevel | None, boxes: list[Box] | None) -> str:
    """What was found in a picture, for a person to read; `boxes` are None where no faces were looked for."""
    height, width, *colours = picture.frames[0].shape
    kind = [f"{width}x{height} pixels", "in colour" if colours else "gray"]
    if picture.deep:
        kind.append(f"{8 * picture.frames[0].dtype.itemsize} bits, white is {picture.white:g}")
    if len(picture.frames) > 1:
        kind.append(f"{len(picture.frames)} frames, of which the first is shown and measured")
    parts = [f"{', '.join(kind)}.", *(f"{note[0].upper()}{note[1:]}." for note in picture.notes)]
    if level is not None:
        few = level.amount < FEW_IMPULSES
        impulses = "less than about 2% of the pixels, if any" if few else f"about {level.amount:.0%} of the pixels"
        parts.append(
            f"**Estimated noise:** Gaussian of about {level.sigma * 255:.0f} gray levels (sigma {level.sigma:.3f}), "
            f"and impulses on {impulses}{''.join(f'; {other}' for other in level.others)}."
        )
    if boxes is not None:
        found = {0: "No face was found, so nothing was changed.", 1: "One face was found."}
        parts.append(found.get(len(boxes), f"{len(boxes)} faces were found."))
    return " ".join(parts)


def small_faces(
    boxes: list[Box], photo: np.ndarray, restorers: Restorers, model: str
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Each face as FER2013 would have it, 48x48 and gray, noisy and restored."""
    if not boxes:
        return []
    gray = np.asarray(Image.fromarray(photo).convert("L"))
    noisy = np.stack([to_face(gray[box.slices]) for box in boxes])
    return list(zip(noisy, restorers.get(model)(noisy), strict=True))


def face_gallery(pairs: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[Image.Image, str]]:
    """Small faces with their captions."""
    return [
        (Image.fromarray(face), f"Face {number}, {state}")
        for number, pair in enumerate(pairs, 1)
        for face, state in zip(pair, ("noisy", "restored"), strict=True)
    ]


def emotion_tables(pairs: list[tuple[np.ndarray, np.ndarray]], restorers: Restorers) -> str:
    """What the emotion classifier takes each of the small faces for, before and after, as HTML."""
    tables = [
        emotion_table((f"Face {number}, noisy", "Restored"), restorers.classifier()(np.stack(pair)))
        for number, pair in enumerate(pairs, 1)
    ]
    return f"<div class='side-by-side'>{''.join(tables)}</div>{note()}"
