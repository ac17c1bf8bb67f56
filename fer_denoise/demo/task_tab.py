"""The tab of a task: choose a face, add noise, restore it, and see what was gained."""

from dataclasses import astuple
from typing import Any

import gradio as gr
import numpy as np

from fer_denoise.demo.components import PictureInput, as_picture, in_plain_words, pixel_image
from fer_denoise.demo.noise_controls import CONTROLS
from fer_denoise.demo.restorers import Restorers
from fer_denoise.images import to_float
from fer_denoise.metrics import psnr, ssim
from fer_denoise.noise import TASKS, GaussianNoise, Noise
from fer_denoise.pictures import read_picture, to_face
from fer_denoise.realism import blend
from fer_denoise.samples import sample_faces
from fer_denoise.zoo import MODELS, list_models, specialists

MAX_SEED = 2**31 - 1


def build_task_tab(task: str, restorers: Restorers) -> None:
    """Fill the current tab with the controls and pictures of `task`."""
    controls = CONTROLS[task]
    specialist, _ = specialists(task)
    samples = list(sample_faces().items())

    @in_plain_words
    def run(face: np.ndarray, model: str, share: float, seed: int | None, *values: float) -> tuple[Any, ...]:
        noise = controls.noise(*values)
        return (
            controls.describe(*values),
            advice(model, noise),
            *restore_face(face, restorers, model, noise, int(seed or 0), share),
        )

    first_face = samples[0][1]
    level, hint, clean, noisy, restored, table = run(first_face, specialist, 1.0, 0, *controls.preset)

    face = gr.State(first_face)
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300, elem_classes="controls"):
            gallery = gr.Gallery(
                [(as_picture(sample), title) for title, sample in samples],
                label="Choose a face",
                format="png",
                columns=5,
                rows=2,
                height="auto",
                object_fit="cover",
                allow_preview=False,
                buttons=[],
                selected_index=0,
                elem_classes="pixels faces",
            )
            upload = PictureInput(
                label="Or a face of your own",
                placeholder="Drop a picture or click",
                sources=["upload", "clipboard"],
                format="png",
                height=150,
            )
            with gr.Group():
                sliders = controls.build()
                seed = gr.Number(
                    0,
                    label="Seed",
                    info="The same seed draws the same noise.",
                    precision=0,
                    minimum=0,
                    maximum=MAX_SEED,
                )
            level_text = gr.Markdown(level)
            preset = gr.Button("Back to the task's own noise", size="sm")
            model = gr.Dropdown(
                [(MODELS[name].title, name) for name in list_models()],
                value=specialist,
                label="Restorer",
                info="A network trained for one kind of noise, or a classical filter.",
            )
            dial = gr.Slider(
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
                clean_image = pixel_image("Clean", value=clean)
                noisy_image = pixel_image("Noisy", value=noisy)
                restored_image = pixel_image("Restored", value=restored)
            table_html = gr.HTML(table, padding=False)
            hint_text = gr.Markdown(hint)

    inputs = [face, model, dial, seed, *sliders]
    outputs = [level_text, hint_text, clean_image, noisy_image, restored_image, table_html]
    options: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_id": "restore"}

    def pick_sample(event: gr.SelectData) -> np.ndarray:
        return samples[event.index][1]

    @in_plain_words
    def pick_upload(path: str) -> np.ndarray:
        return to_face(read_picture(path))

    picked = gallery.select(pick_sample, None, face, **options)
    uploaded = upload.upload(pick_upload, upload, face, **options)
    for event in (picked, uploaded):
        event.success(run, inputs, outputs, **options)
    # A slider also changes by keyboard, by its number box and by the reset, none of which count as a release.
    changes = [control.change for control in (*sliders, seed, model, dial)]
    gr.on(changes, run, inputs, outputs, trigger_mode="always_last", **options)
    model.change(lambda name: gr.Slider(visible=is_realist(name)), model, dial, **options)
    preset.click(lambda: controls.preset, None, sliders, **options)


def restore_face(
    face: np.ndarray, restorers: Restorers, model: str, noise: Noise, seed: int, share: float = 1.0
) -> tuple[Any, ...]:
    """The clean, noisy and restored picture of a face, uint8 (48, 48), and the table of what was measured.

    A PatchGAN's result is blended with that of the U-Net of its task: `share` 1 takes the PatchGAN's alone.
    """
    clean = to_float(face)
    noisy = noise(clean, seed=seed)
    restored = restorers.get(model)(noisy, sigma=noise.sigma if isinstance(noise, GaussianNoise) else None)
    if is_realist(model) and share != 1:
        truest, _ = specialists(MODELS[model].task)
        restored = blend(restorers.get(truest)(noisy), restored, share)
    return as_picture(clean), as_picture(noisy), as_picture(restored), metrics_table(clean, noisy, restored)


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

    def row(name: str, values: list[float], classes: list[str], sign: str = "") -> str:
        cells = "".join(
            f"<td class='{kind}'>{form.replace(':', ':' + sign).format(value)}</td>"
            for form, value, kind in zip(formats, values, classes, strict=True)
        )
        return f"<tr><th scope='row'>{name}</th>{cells}</tr>"

    verdicts = ["better" if good else "worse" if value else "" for good, value in zip(better, gain, strict=True)]
    rows = row("Noisy", before, [""] * 3) + row("Restored", after, [""] * 3) + row("Gain", gain, verdicts, "+")
    return (
        "<table class='metrics'><thead><tr><th scope='col'>Against clean</th>"
        "<th scope='col' title='mean squared error, lower is better'>MSE &darr;</th>"
        "<th scope='col' title='peak signal-to-noise ratio, higher is better'>PSNR &uarr;</th>"
        "<th scope='col' title='structural similarity, 1 is perfect'>SSIM &uarr;</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def advice(model: str, noise: Noise) -> str:
    """What the chosen restorer is, and whether this noise is what it was trained for."""
    info = MODELS[model]
    if info.task is None:
        return info.summary
    trained = TASKS[info.task]
    if type(trained) is type(noise) and np.allclose(astuple(trained), astuple(noise)):
        return info.summary
    return f"{info.summary} **This noise is not what it was trained for, so expect less of it.**"
