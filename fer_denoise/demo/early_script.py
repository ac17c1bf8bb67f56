"""A script that runs before Gradio's own, which `head` and `js` of `launch` do not."""

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CALM_COUNTERS = r"""
{
    const ask = window.requestAnimationFrame.bind(window);
    const counts = (draw) => /performance\.now\(\) *-.*1e3/.test(draw);
    window.requestAnimationFrame = (draw) => (
        counts(draw) ? setTimeout(() => draw(performance.now()), 100) : ask(draw)
    );
}
"""
"""Lets what counts seconds do so ten times a second, without drawing anything for it.

Gradio 6.31 counts the seconds that the page takes to load, and never stops: it asks for sixty frames a second for as
long as the page is open, and while nobody does anything.
"""


class EarlyScript:
    """Middleware that puts a script first into the head of each page."""

    def __init__(self, app: ASGIApp, script: str) -> None:
        self._app, self._tag = app, f"<head><script>{script}</script>".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started: Message | None = None

        async def send_with_script(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start" and _is_page(message):
                started = message
                return
            if started is not None:
                body = message["body"].replace(b"<head>", self._tag, 1)
                headers = MutableHeaders(raw=started["headers"])
                headers["Content-Length"] = str(len(body))
                await send(started)
                started, message = None, {**message, "body": body}
            await send(message)

        await self._app(scope, receive, send_with_script if scope["type"] == "http" else send)


def _is_page(start: Message) -> bool:
    headers = MutableHeaders(raw=start["headers"])
    # Of what comes in parts, the length is not told.
    return headers.get("Content-Type", "").startswith("text/html") and "Content-Length" in headers
