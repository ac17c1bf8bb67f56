"""The tab of a task: choose a face, add noise, restore it, and see what was gained."""

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr
import numpy as np
from gradio.components import Component
from gradio.events import Dependency
from PIL import Image

from fer_denoise.demo.compare import compare, comparison_gallery, comparison_table, psnr_curves
from fer_denoise.demo.components import as_picture, in_plain_words
from fer_denoise.demo.face_view import attention_pictures, is_realist, measurements, restore_face
from fer_denoise.demo.hub_faces import HubFaces
from fer_denoise.demo.links import COPY_LINK
from fer_denoise.demo.noise_controls import CONTROLS
from fer_denoise.demo.restorers import Restorers
from fer_denoise.demo.task_layout import RANDOM_FACES, TaskParts, lay_out
from fer_denoise.demo.task_state import Subject, is_outdated, subject
from fer_denoise.demo.uploads import read_face
from fer_denoise.samples import sample_faces
from fer_denoise.zoo import DEFAULT_MODEL, UNIVERSAL

PRIVATE: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "restore"}


class TaskTab:
    """The controls of a task, and what happens when they are used.

    Args:
        parts: what stands in the tab, with the first face in it.
    """

    def __init__(self, task: str, parts: TaskParts, restorers: Restorers, hub_faces: HubFaces) -> None:
        self.task, self.parts = task, parts
        self._controls, self._restorers, self._hub_faces = CONTROLS[task], restorers, hub_faces
        self._samples = list(sample_faces().items())
        self._face, self._offered = gr.State(self._samples[0][1]), gr.State(self._samples)
        self._looking, self._asked = gr.State(False), gr.State()
        # What the comparison and the curves are of; and what is shown instead, where that is something else.
        self._measured, self._overtaken_by = gr.State(), gr.State()
        pictures = parts.pictures
        # Each costs the browser its time. So all words are one, and the clean face is not among them, nor a picture
        # that nobody sees.
        self._changing: dict[str, Component] = {
            "noisy": pictures.noisy,
            "restored": pictures.restored,
            "error": pictures.error,
            "pair": pictures.pair,
        }
        if self._controls.with_impulses:
            self._changing["impulses"] = pictures.impulses
        self.outputs = [self._asked, self._overtaken_by, pictures.measurements, *self._changing.values()]
        # One light component to keep the status of, not every picture: the browser goes over all with each event.
        self._options = {**PRIVATE, "show_progress": "hidden", "show_progress_on": self._face}

    def show(self, model: str, texture: float, seed: int, levels: Sequence[float]) -> tuple[Any, ...]:
        """The values of `outputs` for the first face, with a model, the dial, a seed and noise levels."""
        return self.run(False, None, self._samples[0][1], model, texture, seed, *levels)

    def listen(self) -> None:
        """Let the controls do what they say."""
        settings = self.parts.settings
        faces = self._listen_to_faces()
        # Not "change", which is raised for each control that the app itself sets: of several at once, all before the
        # last would be restored with some of them still as they were, and may well come last.
        # A slider that is put back is only released.
        all_sliders = [*settings.sliders, settings.dial]
        by_hand = [settings.seed.input, settings.model.input]
        by_hand += [event for slider in all_sliders for event in (slider.input, slider.release)]
        others = [
            self.parts.attention.part.expand(lambda: True, None, self._looking, **self._options),
            settings.preset.click(lambda: self._controls.preset, None, settings.sliders, **self._options),
            self.parts.pictures.offer.click(lambda: UNIVERSAL, None, settings.model, **self._options),
        ]
        inputs = [self._looking, self._measured, self._face, settings.model, settings.dial, *self._noise_inputs()]
        runs = [
            gr.on(by_hand, self.run, inputs, self.outputs, trigger_mode="always_last", **self._options),
            *(event.success(self.run, inputs, self.outputs, **self._options) for event in (*faces, *others)),
        ]
        settings.model.change(
            lambda name: gr.Slider(visible=is_realist(name)), settings.model, settings.dial, **self._options
        )
        settings.link.click(
            None,
            settings.linked,
            None,
            js=COPY_LINK.format(task=self.task),
            api_visibility="private",
        )
        self._listen_to_attention()
        measurements_shown = self._listen_to_comparisons([*by_hand, self._face.change, settings.preset.click])
        # What was shown before is not of what was refused. At once, or it might come behind the next view.
        hidden = [*self.outputs, self.parts.attention.gallery, *measurements_shown]
        for event in runs:
            event.failure(self._nothing, None, hidden, queue=False, **self._options)

    def _noise_inputs(self) -> list[Component]:
        return [self.parts.settings.seed, *self.parts.settings.sliders]

    def _listen_to_faces(self) -> list[Dependency]:
        """The events after which there is another face."""
        picker, clean = self.parts.picker, self.parts.pictures.clean
        picked = picker.gallery.select(self.pick, self._offered, [self._face, clean], **self._options)
        # Not "input", which the clipboard does not raise.
        uploaded = picker.upload.change(self.pick_upload, picker.upload, [self._face, clean], **self._options)
        # It may wait for the Hub: faces are not to wait for it. Nor does it cover them, which an error would do for
        # good.
        hub_options = {**self._options, "concurrency_id": "hub", "concurrency_limit": 4}
        drawn = picker.random.click(
            self.draw_faces, None, [picker.random, picker.gallery, self._offered, self._face, clean], **hub_options
        )
        drawn.failure(self.can_draw, None, picker.random, **self._options)
        return [picked, uploaded, drawn]

    def _listen_to_attention(self) -> None:
        attention = self.parts.attention
        # A component that is set in vain costs as much as its picture, so this one waits for a change.
        self._asked.change(self.look, self._asked, attention.gallery, **self._options)
        attention.part.collapse(lambda: False, None, self._looking, **self._options)

    def _listen_to_comparisons(self, changes: list[Any]) -> list[Component]:
        """Let them be made, and go when something else is shown; what shows them is returned.

        Args:
            changes: the events with which that begins.
        """
        parts = self.parts.comparisons
        shown = [self._measured, parts.table, parts.gallery, parts.plot]
        present = [self._face, *self._noise_inputs()]
        slow = {**PRIVATE, "show_progress": "full"}
        compared = parts.compare.click(self.compare_all, present, shown[:3], **slow)
        plotted = parts.draw.click(self.draw_curves, [parts.chosen, *present], [self._measured, parts.plot], **slow)
        for event in (compared, plotted):
            event.failure(self.no_measurements, None, shown, **self._options)
        # They take seconds, in which something else may be chosen, or what cannot be taken.
        gr.on(changes, None, cancels=[compared, plotted])
        dropped = self._overtaken_by.change(self.drop_outdated, [self._measured, *present], shown, **self._options)
        dropped.failure(self.no_measurements, None, shown, **self._options)
        return shown

    @in_plain_words
    def run(
        self,
        looking: bool,
        measured: Subject | None,
        face: np.ndarray,
        model: str,
        alpha: float,
        seed: int | None,
        *values: float,
    ) -> tuple[Any, ...]:
        """The values of `outputs` for a face."""
        noise = self._controls.noise(*values)
        view = restore_face(face, self._restorers, model, noise, int(seed or 0), alpha)
        return (
            (face.tolist(), model, seed, values) if looking else None,
            subject(face, seed, *values) if is_outdated(measured, face, seed, *values) else None,
            measurements(view, self._controls.describe(*values), model, noise),
            *(getattr(view, part) for part in self._changing),
        )

    @in_plain_words
    def look(self, asked: tuple[Any, ...] | None) -> Any:
        """Where the network looks at what `run` showed while somebody looked at that, too."""
        if asked is None:
            return gr.skip()
        face, model, seed, values = asked
        noise = self._controls.noise(*values)
        return attention_pictures(np.array(face, np.uint8), self._restorers, model, noise, int(seed or 0))

    def pick(self, offered: list[tuple[str, np.ndarray]], event: gr.SelectData) -> tuple[np.ndarray, Image.Image]:
        """A face out of the gallery, and its picture."""
        return with_picture(offered[event.index][1])

    @in_plain_words
    def pick_upload(self, path: str | None) -> Any:
        """A face out of a file, and its picture."""
        # A picker that was emptied, or turned to the camera, holds nothing.
        if path is None:
            return gr.skip()
        face, said = read_face(path)
        if said:
            gr.Info(said)
        return with_picture(face)

    @in_plain_words
    def draw_faces(self) -> Iterator[dict[Any, Any]]:
        """Random faces into the gallery, the first of them chosen."""
        picker = self.parts.picker
        yield {picker.random: gr.Button("Asking the Hub …", interactive=False)}
        faces = self._hub_faces.draw(np.random.default_rng())
        first, picture = with_picture(faces[0][1])
        yield {
            picker.random: self.can_draw(),
            picker.gallery: gr.Gallery([(as_picture(sample), title) for title, sample in faces], selected_index=0),
            self._offered: faces,
            self._face: first,
            self.parts.pictures.clean: picture,
        }

    def can_draw(self) -> gr.Button:
        """The button for random faces, as it is when nobody waits for them."""
        return gr.Button(RANDOM_FACES, interactive=True)

    @in_plain_words
    def compare_all(self, face: np.ndarray, seed: int | None, *values: float) -> tuple[Subject, str, gr.Gallery]:
        """Every method on a face, and what that is of."""
        results = compare(face, self._restorers, self._controls.noise(*values), int(seed or 0))
        gallery = gr.Gallery(comparison_gallery(results), visible=True)
        return subject(face, seed, *values), comparison_table(results), gallery

    @in_plain_words
    def draw_curves(
        self, models: list[str], face: np.ndarray, seed: int | None, *values: float
    ) -> tuple[Subject, gr.LinePlot]:
        """Curves of some methods on a face, and what they are of."""
        sweep = self._controls.sweep(*values)
        curves = psnr_curves(face, self._restorers, list(dict.fromkeys(models)), sweep, int(seed or 0))
        plot = gr.LinePlot(curves.rename(columns={"level": self._controls.level_name}), visible=True)
        return subject(face, seed, *values), plot

    def drop_outdated(self, *measured_and_present: Any) -> Any:
        """Nothing in the place of comparison and curves that are of something else."""
        return self.no_measurements() if is_outdated(*measured_and_present) else gr.skip()

    def no_measurements(self) -> tuple[None, str, gr.Gallery, gr.LinePlot]:
        """Nothing in the place of comparison and curves."""
        return None, "", gr.Gallery(None, visible=False), gr.LinePlot(None, visible=False)

    def _nothing(self) -> tuple[Any, ...]:
        return None, None, "", *[None] * len(self._changing), None, *self.no_measurements()


def with_picture(face: np.ndarray) -> tuple[np.ndarray, Image.Image]:
    """A face, and what shows it."""
    return face, as_picture(face)


def build_task_tab(task: str, restorers: Restorers, hub_faces: HubFaces) -> TaskTab:
    """Fill the current tab with the controls and pictures of `task`."""
    controls = CONTROLS[task]
    samples = list(sample_faces().items())
    noise = controls.noise(*controls.preset)
    first = restore_face(samples[0][1], restorers, DEFAULT_MODEL, noise, 0)
    measured = measurements(first, controls.describe(*controls.preset), DEFAULT_MODEL, noise)
    tab = TaskTab(task, lay_out(task, controls, samples, first, measured), restorers, hub_faces)
    tab.listen()
    return tab
