"""Where everything of a task tab stands: its controls, pictures and folded parts, none of which do anything yet."""

from dataclasses import dataclass

import gradio as gr
import numpy as np
from gradio.components import Component

from fer_denoise.demo.components import (
    BoundedSlider,
    InlineGallery,
    InlineSlider,
    NamedNumber,
    PictureInput,
    as_picture,
    pixel_gallery,
    pixel_image,
)
from fer_denoise.demo.error_map import error_legend, impulse_legend
from fer_denoise.demo.face_view import FaceView
from fer_denoise.demo.links import MAX_SEED
from fer_denoise.demo.noise_controls import NoiseControls
from fer_denoise.metrics import PSNR_CAP
from fer_denoise.zoo import DEFAULT_MODEL, MODELS, UNIVERSAL, list_models, specialists

RANDOM_FACES = "Random FER2013 faces, from the Hub"


def model_choices() -> list[tuple[str, str]]:
    """Title and name of each restorer, for a list to choose from."""
    return [(MODELS[name].title, name) for name in list_models()]


@dataclass(frozen=True)
class FacePicker:
    """Faces to choose from, and one of the visitor's own."""

    gallery: gr.Gallery
    random: gr.Button
    upload: gr.Image


@dataclass(frozen=True)
class Settings:
    """What is done to the face, and the buttons that set or share it."""

    sliders: list[gr.Slider]
    seed: gr.Number
    preset: gr.Button
    link: gr.Button
    model: gr.Dropdown
    dial: gr.Slider

    @property
    def linked(self) -> list[Component]:
        """What a link sets."""
        return [self.model, self.dial, self.seed, *self.sliders]


@dataclass(frozen=True)
class Pictures:
    """What is seen of the face: the names are those of `FaceView`."""

    clean: gr.Image
    noisy: gr.Image
    restored: gr.Image
    pair: gr.ImageSlider
    error: gr.Image
    impulses: gr.Image
    offer: gr.Button
    measurements: gr.HTML


@dataclass(frozen=True)
class Attention:
    """Where the network looks."""

    part: gr.Accordion
    gallery: gr.Gallery


@dataclass(frozen=True)
class Comparisons:
    """What is computed when it is asked for: all methods on this face, and curves over noise levels."""

    compare: gr.Button
    table: gr.HTML
    gallery: gr.Gallery
    chosen: gr.Dropdown
    draw: gr.Button
    plot: gr.LinePlot


@dataclass(frozen=True)
class TaskParts:
    """All of a tab."""

    picker: FacePicker
    settings: Settings
    pictures: Pictures
    attention: Attention
    comparisons: Comparisons


def lay_out(
    task: str, controls: NoiseControls, samples: list[tuple[str, np.ndarray]], first: FaceView, measured: str
) -> TaskParts:
    """Fill the current tab.

    Args:
        samples: titles and faces, uint8 (48, 48), to choose from.
        first: what is shown of the first of them.
        measured: what is said of that, as HTML.
    """
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            picker = _face_picker(samples)
            settings = _settings(controls)
        with gr.Column(scale=5, min_width=300, elem_classes="results"):
            pictures = _pictures(first, measured, controls.with_impulses)
    return TaskParts(picker, settings, pictures, _attention(), _comparisons(task, controls))


def _face_picker(samples: list[tuple[str, np.ndarray]]) -> FacePicker:
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
    random = gr.Button(RANDOM_FACES, size="sm")
    with gr.Accordion("Or a face of your own", open=False):
        upload = PictureInput(
            show_label=False,
            label="A face of your own",
            placeholder="Drop a picture or click",
            sources=["upload", "webcam", "clipboard"],
            format="png",
            height=200,
        )
    return FacePicker(gallery, random, upload)


def _settings(controls: NoiseControls) -> Settings:
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
        model_choices(),
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
    return Settings(sliders, seed, preset, link, model, dial)


def _pictures(first: FaceView, measured: str, with_impulses: bool) -> Pictures:
    with gr.Row(elem_classes="pictures"):
        clean = pixel_image("Clean", value=first.clean)
        noisy = pixel_image("Noisy", value=first.noisy)
        restored = pixel_image("Restored", value=first.restored)
    # The style shows it where the measurements say that the noise does not fit.
    offer = gr.Button("Take Universal instead", size="sm", variant="primary", elem_classes="offer")
    measurements = gr.HTML(measured, padding=False, elem_classes="measurements")
    with gr.Row(equal_height=False, elem_classes="closer"):
        pair = InlineSlider(
            first.pair,
            label="Drag: noisy | restored",
            interactive=False,
            buttons=["fullscreen"],
            max_height=1000,
            min_width=200,
            elem_classes="pixels result",
        )
        with gr.Column(min_width=200):
            error = pixel_image("Error", value=first.error)
            gr.HTML(error_legend(), padding=False)
        with gr.Column(min_width=200, visible=with_impulses):
            impulses = pixel_image("Impulses", value=first.impulses)
            gr.HTML(impulse_legend(), padding=False)
    return Pictures(clean, noisy, restored, pair, error, impulses, offer, measurements)


def _attention() -> Attention:
    with gr.Accordion("Where the network looks", open=False) as part:
        gr.Markdown(
            "Attention gates weigh the details that a network passes on. Light is much, dark is little; fine details "
            "come first, then coarse ones. Filters have no attention."
        )
        return Attention(part, pixel_gallery(columns=3, rows=1))


def _comparisons(task: str, controls: NoiseControls) -> Comparisons:
    with gr.Accordion("Compare all", open=False):
        gr.Markdown(
            "Every network and filter on this noisy face, best first. Filters are told the true noise "
            "level; those for Gaussian noise stand behind the switching median where there are impulses."
        )
        compare = gr.Button("Compare all", variant="primary")
        table = gr.HTML(padding=False)
        gallery = pixel_gallery(columns=5, visible=False)
    at_first = (UNIVERSAL, specialists(task)[0], "switching-median" if controls.with_impulses else "nl-means")
    with gr.Accordion("Quality at every noise level", open=False):
        gr.Markdown(
            "PSNR on this face, from weak noise to strong. Higher is better; *noisy* is the face as it came. "
            f"{PSNR_CAP:.0f} dB stands for no error at all."
        )
        chosen = gr.Dropdown(
            model_choices(),
            value=[name for name in at_first if name in list_models()],
            multiselect=True,
            label="Restorers to draw",
            info="BM3D is slow: about five seconds more.",
        )
        draw = gr.Button("Draw the curves", variant="primary")
        plot = gr.LinePlot(
            x=controls.level_name,
            y="PSNR, dB",
            color="method",
            height=360,
            x_lim=list(controls.level_limits),
            visible=False,
        )
    return Comparisons(compare, table, gallery, chosen, draw, plot)
