"""A page that nobody visits: parts of the app are laid out and wired on it, and called as Gradio calls them."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import gradio as gr


@contextmanager
def unvisited_page() -> Iterator[gr.Blocks]:
    """Blocks without the server that Gradio makes for all of them, which takes longer than most tests."""
    with mock.patch("gradio.routes.App.create_app"), gr.Blocks() as page:
        yield page
