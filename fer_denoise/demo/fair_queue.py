"""Visitors with much work take queue, so that none of them keeps the others waiting for long."""

import threading
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

from fer_denoise.demo.cancellable_job import Stopped
from fer_denoise.precision import ALL_CORES, on_cores

MOST = 4
"""Pieces of work that one visitor may have waiting."""
LOOK_SECONDS = 0.2
"""How often who waits looks whether they still should."""


class FairQueue:
    """One piece of work is done at a time, on all cores; whose is next goes round among the visitors."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._busy = False
        self._waiting: OrderedDict[str, deque[object]] = OrderedDict()

    @property
    def busy(self) -> bool:
        """Whether somebody's work is being done, so that others wait."""
        return self._busy

    @contextmanager
    def take(self, visitor: str, stopped: threading.Event | None = None) -> Iterator[None]:
        """Wait for the visitor's turn, and give it on at the end.

        Args:
            stopped: set once the visitor does not want to wait any more.

        Raises:
            ValueError: as much of theirs is waiting as one visitor may have.
            Stopped: `stopped` was set before the turn came.
        """
        ticket = object()
        with self._changed:
            own = self._waiting.setdefault(visitor, deque())
            if len(own) >= MOST:
                raise ValueError(f"{MOST} pictures of yours are waiting already: wait until one of them is done.")
            own.append(ticket)
            while (self._busy or self._next() is not ticket) and not (stopped and stopped.is_set()):
                self._changed.wait(LOOK_SECONDS)
            own.remove(ticket)
            self._waiting.move_to_end(visitor)
            if not own:
                del self._waiting[visitor]
            if stopped and stopped.is_set():
                raise Stopped
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
