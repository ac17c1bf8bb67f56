"""The page: its tabs, its look, and how it is served."""

import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

import fer_denoise
from fer_denoise.demo.cancellable_job import Cancellations
from fer_denoise.demo.components import NAMED_PICTURES, TYPED_PICTURES, UNSEEN_PICTURES
from fer_denoise.demo.early_script import CALM_COUNTERS, EarlyScript
from fer_denoise.demo.endpoints import build_endpoints
from fer_denoise.demo.explain_tab import build_explain_tab
from fer_denoise.demo.face_tab import FaceTab
from fer_denoise.demo.fair_queue import FairQueue
from fer_denoise.demo.hub_faces import HubFaces
from fer_denoise.demo.links import FACE_CONTROLS, FOLLOW_TABS, PLAYGROUND, read_link
from fer_denoise.demo.moves import Moves
from fer_denoise.demo.numbers import DECIMAL_COMMA
from fer_denoise.demo.own_tab import build_own_tab
from fer_denoise.demo.restorers import Restorers
from fer_denoise.demo.results_tab import build_results_tab, has_results
from fer_denoise.demo.theme import THEME
from fer_denoise.noise import TASK_RECORDS

HEADER = """
<div class="header">
  <svg viewBox="0 0 6 4" width="54" height="36" aria-hidden="true" shape-rendering="crispEdges">{pixels}</svg>
  <div><h1>fer-denoise</h1>
  <p>Noisy face in, clean face out, with honest numbers. <span>Faces are 48x48 and gray, as in FER2013.</span></p></div>
</div>
"""
LOGO = ("9f1c77", "07a377", "c2f577", "5b0e77")
"""Gray levels of a patch, a row per string: noise that comes to rest."""

SCRIPTS = (DECIMAL_COMMA, NAMED_PICTURES, TYPED_PICTURES, UNSEEN_PICTURES, FOLLOW_TABS)
STYLE = Path(__file__).with_name("style.css")


def build() -> gr.Blocks:
    """The app, its networks loaded."""
    restorers = Restorers()
    restorers.load_networks()
    cancellations, queue, hub_faces, moves = Cancellations(), FairQueue(), HubFaces(), Moves()
    # Uploads and results are deleted an hour after they were made.
    with gr.Blocks(title="fer-denoise", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        unseen = gr.State()
        gr.HTML(header(), padding=False)
        titles = {PLAYGROUND: "Playground", **{key: task.tab for key, task in TASK_RECORDS.items()}}
        face_tabs = {}
        with gr.Tabs() as tabs:
            for key in FACE_CONTROLS:
                with gr.Tab(titles[key], id=key):
                    face_tabs[key] = FaceTab(key, restorers, hub_faces, moves)
            with gr.Tab("Your own picture", id="own"):
                build_own_tab(restorers, cancellations, queue)
            if has_results():
                with gr.Tab("Results", id="results"):
                    build_results_tab()
            with gr.Tab("How it works", id="explain"):
                build_explain_tab()
        gr.Markdown(
            f"fer-denoise {fer_denoise.__version__}. Weights: {restorers.weights_source()}. "
            "What you upload is restored in memory, deleted within two hours, and sent nowhere.",
        )
        if "SPACE_ID" in os.environ:
            gr.DuplicateButton(size="sm")
        build_endpoints(restorers, queue)

        def follow_link(request: gr.Request) -> dict[Any, Any]:
            return open_link(request.query_params, tabs, face_tabs)

        linked = [part for tab in face_tabs.values() for part in tab.linked]
        # The browser keeps a status of what it shows progress on, and with every event goes over all of them, and over
        # what they hold: the tabs would be the whole page. What is not seen is the lightest.
        hidden: dict[str, Any] = {"show_progress": "hidden", "show_progress_on": unseen}
        page.load(follow_link, None, [tabs, *linked], api_visibility="private", **hidden)

        def leave(request: gr.Request) -> None:
            cancellations.cancel_all(request.session_hash)

        page.unload(leave)
    # Gradio would sum up all events anew after each, for a page that only developers see.
    os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000")
    # A face takes one core; another is computed while it is sent, and fewer wait, which the browser would be told of.
    # Who waits is told of it every second, not with every event of the others.
    return page.queue(max_size=64, default_concurrency_limit=2 * (os.cpu_count() or 1), status_update_rate=1)


def header() -> str:
    """Logo, title and what this is, as HTML."""
    pixels = "".join(
        f'<rect x="{column}" y="{row}" width="1" height="1" fill="#{6 * gray}"/>'
        for row, grays in enumerate(LOGO)
        for column, gray in enumerate(grays)
    )
    return HEADER.format(pixels=pixels)


def open_link(query: Mapping[str, str], tabs: gr.Tabs, face_tabs: Mapping[str, FaceTab]) -> dict[Any, Any]:
    """Set what the link asks for that the page was opened with."""
    settings = read_link(query)
    there = [tab.id for tab in tabs.children if isinstance(tab, gr.Tab)]
    opened = {tabs: gr.Tabs(selected=query["tab"]) if query.get("tab") in there else gr.skip()}
    return opened if settings is None else {**opened, **face_tabs[settings.tab].follow(settings)}


def launch_options() -> dict[str, Any]:
    """How the app is served: its look, and nothing recorded of what visitors do."""
    return {
        "theme": THEME,
        "css_paths": STYLE,
        "app_kwargs": {"middleware": [Middleware(EarlyScript, script=CALM_COUNTERS)]},
        "js": f"() => {{ {'; '.join(f'({script})()' for script in SCRIPTS)}; }}",
        "footer_links": ["api", "settings"],
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "max_file_size": "30mb",
        "mcp_server": can_serve_mcp(),
    }


def can_serve_mcp() -> bool:
    """Whether `gradio[mcp]` is installed."""
    return find_spec("mcp") is not None
