from copy import deepcopy
from types import SimpleNamespace

import gradio as gr
from unvisited import unvisited_page

from fer_denoise.demo.cancellable_job import Cancellations
from fer_denoise.demo.fair_queue import FairQueue
from fer_denoise.demo.job_controls import ANYTHING, JobControls


def test_what_decides_nothing_is_known_in_a_copy_too():
    assert deepcopy([ANYTHING])[0] is ANYTHING


def test_no_result_is_left_when_a_job_begins_fails_or_is_cancelled():
    with unvisited_page():
        job = JobControls(Cancellations(), "Restore")
        job.add_status("Choose.")
        shown, kept = gr.Image(visible=False), gr.State()
        source, option = gr.Textbox(), gr.Checkbox()
        job.listen(lambda path, option: iter(()), [source, option], {shown: None, kept: None})
    request = SimpleNamespace(session_hash="me")
    for updates, words in (
        (job.busy(FairQueue(), ["picture", True]), "Working …"),
        (job.without_results("Stopped."), "Stopped."),
        (job.no_results(), "Choose."),
        (job._drop_outdated(["picture", True], "another picture", True), "Choose."),
        (job._drop_outdated(["picture", True], None, True), "Choose."),
        (job._choose(request, ["picture", True], "picture", False), "Something else was chosen: press *Restore*."),
        (job._refuse(request), "Give what can be taken, then press *Restore*."),
    ):
        assert updates[job.status] == words
        assert updates[shown]["visible"] is False and updates[shown]["value"] is None and updates[kept] is None
    for made_from in (None, ["picture", True], ["picture", ANYTHING], job._failed("picture")[job._source]):
        assert job._drop_outdated(made_from, "picture", True) == gr.skip()
