"""What is done to a visitor's picture, without a word of how it is shown."""

import threading
from dataclasses import dataclass

from fer_denoise.demo.cancellable_job import Cancelled, JobProgressCallback
from fer_denoise.demo.fair_queue import FairQueue
from fer_denoise.demo.own_faces import FacePair, keep_faces, small_faces
from fer_denoise.demo.quick_look import quick_look
from fer_denoise.demo.restorers import Restorers
from fer_denoise.photos import Box, find_faces, picture_noise_level, restore_picture
from fer_denoise.pictures import Picture
from fer_denoise.restore import NoiseLevel
from fer_denoise.zoo import UNIVERSAL


@dataclass(frozen=True)
class RestorationOptions:
    """How a visitor wants a picture to be restored.

    Attributes:
        model: name of the restorer.
        faces: restore only the faces.
        sigma: of the noise on [0, 1]; None where it is to be estimated.
    """

    model: str
    faces: bool = False
    sigma: float | None = None


@dataclass(frozen=True)
class OwnResult:
    """What became of a picture.

    Attributes:
        before, after: its estimated noise.
        boxes: where faces are; None where none were looked for.
        faces: those faces.
    """

    picture: Picture
    restored: Picture
    before: NoiseLevel | None
    after: NoiseLevel | None
    boxes: list[Box] | None
    faces: list[FacePair]


def restore_own(
    picture: Picture,
    options: RestorationOptions,
    restorers: Restorers,
    queue: FairQueue,
    visitor: str,
    cancelled: threading.Event,
    on_progress: JobProgressCallback,
) -> OwnResult:
    """Restore a picture when it is the visitor's turn; of a large one, a `QuickLook` is reported first.

    Raises:
        Cancelled: `cancelled` was set.
        ValueError: too many pictures of the visitor are waiting.
    """

    def raise_if_cancelled() -> None:
        if cancelled.is_set():
            raise Cancelled

    estimator, restorer = restorers.get(UNIVERSAL), restorers.get(options.model)
    with queue.take(visitor, cancelled):
        # Of faces alone, the rest would look restored as well.
        if not options.faces and (look := quick_look(restorer, picture, options.sigma)):
            on_progress(0, look)
        before = picture_noise_level(estimator, picture)
        # From here on, it is told how long it takes.
        on_progress(0)
        restored = restore_picture(restorer, picture, options.sigma, on_progress)
        raise_if_cancelled()
        after = picture_noise_level(estimator, restored)
    raise_if_cancelled()
    if not options.faces:
        return OwnResult(picture, restored, before, after, None, [])
    boxes = find_faces(restored.in_8_bits())
    faces = small_faces(boxes, picture.in_8_bits(), restorers, options.model)
    # Of the rest, what is left is what was there.
    return OwnResult(picture, keep_faces(picture, restored), before, None, boxes, faces)
