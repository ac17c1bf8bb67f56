"""A button that starts a long job, a line that says how it goes, and beside that a button that cancels it."""

import threading
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import gradio as gr
from gradio.components import Component

from fer_denoise.demo.cancellable_job import Cancellations
from fer_denoise.demo.components import HEAVY_JOB
from fer_denoise.demo.fair_queue import FairQueue

Updates = dict[Any, Any]
"""New values by the part of the page that has them."""


class Anything(Enum):
    """The type of `ANYTHING`; of an enumeration, a copy is the same."""

    ANYTHING = "anything"


ANYTHING = Anything.ANYTHING
"""Stands for an input in what results were made from, where they would be the same whatever it is."""


class JobControls:
    """The button to start stands where it is made, the line and the button to stop where `add_status` is called.

    Results are on the page only beside what they were made from: they go when a job begins, fails or is cancelled,
    and when something else is chosen: another picture, or another restorer or option.

    Args:
        cancellations: where visitors cancel their jobs.
        label: of the button that starts it.
        at_once: start it also when what it works on arrives or a choice is made, and let nobody press before that.
    """

    status: gr.Markdown
    cancel: gr.Button
    _invitation: str
    _results: Updates
    _folded: Sequence[gr.Accordion]
    _option_count: int
    """How many inputs there are besides what it works on."""

    def __init__(self, cancellations: Cancellations, label: str, at_once: bool = False) -> None:
        self._cancellations, self._label, self._at_once = cancellations, label, at_once
        self._source = gr.State()
        self.start = gr.Button(label, variant="primary", interactive=not at_once)

    def add_status(self, invitation: str) -> None:
        """Add the line, with what it says while there is no result, and the button to stop."""
        self._invitation = invitation
        with gr.Row(elem_classes="status"):
            self.status = gr.Markdown(invitation)
            self.cancel = gr.Button("Stop", variant="stop", visible=False, scale=0, min_width=96)

    def begin(self, request: gr.Request, source: list[Any]) -> threading.Event:
        """Begin a job on `source`, all its inputs; the event is set once the visitor cancels it, by the button, by
        choosing something else or by leaving."""
        return self._cancellations.start(request.session_hash, self._label, source)

    def busy(self, queue: FairQueue, source: list[Any]) -> Updates:
        """What is shown when a job on `source`, all its inputs, begins; some may be `ANYTHING`."""
        text = "Others are being served; your turn comes …" if queue.busy else "Working …"
        buttons: Updates = {self.start: gr.Button(interactive=False), self.cancel: gr.Button(visible=True)}
        return {**self.no_results(text), **buttons, self._source: source}

    def made_from(self, source: list[Any]) -> Updates:
        """Says what results were made from, once it is known which inputs decided them: the others are `ANYTHING`."""
        return {self._source: source}

    def done(self, text: str) -> Updates:
        """What is shown, besides the results, when a job has ended."""
        return {self.status: text, self.start: gr.Button(interactive=True), self.cancel: gr.Button(visible=False)}

    def nothing_chosen(self) -> Updates:
        """What is shown where there is nothing to work on."""
        return {**self.without_results(self._invitation), self.start: gr.Button(interactive=not self._at_once)}

    def without_results(self, text: str) -> Updates:
        """What is shown when a job has ended without results."""
        return {**self.no_results(), **self.done(text)}

    def no_results(self, text: str | None = None) -> Updates:
        """Updates that empty the place of the results, and put `text`, by default that of `add_status`, on the line."""
        nothing: Updates = {
            part: value if isinstance(part, gr.State) else gr.update(value=value, visible=False)
            for part, value in self._results.items()
        }
        folded: Updates = {part: gr.update(visible=False) for part in self._folded}
        return {self.status: text or self._invitation, **nothing, **folded}

    def listen(
        self,
        job: Callable[..., Any],
        inputs: list[Component],
        results: Updates,
        folded: Sequence[gr.Accordion] = (),
        choices: Sequence[Component] = (),
    ) -> None:
        """Run `job` when the button is pressed, and where it starts at once, when its first input changes.

        Args:
            job: a generator of updates to `results`, and of what the other methods give.
            inputs: its arguments, all of which the results are made from; the first is what it works on.
            results: what shows them, hidden until there are some, each with its value then.
            folded: parts that hold more of them, hidden until there are some.
            choices: inputs that are set with one click; where it starts at once, then as well.
        """
        self._results, self._folded, self._option_count = results, folded, len(inputs) - 1
        said = [*results, *folded, self.status]
        outputs = [*said, self.start, self.cancel, self._source]
        private: dict[str, Any] = {"api_visibility": "private"}
        # Not "input", which neither the clipboard raises nor the app itself.
        change = inputs[0].change  # type: ignore[attr-defined]
        at_once = [change, *(part.input for part in choices)] if self._at_once else []  # type: ignore[attr-defined]
        running = gr.on(
            [self.start.click, *at_once],
            job,
            inputs,
            outputs,
            show_progress_on=[self.status],
            # What arrives while the last is cancelled has its turn after that.
            trigger_mode="always_last" if self._at_once else "once",
            **private,
            **HEAVY_JOB,
        )
        running.failure(self._failed, inputs[0], outputs, **private)
        unqueued: dict[str, Any] = {**private, "queue": False, "show_progress": "hidden"}
        present = [self._source, *inputs]
        # Results may have been on their way when something else was chosen.
        events = [running.success(self._drop_outdated, present, said, **unqueued)]
        events += [part.change(self._choose, present, said, **unqueued) for part in inputs]  # type: ignore[attr-defined]
        for event in events:
            # What is refused, such as a number out of bounds, is something else too.
            event.failure(self._refuse, None, said, **unqueued)
        self.cancel.click(self._cancel, None, None, **unqueued)

    def _failed(self, first: Any) -> Updates:
        # The others may be what was refused.
        return {
            **self.without_results("Nothing was restored."),
            self._source: [first, *[ANYTHING] * self._option_count],
        }

    def _drop_outdated(self, source: list[Any] | None, *chosen: Any) -> Any:
        # Before the first job nothing can be outdated, and its failure may have been told already.
        if source is None or all(made in (ANYTHING, now) for made, now in zip(source, chosen, strict=True)):
            return gr.skip()
        same_source = chosen[0] == source[0]
        return self.no_results(f"Something else was chosen: press *{self._label}*." if same_source else None)

    def _choose(self, request: gr.Request, source: list[Any] | None, *chosen: Any) -> Any:
        self._cancellations.cancel_others(request.session_hash, self._label, [*chosen])
        # The buttons change when the job has ended: until then, the browser would pass over another click.
        return self._drop_outdated(source, *chosen)

    def _refuse(self, request: gr.Request) -> Updates:
        self._cancellations.cancel(request.session_hash, self._label)
        return self.no_results(f"Give what can be taken, then press *{self._label}*.")

    def _cancel(self, request: gr.Request) -> None:
        self._cancellations.cancel(request.session_hash, self._label)
