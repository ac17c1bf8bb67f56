"""What programs call: endpoints with typed parameters, which are the tools of the app's MCP server too."""

import gradio as gr

from fer_denoise.command.job import Corruption
from fer_denoise.demo.components import HEAVY_JOB, NamedNumber, PictureInput, in_plain_words, picture_file
from fer_denoise.demo.fair_queue import FairQueue, visitor_of
from fer_denoise.demo.links import MAX_SEED
from fer_denoise.demo.restorers import Restorers
from fer_denoise.demo.uploads import read_upload
from fer_denoise.photos import blend_pictures, picture_noise_level, restore_picture
from fer_denoise.zoo import DEFAULT_MODEL, UNIVERSAL, list_models


class Endpoints:
    """What each of them does; docstrings are what programs and language models read of them."""

    def __init__(self, restorers: Restorers, queue: FairQueue) -> None:
        self._restorers, self._queue = restorers, queue

    def restore(
        self,
        image: str | None,
        model: str,
        sigma: float,
        strength: float,
        keep_colour: bool,
        white: float,
        request: gr.Request,
    ) -> str:
        """Remove the noise from a picture.

        Args:
            image: the noisy picture, of any size and common format.
            model: which restorer; "universal" needs to be told nothing about the noise.
            sigma: standard deviation of the noise from 0 to 1, for universal and the filters; 0 means it is estimated.
            strength: 1 removes all noise, 0 none.
            keep_colour: keep the colours; otherwise the picture comes back in grayscale.
            white: the number that is white in a picture of more than 8 bits, such as 4095; 0 where it tells itself.

        Returns:
            The restored picture, of the same size, depth and number of frames: a PNG, a TIFF of floats and of
            stacks of more than 8 bits, or a PGM or PPM of those whose maximum is not 255 or 65535.
        """
        if strength is None:
            raise ValueError("strength: give a number from 0 to 1")
        picture = read_upload(image, model, not keep_colour, white)
        with self._queue.take(visitor_of(request)):
            restored = restore_picture(self._restorers.get(model), picture, sigma or None)
        return picture_file(blend_pictures(picture, restored, strength), image)

    def add_noise(
        self,
        image: str | None,
        sigma: float,
        amount: float,
        salt_vs_pepper: float,
        seed: float,
        keep_colour: bool,
        white: float,
    ) -> str:
        """Add reproducible noise to a picture: Gaussian noise, then salt and pepper over it.

        Args:
            image: the clean picture.
            sigma: standard deviation of the Gaussian noise, from 0 to 1.
            amount: fraction of the pixels that turn black or white, from 0 to 1.
            salt_vs_pepper: fraction of white ones among those, from 0 to 1.
            seed: the same seed draws the same noise.
            keep_colour: add noise to each colour channel; otherwise the picture comes back in grayscale.
            white: the number that is white in a picture of more than 8 bits, such as 4095; 0 where it tells itself.

        Returns:
            The noisy picture, as that of `restore`.
        """
        if None in (sigma, amount, salt_vs_pepper, seed):
            raise ValueError("sigma, amount, salt_vs_pepper, seed: give a number for each")
        clean = read_upload(image, UNIVERSAL, not keep_colour, white)
        (noisy,) = Corruption(sigma, amount, salt_vs_pepper, int(seed))([clean], [0])
        return picture_file(noisy, image, "noisy")

    def estimate_noise(self, image: str | None, white: float, request: gr.Request) -> dict[str, float]:
        """Estimate how noisy a picture is.

        Args:
            image: the picture, of any size and common format; of several frames, the first counts.
            white: the number that is white in a picture of more than 8 bits, such as 4095; 0 where it tells itself.

        Returns:
            sigma: standard deviation of its Gaussian noise from 0 to 1, and amount: fraction of its pixels that are
            impulses.
        """
        picture = read_upload(image, UNIVERSAL, white=white)
        with self._queue.take(visitor_of(request)):
            estimate = picture_noise_level(self._restorers.get(UNIVERSAL), picture)
        return {name: round(value, 5) for name, value in estimate._asdict().items()} if estimate else {}


def build_endpoints(restorers: Restorers, queue: FairQueue) -> None:
    """Add the endpoints; nothing of them is seen on the page."""
    endpoints = Endpoints(restorers, queue)
    with gr.Row(visible=False):
        for function, inputs, output in (
            (
                endpoints.restore,
                [
                    _picture("Noisy picture"),
                    gr.Dropdown(list_models(), value=DEFAULT_MODEL, label="Restorer"),
                    _fraction("Noise level (sigma)", 0),
                    _fraction("Strength", 1),
                    gr.Checkbox(True, label="Keep the colours"),
                    _white(),
                ],
                gr.Image(label="Restored picture", format="png", image_mode=None),
            ),
            (
                endpoints.add_noise,
                [
                    _picture("Clean picture"),
                    _fraction("Noise level (sigma)", 0.06),
                    _fraction("Fraction of impulses (amount)", 0),
                    _fraction("Fraction of salt (salt_vs_pepper)", 0.5),
                    NamedNumber(0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED),
                    gr.Checkbox(True, label="Keep the colours"),
                    _white(),
                ],
                gr.Image(label="Noisy picture", format="png", image_mode=None),
            ),
            (endpoints.estimate_noise, [_picture("Picture"), _white()], gr.JSON(label="Noise level")),
        ):
            gr.Button().click(in_plain_words(function), inputs, output, api_name=function.__name__, **HEAVY_JOB)


def _picture(label: str) -> PictureInput:
    return PictureInput(label=label, format="png")


def _fraction(label: str, value: float) -> NamedNumber:
    return NamedNumber(value, label=label, minimum=0, maximum=1)


def _white() -> NamedNumber:
    return NamedNumber(0, label="White (0: as the picture tells)", minimum=0)
