"""Where everything of the tab for one's own picture stands, none of which does anything yet."""

from dataclasses import dataclass

import gradio as gr

from fer_denoise.demo.components import BoundedSlider, NamedNumber, PictureInput, pixel_gallery, white_number
from fer_denoise.demo.example_pictures import example_pictures, thumbnail
from fer_denoise.demo.own_loupe import loupe_display
from fer_denoise.zoo import DEFAULT_MODEL, MODELS, list_models

WHOLE, FACES = "Whole picture", "Faces in it"
INVITATION = "Choose a picture, or take one of these: it is restored when it arrives."
COMPARE = "Drag: noisy | restored"

MEMORY_SECONDS = 1800
"""How long a visitor's last picture stays in memory, for the strength to be changed."""


@dataclass(frozen=True)
class OptionControls:
    """The picture, and how it is to be restored."""

    image: gr.Image
    model: gr.Dropdown
    part: gr.Radio
    colour: gr.Checkbox
    sigma: gr.Number
    white: gr.Number


@dataclass(frozen=True)
class ResultControls:
    """What shows the result; `last` holds it."""

    last: gr.State
    before_after: gr.ImageSlider
    strength: gr.Slider
    file: gr.DownloadButton
    faces: gr.Gallery
    emotions: gr.HTML
    noise_part: gr.Accordion
    noise_map: gr.Image
    loupe_part: gr.Accordion
    loupe: gr.HTML
    centre: gr.JSON


def lay_out_options() -> OptionControls:
    """The picture, and below it the options, folded."""
    image = PictureInput(
        label="Noisy picture",
        placeholder="Drop a picture or click",
        sources=["upload", "webcam", "clipboard"],
        format="png",
        height=280,
        elem_classes="pixels fit",
    )
    with gr.Accordion("Options", open=False):
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
        colour = gr.Checkbox(True, label="Keep the colours", info="Otherwise the luminance alone is restored.")
        sigma = NamedNumber(
            0,
            label="Noise level (sigma, 0 to 1)",
            info="Universal and the filters can be told it. 0: it is estimated.",
            minimum=0,
            maximum=1,
            step=0.01,
        )
        white = white_number()
    return OptionControls(image, model, part, colour, sigma, white)


def lay_out_results() -> ResultControls:
    """The one result, hidden until there is one, and what is told of it."""
    last = gr.State(None, time_to_live=MEMORY_SECONDS)
    before_after = gr.ImageSlider(
        label=COMPARE,
        format="png",
        interactive=False,
        buttons=["fullscreen"],
        height=480,
        elem_classes="pixels fit own-result",
        visible=False,
    )
    with gr.Row(equal_height=False):
        strength = BoundedSlider(
            0,
            1,
            1,
            step=0.05,
            label="Strength",
            info="0: your picture as it was. 1: all noise removed.",
            visible=False,
            min_width=200,
        )
        file = gr.DownloadButton("Download", visible=False, min_width=160, scale=0)
    with gr.Accordion("Loupe", open=False, visible=False) as loupe_part:
        loupe = loupe_display()
        # Where it is, which the browser says.
        centre = gr.JSON(visible=False)
    faces = pixel_gallery(columns=4, label="The faces, at 48x48: noisy, then restored", visible=False)
    emotions = gr.HTML(padding=False, visible=False)
    with gr.Accordion("Where the noise is", open=False, visible=False) as noise_part:
        noise_map = gr.Image(
            label="Light where it is strong, blue where a pixel is lost",
            format="png",
            interactive=False,
            buttons=["fullscreen"],
            height=320,
            elem_classes="pixels fit",
            alt_text="Map of the estimated noise",
        )
    return ResultControls(
        last, before_after, strength, file, faces, emotions, noise_part, noise_map, loupe_part, loupe, centre
    )


def lay_out_examples() -> gr.Gallery:
    """Pictures for whoever has none at hand."""
    return pixel_gallery(
        [(thumbnail(pixels), title) for title, pixels in example_pictures()],
        columns=5,
        label="No picture at hand?",
        allow_preview=False,
        elem_id="examples",
    )
