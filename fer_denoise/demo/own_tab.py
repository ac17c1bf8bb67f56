"""The tab for a visitor's own picture, which is also the endpoint for programs."""

import gradio as gr

from fer_denoise.demo.components import PictureInput, as_picture, in_plain_words
from fer_denoise.demo.restorers import Restorers
from fer_denoise.pictures import read_picture
from fer_denoise.zoo import DEFAULT_MODEL, MODELS, list_models


def build_own_tab(restorers: Restorers) -> None:
    """Fill the current tab: a picture of any size in, the restored one out."""

    @in_plain_words
    def restore(image: str | None, model: str, sigma: float | None):
        if image is None:
            raise ValueError("There is no picture yet: choose one first.")
        picture = read_picture(image)
        restored = restorers.get(model)(picture, sigma=sigma or None)
        return as_picture(restored)

    gr.Markdown(
        "Restore a picture of your own, in any size. It becomes grayscale. "
        "There is no clean copy to compare with, so no quality is measured here."
    )
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            image = PictureInput(
                label="Noisy picture",
                sources=["upload", "clipboard"],
                format="png",
                height=280,
                elem_classes="pixels fit",
            )
            model = gr.Dropdown(
                [(MODELS[name].title, name) for name in list_models()], value=DEFAULT_MODEL, label="Restorer"
            )
            sigma = gr.Number(
                0,
                label="Noise level (sigma, 0 to 1)",
                info="For filters that can be told it; 0 means it is estimated.",
                minimum=0,
                maximum=1,
                step=0.01,
            )
            button = gr.Button("Restore", variant="primary")
        with gr.Column(scale=3, min_width=300):
            restored = gr.Image(
                label="Restored",
                format="png",
                image_mode="L",
                interactive=False,
                buttons=["download", "fullscreen"],
                height=480,
                elem_classes="pixels fit",
                alt_text="Restored picture",
            )
    button.click(
        restore,
        [image, model, sigma],
        restored,
        api_name="restore",
        api_description="Restore a noisy picture; it comes back in grayscale and in its own size, as PNG.",
        concurrency_id="restore",
    )
