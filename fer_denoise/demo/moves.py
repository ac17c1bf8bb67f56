"""Moves of a visitor's controls, each answered at once with what is then shown: past Gradio's queue, the newest alone.

An event in the queue costs the browser more than the picture it brings: a stream of messages, and a status that is told
to every part of the page. So a move is one question by a server function of the comparison, and one answer.
"""

import base64
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any, Self

import gradio as gr
import numpy as np
from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from fer_denoise.demo.components import FAILED
from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.pictures import FACE

MOST_AT_ONCE = 64
BUSY = "Too many visitors move something at this moment. Please try again."
LOST = "The app does not answer. Check the connection, then try again."

NOTHING = "<p class='nothing'>Nothing can be shown of that; the message says why.</p>"
"""Stands in the place of a face that could not be restored."""

ON_LOAD = f"""
let next = null, busy = false;
const moves = (values) => new Promise((show) => {{
    next?.show();
    next = {{ values, show }};
    if (!busy) answer();
}});
const answer = async () => {{
    busy = true;
    while (next) {{
        const {{ values, show }} = next;
        next = null;
        const {{ shown, said }} = await server.move(values).catch(() => null) ?? {{ said: {json.dumps(LOST)} }};
        show(shown ?? {json.dumps([NOTHING, ""])});
        if (said) trigger("error", said);
        if (said) trigger("refused");
        else if (moves.moved) trigger("moved");
        if (moves.outdated && !said) trigger("outdated");
    }}
    busy = false;
}};
(window.moves ??= {{}})[KEY] = moves;
"""
"""Lets the display of a comparison answer moves; of those that wait, the newest alone, and the others show nothing.

Before it stands the constant `KEY`, by which `MOVE` finds it.

Its events: "refused" where nothing can be shown; "moved" and "outdated" after another view, where `FOLLOWED` asks so.
"""

MOVE = "(...values) => window.moves[{!r}](values)"
"""What a browser does on a move in the tab of that key; the outputs are those of `Moves.answering`."""

FOLLOWED = "() => {{ window.moves[{!r}].{} = {}; }}"
"""Asks for an event after each view from now on, or no longer."""

Answer = dict[str, Any]
"""What is "shown", a value for each output; or else what is "said" of why nothing can be."""


class FaceValue(gr.Textbox):
    """A face, uint8 (48, 48), that the browser keeps and sends along."""

    is_template = True

    @classmethod
    def of(cls, face: np.ndarray) -> Self:
        """One that is nowhere seen."""
        return cls(face, visible=False)  # type: ignore[arg-type]

    def preprocess(self, payload: str | None) -> np.ndarray:  # type: ignore[override]
        pixels = np.frombuffer(base64.b64decode(payload or "", validate=True), np.uint8)
        if pixels.size != FACE[0] * FACE[1]:
            raise gr.Error("That is no face: choose one.", title=FAILED, print_exception=False)
        return pixels.reshape(FACE).copy()

    def postprocess(self, value: np.ndarray | None) -> str | None:  # type: ignore[override]
        return None if value is None else base64.b64encode(value.tobytes()).decode()


class Moves:
    """Answers the moves of all visitors as many at once as there are cores."""

    def __init__(self) -> None:
        self._turns, self._present = CapacityLimiter(os.cpu_count() or 1), 0

    def answering(self, show: Callable[[list[Any]], tuple[Any, ...]]) -> Callable[[list[Any]], Awaitable[Answer]]:
        """A server function that answers with what `show` makes of the values that the browser sends."""

        async def move(values: list[Any]) -> Answer:
            if self._present == MOST_AT_ONCE:
                return {"said": BUSY}
            self._present += 1
            try:
                return {"shown": await run_sync(show, values, limiter=self._turns)}
            except (gr.Error, ValueError, TypeError, ModelNotFoundError) as error:
                return {"said": error.message if isinstance(error, gr.Error) else str(error)}
            finally:
                self._present -= 1

        return move
