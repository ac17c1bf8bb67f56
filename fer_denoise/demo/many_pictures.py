"""Many pictures at once, or tables of them: each restored as it is, back in files with a report of what was done."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from fer_denoise.demo.batch import SHOWN, UploadBatch
from fer_denoise.demo.batch_report import as_table, captioned, column_widths
from fer_denoise.demo.batch_restoration import BatchRestorer, RestoredPicture, Turn
from fer_denoise.demo.cancellable_job import Cancellations, Cancelled, run_with_progress
from fer_denoise.demo.components import in_plain_words, pixel_gallery, white_number
from fer_denoise.demo.fair_queue import FairQueue, visitor_of
from fer_denoise.demo.gpu import lends_gpus
from fer_denoise.demo.incoming import ACCEPTED, MAX_FILES, MAX_MEGABYTES, receive
from fer_denoise.demo.job_controls import ANYTHING, JobControls, Updates
from fer_denoise.demo.received_table import MAX_ROWS
from fer_denoise.demo.references import References
from fer_denoise.demo.restorers import Restorers
from fer_denoise.method import ProgressCallback
from fer_denoise.zoo import DEFAULT_MODEL, MODELS, list_models

INTRODUCTION = f"""
Up to {MAX_FILES} files of {MAX_MEGABYTES} MB: pictures, tables of them (Parquet, or CSV as that of FER2013; up to
{MAX_ROWS} rows), and ZIPs of both. They come back under their own names in a ZIP, pictures as PNG or, where that cannot
hold them, TIFF, PGM or PPM; a table alone comes back as a table. A report says how noisy each seems to be and why one
was left out, and where there are clean ones, PSNR and SSIM.
"""
INVITATION = "Choose pictures and press *Restore all*."


@dataclass(frozen=True)
class BatchOptionControls:
    """What is to be restored, and how."""

    files: gr.File
    references: gr.File
    model: gr.Dropdown
    white: gr.Number


@dataclass(frozen=True)
class BatchResultControls:
    """What shows the results, hidden until there are some."""

    thumbnails: gr.Gallery
    files: gr.File
    table: gr.Dataframe


def build_many_pictures(restorers: Restorers, cancellations: Cancellations, queue: FairQueue) -> None:
    """Add the part of the tab for many pictures."""
    with gr.Accordion("Many pictures at once", open=False):
        ManyPictures(restorers, cancellations, queue)


class ManyPictures:
    """The part for many pictures, laid out and wired in the current place."""

    def __init__(self, restorers: Restorers, cancellations: Cancellations, queue: FairQueue) -> None:
        self._restorers, self._queue = restorers, queue
        gr.Markdown(INTRODUCTION)
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=300):
                self.options = _lay_out_options()
                self.job = JobControls(cancellations, "Restore all")
            with gr.Column(scale=4, min_width=300):
                self.job.add_status(INVITATION)
                thumbnails, files = _lay_out_pictures()
        table = gr.Dataframe(label="What was done", interactive=False, wrap=True, visible=False, elem_classes="report")
        self.results = BatchResultControls(thumbnails, files, table)
        options, results = self.options, self.results
        inputs = [options.files, options.references, options.model, options.white]
        nothing: Updates = {results.thumbnails: None, results.files: None, results.table: None}
        self.job.listen(in_plain_words(self.restore_all), inputs, nothing)

    def restore_all(
        self,
        paths: list[str] | None,
        clean_paths: list[str] | None,
        model: str,
        white: float | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[Updates]:
        """Restore what was chosen, and say how it goes."""
        if not paths:
            raise ValueError("There are no pictures yet: choose some first.")
        received, references = receive(paths), References(clean_paths or ())
        source: list[Any] = [paths, clean_paths, model, white]
        cancelled = self.job.begin(request, source)
        yield self.job.busy(self._queue, source)
        restorer = BatchRestorer(self._restorers, model, self._turn_taker(visitor_of(request), cancelled))
        verdict, total = "", len(received.files)
        # What is handed out is copied first, so nothing stays behind.
        with tempfile.TemporaryDirectory(prefix="fer-denoise-") as folder:
            batch = UploadBatch(restorer, references, white, Path(folder))
            for name, reason in received.left_out:
                batch.leave_out(name, reason)
            done = 0
            try:
                for done, file in enumerate(received.files):
                    progress((done, total), desc="Restoring")
                    for rows in batch.restore(file):
                        yield {self.job.status: f"{done} of {total} done, and {rows} rows of the next."}
                    yield {self.job.status: f"{done + 1} of {total} done."}
                batch.leave_out_references()
            except Cancelled:
                verdict = f"Stopped after {done} of {total}: "
            source[-1] = white if batch.white_matters else ANYTHING
            yield {**self.job.made_from(source), **self._shown(batch, verdict, model, alone=total == 1)}

    def _turn_taker(self, visitor: str, cancelled: threading.Event) -> Callable[[Turn], list[RestoredPicture]]:
        """What waits for the visitor's turn for something, and raises `Cancelled` once it is not wanted any more."""

        def take(turn: Turn) -> list[RestoredPicture]:
            def job(on_progress: ProgressCallback) -> list[RestoredPicture]:
                with self._queue.take(visitor, cancelled):
                    # The process that has a lent GPU cannot report.
                    return turn(None if lends_gpus() else on_progress)

            *_, (_, restored) = run_with_progress(job, cancelled)
            return restored

        return take

    def _shown(self, batch: UploadBatch, verdict: str, model: str, alone: bool) -> Updates:
        """The results of all that was restored, and how many those are."""
        restored = sum(bool(row.restored_as) for row in batch.rows)
        left_out = len(batch.rows) - restored
        remarks = f", {left_out} left out: see the remarks." if left_out else "."
        said = f"{verdict}{restored} restored by *{MODELS[model].title}*{remarks}"
        if not batch.rows:
            return self.job.without_results(said)
        results, table = self.results, as_table(batch.rows)
        return {
            **self.job.done(said),
            results.files: gr.update(value=batch.finish(alone), visible=True),
            results.table: gr.update(value=table, column_widths=column_widths(table["headers"]), visible=True),
            results.thumbnails: gr.update(value=captioned(batch.pairs), visible=bool(batch.pairs)),
        }


def _lay_out_options() -> BatchOptionControls:
    files = gr.File(label="Noisy pictures", file_count="multiple", file_types=ACCEPTED, height=160, elem_id="noisy")
    references = gr.File(
        label="Clean ones of the same names, if there are any",
        file_count="multiple",
        file_types=ACCEPTED,
        height=160,
        elem_id="clean",
    )
    model = gr.Dropdown([(MODELS[name].title, name) for name in list_models()], value=DEFAULT_MODEL, label="Restorer")
    return BatchOptionControls(files, references, model, white_number())


def _lay_out_pictures() -> tuple[gr.Gallery, gr.File]:
    thumbnails = pixel_gallery(
        columns=4, label=f"The first {SHOWN}: noisy, then restored", visible=False, elem_id="pairs"
    )
    files = gr.File(
        label="Restored pictures, and the report as CSV",
        file_count="multiple",
        interactive=False,
        visible=False,
        elem_id="restored-files",
    )
    return thumbnails, files
