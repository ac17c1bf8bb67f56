"""Where everything of a tab with a face stands: its controls, pictures and folded parts, none of which act yet."""

from dataclasses import dataclass

import gradio as gr
import numpy as np
from gradio.components import Component

from fer_denoise.demo.components import (
    BoundedSlider,
    InlineGallery,
    NamedNumber,
    PictureInput,
    as_picture,
    pixel_gallery,
)
from fer_denoise.demo.face_view import CLEAN, NOISY, title_of
from fer_denoise.demo.links import COPY, MAX_SEED
from fer_denoise.demo.noise_controls import NoiseControls, NoiseInputs
from fer_denoise.metrics import PSNR_CAP
from fer_denoise.zoo import DEFAULT_MODEL, list_models

RANDOM_FACES = "Random FER2013 faces, from the Hub"


def titled(names: list[str]) -> list[tuple[str, str]]:
    """Titles and names of what may stand on a side, for a list to choose from."""
    return [(title_of(name), name) for name in names]


@dataclass(frozen=True)
class FacePicker:
    """Faces to choose from, and one of the visitor's own."""

    gallery: gr.Gallery
    random: gr.Button
    upload: gr.Image


@dataclass(frozen=True)
class SettingsControls:
    """What stands on both sides, the noise, and the buttons that set or share it all."""

    left: gr.Dropdown
    right: gr.Dropdown
    noise_inputs: NoiseInputs
    seed: gr.Number
    dial: gr.Slider
    reset: gr.Button
    link: gr.Button

    @property
    def linked(self) -> list[Component]:
        """What a link sets."""
        return [self.left, self.right, self.dial, self.seed, *self.noise_inputs.values]


@dataclass(frozen=True)
class Pictures:
    """What is seen of the face."""

    comparison: gr.HTML
    offer: gr.Button
    details: gr.HTML


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
class FaceParts:
    """All of a tab."""

    picker: FacePicker
    settings: SettingsControls
    pictures: Pictures
    attention: Attention
    comparisons: Comparisons


def lay_out(
    controls: NoiseControls, samples: list[tuple[str, np.ndarray]], comparison: gr.HTML, details: str
) -> FaceParts:
    """Fill the current tab.

    Args:
        samples: titles and faces, uint8 (48, 48), to choose from.
        comparison: a display that shows the first of them, not yet rendered.
        details: what is said of it, as HTML.
    """
    with gr.Row(equal_height=False, elem_classes="face-tab"):
        with gr.Column(scale=5, min_width=300, elem_classes="results"):
            # The style shows the button where the comparison says that the noise does not fit.
            pictures = Pictures(
                comparison.render(),
                gr.Button("Take Universal instead", size="sm", variant="primary", elem_classes="offer"),
                gr.HTML(details, padding=False, elem_classes="measurements"),
            )
            attention = _attention()
            comparisons = _comparisons(controls)
        with gr.Column(scale=2, min_width=300, elem_classes="controls"):
            with gr.Row(elem_classes="sides"):
                left, right = _sides()
            dial = _dial()
            with gr.Group():
                noise_inputs = controls.build()
            picker = _face_picker(samples)
            seed = NamedNumber(
                0, label="Seed", info="The same seed draws the same noise.", precision=0, minimum=0, maximum=MAX_SEED
            )
            with gr.Row():
                reset = gr.Button(controls.reset, size="sm")
                link = gr.Button(COPY, size="sm")
    settings = SettingsControls(left, right, noise_inputs, seed, dial, reset, link)
    return FaceParts(picker, settings, pictures, attention, comparisons)


def _sides() -> tuple[gr.Dropdown, gr.Dropdown]:
    names = [NOISY, CLEAN, *list_models()]
    left = gr.Dropdown(titled(names), value=NOISY, label="Left", min_width=180)
    right = gr.Dropdown(titled([*names[2:], *names[:2]]), value=DEFAULT_MODEL, label="Right", min_width=180)
    return left, right


def _dial() -> gr.Slider:
    return BoundedSlider(
        0,
        1,
        1.0,
        step=0.05,
        label="From truth to texture",
        info="0: the U-Net, nearest to the true pixels. 1: the PatchGAN, with the most natural texture.",
        visible=False,
    )


def _face_picker(samples: list[tuple[str, np.ndarray]]) -> FacePicker:
    gallery = InlineGallery(
        [(as_picture(sample), title) for title, sample in samples],
        label="Choose a face",
        columns=6,
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


def _attention() -> Attention:
    with gr.Accordion("Where the network looks", open=False) as part:
        gr.Markdown(
            "Attention gates weigh the details that a network passes on. Light is much, dark is little; fine details "
            "come first, then coarse ones. Filters have no attention. It is that of what stands right."
        )
        return Attention(part, pixel_gallery(columns=3, rows=1))


def _comparisons(controls: NoiseControls) -> Comparisons:
    with gr.Accordion("Compare all", open=False):
        gr.Markdown(f"Every network and filter on this noisy face, best first. {controls.filters_know}")
        compare = gr.Button("Compare all", variant="primary")
        table = gr.HTML(padding=False)
        gallery = pixel_gallery(columns=5, visible=False)
    with gr.Accordion("Quality at every noise level", open=False):
        gr.Markdown(
            "PSNR on this face, from weak noise to strong. Higher is better; *noisy* is the face as it came. "
            f"{PSNR_CAP:.0f} dB stands for no error at all."
        )
        chosen = gr.Dropdown(
            titled(list_models()),
            value=[name for name in controls.rivals if name in list_models()],
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
            x_lim=list(controls.level_limits) if controls.level_limits else None,
            visible=False,
        )
    return Comparisons(compare, table, gallery, chosen, draw, plot)
