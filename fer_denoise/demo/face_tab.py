"""A tab with a face: add noise to it, restore it, and compare; a task's, or the playground."""

from collections.abc import Iterator
from typing import Any

import gradio as gr
import numpy as np
from gradio.components import Component
from gradio.events import Dependency

from fer_denoise.demo.before_after import NOTHING, before_after
from fer_denoise.demo.compare import compare, comparison_gallery, comparison_table, psnr_curves
from fer_denoise.demo.components import as_picture, in_plain_words
from fer_denoise.demo.face_layout import RANDOM_FACES, FaceParts, lay_out
from fer_denoise.demo.face_state import Subject, is_outdated, subject
from fer_denoise.demo.face_view import NOISY, attention_pictures, details, is_realist, restore_face, warnings
from fer_denoise.demo.hub_faces import HubFaces
from fer_denoise.demo.links import COPY, COPY_LINK, FACE_CONTROLS, SAY_COPY_AGAIN, Settings, sample_titled, write_link
from fer_denoise.demo.restorers import Restorers
from fer_denoise.demo.uploads import read_face
from fer_denoise.samples import sample_faces
from fer_denoise.zoo import DEFAULT_MODEL, UNIVERSAL

PRIVATE: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "restore"}


class FaceTab:
    """Fills the current tab, and says what happens when its controls are used.

    Args:
        key: of the tab in `FACE_CONTROLS`.
    """

    def __init__(self, key: str, restorers: Restorers, hub_faces: HubFaces) -> None:
        self.key, self._controls = key, FACE_CONTROLS[key]
        self._restorers, self._hub_faces = restorers, hub_faces
        self._samples = list(sample_faces().items())
        first = self._samples[0][1]
        at_first = self._view(first, NOISY, DEFAULT_MODEL, 1.0, 0, *self._controls.preset)
        self.parts: FaceParts = lay_out(self._controls, self._samples, *at_first)
        self._face, self._offered = gr.State(first), gr.State(self._samples)
        self._looking, self._asked = gr.State(False), gr.State()
        # What the comparison and the curves are of; and what is shown instead, where that is something else.
        self._measured, self._overtaken_by = gr.State(), gr.State()
        # Each costs the browser its time. So all pictures are one, and all words.
        self._outputs = [self._asked, self._overtaken_by, self.parts.pictures.comparison, self.parts.pictures.details]
        # One light component to keep the status of, not every picture: the browser goes over all with each event.
        self._options = {**PRIVATE, "show_progress": "hidden", "show_progress_on": self._face}
        self._listen()

    @property
    def linked(self) -> list[Component]:
        """All that `follow` sets."""
        return [*self.parts.settings.linked, self.parts.picker.gallery, self._face, *self._outputs]

    def follow(self, link: Settings) -> dict[Any, Any]:
        """Updates that show what a link to this tab asks for."""
        titles = [title for title, _ in self._samples]
        number = titles.index(link.face) if link.face else 0
        face = self._samples[number][1]
        dial = gr.Slider(value=link.texture, visible=is_realist(link.left) or is_realist(link.right))
        shown = self.run(False, None, face, link.left, link.right, link.texture, link.seed, *link.values)
        settings = [link.left, link.right, dial, link.seed, *self._controls.updates(*link.values)]
        return dict(zip(self.linked, [*settings, gr.Gallery(selected_index=number), face, *shown], strict=True))

    def _listen(self) -> None:
        """Let the controls do what they say."""
        settings, comparison = self.parts.settings, self.parts.pictures.comparison
        faces = self._listen_to_faces()
        # Not "change", which is raised for each control that the app itself sets: of several at once, all before the
        # last would be restored with some of them still as they were, and may well come last.
        # A slider that is put back is only released.
        by_hand = [settings.seed.input, settings.left.input, settings.right.input, *settings.noise.triggers]
        by_hand += [settings.dial.input, settings.dial.release]
        others = [
            *settings.noise.set_by_others,
            self.parts.attention.part.expand(lambda: True, None, self._looking, **self._options),
            settings.reset.click(self.reset, None, settings.noise.values, **self._options),
            self.parts.pictures.offer.click(lambda: UNIVERSAL, None, settings.right, **self._options),
        ]
        sides = [settings.left, settings.right]
        inputs = [self._looking, self._measured, self._face, *sides, settings.dial, *self._noise_inputs()]
        runs = [
            gr.on(by_hand, self.run, inputs, self._outputs, trigger_mode="always_last", **self._options),
            *(event.success(self.run, inputs, self._outputs, **self._options) for event in (*faces, *others)),
        ]
        gr.on([side.change for side in sides], self.show_dial, sides, settings.dial, **self._options)
        copied = settings.link.click(None, comparison, settings.link, js=COPY_LINK, api_visibility="private")
        copied.then(None, None, settings.link, js=SAY_COPY_AGAIN.format(COPY), api_visibility="private")
        self._listen_to_attention()
        shown = self._listen_to_comparisons()
        # What was shown before is not of what was refused. At once, or it might come behind the next view.
        hidden = [*self._outputs, self.parts.attention.gallery, *shown]
        for event in runs:
            event.failure(self._nothing, None, hidden, queue=False, **self._options)

    def _noise_inputs(self) -> list[Component]:
        return [self.parts.settings.seed, *self.parts.settings.noise.values]

    def _listen_to_faces(self) -> list[Dependency]:
        """The events after which there is another face."""
        picker = self.parts.picker
        picked = picker.gallery.select(self.pick, self._offered, self._face, **self._options)
        # Not "input", which the clipboard does not raise.
        uploaded = picker.upload.change(self.pick_upload, picker.upload, self._face, **self._options)
        # It may wait for the Hub: faces are not to wait for it. Nor does it cover them, which an error would do for
        # good.
        hub_options = {**self._options, "concurrency_id": "hub", "concurrency_limit": 4}
        drawn = picker.random.click(
            self.draw_faces, None, [picker.random, picker.gallery, self._offered, self._face], **hub_options
        )
        drawn.failure(self.can_draw, None, picker.random, **self._options)
        return [picked, uploaded, drawn]

    def _listen_to_attention(self) -> None:
        attention = self.parts.attention
        # A component that is set in vain costs as much as its picture, so this one waits for a change.
        self._asked.change(self.look, self._asked, attention.gallery, **self._options)
        attention.part.collapse(lambda: False, None, self._looking, **self._options)

    def _listen_to_comparisons(self) -> list[Component]:
        """Let them be made, and go when something else is shown; what shows them is returned."""
        parts = self.parts.comparisons
        shown = [self._measured, parts.table, parts.gallery, parts.plot]
        present = [self._face, *self._noise_inputs()]
        slow = {**PRIVATE, "show_progress": "full"}
        compared = parts.compare.click(self.compare_all, present, shown[:3], **slow)
        plotted = parts.draw.click(self.draw_curves, [parts.chosen, *present], [self._measured, parts.plot], **slow)
        for event in (compared, plotted):
            event.failure(self.no_measurements, None, shown, **self._options)
        # They take seconds, in which something else may be chosen, or what cannot be taken.
        gr.on([part.change for part in present], None, cancels=[compared, plotted])  # type: ignore[attr-defined]
        dropped = self._overtaken_by.change(self.drop_outdated, [self._measured, *present], shown, **self._options)
        dropped.failure(self.no_measurements, None, shown, **self._options)
        return shown

    @in_plain_words
    def run(
        self,
        looking: bool,
        measured: Subject | None,
        face: np.ndarray,
        left: str,
        right: str,
        alpha: float,
        seed: int | None,
        *values: Any,
    ) -> tuple[Any, ...]:
        """What `_outputs` show of a face."""
        return (
            (face.tolist(), right, seed, values) if looking else None,
            subject(face, seed, *values) if is_outdated(measured, face, seed, *values) else None,
            *self._view(face, left, right, alpha, int(seed or 0), *values),
        )

    def _view(self, face: np.ndarray, left: str, right: str, alpha: float, seed: int, *values: Any) -> tuple[str, str]:
        """The comparison and what is said of it, as HTML."""
        noise, sides = self._controls.noise(*values), (left, right)
        view = restore_face(face, self._restorers, sides, noise, seed, alpha)
        link = write_link(Settings(self.key, left, right, seed, values, sample_titled(face), alpha))
        level = self._controls.describe(*values)
        return before_after(view, link, warnings(sides, noise)), details(view, level, sides)

    @in_plain_words
    def look(self, asked: tuple[Any, ...] | None) -> Any:
        """Where the network looks at what `run` showed while somebody looked at that, too."""
        if asked is None:
            return gr.skip()
        face, model, seed, values = asked
        noise = self._controls.noise(*values)
        return attention_pictures(np.array(face, np.uint8), self._restorers, model, noise, int(seed or 0))

    def reset(self) -> Any:
        """The noise as it was at first."""
        updates = self._controls.updates(*self._controls.preset)
        return updates if len(updates) > 1 else updates[0]

    def show_dial(self, left: str, right: str) -> gr.Slider:
        """The dial where there is a PatchGAN to turn."""
        return gr.Slider(visible=is_realist(left) or is_realist(right))

    def pick(self, offered: list[tuple[str, np.ndarray]], event: gr.SelectData) -> np.ndarray:
        """A face out of the gallery."""
        return offered[event.index][1]

    @in_plain_words
    def pick_upload(self, path: str | None) -> Any:
        """A face out of a file."""
        # A picker that was emptied, or turned to the camera, holds nothing.
        if path is None:
            return gr.skip()
        face, said = read_face(path)
        if said:
            gr.Info(said)
        return face

    @in_plain_words
    def draw_faces(self) -> Iterator[dict[Any, Any]]:
        """Random faces into the gallery, the first of them chosen."""
        picker = self.parts.picker
        yield {picker.random: gr.Button("Asking the Hub …", interactive=False)}
        faces = self._hub_faces.draw(np.random.default_rng())
        yield {
            picker.random: self.can_draw(),
            picker.gallery: gr.Gallery([(as_picture(sample), title) for title, sample in faces], selected_index=0),
            self._offered: faces,
            self._face: faces[0][1],
        }

    def can_draw(self) -> gr.Button:
        """The button for random faces, as it is when nobody waits for them."""
        return gr.Button(RANDOM_FACES, interactive=True)

    @in_plain_words
    def compare_all(self, face: np.ndarray, seed: int | None, *values: Any) -> tuple[Subject, str, gr.Gallery]:
        """Every method on a face, and what that is of."""
        results = compare(face, self._restorers, self._controls.noise(*values), int(seed or 0))
        gallery = gr.Gallery(comparison_gallery(results), visible=True)
        return subject(face, seed, *values), comparison_table(results), gallery

    @in_plain_words
    def draw_curves(
        self, models: list[str], face: np.ndarray, seed: int | None, *values: Any
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
        return None, None, NOTHING, "", None, *self.no_measurements()
