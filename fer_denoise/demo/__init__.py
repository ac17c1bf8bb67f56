"""The Gradio app."""

from fer_denoise.demo.page import build, launch_options

__all__ = ["build", "launch_options"]
