"""The tab of a task: choose a face, add noise, restore it, and see what was gained."""

from dataclasses import astuple
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from fer_denoise.demo.compare import compare, comparison_gallery, comparison_table
from fer_denoise.demo.components import PictureInput, as_picture, in_plain_words, pixel_image
from fer_denoise.demo.heat import attention_picture, error_legend, error_picture
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
ENLARGED = 480
"""Pixels a side of the pictures that lie over each other; a multiple of 48 keeps their edges sharp."""


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
    level, hint, clean, noisy, restored, error, pair, attention, table = run(
        first_face, specialist, 1.0, 0, *controls.preset
    )

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
            with gr.Row(equal_height=False, elem_classes="closer"):
                before_after = gr.ImageSlider(
                    pair,
                    label="Drag: noisy | restored",
                    format="png",
                    image_mode="L",
                    interactive=False,
                    buttons=["fullscreen"],
                    min_width=200,
                    elem_classes="pixels result",
                )
                with gr.Column(min_width=200):
                    error_image = pixel_image("Error", value=error, mode="RGB")
                    gr.HTML(error_legend(), padding=False)
            with gr.Accordion("Where the network looks", open=False):
                gr.Markdown(
                    "An Attention U-Net weighs the details that it passes on. Light is much, dark is little; fine "
                    "details are on the left, coarse ones on the right. Filters have no attention."
                )
                attention_gallery = gr.Gallery(
                    attention,
                    show_label=False,
                    format="png",
                    columns=3,
                    rows=1,
                    height="auto",
                    object_fit="contain",
                    buttons=["download"],
                    allow_preview=False,
                    elem_classes="pixels wide-gallery",
                )
            with gr.Accordion("Compare all methods on this face", open=False):
                compare_button = gr.Button("Compare all", variant="primary")
                compare_table = gr.HTML(padding=False)
                compare_gallery = gr.Gallery(
                    show_label=False,
                    format="png",
                    columns=4,
                    height="auto",
                    object_fit="contain",
                    buttons=["download"],
                    visible=False,
                    elem_classes="pixels wide-gallery",
                )

    inputs = [face, model, dial, seed, *sliders]
    outputs = [
        level_text,
        hint_text,
        clean_image,
        noisy_image,
        restored_image,
        error_image,
        before_after,
        attention_gallery,
        table_html,
    ]
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

    @in_plain_words
    def compare_all(face: np.ndarray, seed: int | None, *values: float) -> tuple[str, gr.Gallery]:
        results = compare(face, restorers, controls.noise(*values), int(seed or 0))
        return comparison_table(results), gr.Gallery(comparison_gallery(results), visible=True)

    compare_options = {**options, "show_progress": "full"}
    compare_button.click(compare_all, [face, seed, *sliders], [compare_table, compare_gallery], **compare_options)
    preset.click(lambda: controls.preset, None, sliders, **options)


def restore_face(
    face: np.ndarray, restorers: Restorers, model: str, noise: Noise, seed: int, share: float = 1.0
) -> tuple[Any, ...]:
    """What the tab shows of a face, uint8 (48, 48), when noise is added and removed again.

    A PatchGAN's result is blended with that of the U-Net of its task: `share` 1 takes the PatchGAN's alone.

    Returns:
        The clean, noisy and restored picture; the error; noisy and restored enlarged, to be compared; what the gates
        of the network let through, level by level; the table of what was measured.
    """
    clean = to_float(face)
    noisy = noise(clean, seed=seed)
    restorer = restorers.get(model)
    restored = restorer(noisy, sigma=noise.sigma if isinstance(noise, GaussianNoise) else None)
    if is_realist(model) and share != 1:
        truest, _ = specialists(MODELS[model].task)
        restored = blend(restorers.get(truest)(noisy), restored, share)
    pictures = as_picture(clean), as_picture(noisy), as_picture(restored)
    enlarged = tuple(picture.resize((ENLARGED, ENLARGED), Image.Resampling.NEAREST) for picture in pictures[1:])
    attention = [
        (attention_picture(noisy, level), name)
        for level, name in zip(restorer.attention(noisy), ("Fine", "Middle", "Coarse"), strict=False)
    ]
    return *pictures, error_picture(restored, clean), enlarged, attention, metrics_table(clean, noisy, restored)


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
