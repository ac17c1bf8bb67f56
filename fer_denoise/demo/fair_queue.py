"""A fair queue: heavy jobs run one at a time, and visitors take turns, so that nobody keeps the others waiting."""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from fer_denoise.demo.cancellable_job import POLL_SECONDS, Cancelled
from fer_denoise.precision import ALL_CORES, on_cores

MAX_WAITING = 4
"""How many jobs of one visitor may wait."""


class FairQueue:
    """Runs one job at a time, on all cores; the next is that of the visitor who was served the longest ago."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._busy = False
        self._waiting: OrderedDict[str, deque[object]] = OrderedDict()

    @property
    def busy(self) -> bool:
        """Whether a job is running, so that others wait."""
        return self._busy

    @contextmanager
    def take(self, visitor: str, cancelled: threading.Event | None = None) -> Iterator[None]:
        """Wait for the visitor's turn, and give it on at the end.

        Args:
            cancelled: set once the visitor does not want to wait any more.

        Raises:
            ValueError: as many of their jobs wait as one visitor may have.
            Cancelled: `cancelled` was set before the turn came.
        """
        ticket = object()
        with self._changed:
            own = self._waiting.setdefault(visitor, deque())
            if len(own) >= MAX_WAITING:
                raise ValueError(
                    f"{MAX_WAITING} pictures of yours are waiting already: wait until one of them is done."
                )
            own.append(ticket)
            while (self._busy or self._next() is not ticket) and not (cancelled and cancelled.is_set()):
                self._changed.wait(POLL_SECONDS)
            own.remove(ticket)
            self._waiting.move_to_end(visitor)
            if not own:
                del self._waiting[visitor]
            if cancelled and cancelled.is_set():
                raise Cancelled
            self._busy = True
        try:
            with on_cores(ALL_CORES):
                yield
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()

    def _next(self) -> object:
        """The oldest ticket of the visitor who was served the longest ago."""
        return next(iter(self._waiting.values()))[0]


def visitor_of(request: gr.Request) -> str:
    """Who asks: a tab of a browser, or a program."""
    return request.session_hash or (request.client.host if request.client else "")
