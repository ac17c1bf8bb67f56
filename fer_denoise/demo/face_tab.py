"""A tab with a face: add noise to it, restore it, and compare; a task's, or the playground."""

from collections.abc import Iterator
from typing import Any

import gradio as gr
import numpy as np
from gradio.components import Component
from gradio.events import Dependency
from PIL import Image

from fer_denoise.demo.before_after import before_after, before_after_display
from fer_denoise.demo.compare import compare, comparison_gallery, comparison_table, psnr_curves
from fer_denoise.demo.components import as_picture, in_plain_words
from fer_denoise.demo.face_layout import RANDOM_FACES, FaceParts, lay_out
from fer_denoise.demo.face_state import Subject, is_outdated, subject
from fer_denoise.demo.face_view import NOISY, attention_pictures, details, is_realist, restore_face, warnings
from fer_denoise.demo.hub_faces import HubFaces
from fer_denoise.demo.links import (
    COPY,
    COPY_LINK,
    FACE_CONTROLS,
    SAY_COPY_AGAIN,
    LinkSettings,
    sample_titled,
    write_link,
)
from fer_denoise.demo.moves import FOLLOWED, MOVE, FaceValue, Moves
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

    def __init__(self, key: str, restorers: Restorers, hub_faces: HubFaces, moves: Moves) -> None:
        self.key, self._controls = key, FACE_CONTROLS[key]
        self._restorers, self._hub_faces = restorers, hub_faces
        self._samples = list(sample_faces().items())
        first = self._samples[0][1]
        at_first = self.view(first, NOISY, DEFAULT_MODEL, 1.0, 0, *self._controls.preset)
        display = before_after_display(at_first[0], key, moves.answering(self.answer))
        self.parts: FaceParts = lay_out(self._controls, self._samples, display, at_first[1])
        self._face, self._offered = FaceValue.of(first), gr.State(self._samples)
        # What the comparison and the curves are of.
        self._measured = gr.State()
        settings = self.parts.settings
        self._present = [self._face, settings.seed, *settings.noise_inputs.values]
        self._inputs = [self._face, settings.left, settings.right, settings.dial, *self._present[1:]]
        # Each costs the browser its time. So all pictures are one, and all words.
        self._shown = [self.parts.pictures.comparison, self.parts.pictures.details]
        # One light component to keep the status of, not every picture: the browser goes over all with each event.
        self._options = {**PRIVATE, "show_progress": "hidden", "show_progress_on": self._face}
        self._listen()

    @property
    def linked(self) -> list[Component]:
        """All that `follow` sets."""
        return [*self.parts.settings.linked, self.parts.picker.gallery, self._face, *self._shown]

    def follow(self, link: LinkSettings) -> dict[Any, Any]:
        """Updates that show what a link to this tab asks for."""
        titles = [title for title, _ in self._samples]
        number = titles.index(link.sample_title) if link.sample_title else 0
        face = self._samples[number][1]
        dial = gr.Slider(value=link.texture, visible=is_realist(link.left) or is_realist(link.right))
        shown = in_plain_words(self.view)(face, link.left, link.right, link.texture, link.seed, *link.values)
        settings = [link.left, link.right, dial, link.seed, *self._controls.updates(*link.values)]
        return dict(zip(self.linked, [*settings, gr.Gallery(selected_index=number), face, *shown], strict=True))

    def answer(self, values: list[Any]) -> tuple[str, str]:
        """What a move shows, of the values of all that `view` takes, as the browser has them."""
        return self.view(*(part.preprocess(value) for part, value in zip(self._inputs, values, strict=True)))

    def view(
        self, face: np.ndarray, left: str, right: str, alpha: float, seed: int | None, *values: Any
    ) -> tuple[str, str]:
        """The comparison and what is said of it, as HTML; no seed is seed 0."""
        noise, sides = self._controls.noise(*values), (left, right)
        view = restore_face(face, self._restorers, sides, noise, int(seed or 0), alpha)
        link = write_link(LinkSettings(self.key, left, right, int(seed or 0), values, sample_titled(face), alpha))
        return before_after(view, link, warnings(sides, noise)), details(view, self._controls.describe(*values), sides)

    def _listen(self) -> None:
        """Let the controls do what they say."""
        settings, comparison = self.parts.settings, self.parts.pictures.comparison
        # Not "change", which is raised for each control that the app itself sets: of several at once, all before the
        # last would be restored with some of them still as they were, and may well come last.
        # A slider that is put back is only released.
        by_hand = [settings.seed.input, settings.left.input, settings.right.input, *settings.noise_inputs.triggers]
        by_hand += [settings.dial.input, settings.dial.release]
        others = [
            *self._listen_to_faces(),
            *settings.noise_inputs.set_by_others,
            settings.reset.click(self.reset, None, settings.noise_inputs.values, **self._options),
            self.parts.pictures.offer.click(lambda: UNIVERSAL, None, settings.right, **self._options),
        ]
        move: dict[str, Any] = {"js": MOVE.format(self.key), "api_visibility": "private"}
        # Not `gr.on`: with each of the events of one, the browser goes over the sources of all.
        for event in (*by_hand, *(event.success for event in others)):
            event(None, self._inputs, self._shown, **move)
        sides = [settings.left, settings.right]
        gr.on([side.change for side in sides], self.show_dial, sides, settings.dial, **self._options)
        copied = settings.link.click(None, comparison, settings.link, js=COPY_LINK, api_visibility="private")
        copied.then(None, None, settings.link, js=SAY_COPY_AGAIN.format(COPY), api_visibility="private")
        followers = [*self._listen_to_attention(), *self._listen_to_comparisons()]
        # What was shown before is not of what was refused.
        comparison.refused(self._nothing, None, followers, queue=False, **self._options)

    def _listen_to_faces(self) -> list[Dependency]:
        """The events after which there is another face."""
        picker = self.parts.picker
        picked = picker.gallery.select(self.pick, self._offered, self._face, **self._options)
        # Not "input", which the clipboard does not raise.
        uploaded = picker.upload.change(self.pick_upload, picker.upload, self._face, **self._options)
        # What is refused is not to stand beside the face that was there before.
        uploaded.failure(lambda: None, None, picker.upload, queue=False, **self._options)
        # It may wait for the Hub: faces are not to wait for it. Nor does it cover them, which an error would do for
        # good.
        hub_options = {**self._options, "concurrency_id": "hub", "concurrency_limit": 4}
        drawn = picker.random.click(
            self.draw_faces, None, [picker.random, picker.gallery, self._offered, self._face], **hub_options
        )
        drawn.failure(self.can_draw, None, picker.random, **self._options)
        return [picked, uploaded, drawn]

    def _listen_to_attention(self) -> list[Component]:
        """Let it be drawn while somebody looks at it; what shows it is returned."""
        attention, comparison = self.parts.attention, self.parts.pictures.comparison
        inputs = [self._face, self.parts.settings.right, *self._present[1:]]
        for looking, event in ((True, attention.part.expand), (False, attention.part.collapse)):
            event(None, js=FOLLOWED.format(self.key, "moved", str(looking).lower()), api_visibility="private")
        for asked in (attention.part.expand, comparison.moved):
            drawn = asked(self.look, inputs, attention.gallery, trigger_mode="always_last", **self._options)
            drawn.failure(lambda: None, None, attention.gallery, queue=False, **self._options)
        return [attention.gallery]

    def _listen_to_comparisons(self) -> list[Component]:
        """Let them be made, and go when something else is shown; what shows them is returned."""
        parts, comparison = self.parts.comparisons, self.parts.pictures.comparison
        shown = [self._measured, parts.table, parts.gallery, parts.plot]
        slow = {**PRIVATE, "show_progress": "full"}
        compared = parts.compare.click(self.compare_all, self._present, shown[:3], **slow)
        chosen = [parts.chosen, *self._present]
        plotted = parts.draw.click(self.draw_curves, chosen, [self._measured, parts.plot], **slow)
        parts.chosen.change(self.no_curves, None, parts.plot, cancels=[plotted], queue=False, **self._options)
        asked = [parts.compare.click, parts.draw.click]
        gr.on(asked, None, js=FOLLOWED.format(self.key, "outdated", "true"), api_visibility="private")
        for event in (compared, plotted):
            event.failure(self.no_measurements, None, shown, **self._options)
        # They take seconds, in which something else may be chosen, or what cannot be taken.
        for part in self._present:
            part.change(None, cancels=[compared, plotted])  # type: ignore[attr-defined]
        dropped = comparison.outdated(self.drop_outdated, [self._measured, *self._present], shown, **self._options)
        dropped.failure(self.no_measurements, None, shown, **self._options)
        return shown

    @in_plain_words
    def look(self, face: np.ndarray, model: str, seed: int | None, *values: Any) -> list[tuple[Image.Image, str]]:
        """Where the network looks."""
        return attention_pictures(face, self._restorers, model, self._controls.noise(*values), int(seed or 0))

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
        """Updates that hide comparison and curves that are of something else."""
        return self.no_measurements() if is_outdated(*measured_and_present) else gr.skip()

    def no_curves(self) -> gr.LinePlot:
        """An update that hides the curves."""
        return gr.LinePlot(None, visible=False)

    def no_measurements(self) -> tuple[None, str, gr.Gallery, gr.LinePlot]:
        """Updates that hide comparison and curves."""
        return None, "", gr.Gallery(None, visible=False), self.no_curves()

    def _nothing(self) -> tuple[Any, ...]:
        return None, *self.no_measurements()
