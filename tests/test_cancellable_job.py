import threading
import time

import pytest

from fer_denoise.demo.cancellable_job import Cancellations, Cancelled, run_with_progress


def test_a_job_gives_its_progress_and_then_its_result():
    def job(on_progress):
        for progress in (0.25, 0.5, 1):
            on_progress(progress)
        return "done"

    cancelled = threading.Event()
    assert list(run_with_progress(job, cancelled)) == [(0.25, None), (0.5, None), (1, "done")]
    # Who asks afterwards whether the result is still wanted is told that nobody cancelled it.
    assert not cancelled.is_set()


def test_what_a_job_raises_is_raised_to_the_one_who_waits():
    def job(on_progress):
        on_progress(0.5)
        raise ValueError("broken")

    updates = run_with_progress(job, threading.Event())
    assert next(updates) == (0.5, None)
    with pytest.raises(ValueError, match="broken"):
        next(updates)


def test_a_job_ends_when_nobody_waits_any_more():
    ended: list[type] = []

    def job(on_progress):
        try:
            for _ in range(1000):
                on_progress(0.1)
                time.sleep(0.005)
        except Cancelled as error:
            ended.append(type(error))
            raise

    cancelled = threading.Event()
    updates = run_with_progress(job, cancelled)
    next(updates)
    assert not cancelled.is_set()
    updates.close()
    deadline = time.monotonic() + 5
    while not ended and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ended == [Cancelled]


def test_a_visitor_cancels_only_what_they_started_last_of_a_kind():
    cancellations = Cancellations()
    one, kind, other = (cancellations.start(*job) for job in (("one", "a"), ("one", "b"), ("other", "a")))
    cancellations.cancel("one", "a")
    assert one.is_set() and not kind.is_set() and not other.is_set()
    again = cancellations.start("one", "a")
    assert not again.is_set()
    last = cancellations.start("one", "a")
    assert again.is_set() and not last.is_set()
    cancellations.cancel("nobody", "a")
    cancellations.cancel_all("one")
    assert last.is_set() and kind.is_set() and not other.is_set()


def test_a_cancelled_job_raises_to_the_one_who_waits():
    cancelled = threading.Event()

    def job(on_progress):
        for _ in range(1000):
            on_progress(0.1)
            time.sleep(0.005)

    updates = run_with_progress(job, cancelled)
    next(updates)
    cancelled.set()
    with pytest.raises(Cancelled):
        list(updates)


def test_who_waits_is_let_go_though_a_cancelled_job_does_not_report():
    cancelled, release = threading.Event(), threading.Event()
    updates = run_with_progress(lambda on_progress: release.wait(60), cancelled)
    threading.Timer(0.1, cancelled.set).start()
    with pytest.raises(Cancelled):
        next(updates)
    assert not release.is_set()
    release.set()


def test_a_job_is_cancelled_by_another_picture_and_not_by_its_own():
    cancellations = Cancellations()
    job = cancellations.start("me", "a", "one.png")
    cancellations.cancel_others("me", "a", "one.png")
    assert not job.is_set()
    cancellations.cancel_others("me", "a", None)
    assert job.is_set()
