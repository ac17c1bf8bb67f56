"""Links to the tabs with a face."""

from urllib.parse import parse_qsl

import gradio as gr
import pytest

from fer_denoise.demo.links import FACE_CONTROLS, LinkSettings, read_link, write_link
from fer_denoise.demo.page import open_link
from fer_denoise.demo.playground_controls import PRESETS

MIX = "gaussian:sigma=0.1 + jpeg:quality=10"


@pytest.mark.parametrize(
    "settings",
    [
        LinkSettings("high", "noisy", "tv", 5, (0.06,), "Drawing"),
        LinkSettings(
            "low", "attention-unet-low", "patchgan-low", 2**31 - 1, (0.108325,), "Cat (S. van der Walt)", 0.35
        ),
        LinkSettings("salt_pepper", "median", "clean", 0, (0.2, 0.35)),
        LinkSettings("playground", "noisy", "universal", 0, ("night", 32.0, ""), "Face 3 (LFW)"),
        LinkSettings("playground", "noisy", "universal", 0, ("own", 0.15, MIX), "Astronaut (NASA)"),
    ],
)
def test_a_link_is_read_as_it_was_written(settings):
    link = write_link(settings)
    assert link[0] == "?" and read_link(dict(parse_qsl(link[1:]))) == settings
    assert read_link({**dict(parse_qsl(link[1:])), "__theme": "dark"}) == settings


def test_what_a_link_leaves_out_is_as_at_first():
    settings = read_link({"tab": "high", "right": "tv", "noise": "0.1"})
    assert settings == LinkSettings("high", "noisy", "tv", 0, (0.1,), None, 1.0)


@pytest.mark.parametrize("tab", FACE_CONTROLS)
def test_a_link_to_the_first_noise_of_each_tab_gives_that_noise(tab):
    controls = FACE_CONTROLS[tab]
    values = controls.read(controls.write(*controls.preset))
    assert controls.noise(*values) == controls.noise(*controls.preset)


@pytest.mark.parametrize(
    "wrong",
    [
        {"tab": "own"},
        {"right": "nothing"},
        {"left": "<script>"},
        {"face": "nobody"},
        {"seed": "-1"},
        {"seed": "many"},
        {"noise": "0.4,0.3"},
        {"noise": "7"},
        {"noise": "nan"},
        {"noise": ""},
        {"texture": "1.5"},
        {"texture": "nan"},
        {"texture": "much"},
        {"tab": "salt_pepper", "noise": "0.6,0.5"},
        {"tab": "playground", "noise": "night:0"},
        {"tab": "playground", "noise": "night:nan"},
        {"tab": "playground", "noise": "flood:3"},
        {"tab": "playground", "noise": "own:flood:sigma=1"},
        {"tab": "playground", "noise": "own:" + "+".join(["jpeg:quality=5"] * 9)},
    ],
)
def test_a_wrong_link_is_ignored(wrong):
    right = {"tab": "high", "left": "noisy", "right": "tv", "seed": "5", "noise": "0.06"}
    assert read_link(right) is not None
    assert read_link({**right, **wrong}) is None
    assert read_link({}) is None


def test_a_link_opens_each_tab_that_the_page_has_and_no_other():
    with gr.Blocks(), gr.Tabs() as tabs:
        for key in ("own", "new"):
            gr.Tab(key, id=key)
    opened = {tab: open_link({"tab": tab}, tabs, {})[tabs] for tab in ("own", "new", "results", "<script>")}
    assert [getattr(each, "selected", None) for each in opened.values()] == ["own", "new", None, None]


@pytest.mark.parametrize("preset", PRESETS)
def test_each_preset_is_noise_wherever_its_slider_stands(preset, samples):
    controls = FACE_CONTROLS["playground"]
    for level, noise in [*controls.sweep(preset, 0, ""), (0, controls.noise(preset, PRESETS[preset].slider[2], ""))]:
        noisy = noise(samples[0], seed=3)
        assert noisy.shape == (48, 48) and 0 <= noisy.min() <= noisy.max() <= 1, level
    assert (noisy != samples[0] / 255).mean() > 0.1
    with pytest.raises(ValueError, match="choose one of the presets"):
        controls.sweep("own", 0, MIX)
