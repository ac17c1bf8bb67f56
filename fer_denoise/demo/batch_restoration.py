"""Restores pictures of a batch, each time the fair queue comes to the visitor: one, or several small ones."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fer_denoise.demo.batch_report import Pair, ReportRow, pair_of
from fer_denoise.demo.gpu import with_lent_gpu
from fer_denoise.demo.references import Clean, quality
from fer_denoise.demo.restorers import Restorers
from fer_denoise.method import ProgressCallback
from fer_denoise.photos import picture_noise_level, restore_picture, restore_pictures
from fer_denoise.pictures import FACE, Picture, PictureError
from fer_denoise.restore import NoiseLevel
from fer_denoise.zoo import UNIVERSAL

TURN_PIXELS = 16 * FACE[0] * FACE[1]
"""How many are restored in a turn of the queue; a larger picture has one of its own."""


@dataclass(frozen=True)
class PictureToRestore:
    """A picture to restore, under the name that the report is to have, and what is known of its clean one."""

    name: str
    picture: Picture
    clean: Clean


@dataclass(frozen=True)
class RestoredPicture:
    """A restored picture, its row in the report, which does not yet say where it is, and what is shown of it."""

    restored: Picture
    row: ReportRow
    seen: Pair


Turn = Callable[[ProgressCallback | None], list[RestoredPicture]]
"""What is done in a turn of the queue; it says how it goes, where that can be said."""


class BatchRestorer:
    """Restores pictures, as many in a turn of the queue as make it worth one.

    Args:
        model: the name of a restorer.
        take: waits for the visitor's turn, and gives what a `Turn` gives that is called then.
    """

    def __init__(
        self,
        restorers: Restorers,
        model: str,
        take: Callable[[Turn], list[RestoredPicture]],
    ) -> None:
        self._estimator, self._restore = restorers.get(UNIVERSAL), picture_restorer(restorers)
        self.model, self._take = model, take

    def restore(self, pictures: list[PictureToRestore]) -> list[RestoredPicture]:
        """Restore pictures in one turn, those that are alike in one batch."""
        return self._take(lambda on_progress: self._restore_now(pictures, on_progress))

    def restore_each(self, pictures: Iterable[tuple[int, PictureToRestore]]) -> Iterator[tuple[int, RestoredPicture]]:
        """Restore numbered pictures in as many turns as they need."""
        waiting: dict[int, PictureToRestore] = {}
        pixels = 0
        for number, each in pictures:
            waiting[number], pixels = each, pixels + each.picture.frames[0].size * len(each.picture.frames)
            if pixels >= TURN_PIXELS:
                yield from zip(waiting, self.restore(list(waiting.values())), strict=True)
                waiting, pixels = {}, 0
        if waiting:
            yield from zip(waiting, self.restore(list(waiting.values())), strict=True)

    def _restore_now(
        self, pictures: list[PictureToRestore], on_progress: ProgressCallback | None
    ) -> list[RestoredPicture]:
        started = time.perf_counter()
        estimates = [picture_noise_level(self._estimator, each.picture) for each in pictures]
        restored = self._restore(self.model, [each.picture for each in pictures], on_progress)
        seconds = round((time.perf_counter() - started) / len(pictures), 3)
        return [_reported(*each, seconds) for each in zip(pictures, restored, estimates, strict=True)]


def _reported(
    noisy: PictureToRestore, restored: Picture, estimate: NoiseLevel | None, seconds: float
) -> RestoredPicture:
    height, width = noisy.picture.frames[0].shape[:2]
    measured: dict[str, Any] = {}
    remarks = [*noisy.picture.notes, noisy.clean.remark]
    if noisy.clean.picture:
        try:
            measured = quality(noisy.picture, restored, noisy.clean.picture)
        except PictureError as error:
            remarks.append(str(error))
    row = ReportRow(
        noisy.name,
        width=width,
        height=height,
        sigma=round(estimate.sigma, 4) if estimate else "",
        impulses=round(estimate.amount, 4) if estimate else "",
        **measured,
        seconds=seconds,
        remark="; ".join(filter(None, remarks)),
    )
    return RestoredPicture(restored, row, pair_of(noisy.picture, restored))


def picture_restorer(restorers: Restorers) -> Callable[..., list[Picture]]:
    """What restores pictures with a model, on a GPU where one is lent.

    Only its arguments go to the process that has the GPU, and networks could not.
    """

    @with_lent_gpu
    def restore(model: str, pictures: list[Picture], on_progress: ProgressCallback | None = None) -> list[Picture]:
        restorer = restorers.get_on_gpu(model)
        if len(pictures) == 1:
            return [restore_picture(restorer, pictures[0], None, on_progress)]
        return restore_pictures(restorer, pictures)

    return restore
