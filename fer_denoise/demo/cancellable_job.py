"""Long work that shows how far it is and can be stopped."""

import threading
from collections.abc import Callable, Iterator
from queue import Queue
from typing import Any


class Stopped(Exception):
    """Raised inside work that is not wanted any more."""


class Stops:
    """Lets a visitor stop what they started: one piece of work of each kind."""

    def __init__(self) -> None:
        self._wishes: dict[tuple[str | None, str], threading.Event] = {}

    def start(self, visitor: str | None, kind: str) -> threading.Event:
        """A new piece of work: what it has to look at, set once the visitor does not want it any more."""
        self.stop(visitor, kind)
        return self._wishes.setdefault((visitor, kind), threading.Event())

    def stop(self, visitor: str | None, kind: str) -> None:
        """End what the visitor last started of a kind."""
        if wish := self._wishes.pop((visitor, kind), None):
            wish.set()

    def stop_all(self, visitor: str | None) -> None:
        """End all that the visitor started."""
        for who, kind in list(self._wishes):
            if who == visitor:
                self.stop(who, kind)


def in_steps(work: Callable[[Callable[[float], None]], Any], stopped: threading.Event) -> Iterator[tuple[float, Any]]:
    """Do `work` in a thread.

    Args:
        work: is given a function to call with the share that is done, in [0, 1], which raises `Stopped` once `stopped`
            is set.
        stopped: also set when this iterator is closed.

    Yields:
        The share that is done and None; at last 1 and the result. What `work` raises is raised here.
    """
    news: Queue[tuple[float, Any, BaseException | None]] = Queue()

    def report(share: float) -> None:
        if stopped.is_set():
            raise Stopped
        # The last step comes with the result.
        if share < 1:
            news.put((share, None, None))

    def run() -> None:
        try:
            news.put((1, work(report), None))
        except BaseException as error:
            news.put((1, None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        share = 0.0
        while share < 1:
            share, result, error = news.get()
            if error is not None:
                raise error
            yield share, result
    except GeneratorExit:
        stopped.set()
        raise
