import threading
import time
from collections.abc import Iterator

import pytest

from fer_denoise.demo.cancellable_job import Cancelled
from fer_denoise.demo.fair_queue import MAX_WAITING, FairQueue


@pytest.fixture
def too_late() -> Iterator[threading.Event]:
    """An event that lets go who would wait for ever."""
    event = threading.Event()
    timer = threading.Timer(10, event.set)
    timer.start()
    yield event
    timer.cancel()


def start(queue: FairQueue, visitor: str, served: list[str], release: threading.Event) -> threading.Thread:
    """Take a turn in a thread, and wait until it stands in the queue or is served."""
    waits = queue.busy
    before = len(queue._waiting.get(visitor, ())) if waits else len(served)

    def job() -> None:
        with queue.take(visitor):
            served.append(visitor)
            release.wait(10)

    thread = threading.Thread(target=job, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while (len(queue._waiting.get(visitor, ())) if waits else len(served)) == before:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return thread


def test_turns_go_round_among_the_visitors():
    queue, served, release = FairQueue(), [], threading.Event()
    threads = [start(queue, visitor, served, release) for visitor in ("heavy", *["heavy"] * 3, "light", "other")]
    assert queue.busy and served == ["heavy"]
    release.set()
    for thread in threads:
        thread.join(10)
    # "heavy" stood first with three, and each time it was served it went to the end.
    assert served == ["heavy", "heavy", "light", "other", "heavy", "heavy"]
    assert not queue.busy


def test_only_one_job_runs_at_a_time():
    queue, running, most = FairQueue(), [], []

    def job(visitor: str) -> None:
        for _ in range(20):
            with queue.take(visitor):
                running.append(visitor)
                # Long enough that others would come in between if they could.
                time.sleep(0.001)
                most.append(len(running))
                running.pop()

    threads = [threading.Thread(target=job, args=(f"visitor {number}",), daemon=True) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == [1] * 120


def test_a_visitor_with_too_much_waiting_is_refused_and_others_are_not():
    queue, served, release = FairQueue(), [], threading.Event()
    threads = [start(queue, "heavy", served, release) for _ in range(1 + MAX_WAITING)]
    with pytest.raises(ValueError, match="waiting already"), queue.take("heavy"):
        pass
    threads.append(start(queue, "light", served, release))
    release.set()
    for thread in threads:
        thread.join(10)
    assert served == ["heavy", "heavy", "light", *["heavy"] * (MAX_WAITING - 1)]


def test_a_job_that_fails_gives_its_turn_on(too_late):
    queue = FairQueue()
    with pytest.raises(ZeroDivisionError), queue.take("one"):
        _ = 1 / 0
    with queue.take("two", too_late):
        assert queue.busy


def test_who_does_not_want_to_wait_any_more_is_let_go(too_late):
    queue, served, release, cancelled = FairQueue(), [], threading.Event(), threading.Event()
    thread = start(queue, "heavy", served, release)
    threading.Timer(0.1, cancelled.set).start()
    with pytest.raises(Cancelled), queue.take("light", cancelled):
        served.append("light")
    release.set()
    thread.join(10)
    assert served == ["heavy"] and not queue.busy
    with queue.take("light", too_late):
        served.append("light")
    with pytest.raises(Cancelled), queue.take("light", cancelled):
        served.append("never")
    assert served == ["heavy", "light"]
