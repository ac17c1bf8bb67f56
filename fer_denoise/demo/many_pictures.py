"""Many pictures at once: each restored in its size, depth and colours, back as a ZIP with a CSV of what was done."""

import csv
import io
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

import gradio as gr
from PIL import Image

from fer_denoise.demo.cancellable_job import Cancellations, Cancelled, run_with_progress
from fer_denoise.demo.components import in_plain_words, pixel_gallery, white_number
from fer_denoise.demo.example_pictures import thumbnail
from fer_denoise.demo.fair_queue import FairQueue, visitor_of
from fer_denoise.demo.gpu import lends_gpus, with_lent_gpu
from fer_denoise.demo.job_controls import JobControls
from fer_denoise.demo.restorers import Restorers
from fer_denoise.demo.uploads import read_upload
from fer_denoise.photos import picture_noise_level, restore_picture
from fer_denoise.pictures import SUFFIXES, Picture, PictureError, encode_picture, lossless_suffix
from fer_denoise.zoo import DEFAULT_MODEL, MODELS, UNIVERSAL, list_models

MAX_FILES = 200
SHOWN = 8
"""Of so many pictures, the first, it is shown what became of them."""
FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet takes the beginning of a formula for."""
COLUMNS = ("file", "restored as", "width", "height", "sigma", "impulses", "seconds", "remark")
WIDTHS: list[str | int] = ["17%", "17%", "9%", "9%", "10%", "12%", "11%", "15%"]


def build_many_pictures(restorers: Restorers, cancellations: Cancellations, queue: FairQueue) -> None:
    """Add the part of the tab for many pictures."""
    with gr.Accordion("Many pictures at once", open=False):
        gr.Markdown(
            f"Up to {MAX_FILES} pictures. They come back as a ZIP of PNGs (what PNG cannot hold, as TIFF), with a CSV "
            "that says what was done: the estimated noise of each, and why one was left out."
        )
        with gr.Row(equal_height=False):
            with gr.Column(scale=2, min_width=300):
                files = gr.File(label="Noisy pictures", file_count="multiple", file_types=sorted(SUFFIXES), height=160)
                model = gr.Dropdown(
                    [(MODELS[name].title, name) for name in list_models()], value=DEFAULT_MODEL, label="Restorer"
                )
                white = white_number()
                job = JobControls(cancellations, "Restore all")
            with gr.Column(scale=4, min_width=300):
                job.add_status("Choose pictures and press *Restore all*.")
                thumbnails = pixel_gallery(columns=4, label="The first of them: noisy, then restored", visible=False)
                archive = gr.File(label="Restored pictures (ZIP)", visible=False)
                table = gr.Dataframe(
                    headers=list(COLUMNS),
                    label="What was done",
                    interactive=False,
                    wrap=True,
                    column_widths=WIDTHS,
                    visible=False,
                )

    restore = picture_restorer(restorers)

    @in_plain_words
    def restore_all(
        paths: list[str] | None,
        model: str,
        white: float | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Iterator[dict[Any, Any]]:
        if not paths:
            raise ValueError("There are no pictures yet: choose some first.")
        if len(paths) > MAX_FILES:
            raise ValueError(
                f"These are {len(paths)} pictures; {MAX_FILES} go at once. "
                "For more, run: python -m fer_denoise restore IN OUT"
            )
        cancelled = job.begin(request, paths)
        yield job.busy(queue, paths)
        rows: list[tuple[Any, ...]] = []
        pairs: list[Pair] = []
        verdict = ""
        # What is handed out is copied first, so nothing stays behind.
        with tempfile.TemporaryDirectory(prefix="fer-denoise-") as folder:
            target = Path(folder) / "restored.zip"
            with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as restored:
                for path in progress.tqdm(paths, desc="Restoring"):

                    def restore_one(report: Callable[[float], None], path: str = path) -> Outcome:
                        with queue.take(visitor_of(request), cancelled):
                            # The process that has a lent GPU cannot report.
                            told = None if lends_gpus() else report
                            return restore_file(Path(path), model, restorers, restore, white, told)

                    try:
                        *_, (_, outcome) = run_with_progress(restore_one, cancelled)
                        rows.append(put_into(restored, outcome, rows))
                        pairs += [outcome.seen] if outcome.seen and len(pairs) < SHOWN else []
                    except Cancelled:
                        verdict = f"Stopped after {len(rows)} of {len(paths)}: "
                        break
                    yield {job.status: f"{len(rows)} of {len(paths)} done."}
                restored.writestr("restored.csv", as_csv(rows))
            failed = sum(not row[1] for row in rows)
            left_out = f", {failed} left out: see the remarks." if failed else "."
            said = f"{verdict}{len(rows) - failed} restored by *{MODELS[model].title}*{left_out}"
            if not rows:
                yield job.without_results(said)
                return
            yield {
                **job.done(said),
                archive: gr.File(str(target), visible=True),
                table: gr.Dataframe(rows, visible=True),
                thumbnails: gr.Gallery(captioned(pairs, rows), visible=bool(pairs)),
            }

    job.listen(restore_all, [files, model, white], {archive: None, table: None, thumbnails: None})


Pair = tuple[Image.Image, Image.Image]
"""The middle of a picture, noisy and restored."""


@dataclass(frozen=True)
class Outcome:
    """What became of a picture: the cells of `COLUMNS` behind the names, and the file, which one left out has not.

    `seen` is what is shown of it.
    """

    name: str
    cells: tuple[Any, ...]
    suffix: str = ""
    content: bytes = b""
    seen: Pair | None = None


def restore_file(
    path: Path,
    model: str,
    restorers: Restorers,
    restore: Callable[..., Picture],
    white: float | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Outcome:
    """Restore one picture.

    Args:
        restore: what `picture_restorer` gave.
        white: as that of `read_picture`.
        on_progress: as that of `Restorer`.
    """
    started = time.perf_counter()
    try:
        picture = read_upload(path, model, white=white)
    except PictureError as error:
        return Outcome(path.name, ("", "", "", "", "", str(error)))
    level = picture_noise_level(restorers.get(UNIVERSAL), picture)
    restored = restore(model, picture, on_progress)
    suffix = lossless_suffix(restored)
    content = encode_picture(restored, suffix)
    height, width = picture.frames[0].shape[:2]
    noise = (round(level.sigma, 4), round(level.amount, 4)) if level else ("", "")
    seconds = round(time.perf_counter() - started, 3)
    cells = (width, height, *noise, seconds, "; ".join(picture.notes))
    seen = thumbnail(picture.in_8_bits()), thumbnail(restored.in_8_bits())
    return Outcome(path.name, cells, suffix, content, seen)


def captioned(pairs: list[Pair], rows: list[tuple[Any, ...]]) -> list[tuple[Image.Image, str]]:
    """Thumbnails with the names of the pictures that were not left out."""
    names = [row[0] for row in rows if row[1]]
    return [
        (picture, f"{name}, {state}")
        for pair, name in zip(pairs, names, strict=False)
        for picture, state in zip(pair, ("noisy", "restored"), strict=True)
    ]


def put_into(archive: zipfile.ZipFile, outcome: Outcome, rows: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Put a restored picture into `archive`; the row of `COLUMNS` about it.

    Args:
        rows: of the pictures before, whose names are taken.
    """
    if not outcome.content:
        return outcome.name, "", *outcome.cells
    # Whatever system unpacks the archive takes this for the name of a file, and not for a path.
    stem = PureWindowsPath(outcome.name).stem
    # Some systems take capitals for small letters.
    taken = {row[1].lower() for row in rows}
    name, number = f"{stem}{outcome.suffix}", 2
    while name.lower() in taken:
        name, number = f"{stem}-{number}{outcome.suffix}", number + 1
    archive.writestr(name, outcome.content)
    return outcome.name, name, *outcome.cells


def picture_restorer(restorers: Restorers) -> Callable[..., Picture]:
    """What restores a picture with a model, on a GPU where one is lent.

    Only its arguments go to the process that has the GPU, and networks could not.
    """

    @with_lent_gpu
    def restore(model: str, picture: Picture, on_progress: Callable[[float], None] | None = None) -> Picture:
        return restore_picture(restorers.get_on_gpu(model), picture, None, on_progress)

    return restore


def as_csv(rows: list[tuple[Any, ...]]) -> str:
    """The rows under their heads; text that a spreadsheet would take for a formula is disarmed."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for row in rows:
        writer.writerow("'" + cell if isinstance(cell, str) and cell.startswith(FORMULA) else cell for cell in row)
    return buffer.getvalue()
