"""What programs call: endpoints with typed parameters, which are the tools of the app's MCP server too."""

import gradio as gr
from PIL import Image

from fer_denoise.demo.components import MUCH_WORK, PictureInput, as_picture, in_plain_words
from fer_denoise.demo.links import MAX_SEED
from fer_denoise.demo.restorers import Restorers
from fer_denoise.demo.turns import Turns, visitor_of
from fer_denoise.demo.uploads import read_photo
from fer_denoise.noise import mixed_noise
from fer_denoise.photos import blend_towards_input, photo_noise_level, restore_photo
from fer_denoise.zoo import DEFAULT_MODEL, UNIVERSAL, list_models


def build_endpoints(restorers: Restorers, turns: Turns) -> None:
    """Add the endpoints; nothing of them is seen on the page."""

    @in_plain_words
    def restore(
        image: str | None, model: str, sigma: float, strength: float, keep_colour: bool, request: gr.Request
    ) -> Image.Image:
        """Remove the noise from a picture.

        Args:
            image: the noisy picture, of any size and common format.
            model: which restorer; "universal" needs to be told nothing about the noise.
            sigma: standard deviation of the noise from 0 to 1, for universal and the filters; 0 means it is estimated.
            strength: 1 removes all noise, 0 none.
            keep_colour: restore each colour channel; otherwise the picture comes back in grayscale.

        Returns:
            The restored picture, a PNG of the same size.
        """
        if strength is None:
            raise ValueError("strength: give a number from 0 to 1")
        photo = read_photo(image, model, keep_colour)
        with turns.take(visitor_of(request)):
            restored = restore_photo(restorers.get(model), photo, sigma or None)
        return Image.fromarray(blend_towards_input(photo, restored, strength))

    @in_plain_words
    def add_noise(image: str | None, sigma: float, amount: float, salt_vs_pepper: float, seed: float) -> Image.Image:
        """Add reproducible noise to a picture: Gaussian noise, then salt and pepper over it.

        Args:
            image: the clean picture; it becomes grayscale.
            sigma: standard deviation of the Gaussian noise, from 0 to 1.
            amount: share of the pixels that turn black or white, from 0 to 1.
            salt_vs_pepper: share of white ones among those, from 0 to 1.
            seed: the same seed draws the same noise.

        Returns:
            The noisy picture, a grayscale PNG of the same size.
        """
        if None in (sigma, amount, salt_vs_pepper, seed):
            raise ValueError("sigma, amount, salt_vs_pepper, seed: give a number for each")
        clean = read_photo(image, UNIVERSAL, colour=False)
        return as_picture(mixed_noise(clean, sigma, amount, salt_vs_pepper, seed=int(seed)))

    @in_plain_words
    def estimate_noise(image: str | None, request: gr.Request) -> dict[str, float]:
        """Estimate how noisy a picture is.

        Args:
            image: the picture, of any size and common format.

        Returns:
            sigma: standard deviation of its Gaussian noise from 0 to 1, and amount: share of its pixels that are
            impulses.
        """
        photo = read_photo(image, UNIVERSAL, colour=True)
        with turns.take(visitor_of(request)):
            level = photo_noise_level(restorers.get(UNIVERSAL), photo)
        return {name: round(value, 5) for name, value in level._asdict().items()} if level else {}

    def picture(label: str) -> PictureInput:
        return PictureInput(label=label, format="png")

    def share(label: str, value: float) -> gr.Number:
        return gr.Number(value, label=label, minimum=0, maximum=1)

    with gr.Row(visible=False):
        for function, inputs, output in (
            (
                restore,
                [
                    picture("Noisy picture"),
                    gr.Dropdown(list_models(), value=DEFAULT_MODEL, label="Restorer"),
                    share("Noise level (sigma)", 0),
                    share("Strength", 1),
                    gr.Checkbox(False, label="Keep the colours"),
                ],
                gr.Image(label="Restored picture", format="png", image_mode=None),
            ),
            (
                add_noise,
                [
                    picture("Clean picture"),
                    share("Noise level (sigma)", 0.06),
                    share("Share of impulses", 0),
                    share("Salt share", 0.5),
                    gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED),
                ],
                gr.Image(label="Noisy picture", format="png", image_mode="L"),
            ),
            (estimate_noise, [picture("Picture")], gr.JSON(label="Noise level")),
        ):
            gr.Button().click(function, inputs, output, api_name=function.__name__, **MUCH_WORK)
