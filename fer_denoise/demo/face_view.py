"""What is shown of one face: pictures, measurements, and words on the restorer that was chosen."""

from dataclasses import astuple
from html import escape
from typing import NamedTuple

import numpy as np
from PIL import Image

from fer_denoise.demo.components import as_picture
from fer_denoise.demo.emotions import emotion_table, note
from fer_denoise.demo.heat import attention_picture, error_picture, impulse_picture
from fer_denoise.demo.restorers import Restorers
from fer_denoise.evaluate import restore_known
from fer_denoise.images import to_float
from fer_denoise.metrics import psnr, ssim
from fer_denoise.noise import TASKS, Noise
from fer_denoise.precision import on_cores
from fer_denoise.realism import blend
from fer_denoise.zoo import MODELS, specialists

LEVELS = ("Fine", "Middle", "Coarse")

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
    face: np.ndarray, restorers: Restorers, model: str, noise: Noise, seed: int, share: float = 1.0
) -> FaceView:
    """Add noise to a face, uint8 (48, 48), and remove it again.

    A PatchGAN's result is blended with that of the U-Net of its task: `share` 1 takes the PatchGAN's alone.
    """
    clean = to_float(face)
    noisy = noise(clean, seed=seed)
    restorer = restorers.get(model)
    restored = restore_known(restorer, noisy, noise)
    task = MODELS[model].task
    if task and is_realist(model) and share != 1:
        truest, _ = specialists(task)
        restored = blend(restorers.get(truest)(noisy), restored, share)
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
    """What the gates of a network let through on a face with noise, level by level; none for filters."""
    noisy = noise(to_float(face), seed=seed)
    levels = restorers.get(model).attention(noisy)
    named = zip(levels, LEVELS[: len(levels)], strict=True)
    return [(attention_picture(noisy, coefficients), name) for coefficients, name in named]


def is_realist(model: str) -> bool:
    """Whether `model` is the PatchGAN of a task, which has a U-Net to be blended with."""
    task = MODELS[model].task
    return task is not None and model == specialists(task)[1]


def metrics_table(clean: np.ndarray, noisy: np.ndarray, restored: np.ndarray) -> str:
    """MSE, PSNR and SSIM of noisy and restored, and the gain, as HTML."""
    measured = [
        [float(np.mean((image - clean) ** 2)), psnr(image, clean), ssim(image, clean)] for image in (noisy, restored)
    ]
    before, after = measured
    gain = [b - a if np.isfinite(a) or np.isfinite(b) else 0.0 for a, b in zip(before, after, strict=True)]
    better = [gain[0] < 0, gain[1] > 0, gain[2] > 0]
    formats = ("{:.5f}", "{:.2f} dB", "{:.4f}")

    def row(name: str, values: list[float], classes: list[str], sign: str = "", kind: str = "") -> str:
        cells = "".join(
            f"<td class='{verdict}'>{form.replace(':', ':' + sign).format(value)}</td>"
            for form, value, verdict in zip(formats, values, classes, strict=True)
        )
        return f"<tr class='{kind}'><th scope='row'>{name}</th>{cells}</tr>"

    verdicts = ["better" if good else "worse" if value else "" for good, value in zip(better, gain, strict=True)]
    rows = row("Noisy", before, [""] * 3) + row("Restored", after, [""] * 3) + row("Gain", gain, verdicts, "+", "gain")
    return (
        "<table class='metrics face'><thead><tr><th scope='col'>Against clean</th>"
        "<th scope='col' title='mean squared error, lower is better'>MSE &darr;</th>"
        "<th scope='col' title='peak signal-to-noise ratio, higher is better'>PSNR &uarr;</th>"
        "<th scope='col' title='structural similarity, 1 is perfect'>SSIM &uarr;</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def measurements(view: FaceView, level: str, model: str, noise: Noise) -> str:
    """All that is said of a face beside its pictures, as HTML; `level` tells how strong the noise is."""
    warning = "" if fits(model, noise) else f"<p class='unfit'>{UNFIT.format(MODELS[model].title)}</p>"
    summary = escape(MODELS[model].summary)
    return f"<section>{warning}{view.table}<p>{level}</p><p>{summary}</p></section><section>{view.emotions}</section>"


def fits(model: str, noise: Noise) -> bool:
    """Whether `noise` is what `model` was made for; only specialists are particular."""
    task = MODELS[model].task
    if task is None:
        return True
    return type(TASKS[task]) is type(noise) and np.allclose(astuple(TASKS[task]), astuple(noise))
