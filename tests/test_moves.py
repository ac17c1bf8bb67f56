"""Moves of a visitor's controls and what they are answered with."""

import asyncio
import threading
from typing import Any

import gradio as gr
import numpy as np
import pytest
from unvisited import unvisited_page

from fer_denoise.demo.face_tab import FaceTab
from fer_denoise.demo.hub_faces import HubFaces
from fer_denoise.demo.moves import BUSY, MOST_AT_ONCE, FaceValue, Moves
from fer_denoise.demo.playground_controls import PRESETS
from fer_denoise.demo.restorers import Restorers
from fer_denoise.pictures import FACE


def asked(tab: str, *values: Any) -> dict[str, Any]:
    """What a tab answers to its values as the browser sends them, after a face."""
    with unvisited_page():
        moves = Moves()
        face_tab = FaceTab(tab, Restorers(), HubFaces(), moves)
    face = FaceValue().postprocess(np.arange(FACE[0] * FACE[1]).astype(np.uint8).reshape(FACE))
    return asyncio.run(moves.answering(face_tab.answer)([face, *values]))


def test_a_face_comes_back_from_the_browser_as_it_was(samples):
    holder = FaceValue()
    for face in samples:
        np.testing.assert_array_equal(holder.preprocess(holder.postprocess(face)), face)


@pytest.mark.parametrize("sent", [None, "", "AAAA", "no base64!", "A" * 3073])
def test_what_is_no_face_is_refused(sent):
    with pytest.raises((gr.Error, ValueError)):
        FaceValue().preprocess(sent)


def test_a_move_shows_what_the_tab_shows_of_those_values():
    shown = asked("high", "noisy", "median", 1, 3, 0.1)["shown"]
    assert 'data-link="?tab=high&amp;left=noisy&amp;right=median&amp;seed=3&amp;noise=0.1"' in shown[0]
    assert "sigma 0.100" in shown[1]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (("noisy", "median", 1, -1, 0.1), "Seed: give a whole number from 0"),
        (("noisy", "no method", 1, 0, 0.1), "not in the list of choices"),
        (("noisy", "median", 1, 0), "argument"),
    ],
)
def test_what_cannot_be_shown_is_answered_with_the_reason(values, said):
    answer = asked("high", *values)
    assert said in answer["said"] and "shown" not in answer


@pytest.mark.slow
@pytest.mark.parametrize("preset", PRESETS)
def test_a_level_typed_beyond_the_end_of_any_preset_is_that_end(preset):
    low, high = sorted(PRESETS[preset].slider[:2])
    for level, end in ((low - 5, low), (high + 5, high)):
        shown = asked("playground", "noisy", "median", 1, 0, preset, level, "")["shown"]
        assert f"noise={preset}:{end:g}" in shown[0]


def test_beyond_the_most_at_once_visitors_are_told_so_and_the_others_served():
    ready = threading.Event()

    def show(values: list[int]) -> list[int]:
        assert ready.wait(20)
        return values

    async def crowd() -> list[dict[str, Any]]:
        move = Moves().answering(show)
        asked = [asyncio.create_task(move([number])) for number in range(MOST_AT_ONCE + 5)]
        told = await asyncio.gather(*asked[MOST_AT_ONCE:])
        ready.set()
        assert [await task for task in asked[:MOST_AT_ONCE]] == [{"shown": [number]} for number in range(MOST_AT_ONCE)]
        return [*told, await move([0])]

    *told, last = asyncio.run(crowd())
    assert told == 5 * [{"said": BUSY}] and last == {"shown": [0]}
