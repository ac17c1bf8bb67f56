"""A button that starts long work, one that stops it, and a line that says how it goes."""

import threading
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.components import Component

from fer_denoise.demo.components import MUCH_WORK
from fer_denoise.demo.steps import Stops
from fer_denoise.demo.turns import Turns

Updates = dict[Component, Any]


class StoppableWork:
    """The buttons stand where it is made, the line where `add_status` is called.

    Args:
        stops: who wants their work to stop.
        label: of the button that starts it.
    """

    status: gr.Markdown

    def __init__(self, stops: Stops, label: str) -> None:
        self._stops, self._kind = stops, label
        with gr.Row():
            self.start = gr.Button(label, variant="primary")
            self.cancel = gr.Button("Stop", variant="stop", visible=False)

    def add_status(self, text: str) -> None:
        """Add the line."""
        self.status = gr.Markdown(text)

    def begin(self, request: gr.Request) -> threading.Event:
        """What the work has to look at: set once the visitor, by the button or by leaving, wants it to stop."""
        return self._stops.start(request.session_hash, self._kind)

    def busy(self, turns: Turns) -> Updates:
        """What is shown when work begins."""
        text = "Others are being served; your turn comes …" if turns.busy else "Working …"
        return {self.status: text, self.start: gr.Button(visible=False), self.cancel: gr.Button(visible=True)}

    def idle(self, text: str) -> Updates:
        """What is shown when work has ended."""
        return {self.status: text, self.start: gr.Button(visible=True), self.cancel: gr.Button(visible=False)}

    def listen(self, work: Callable[..., Any], inputs: list[Component], outputs: list[Component]) -> None:
        """Start `work`, a generator of updates to `outputs` and of what `busy` and `idle` give, by the button."""
        own = [self.status, self.start, self.cancel]
        options: dict[str, Any] = {"api_visibility": "private", **MUCH_WORK}
        running = self.start.click(work, inputs, [*outputs, *own], show_progress_on=[self.status], **options)
        running.failure(lambda: self.idle("Nothing was restored."), None, own, **options)
        self.cancel.click(self._stop, None, None, queue=False, api_visibility="private")

    def _stop(self, request: gr.Request) -> None:
        self._stops.stop(request.session_hash, self._kind)
