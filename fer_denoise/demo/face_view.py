"""What is shown of one face: pictures, measurements, and words on the restorer that was chosen."""

from collections.abc import Callable
from dataclasses import astuple
from functools import partial
from html import escape
from typing import NamedTuple

import numpy as np
from PIL import Image

from fer_denoise.demo.components import as_picture
from fer_denoise.demo.emotions import emotion_table, note
from fer_denoise.demo.error_map import attention_picture, error_picture, impulse_picture
from fer_denoise.demo.numbers import decibels, fixed
from fer_denoise.demo.restorers import Restorers
from fer_denoise.evaluate import restore
from fer_denoise.images import to_float
from fer_denoise.method import KnownNoise
from fer_denoise.metrics import psnr, ssim
from fer_denoise.noise import TASKS, Noise
from fer_denoise.precision import on_cores
from fer_denoise.realism import blend
from fer_denoise.zoo import MODELS, specialists

SCALES = ("Fine", "Middle", "Coarse")

UNFIT = "This noise is not what <i>{}</i> was trained for, so expect less of it."


class FaceView(NamedTuple):
    """A face to which noise was added and which was restored, as it is shown."""

    clean: Image.Image
    noisy: Image.Image
    restored: Image.Image
    error: Image.Image
    impulses: Image.Image
    table: str
    emotions: str
    """What the emotion classifier takes the clean, the noisy and the restored face for, as HTML."""

    @property
    def pair(self) -> tuple[Image.Image, Image.Image]:
        """Noisy and restored, to be laid over each other."""
        return self.noisy, self.restored


@on_cores(1)
def restore_face(
    face: np.ndarray, restorers: Restorers, model: str, noise: Noise, seed: int, alpha: float = 1.0
) -> FaceView:
    """Add noise to a face, uint8 (48, 48), and remove it again.

    A PatchGAN's result is blended with that of the U-Net of its task: `alpha` 1 takes the PatchGAN's alone.
    """
    clean = to_float(face)
    noisy = noise(clean, seed=seed)
    restorer = restorers.get(model)
    restored = restore(restorer, noisy, KnownNoise.of(noise))
    task = MODELS[model].task
    if task and is_realist(model) and alpha != 1:
        truest, _ = specialists(task)
        restored = blend(restorers.get(truest)(noisy), restored, alpha)
    emotions = restorers.classifier()(np.stack([clean, noisy, restored]))
    return FaceView(
        clean=as_picture(clean),
        noisy=as_picture(noisy),
        restored=as_picture(restored),
        error=error_picture(restored, clean),
        impulses=impulse_picture(clean, noisy, restored),
        table=metrics_table(clean, noisy, restored),
        emotions=emotion_table(("Clean", "Noisy", "Restored"), emotions) + note(),
    )


@on_cores(1)
def attention_pictures(
    face: np.ndarray, restorers: Restorers, model: str, noise: Noise, seed: int
) -> list[tuple[Image.Image, str]]:
    """What the gates of a network let through on a face with noise, from the finest scale down; none for filters."""
    noisy = noise(to_float(face), seed=seed)
    scales = restorers.get(model).attention(noisy)
    named = zip(scales, SCALES[: len(scales)], strict=True)
    return [(attention_picture(noisy, coefficients), name) for coefficients, name in named]


def is_realist(model: str) -> bool:
    """Whether `model` is the PatchGAN of a task, which has a U-Net to be blended with."""
    task = MODELS[model].task
    return task is not None and model == specialists(task)[1]


COLUMNS: tuple[tuple[str, str, bool, Callable[..., str]], ...] = (
    ("MSE &darr;", "mean squared error, lower is better", False, partial(fixed, digits=5)),
    ("PSNR &uarr;", "peak signal-to-noise ratio, higher is better; ∞ without any error", True, decibels),
    ("SSIM &uarr;", "structural similarity, 1 is perfect", True, partial(fixed, digits=4)),
)
"""Of the table of measurements: head, explanation, whether higher is better, and how a number is written."""

NO_GAIN = "–"


def metrics_table(clean: np.ndarray, noisy: np.ndarray, restored: np.ndarray) -> str:
    """MSE, PSNR and SSIM of noisy and restored, and the gain, as HTML.

    A face that came without noise has an infinite PSNR, over which there is nothing to gain.
    """
    before, after = (
        (float(np.mean((image - clean) ** 2)), psnr(image, clean), ssim(image, clean)) for image in (noisy, restored)
    )
    cells: dict[str, str] = dict.fromkeys(("noisy", "restored", "gain"), "")
    for (*_, higher_is_better, write), old, new in zip(COLUMNS, before, after, strict=True):
        gain = NO_GAIN if np.isinf(old) else write(new - old, signed=True)
        verdict = ""
        if gain[0] in "+-":
            verdict = "better" if (gain[0] == "+") == higher_is_better else "worse"
        cells["noisy"] += f"<td>{write(old)}</td>"
        cells["restored"] += f"<td>{write(new)}</td>"
        cells["gain"] += f"<td class='{verdict}'>{gain}</td>"
    heads = "".join(f"<th scope='col' title='{explanation}'>{head}</th>" for head, explanation, *_ in COLUMNS)
    rows = "".join(
        f"<tr class='{name}'><th scope='row'>{name.capitalize()}</th>{row}</tr>" for name, row in cells.items()
    )
    return (
        f"<table class='metrics face'><thead><tr><th scope='col'>Against clean</th>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def measurements(view: FaceView, level: str, model: str, noise: Noise) -> str:
    """All that is said of a face beside its pictures, as HTML; `level` says how strong the noise is."""
    warning = "" if fits(model, noise) else f"<p class='unfit'>{UNFIT.format(MODELS[model].title)}</p>"
    summary = escape(MODELS[model].summary)
    return f"<section>{warning}{view.table}<p>{level}</p><p>{summary}</p></section><section>{view.emotions}</section>"


def fits(model: str, noise: Noise) -> bool:
    """Whether `model` was trained for `noise`; whatever is no specialist serves every noise."""
    task = MODELS[model].task
    if task is None:
        return True
    return type(TASKS[task]) is type(noise) and np.allclose(astuple(TASKS[task]), astuple(noise))
