"""What is shown of one face: pictures, measurements, and words on the restorer that was chosen."""

from dataclasses import astuple
from html import escape
from typing import NamedTuple

import numpy as np
from PIL import Image

from fer_denoise.demo.components import as_picture
from fer_denoise.demo.emotions import emotion_table, guesses, note
from fer_denoise.demo.error_map import attention_picture, error_picture, impulse_picture
from fer_denoise.demo.numbers import fixed
from fer_denoise.demo.restorers import Restorers
from fer_denoise.evaluate import restore
from fer_denoise.images import to_float
from fer_denoise.method import KnownNoise
from fer_denoise.metrics import psnr, ssim
from fer_denoise.noise import TASKS, Noise, SaltAndPepperNoise
from fer_denoise.precision import on_cores
from fer_denoise.realism import blend
from fer_denoise.zoo import MODELS, specialists

SCALES = ("Fine", "Middle", "Coarse")

UNFIT = "This noise is not what <i>{}</i> was trained for, so expect less of it."

NOISY, CLEAN = "noisy", "clean"
"""What may stand on a side of the comparison besides what a restorer, by its name, makes of the face."""


class FaceView(NamedTuple):
    """A face to which noise was added, and two pictures of it to compare, as it is shown."""

    titles: tuple[str, str]
    """What stands left and right."""
    left: Image.Image
    right: Image.Image
    clean: Image.Image
    error: Image.Image
    """The error of what stands right."""
    impulses: Image.Image | None
    """What became of them in what stands right; None where the noise has none."""
    numbers: str
    """PSNR, MSE and SSIM of left and right, as HTML."""
    emotions: str
    """What the emotion classifier takes the clean face and both sides for, as HTML."""


def title_of(side: str) -> str:
    """What stands on a side, for a person to read."""
    return MODELS[side].title if side in MODELS else side.capitalize()


@on_cores(1)
def restore_face(
    face: np.ndarray, restorers: Restorers, sides: tuple[str, str], noise: Noise, seed: int, alpha: float = 1.0
) -> FaceView:
    """Add noise to a face, uint8 (48, 48), and show two of: it, the clean face, and what restorers make of it.

    Args:
        sides: what stands left and right: `NOISY`, `CLEAN`, or the name of a restorer.
        alpha: a PatchGAN's result is blended with that of the U-Net of its task; 1 takes the PatchGAN's alone.
    """
    clean = to_float(face)
    noisy = noise(clean, seed=seed)
    left, right = (_side(side, clean, noisy, restorers, noise, alpha) for side in sides)
    titles = title_of(sides[0]), title_of(sides[1])
    shown = {"Clean": clean, titles[0]: left, titles[1]: right}
    _, *others = shown.values()
    labels, votes = guesses(restorers.classifier(), clean, others)
    return FaceView(
        titles=titles,
        left=as_picture(left),
        right=as_picture(right),
        clean=as_picture(clean),
        error=error_picture(right, clean),
        impulses=impulse_picture(clean, noisy, right) if isinstance(noise, SaltAndPepperNoise) else None,
        numbers=numbers(clean, left, right),
        emotions=emotion_table(tuple(shown), labels, votes) + note(votes),
    )


def _side(
    side: str, clean: np.ndarray, noisy: np.ndarray, restorers: Restorers, noise: Noise, alpha: float
) -> np.ndarray:
    if side in (NOISY, CLEAN):
        return noisy if side == NOISY else clean
    restored = restore(restorers.get(side), noisy, known_noise(noise))
    task = MODELS[side].task
    if task and is_realist(side) and alpha != 1:
        truest, _ = specialists(task)
        return blend(restorers.get(truest)(noisy), restored, alpha)
    return restored


def known_noise(noise: Noise) -> KnownNoise:
    """What filters know of a noise; nothing where it has no one level, which they then estimate."""
    try:
        return KnownNoise.of(noise)
    except TypeError:
        return KnownNoise()


@on_cores(1)
def attention_pictures(
    face: np.ndarray, restorers: Restorers, model: str, noise: Noise, seed: int
) -> list[tuple[Image.Image, str]]:
    """What the gates of a network let through on a face with noise, from the finest scale down; none for the rest."""
    noisy = noise(to_float(face), seed=seed)
    attention_maps = restorers.get(model).attention(noisy) if model in MODELS else []
    named = zip(attention_maps, SCALES[: len(attention_maps)], strict=True)
    return [(attention_picture(noisy, coefficients), name) for coefficients, name in named]


def is_realist(model: str) -> bool:
    """Whether `model` is the PatchGAN of a task, which has a U-Net to be blended with."""
    task = MODELS[model].task if model in MODELS else None
    return task is not None and model == specialists(task)[1]


NO_GAIN = "–"


def numbers(clean: np.ndarray, left: np.ndarray, right: np.ndarray) -> str:
    """PSNR of left and right against clean, large, with the gain; MSE and SSIM beneath, small; as HTML.

    What has no error has an infinite PSNR, over which there is nothing to gain.
    """
    before, after = (
        (psnr(image, clean), float(np.mean((image - clean) ** 2)), ssim(image, clean)) for image in (left, right)
    )
    gain = NO_GAIN if np.isinf(before[0]) else fixed(after[0] - before[0], 1, signed=True)
    verdict = {"+": "better", "-": "worse"}.get(gain[0], "")
    large, mse, similarity = (
        f"{fixed(old, decimals)} &rarr; {fixed(new, decimals)}"
        for old, new, decimals in zip(before, after, (1, 5, 4), strict=True)
    )
    return f"""<p class="psnr">{large} dB <span class="{verdict}">({gain})</span></p>
<p class="others"><span title="Peak signal-to-noise ratio: higher is better">PSNR, against clean</span>
<span title="Mean squared error: lower is better">MSE {mse}</span>
<span title="Structural similarity: 1 is perfect">SSIM {similarity}</span></p>"""


def warnings(sides: tuple[str, str], noise: Noise) -> str:
    """What to say of restorers that stand on a side and were not trained for `noise`, as HTML."""
    unfit = [title_of(side) for side in dict.fromkeys(sides) if side in MODELS and not fits(side, noise)]
    return "".join(f"<p class='unfit'>{UNFIT.format(escape(title))}</p>" for title in unfit)


def details(view: FaceView, description: str, sides: tuple[str, str]) -> str:
    """All that is said of a face below its comparison, as HTML; `description` is that of the noise."""
    summaries = "".join(
        f"<p><b>{escape(title_of(side))}.</b> {escape(MODELS[side].summary)}</p>"
        for side in dict.fromkeys(sides)
        if side in MODELS
    )
    return f"<section><p>{description}</p>{summaries}</section><section>{view.emotions}</section>"


def fits(model: str, noise: Noise) -> bool:
    """Whether `model` was trained for `noise`; whatever is no specialist serves every noise."""
    task = MODELS[model].task
    if task is None:
        return True
    return type(TASKS[task]) is type(noise) and np.allclose(astuple(TASKS[task]), astuple(noise))
