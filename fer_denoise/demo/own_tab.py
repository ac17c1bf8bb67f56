"""The tab for a visitor's own pictures: one that is looked at, or many that come back as a ZIP."""

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr
import numpy as np

from fer_denoise.demo.cancellable_job import Cancellations, Cancelled, JobProgressCallback, run_with_progress
from fer_denoise.demo.components import HEAVY_JOB, in_plain_words, picture_file, preview
from fer_denoise.demo.error_map import noise_picture
from fer_denoise.demo.example_pictures import example_pictures
from fer_denoise.demo.fair_queue import FairQueue, visitor_of
from fer_denoise.demo.job_controls import ANYTHING, JobControls, Updates
from fer_denoise.demo.many_pictures import build_many_pictures
from fer_denoise.demo.own_faces import emotion_tables, face_gallery
from fer_denoise.demo.own_layout import COMPARE, FACES, INVITATION, lay_out_examples, lay_out_options, lay_out_results
from fer_denoise.demo.own_loupe import PLACED, enlarged
from fer_denoise.demo.own_restoration import OwnResult, RestorationOptions, restore_own
from fer_denoise.demo.own_words import describe
from fer_denoise.demo.quick_look import QuickLook
from fer_denoise.demo.restorers import Restorers
from fer_denoise.demo.uploads import read_upload
from fer_denoise.photos import blend_pictures, picture_noise_map
from fer_denoise.pictures import Picture
from fer_denoise.zoo import MODELS, UNIVERSAL

INTRODUCTION = """
Restore a picture of your own, in any size. There is no clean copy to compare with, so no quality can be measured here:
what you see is how noisy the picture seems to be, and what became of it.
"""

PATIENCE = 2
"""Seconds after which it is said how many are left."""


def build_own_tab(restorers: Restorers, cancellations: Cancellations, queue: FairQueue) -> None:
    """Fill the current tab."""
    gr.Markdown(INTRODUCTION)
    OwnTab(restorers, cancellations, queue)
    build_many_pictures(restorers, cancellations, queue)


class OwnTab:
    """The part for one picture, laid out and wired in the current tab."""

    def __init__(self, restorers: Restorers, cancellations: Cancellations, queue: FairQueue) -> None:
        self._restorers, self._queue = restorers, queue
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=300):
                self.options = lay_out_options()
                self.job = JobControls(cancellations, "Restore", at_once=True)
            with gr.Column(scale=4, min_width=300):
                self.job.add_status(INVITATION)
                self.results = lay_out_results()
                self.examples = lay_out_examples()
        self._wire()

    def _wire(self) -> None:
        options, parts = self.options, self.results
        hidden: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        self.examples.select(self.take_example, None, options.image, **hidden)
        results: Updates = {parts.last: None, parts.before_after: None, parts.strength: 1, parts.file: None}
        results |= {parts.faces: None, parts.emotions: None, parts.noise_map: None, parts.loupe: ""}
        inputs = [options.image, options.model, options.part, options.colour, options.sigma, options.white]
        folded, choices = [parts.noise_part, parts.loupe_part], [options.model, options.part, options.colour]
        self.job.listen(in_plain_words(self.restore_chosen), inputs, results, folded, choices)
        # Not "change", which the app itself raises as well. A slider that is put back is only released.
        changed = gr.on(
            [parts.strength.input, parts.strength.release],
            in_plain_words(self.change_strength),
            [parts.last, parts.strength],
            [*results, parts.noise_part, parts.loupe_part, self.job.status],
            trigger_mode="always_last",
            **hidden,
            **HEAVY_JOB,
        )
        private: dict[str, Any] = {"api_visibility": "private", **HEAVY_JOB}
        parts.noise_part.expand(in_plain_words(self.show_noise), parts.last, parts.noise_map, **private)
        for event in (parts.loupe_part.expand, parts.loupe.placed, changed.success):
            event(
                in_plain_words(self.enlarge),
                [parts.last, parts.strength, parts.centre],
                parts.loupe,
                js=PLACED,
                trigger_mode="always_last",
                **hidden,
            )

    def take_example(self, event: gr.SelectData) -> str:
        """The file of the example that was chosen."""
        title, pixels = example_pictures()[event.index]
        return picture_file(Picture.of(pixels), title.lower().replace(" ", "-"), "")

    def restore_chosen(
        self,
        path: str | None,
        model: str,
        part: str,
        keep_colour: bool,
        sigma: float | None,
        white: float | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[Updates]:
        """Restore what was chosen, and say how it goes."""
        if path is None:
            yield self.job.nothing_chosen()
            return
        picture = read_upload(path, model, not keep_colour, white)
        cancelled = self.job.begin(request, [path, model, part, keep_colour, sigma, white])
        # What is kept of colours that there are not, or is white in 8 bits, decides nothing.
        colour = ANYTHING if keep_colour and picture.frames[0].ndim == 2 else keep_colour
        source = [path, model, part, colour, sigma, white if picture.deep else ANYTHING]
        yield self.job.busy(self._queue, source)
        options = RestorationOptions(model, part == FACES, sigma or None)

        def job(on_progress: JobProgressCallback) -> OwnResult:
            return restore_own(
                picture, options, self._restorers, self._queue, visitor_of(request), cancelled, on_progress
            )

        started = time.perf_counter()
        try:
            for fraction, made in run_with_progress(job, cancelled):
                # What came before was no part of the restoration.
                started = started if fraction else time.perf_counter()
                if isinstance(made, QuickLook):
                    yield self.first_look(made, picture)
                elif made is None:
                    progress(fraction, desc=progress_text(fraction, time.perf_counter() - started))
            if cancelled.is_set():
                raise Cancelled
        except Cancelled:
            yield self.job.without_results("Stopped.")
            return
        yield self.shown(made, path, model)

    def first_look(self, look: QuickLook, picture: Picture) -> Updates:
        """What is shown of a large picture until it is restored."""
        profile = picture.info.get("icc_profile")
        label = f"A first look, reduced to {look.size}: noisy | restored"
        pair = preview(look.noisy, profile), preview(look.restored, profile)
        return {self.results.before_after: gr.ImageSlider(pair, label=label, visible=True)}

    def shown(self, result: OwnResult, path: str, model: str) -> Updates:
        """All that shows a result, at full strength."""
        parts, has_faces = self.results, bool(result.boxes)
        said = describe(result.picture, result.before, result.after, result.boxes)
        return {
            parts.last: (result.picture, result.restored, path),
            **self.job.done(f"Restored by *{MODELS[model].title}*. {said}"),
            **self.mixed(result.picture, result.restored, path, 1, visible=True),
            parts.strength: gr.Slider(value=1, visible=True),
            parts.faces: gr.Gallery(face_gallery(result.faces), visible=has_faces),
            parts.emotions: gr.HTML(emotion_tables(result.faces, self._restorers), visible=has_faces),
            parts.loupe_part: gr.Accordion(open=False, visible=True),
            parts.loupe: gr.HTML("", visible=True),
            parts.noise_part: gr.Accordion(open=False, visible=result.before is not None),
            parts.noise_map: gr.Image(None, visible=True),
        }

    def mixed(self, picture: Picture, restored: Picture, path: str, strength: float, **options: Any) -> Updates:
        """The result at a strength, to be seen and as a file."""
        blended = blend_pictures(picture, restored, strength)
        profile = blended.info.get("icc_profile")
        pair = preview(picture.in_8_bits(), profile), preview(blended.in_8_bits(), profile)
        return {
            self.results.before_after: gr.ImageSlider(pair, label=COMPARE, **options),
            self.results.file: gr.DownloadButton(value=picture_file(blended, path), **options),
        }

    def change_strength(self, last: tuple[Picture, Picture, str] | None, strength: float) -> Updates:
        """The last result at another strength."""
        if last is None:
            gr.Warning("That picture is no longer in memory: restore it again.")
            return self.job.no_results()
        # Not "visible": another run may have begun meanwhile.
        return self.mixed(*last, strength)

    def enlarge(self, last: tuple[Picture, Picture, str] | None, strength: float, centre: list[float]) -> str:
        """One place of the last picture, as the loupe shows it."""
        return "" if last is None else enlarged(*last[:2], strength, centre)

    def show_noise(self, last: tuple[Picture, Picture, str] | None, request: gr.Request) -> Any:
        """Where the noise of the last picture is."""
        if last is None:
            return None
        with self._queue.take(visitor_of(request)):
            noise_map = picture_noise_map(self._restorers.get(UNIVERSAL), last[0])
        return None if noise_map is None else preview(np.asarray(noise_picture(noise_map)))


def progress_text(fraction: float, seconds: float) -> str:
    """How it goes, and once it takes longer, how many seconds are left."""
    if seconds < PATIENCE or not fraction:
        return "Restoring"
    return f"Restoring, about {seconds / fraction * (1 - fraction):.0f} s left"
