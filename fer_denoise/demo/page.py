"""The page: its tabs, its look, and how it is served."""

from pathlib import Path
from typing import Any

import gradio as gr

import fer_denoise
from fer_denoise.demo.own_tab import build_own_tab
from fer_denoise.demo.restorers import Restorers
from fer_denoise.demo.results_tab import build_results_tab, has_results
from fer_denoise.demo.task_tab import build_task_tab

TABS = {"low": "Low Gaussian noise", "high": "High Gaussian noise", "salt_pepper": "Salt and pepper"}

HEADER = """
# fer-denoise
Noisy face in, clean face out, with honest numbers. Faces are 48x48 and gray, as in FER2013.
"""

STYLE = Path(__file__).with_name("style.css")


def build() -> gr.Blocks:
    """The app, its networks loaded."""
    restorers = Restorers()
    restorers.load_networks()
    # Uploads and results are deleted an hour after they were made.
    with gr.Blocks(title="fer-denoise", analytics_enabled=False, delete_cache=(600, 3600)) as page:
        gr.Markdown(HEADER)
        for task, title in TABS.items():
            with gr.Tab(title):
                build_task_tab(task, restorers)
        with gr.Tab("Your own picture"):
            build_own_tab(restorers)
        if has_results():
            with gr.Tab("Results"):
                build_results_tab()
        gr.Markdown(
            f"fer-denoise {fer_denoise.__version__}. Weights: {restorers.weights_source()}. "
            "What you upload is deleted within two hours and sent nowhere."
        )
    return page.queue(max_size=64, default_concurrency_limit=2)


def launch_options() -> dict[str, Any]:
    """How the app is served: its look, and nothing kept of what visitors do."""
    system_fonts = ("ui-sans-serif", "system-ui", "sans-serif")
    return {
        "theme": gr.themes.Default(primary_hue="teal", secondary_hue="teal", neutral_hue="slate", font=system_fonts),
        "css_paths": STYLE,
        "footer_links": ["api", "settings"],
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "max_file_size": "30mb",
    }
