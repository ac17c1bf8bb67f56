"""FER2013's test faces from the Hub, which are asked for only when a visitor wants them."""

from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import cache

import numpy as np

from fer_denoise.data import EMOTIONS, HUB_DATASET, DataError, Faces, load_fer2013

SECONDS = 120
"""How long a visitor waits for the download."""
COUNT = 10


def random_test_faces(rng: np.random.Generator) -> list[tuple[str, np.ndarray]]:
    """Some faces, uint8 (48, 48), each with the emotion it is labelled with.

    Raises:
        DataError: the Hub does not answer, or not in time; the message says what to do.
    """
    faces = _test_faces()
    return [
        (EMOTIONS[faces.labels[index]].capitalize(), faces.images[index])
        for index in rng.choice(len(faces), size=min(COUNT, len(faces)), replace=False)
    ]


@cache
def _test_faces() -> Faces:
    # Loading has no time-out of its own.
    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(load_fer2013, HUB_DATASET, "test").result(SECONDS)
    except FutureTimeoutError:
        raise DataError(
            f"The dataset {HUB_DATASET} did not come within {SECONDS} seconds: try again later, or choose another face."
        ) from None
    except DataError as error:
        raise DataError(
            f"FER2013's faces could not be fetched from the Hub, so choose another face. ({error})"
        ) from None
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
