"""The tab of a task: choose a face, add noise, restore it, and see what was gained."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np
from gradio.components import Component
from PIL import Image

from fer_denoise.demo.compare import compare, comparison_gallery, comparison_table, psnr_curves
from fer_denoise.demo.components import (
    BoundedSlider,
    InlineGallery,
    InlineSlider,
    NamedNumber,
    PictureInput,
    as_picture,
    in_plain_words,
    pixel_gallery,
    pixel_image,
)
from fer_denoise.demo.error_map import error_legend, impulse_legend
from fer_denoise.demo.face_view import attention_pictures, is_realist, measurements, restore_face
from fer_denoise.demo.hub_faces import HubFaces
from fer_denoise.demo.links import COPY_LINK, MAX_SEED
from fer_denoise.demo.noise_controls import CONTROLS, SaltAndPepperControls
from fer_denoise.demo.restorers import Restorers
from fer_denoise.metrics import PSNR_CAP
from fer_denoise.pictures import read_picture, to_face
from fer_denoise.samples import sample_faces
from fer_denoise.zoo import DEFAULT_MODEL, MODELS, UNIVERSAL, list_models, specialists


@dataclass(frozen=True)
class TaskTab:
    """What a link can set in a tab, and what is shown then."""

    task: str
    model: gr.Dropdown
    dial: gr.Slider
    seed: gr.Number
    sliders: list[gr.Slider]
    outputs: list[Component]
    show: Callable[[str, float, int, Sequence[float]], tuple[Any, ...]]
    """The values of `outputs` for the first face, with a model, the dial, a seed and noise levels."""


RANDOM_FACES = "Random FER2013 faces, from the Hub"

Subject = tuple[bytes, int, tuple[float, ...]]
"""What was measured: the pixels of a face, the seed of its noise, and where the sliders stood."""


def subject(face: np.ndarray, seed: int | None, *values: float) -> Subject:
    """What is measured with these; no seed is seed 0."""
    return face.tobytes(), int(seed or 0), values


def is_outdated(measured: Subject | None, face: np.ndarray, seed: int | None, *values: float) -> bool:
    """Whether something was measured, and of something else than these."""
    return measured is not None and measured != subject(face, seed, *values)


def build_task_tab(task: str, restorers: Restorers, hub_faces: HubFaces) -> TaskTab:
    """Fill the current tab with the controls and pictures of `task`."""
    controls = CONTROLS[task]
    samples = list(sample_faces().items())
    with_impulses = isinstance(controls, SaltAndPepperControls)

    preset_noise = controls.noise(*controls.preset)
    first = restore_face(samples[0][1], restorers, DEFAULT_MODEL, preset_noise, 0)

    face = gr.State(samples[0][1])
    offered = gr.State(samples)
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            gallery = InlineGallery(
                [(as_picture(sample), title) for title, sample in samples],
                label="Choose a face",
                columns=5,
                rows=2,
                height="auto",
                object_fit="cover",
                allow_preview=False,
                buttons=[],
                selected_index=0,
                elem_classes="pixels faces",
            )
            random_button = gr.Button(RANDOM_FACES, size="sm")
            with gr.Accordion("Or a face of your own", open=False):
                upload = PictureInput(
                    show_label=False,
                    label="A face of your own",
                    placeholder="Drop a picture or click",
                    sources=["upload", "webcam", "clipboard"],
                    format="png",
                    height=200,
                )
            with gr.Group():
                sliders = controls.build()
                seed = NamedNumber(
                    0,
                    label="Seed",
                    info="The same seed draws the same noise.",
                    precision=0,
                    minimum=0,
                    maximum=MAX_SEED,
                )
            with gr.Row():
                preset = gr.Button("Back to the task's own noise", size="sm")
                link = gr.Button("Copy a link to this", size="sm")
            model = gr.Dropdown(
                [(MODELS[name].title, name) for name in list_models()],
                value=DEFAULT_MODEL,
                label="Restorer",
                info="Universal serves every level. Others: networks for one kind of noise, and classical filters.",
            )
            dial = BoundedSlider(
                0,
                1,
                1.0,
                step=0.05,
                label="From truth to texture",
                info="0: the U-Net, nearest to the true pixels. 1: the PatchGAN, with the most natural texture.",
                visible=False,
            )
        with gr.Column(scale=5, min_width=300, elem_classes="results"):
            with gr.Row(elem_classes="pictures"):
                clean_image = pixel_image("Clean", value=first.clean)
                noisy_image = pixel_image("Noisy", value=first.noisy)
                restored_image = pixel_image("Restored", value=first.restored)
            # The style shows it where the measurements say that the noise does not fit.
            offer = gr.Button("Take Universal instead", size="sm", variant="primary", elem_classes="offer")
            measurements_html = gr.HTML(
                measurements(first, controls.describe(*controls.preset), DEFAULT_MODEL, preset_noise),
                padding=False,
                elem_classes="measurements",
            )
            with gr.Row(equal_height=False, elem_classes="closer"):
                before_after = InlineSlider(
                    first.pair,
                    label="Drag: noisy | restored",
                    interactive=False,
                    buttons=["fullscreen"],
                    max_height=1000,
                    min_width=200,
                    elem_classes="pixels result",
                )
                with gr.Column(min_width=200):
                    error_image = pixel_image("Error", value=first.error)
                    gr.HTML(error_legend(), padding=False)
                with gr.Column(min_width=200, visible=with_impulses):
                    impulse_image = pixel_image("Impulses", value=first.impulses)
                    gr.HTML(impulse_legend(), padding=False)
    with gr.Accordion("Where the network looks", open=False) as attention_part:
        gr.Markdown(
            "Attention gates weigh the details that a network passes on. Light is much, dark is little; fine details "
            "come first, then coarse ones. Filters have no attention."
        )
        attention_gallery = pixel_gallery(columns=3, rows=1)
    with gr.Accordion("Compare all", open=False):
        gr.Markdown(
            "Every network and filter on this noisy face, best first. Filters are told the true noise "
            "level; those for Gaussian noise stand behind the switching median where there are impulses."
        )
        compare_button = gr.Button("Compare all", variant="primary")
        compare_table = gr.HTML(padding=False)
        compare_gallery = pixel_gallery(columns=5, visible=False)
    at_first = (UNIVERSAL, specialists(task)[0], "switching-median" if with_impulses else "nl-means")
    with gr.Accordion("Quality at every noise level", open=False):
        gr.Markdown(
            "PSNR on this face, from weak noise to strong. Higher is better; *noisy* is the face as it came. "
            f"{PSNR_CAP:.0f} dB stands for no error at all."
        )
        chosen = gr.Dropdown(
            [(MODELS[name].title, name) for name in list_models()],
            value=[name for name in at_first if name in list_models()],
            multiselect=True,
            label="Restorers to draw",
            info="BM3D is slow: about five seconds more.",
        )
        plot_button = gr.Button("Draw the curves", variant="primary")
        plot = gr.LinePlot(
            x=controls.level_name,
            y="PSNR, dB",
            color="method",
            height=360,
            x_lim=list(controls.level_limits),
            visible=False,
        )

    looking, asked = gr.State(False), gr.State()
    # What the comparison and the curves are of; and what is shown instead, where that is something else.
    measured, overtaken_by = gr.State(), gr.State()
    inputs = [looking, measured, face, model, dial, seed, *sliders]
    # Each costs the browser its time. So all words are one, and the clean face is not among them, nor a picture that
    # nobody sees.
    changing: dict[str, Component] = {
        "noisy": noisy_image,
        "restored": restored_image,
        "error": error_image,
        "pair": before_after,
    }
    if with_impulses:
        changing["impulses"] = impulse_image
    outputs = [asked, overtaken_by, measurements_html, *changing.values()]
    private: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "restore"}
    # One light component to keep the status of, not every picture: the browser goes over all with each event.
    options = {**private, "show_progress": "hidden", "show_progress_on": face}
    slow_options = {**private, "show_progress": "full"}

    @in_plain_words
    def run(
        looking: bool,
        measured: Subject | None,
        face: np.ndarray,
        model: str,
        alpha: float,
        seed: int | None,
        *values: float,
    ) -> tuple[Any, ...]:
        noise = controls.noise(*values)
        view = restore_face(face, restorers, model, noise, int(seed or 0), alpha)
        return (
            (face.tolist(), model, seed, values) if looking else None,
            subject(face, seed, *values) if is_outdated(measured, face, seed, *values) else None,
            measurements(view, controls.describe(*values), model, noise),
            *(getattr(view, part) for part in changing),
        )

    @in_plain_words
    def look(asked: tuple[Any, ...] | None) -> Any:
        if asked is None:
            return gr.skip()
        face, model, seed, values = asked
        noise = controls.noise(*values)
        return attention_pictures(np.array(face, np.uint8), restorers, model, noise, int(seed or 0))

    def with_picture(face: np.ndarray) -> tuple[np.ndarray, Image.Image]:
        return face, as_picture(face)

    def pick(offered: list[tuple[str, np.ndarray]], event: gr.SelectData) -> tuple[np.ndarray, Image.Image]:
        return with_picture(offered[event.index][1])

    @in_plain_words
    def pick_upload(path: str | None) -> Any:
        # A picker that was emptied, or turned to the camera, holds nothing.
        return gr.skip() if path is None else with_picture(to_face(read_picture(path, gray=True).in_8_bits()))

    @in_plain_words
    def draw_faces() -> Iterator[dict[Any, Any]]:
        yield {random_button: gr.Button("Asking the Hub …", interactive=False)}
        faces = hub_faces.draw(np.random.default_rng())
        first, picture = with_picture(faces[0][1])
        yield {
            random_button: can_draw(),
            gallery: gr.Gallery([(as_picture(sample), title) for title, sample in faces], selected_index=0),
            offered: faces,
            face: first,
            clean_image: picture,
        }

    def can_draw() -> gr.Button:
        return gr.Button(RANDOM_FACES, interactive=True)

    picked = gallery.select(pick, offered, [face, clean_image], **options)
    # Not "input", which the clipboard does not raise.
    uploaded = upload.change(pick_upload, upload, [face, clean_image], **options)
    # It may wait for the Hub: faces are not to wait for it. Nor does it cover them, which an error would do for good.
    hub_options = {**options, "concurrency_id": "hub", "concurrency_limit": 4}
    drawn = random_button.click(draw_faces, None, [random_button, gallery, offered, face, clean_image], **hub_options)
    drawn.failure(can_draw, None, random_button, **options)
    runs = [event.success(run, inputs, outputs, **options) for event in (picked, uploaded, drawn)]
    # Not "change", which is raised for each control that the app itself sets: of several at once, all before the last
    # would be restored with some of them still as they were, and may well come last.
    # A slider that is put back is only released.
    all_sliders = [*sliders, dial]
    by_hand = [seed.input, model.input, *(s.input for s in all_sliders), *(s.release for s in all_sliders)]
    runs.append(gr.on(by_hand, run, inputs, outputs, trigger_mode="always_last", **options))
    # A component that is set in vain costs as much as its picture, so this one waits for a change.
    asked.change(look, asked, attention_gallery, **options)
    attention_part.collapse(lambda: False, None, looking, **options)
    model.change(lambda name: gr.Slider(visible=is_realist(name)), model, dial, **options)
    runs += [
        event.success(run, inputs, outputs, **options)
        for event in (
            attention_part.expand(lambda: True, None, looking, **options),
            preset.click(lambda: controls.preset, None, sliders, **options),
            offer.click(lambda: UNIVERSAL, None, model, **options),
        )
    ]
    link.click(None, [model, dial, seed, *sliders], None, js=COPY_LINK.format(task=task), api_visibility="private")

    @in_plain_words
    def compare_all(face: np.ndarray, seed: int | None, *values: float) -> tuple[Subject, str, gr.Gallery]:
        results = compare(face, restorers, controls.noise(*values), int(seed or 0))
        gallery = gr.Gallery(comparison_gallery(results), visible=True)
        return subject(face, seed, *values), comparison_table(results), gallery

    @in_plain_words
    def draw_curves(
        models: list[str], face: np.ndarray, seed: int | None, *values: float
    ) -> tuple[Subject, gr.LinePlot]:
        curves = psnr_curves(face, restorers, list(dict.fromkeys(models)), controls.sweep(*values), int(seed or 0))
        plot = gr.LinePlot(curves.rename(columns={"level": controls.level_name}), visible=True)
        return subject(face, seed, *values), plot

    def no_measurements() -> tuple[None, str, gr.Gallery, gr.LinePlot]:
        return None, "", gr.Gallery(None, visible=False), gr.LinePlot(None, visible=False)

    def drop_outdated(*measured_and_present: Any) -> Any:
        return no_measurements() if is_outdated(*measured_and_present) else gr.skip()

    present = [face, seed, *sliders]
    measurements_shown = [measured, compare_table, compare_gallery, plot]
    compared = compare_button.click(compare_all, present, measurements_shown[:3], **slow_options)
    plotted = plot_button.click(draw_curves, [chosen, *present], [measured, plot], **slow_options)
    for event in (compared, plotted):
        event.failure(no_measurements, None, measurements_shown, **options)
    # They take seconds, in which something else may have been chosen, or what cannot be taken.
    for late in (overtaken_by.change, compared.success, plotted.success):
        dropped = late(drop_outdated, [measured, *present], measurements_shown, **options)
        dropped.failure(no_measurements, None, measurements_shown, **options)

    def nothing() -> tuple[Any, ...]:
        return None, None, "", *[None] * len(changing), None, *no_measurements()

    # What was shown before is not of what was refused. At once, or it might come behind the next view.
    for event in runs:
        event.failure(nothing, None, [*outputs, attention_gallery, *measurements_shown], queue=False, **options)

    def show(model: str, texture: float, seed: int, levels: Sequence[float]) -> tuple[Any, ...]:
        return run(False, None, samples[0][1], model, texture, seed, *levels)

    return TaskTab(task, model, dial, seed, sliders, outputs, show)
