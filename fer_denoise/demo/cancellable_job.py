"""Long jobs that show their progress and can be cancelled."""

import threading
from collections.abc import Callable, Iterator
from queue import Empty, Queue
from typing import Any, Protocol

POLL_SECONDS = 0.2
"""How often who waits for a job looks whether it was cancelled."""


class JobProgressCallback(Protocol):
    """Called by a job with its progress in [0, 1], and perhaps with something to look at meanwhile."""

    def __call__(self, progress: float, look: Any = None) -> None: ...


class Cancelled(Exception):
    """Raised inside a job whose result is not wanted any more."""


class Cancellations:
    """Lets a visitor cancel the jobs that they started: one of each kind."""

    def __init__(self) -> None:
        self._events: dict[tuple[str | None, str], threading.Event] = {}
        self._sources: dict[tuple[str | None, str], Any] = {}

    def start(self, visitor: str | None, kind: str, source: Any = None) -> threading.Event:
        """Begin a job on `source`, cancelling the visitor's last one of that kind; the event is set once this one is
        cancelled."""
        self.cancel(visitor, kind)
        self._sources[visitor, kind] = source
        return self._events.setdefault((visitor, kind), threading.Event())

    def cancel_others(self, visitor: str | None, kind: str, source: Any) -> None:
        """Cancel what the visitor last started of a kind, unless it is a job on `source`."""
        if self._sources.get((visitor, kind)) != source:
            self.cancel(visitor, kind)

    def cancel(self, visitor: str | None, kind: str) -> None:
        """Cancel what the visitor last started of a kind."""
        self._sources.pop((visitor, kind), None)
        if event := self._events.pop((visitor, kind), None):
            event.set()

    def cancel_all(self, visitor: str | None) -> None:
        """Cancel all that the visitor started."""
        for who, kind in list(self._events):
            if who == visitor:
                self.cancel(who, kind)


def run_with_progress(
    job: Callable[[JobProgressCallback], Any], cancelled: threading.Event
) -> Iterator[tuple[float, Any]]:
    """Run a job in a thread.

    Args:
        job: is given a function to report by, which raises `Cancelled` once `cancelled` is set.
        cancelled: also set when this iterator is closed.

    Yields:
        The progress and what there is to look at, else None; at last 1 and the result. What `job` raises is raised
        here.

    Raises:
        Cancelled: `cancelled` is set. A job that does not report meanwhile ends later, with nobody waiting for it.
    """
    messages: Queue[tuple[float, Any, BaseException | None]] = Queue()

    def on_progress(progress: float, look: Any = None) -> None:
        if cancelled.is_set():
            raise Cancelled
        # The end is reported together with the result.
        if progress < 1:
            messages.put((progress, look, None))

    def run() -> None:
        try:
            messages.put((1, job(on_progress), None))
        except BaseException as error:
            messages.put((1, None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        progress = 0.0
        while progress < 1:
            try:
                progress, result, error = messages.get(timeout=POLL_SECONDS)
            except Empty:
                if cancelled.is_set():
                    raise Cancelled from None
                continue
            if error is not None:
                raise error
            yield progress, result
    except GeneratorExit:
        cancelled.set()
        raise
