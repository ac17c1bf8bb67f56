"""Import Gradio without the stubs for editors that it writes beside each class of a component.

Writing them takes longer than the rest of the import, in each process of the tests.
"""

import inspect

import pytest


def no_file(_: object) -> str:
    """As `inspect.getfile` of a class that stands in no file; Gradio then writes no stub."""
    raise OSError


with pytest.MonkeyPatch.context() as patch:
    patch.setattr(inspect, "getfile", no_file)
    import gradio.component_meta

gradio.component_meta.create_or_modify_pyi = lambda *_: None
