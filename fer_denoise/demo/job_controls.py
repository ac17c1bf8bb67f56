"""A button that starts a long job, one that cancels it, and a line that says how it goes."""

import threading
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.components import Component

from fer_denoise.demo.cancellable_job import Cancellations
from fer_denoise.demo.components import HEAVY_JOB
from fer_denoise.demo.fair_queue import FairQueue

Updates = dict[Component, Any]


class JobControls:
    """The buttons stand where it is made, the line where `add_status` is called.

    Results are on the page only beside what they were made from: they go when a job begins, fails or is cancelled,
    and when something else is chosen.

    Args:
        cancellations: where visitors cancel their jobs.
        label: of the button that starts it.
    """

    status: gr.Markdown
    _invitation: str
    _results: Updates

    def __init__(self, cancellations: Cancellations, label: str) -> None:
        self._cancellations, self._kind = cancellations, label
        self._source = gr.State()
        with gr.Row():
            self.start = gr.Button(label, variant="primary")
            self.cancel = gr.Button("Stop", variant="stop", visible=False)

    def add_status(self, invitation: str) -> None:
        """Add the line, with what it says while there is no result."""
        self._invitation = invitation
        self.status = gr.Markdown(invitation)

    def begin(self, request: gr.Request) -> threading.Event:
        """Begin a job; the event is set once the visitor cancels it, by the button, by choosing something else or by
        leaving."""
        return self._cancellations.start(request.session_hash, self._kind)

    def busy(self, queue: FairQueue, source: Any) -> Updates:
        """What is shown when a job on `source`, the first of its inputs, begins."""
        text = "Others are being served; your turn comes …" if queue.busy else "Working …"
        buttons: Updates = {self.start: gr.Button(visible=False), self.cancel: gr.Button(visible=True)}
        return {**self.no_results(text), **buttons, self._source: source}

    def done(self, text: str) -> Updates:
        """What is shown, besides the results, when a job has ended."""
        return {self.status: text, self.start: gr.Button(visible=True), self.cancel: gr.Button(visible=False)}

    def without_results(self, text: str) -> Updates:
        """What is shown when a job has ended without results."""
        return {**self.no_results(), **self.done(text)}

    def no_results(self, text: str | None = None) -> Updates:
        """Nothing in the place of the results, and `text`, by default what `add_status` was given, on the line."""
        nothing: Updates = {
            part: value if isinstance(part, gr.State) else gr.update(value=value, visible=False)
            for part, value in self._results.items()
        }
        return {self.status: text or self._invitation, **nothing}

    def listen(self, job: Callable[..., Any], inputs: list[Component], results: Updates) -> None:
        """Run `job` when the button is pressed.

        Args:
            job: a generator of updates to `results`, and of what the other methods give.
            inputs: its arguments; the first is what the results are made from.
            results: what shows them, hidden until there are some, each with its value then.
        """
        self._results = results
        said = [*results, self.status]
        outputs = [*said, self.start, self.cancel, self._source]
        private: dict[str, Any] = {"api_visibility": "private"}
        running = self.start.click(job, inputs, outputs, show_progress_on=[self.status], **private, **HEAVY_JOB)
        running.failure(lambda: self.without_results("Nothing was restored."), None, outputs, **private)
        unqueued: dict[str, Any] = {**private, "queue": False, "show_progress": "hidden"}
        # Results may have been on their way when something else was chosen.
        running.success(self._drop_outdated, [inputs[0], self._source], said, **unqueued)
        # Not "input", which neither the clipboard raises nor the app itself.
        inputs[0].change(self._choose, [inputs[0], self._source], said, **unqueued)  # type: ignore[attr-defined]
        self.cancel.click(self._cancel, None, None, **unqueued)

    def _drop_outdated(self, chosen: Any, source: Any) -> Any:
        return gr.skip() if chosen == source else self.no_results()

    def _choose(self, chosen: Any, source: Any, request: gr.Request) -> Any:
        if chosen != source:
            self._cancel(request)
        # The buttons change when the job has ended: until then, the browser would pass over another click.
        return self._drop_outdated(chosen, source)

    def _cancel(self, request: gr.Request) -> None:
        self._cancellations.cancel(request.session_hash, self._kind)
