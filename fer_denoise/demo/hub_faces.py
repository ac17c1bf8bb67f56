"""FER2013's test faces from the Hub, which are asked for only when a visitor wants them."""

import logging
import threading
from concurrent.futures import Future

import numpy as np

from fer_denoise.data import EMOTIONS, HUB_DATASET, DataError, Faces, load_fer2013

SECONDS = 5
"""How long a visitor waits. A download that takes longer goes on, for whoever asks next."""
COUNT = 10

logger = logging.getLogger(__name__)


class HubFaces:
    """Fetches the faces once, when they are first asked for; after a failure, again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._fetched: Future[Faces] | None = None

    def draw(self, rng: np.random.Generator) -> list[tuple[str, np.ndarray]]:
        """Some faces, uint8 (48, 48), each with the emotion it is labelled with.

        Raises:
            DataError: they did not come, or not in time; the message is for a visitor, and the log has the cause.
        """
        fetched = self._fetch()
        try:
            faces = fetched.result(SECONDS)
        except TimeoutError:
            raise DataError(
                f"FER2013's faces did not come from the Hugging Face Hub within {SECONDS} seconds. The faces that are "
                "shown still work. If the Hub can be reached, those from there are ready when you press again later."
            ) from None
        except DataError as error:
            raise DataError(
                "FER2013's faces cannot be had from the Hugging Face Hub at the moment. The faces that are shown still "
                "work; press again later to try once more."
            ) from error
        return [
            (EMOTIONS[faces.labels[index]].capitalize(), faces.images[index])
            for index in rng.choice(len(faces), size=min(COUNT, len(faces)), replace=False)
        ]

    def _fetch(self) -> Future[Faces]:
        with self._lock:
            if self._fetched is None or (self._fetched.done() and self._fetched.exception()):
                self._fetched = Future()
                # Loading has no time-out of its own, and must not keep the app from ending.
                threading.Thread(target=_load_into, args=[self._fetched], daemon=True).start()
            return self._fetched


def _load_into(future: Future[Faces]) -> None:
    try:
        future.set_result(load_fer2013(HUB_DATASET, "test"))
    except Exception as error:
        logger.warning("FER2013's faces did not come: %s", error)
        future.set_exception(error)
