"""The app in a real browser."""

import base64
import csv
import io
import re
import threading
import time
import zipfile
from collections.abc import Callable, Sequence
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from visiting import WAIT, Visit, serious_faults

from fer_denoise import Restorer
from fer_denoise.data import DataError, Faces
from fer_denoise.demo.cancellable_job import Cancellations
from fer_denoise.demo.compare import compare
from fer_denoise.demo.components import preview
from fer_denoise.demo.example_pictures import noisy_astronaut
from fer_denoise.demo.face_view import restore_face, title_of
from fer_denoise.demo.links import FACE_CONTROLS, LinkSettings, write_link
from fer_denoise.demo.loupe import LIMIT, SIDE
from fer_denoise.demo.own_loupe import SIDE as SIDE_OF_OWN
from fer_denoise.demo.restorers import Restorers
from fer_denoise.models.restoration import NetworkMethod
from fer_denoise.noise import TASKS
from fer_denoise.samples import sample_faces
from fer_denoise.zoo import MODELS, list_models


@pytest.mark.parametrize(("width", "theme"), [(1920, "light"), (360, "dark"), (360, "light")])
def test_every_tab_opens_and_fits_the_screen(visit, width, theme):
    here = visit(width, f"?__theme={theme}")
    for title in here.tabs:
        here.open(title)
        here.keep(f"{title.lower().replace(' ', '-')}-{width}-{theme}")
        assert here.page.evaluate("document.documentElement.scrollWidth") <= width
        assert here.page.locator("img:visible:not([alt])").count() == 0
    here.assert_quiet()


@pytest.mark.parametrize("typed", ["0,5", "0.5"])
def test_a_comma_is_a_decimal_point(visit, typed):
    here = visit()
    here.open("Low Gaussian noise")
    number = here.panel.get_by_role("spinbutton", name="Noise strength")
    number.click(click_count=3)
    number.press_sequentially(typed)
    number.press("Tab")
    here.wait_until(lambda: number.input_value() == "0.5")
    here.panel.get_by_text("sigma 0.500").wait_for()
    here.assert_quiet()


def test_a_tab_that_opens_slowly_answers_its_controls_all_the_same(visit):
    here = visit()
    # What is in the browser's cache comes in another order.
    here.reload()
    here.panel.locator(".numbers").wait_for()
    browser = here.page.context.new_cdp_session(here.page)
    browser.send("Emulation.setCPUThrottlingRate", {"rate": 8})
    here.page.get_by_role("tab", name="Low Gaussian noise").first.click()
    here.panel.get_by_text("Back to the task's own noise").wait_for()
    browser.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    before = here.table()
    here.slider.press("End")
    here.wait_for_table_other_than(before)


def test_without_noise_no_number_is_infinite_in_red(visit):
    here = visit()
    here.open("Low Gaussian noise")
    number = here.panel.get_by_role("spinbutton", name="Noise strength")
    number.fill("0")
    number.press("Tab")
    here.panel.get_by_text("Without noise there is nothing to gain").wait_for()
    assert here.table().startswith("∞ → ") and "(–)" in here.table()
    assert here.panel.locator(".numbers .worse").count() == 0
    here.keep("no-noise")
    here.assert_quiet()


def test_a_seed_that_cannot_be_taken_is_named(visit):
    here = visit()
    here.panel.get_by_label("Seed").fill("-1")
    here.page.get_by_text("Seed: give a whole number from 0 to 2147483647, not -1.").first.wait_for()
    # What was shown is of another seed.
    here.panel.get_by_text("Nothing can be shown of that").wait_for()
    assert here.panel.get_by_role("table").count() == here.panel.locator(".stage").count() == 0
    here.keep("wrong-seed")
    here.panel.get_by_label("Seed").fill("1")
    here.panel.get_by_role("table").first.wait_for()
    here.wait_until(lambda: here.panel.locator(".comparison img:visible").count() == 4)


def test_random_faces_that_do_not_come_leave_the_gallery_as_it_was(visit, monkeypatch):
    def fail(*args):
        raise DataError("cannot be loaded from the Hub; set HF_TOKEN, or give --data a local copy")

    monkeypatch.setattr("fer_denoise.demo.hub_faces.load_fer2013", fail)
    here = visit()
    press = here.panel.get_by_role("button", name="Random FER2013 faces")
    press.click()
    here.page.get_by_text("The faces that are shown still work").wait_for()
    here.keep("no-random-faces")
    here.wait_until(press.is_enabled)
    before = here.table()
    here.panel.locator(".faces .thumbnail-item").nth(3).click()
    here.wait_for_table_other_than(before)
    assert here.page.get_by_text("HF_TOKEN").count() == 0 and here.panel.locator(".error:visible").count() == 0
    # And once they come, they are there.
    faces = Faces(np.stack(list(sample_faces().values())), np.full(len(sample_faces()), 3), "")
    monkeypatch.setattr("fer_denoise.demo.hub_faces.load_fer2013", lambda *args: faces)
    press.click()
    here.wait_until(lambda: "Happy" in here.panel.locator(".faces").inner_html())
    here.wait_until(press.is_enabled)
    here.assert_quiet()


def test_a_slider_moved_by_keyboard_changes_noise_and_measurements(visit):
    here = visit()
    here.open("Low Gaussian noise")
    before = here.table()
    here.slider.focus()
    for _ in range(5):
        here.slider.press("ArrowRight")
    here.panel.get_by_text("sigma 0.045").wait_for()
    here.wait_until(lambda: here.table() != before)
    # Back to where it was: the same noise, the same measurements.
    here.panel.get_by_role("button", name="Back to the task's own noise").press("Enter")
    here.wait_until(lambda: here.table() == before)
    here.assert_quiet()


def test_the_emotions_of_the_three_faces_stand_side_by_side(visit):
    here = visit()
    emotions = here.panel.get_by_role("table").filter(has_text="Emotion")
    assert [head.inner_text() for head in emotions.locator("thead th").all()] == [
        "Emotion",
        "Clean",
        "Noisy",
        "Universal",
    ]
    assert emotions.locator("td.best").count() == 3
    before = emotions.inner_text()
    here.panel.get_by_role("spinbutton", name="Lost pixels").fill("0.4")
    here.wait_until(lambda: emotions.inner_text() != before)
    here.assert_quiet()


def test_another_face_restorer_and_seed(visit):
    here = visit()
    here.open("Salt and pepper")
    before = here.table()
    here.panel.locator(".faces .thumbnail-item").nth(7).click()
    here.wait_for_table_other_than(before)
    before = here.table()
    here.panel.get_by_label("Seed").fill("7")
    here.panel.get_by_label("Seed").press("Enter")
    here.wait_for_table_other_than(before)
    before = here.table()
    here.choose("Right", "Attention U-Net, low Gaussian")
    here.wait_for_table_other_than(before)
    before = here.table()
    here.panel.get_by_text("was trained for, so expect less of it").wait_for()
    here.panel.get_by_role("button", name="Take Universal instead").click()
    here.wait_for_table_other_than(before)
    here.keep("another-face")
    here.assert_quiet()


def test_the_attention_is_drawn_anew_only_while_someone_looks(visit):
    here = visit()
    calls: list[str] = []
    asks = ("queue/join", "component_server")
    here.page.on("request", lambda request: calls.extend(request.url for ask in asks if ask in request.url))

    def drawn() -> list[str]:
        gallery = here.panel.locator(".wide-gallery").first.locator("img")
        return [gallery.nth(index).get_attribute("src") for index in range(gallery.count())]

    def move() -> None:
        before = here.table()
        here.slider.press("ArrowRight")
        here.wait_for_table_other_than(before)

    here.unfold("Where the network looks")
    here.wait_until(lambda: len(drawn()) == 2)
    first = drawn()
    move()
    here.wait_until(lambda: len(drawn()) == 2 and drawn() != first)
    second = drawn()
    here.unfold("Where the network looks")
    here.wait_until(lambda: not here.panel.locator(".wide-gallery").first.is_visible())
    move()
    here.page.wait_for_timeout(500)
    asked = len(calls)
    move()
    here.page.wait_for_timeout(500)
    assert len(calls) == asked + 1
    here.unfold("Where the network looks")
    here.wait_until(lambda: len(drawn()) == 2 and drawn() != second)
    here.assert_quiet()


def test_the_comparison_fills_the_screen_in_whole_pixels(visit):
    here = visit()
    stage = here.panel.locator(".stage")
    here.panel.get_by_label("Full screen").click()
    here.wait_until(lambda: 700 < stage.bounding_box()["height"] <= 900)
    assert stage.bounding_box()["height"] % 48 == 0
    here.page.keyboard.press("ArrowRight")
    here.panel.get_by_label("Full screen").click()
    here.wait_until(lambda: stage.bounding_box()["height"] <= 576)
    here.assert_quiet()


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1024, 768), (768, 1024), (390, 844)])
def test_the_comparison_is_the_first_thing_and_sharp(visit, width, height):
    here = visit(width)
    here.page.set_viewport_size({"width": width, "height": height})
    stage = here.panel.locator(".stage").bounding_box()
    number = here.panel.locator(".psnr").bounding_box()
    assert stage["width"] == stage["height"] >= 336 and stage["width"] % 48 == 0
    assert stage["x"] >= 0 and stage["x"] + stage["width"] <= width
    assert number["y"] + number["height"] <= height and number["x"] + number["width"] <= width
    first = here.panel.locator("img, button, input").first
    assert first.evaluate("image => image.closest('.stage') !== null")
    for picture in here.panel.locator(".comparison img, .faces img").all():
        assert picture.bounding_box()["width"] % 48 == 0
        assert picture.get_attribute("src").startswith("data:image/png;base64,")
        assert picture.evaluate("image => getComputedStyle(image).imageRendering") == "pixelated"
    here.assert_quiet()


def test_keys_and_clicks_move_the_divider_which_stays_where_it_is(visit):
    here = visit()
    stage = here.panel.locator(".stage")
    box, divider = stage.bounding_box(), stage.locator(".divider")

    def place() -> float:
        at = divider.bounding_box()
        return (at["x"] + at["width"] / 2 - box["x"]) / box["width"]

    assert place() == pytest.approx(0.5, abs=0.01)
    here.panel.get_by_label("Divider between Noisy and Universal").focus()
    unseen = divider.evaluate("element => getComputedStyle(element).boxShadow")
    here.page.keyboard.press("ArrowLeft")
    here.page.keyboard.press("PageDown")
    assert place() < 0.45
    assert divider.evaluate("element => getComputedStyle(element, '::after').outlineStyle") == "solid"
    assert unseen and stage.locator("img.left").evaluate("image => getComputedStyle(image).clipPath") != "none"
    here.page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + 100)
    assert place() == pytest.approx(0.8, abs=0.01)
    before = here.table()
    here.slider.press("ArrowRight")
    here.wait_for_table_other_than(before)
    assert place() == pytest.approx(0.8, abs=0.01)
    here.panel.get_by_label("Divider between Noisy and Universal").press("ArrowRight")
    assert place() == pytest.approx(0.81, abs=0.005)
    here.assert_quiet()


RED = """
canvas => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data].filter((_, n) => !(n % 4))
"""


def test_a_loupe_shows_one_place_of_both_sides_and_their_difference(visit):
    here = visit()
    here.open("High Gaussian noise")
    view = restore_face(next(iter(sample_faces().values())), Restorers(), ("noisy", "universal"), TASKS["high"], 0)
    left, right = (np.asarray(picture).astype(int) for picture in (view.left, view.right))
    button, canvases = here.panel.get_by_role("button", name="Loupe"), here.panel.locator(".loupe canvas")

    def shows(row: int, column: int) -> bool:
        shown = [np.reshape(canvas.evaluate(RED), (SIDE, SIDE)) for canvas in canvases.all()]
        place = slice(row, row + SIDE), slice(column, column + SIDE)
        difference = np.clip(127.5 * (1 + (left - right)[place] / LIMIT), 0, 255)
        return all(
            np.abs(a - b).max() <= 1 for a, b in zip(shown, (left[place], right[place], difference), strict=True)
        )

    assert not canvases.first.is_visible() and button.get_attribute("aria-pressed") == "false"
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    stage = here.panel.locator(".stage").bounding_box()
    here.page.mouse.move(stage["x"] + 0.5 * stage["width"], stage["y"] + 0.25 * stage["height"])
    here.wait_until(lambda: shows(6, 18))
    for canvas in canvases.all():
        assert canvas.bounding_box()["width"] % SIDE == 0
        assert canvas.evaluate("canvas => getComputedStyle(canvas).imageRendering") == "pixelated"
    lens = here.panel.locator(".lens").bounding_box()
    assert lens["x"] - stage["x"] == pytest.approx(18 / 48 * stage["width"], abs=1)
    # Keys move it both ways and stop at the rim, and the reader is told where it is.
    column = here.panel.get_by_label("Column of the loupe")
    column.press("ArrowDown")
    column.press("ArrowLeft")
    here.wait_until(lambda: shows(7, 17))
    assert column.evaluate("range => range.ariaValueText") == "columns 18 to 29"
    column.press("End")
    here.wait_until(lambda: shows(7, 36))
    # It stays where it is, and shows what is there now.
    before = here.table()
    here.choose("Left", "Clean")
    here.wait_for_table_other_than(before)
    left = np.asarray(view.clean).astype(int)
    here.wait_until(lambda: shows(7, 36))
    assert button.get_attribute("aria-pressed") == "true"
    here.keep("loupe")
    button.click()
    assert not canvases.first.is_visible()
    here.assert_quiet()


def test_any_two_are_compared(visit):
    here = visit()
    here.open("High Gaussian noise")
    for side, title in (("Left", "Median filter"), ("Right", "Clean"), ("Right", "PatchGAN, high Gaussian")):
        before = here.table()
        here.choose(side, title)
        here.wait_for_table_other_than(before)
        assert here.panel.locator(f".tag.{side.lower()}").inner_text() == title
    assert here.table() == shown_of("high", ("median", "patchgan-high"), 0, (0.06,))
    assert [head.inner_text() for head in here.panel.locator(".emotions thead th").all()][2:] == [
        "Median filter",
        "PatchGAN, high Gaussian",
    ]
    here.panel.get_by_role("slider", name="From truth to texture").wait_for()
    here.keep("two-methods")
    here.assert_quiet()


def test_a_picture_is_sent_without_loss_and_can_be_downloaded(visit):
    here = visit()
    here.open("Low Gaussian noise")
    with here.page.expect_download() as download:
        here.panel.get_by_role("link", name="Save the right one").click()
    assert download.value.suggested_filename == "restored.png"
    with Image.open(download.value.path()) as picture:
        assert picture.format == "PNG" and picture.size == (48, 48)
        measured = np.asarray(picture)
    face = next(iter(sample_faces().values()))
    expected = Restorer.from_pretrained("universal")(TASKS["low"](face, seed=0))
    np.testing.assert_allclose(measured / 255, expected, atol=1.01 / 255)


def test_sigma_and_the_origins_two_numbers_are_in_sync(visit):
    here = visit()
    here.open("High Gaussian noise")
    here.unfold("As the origin sets it")

    def numbers() -> tuple[str, ...]:
        names = ("Noise strength", "Standard deviation", "Factor")
        return tuple(here.panel.get_by_role("spinbutton", name=name).input_value() for name in names)

    assert numbers() == ("0.06", "0.4", "0.3")
    factor = here.panel.get_by_role("spinbutton", name="Factor")
    factor.fill("0.5")
    factor.press("Tab")
    here.wait_until(lambda: numbers() == ("0.1", "0.4", "0.5"))
    here.wait_until(lambda: here.table() == shown_of("high", ("noisy", "universal"), 0, (0.1,)))
    strength = here.panel.get_by_role("spinbutton", name="Noise strength")
    strength.fill("0.4")
    strength.press("Tab")
    here.wait_until(lambda: numbers() == ("0.4", "1", "0.8"))
    here.wait_until(lambda: here.table() == shown_of("high", ("noisy", "universal"), 0, (0.4,)))
    here.panel.get_by_role("button", name="Back to the task's own noise").click()
    here.wait_until(lambda: numbers() == ("0.06", "0.4", "0.3"))
    here.assert_quiet()


def test_the_playground_takes_known_noise_and_a_mix_of_ones_own(visit):
    here = visit()
    assert here.table() == shown_of("playground", ("noisy", "universal"), 0, ("sensor", 0.15, ""))
    for title in ("Night shot", "Scanned print", "Old webcam", "Saved once too often"):
        before = here.table()
        here.panel.get_by_label(title).check()
        here.wait_for_table_other_than(before)
    here.slider.focus()
    here.slider.press("ArrowLeft")
    here.wait_until(lambda: here.table() == shown_of("playground", ("noisy", "universal"), 0, ("saved", 7, "")))
    here.panel.get_by_label("A mix of your own").check()
    mix = here.panel.get_by_label("Kinds of noise, one after the other")
    mix.fill("flood")
    mix.press("Enter")
    here.page.get_by_text("no kind of noise is called 'flood'").first.wait_for()
    here.panel.get_by_text("Nothing can be shown of that").wait_for()
    mix.fill(MIX)
    mix.press("Enter")
    here.panel.locator(".psnr").wait_for()
    here.wait_until(lambda: here.table() == shown_of("playground", ("noisy", "universal"), 0, ("own", 0, MIX)))
    here.keep("own-mix")
    here.assert_quiet()


def test_the_address_follows_so_that_a_reload_keeps_everything(visit):
    here = visit()
    here.panel.locator(".faces .thumbnail-item").nth(7).click()
    here.page.wait_for_url("**/?tab=playground&face=drawing&left=noisy&right=universal&seed=0&noise=sensor:0.15")
    here.panel.get_by_label("Night shot").check()
    here.page.wait_for_url("**&noise=night:24")
    here.slider.focus()
    here.slider.press("ArrowRight")
    here.page.wait_for_url("**&noise=night:25")
    before = here.table()
    here.reload()
    here.panel.locator(".numbers").wait_for()
    here.wait_until(lambda: here.table() == before)
    assert here.panel.get_by_label("Night shot").is_checked() and here.slider.input_value() == "25"
    here.open("Results")
    here.page.wait_for_url("**/?tab=results")
    here.reload()
    here.page.locator("[role=tab][aria-selected=true]", has_text="Results").first.wait_for(state="attached")
    here.assert_quiet()


def test_an_uploaded_face_is_taken(visit, tmp_path):
    here = visit()
    before = here.table()
    Image.fromarray(noisy_astronaut()[:100, 80:200]).save(tmp_path / "face.png")
    here.unfold("Or a face of your own")
    here.panel.locator("input[type=file]").first.set_input_files(tmp_path / "face.png")
    here.wait_for_table_other_than(before)
    here.assert_quiet()


def test_a_file_that_is_no_face_does_not_stay_beside_the_old_one(visit, tmp_path):
    here = visit()
    (tmp_path / "face.png").write_bytes(b"no picture")
    here.unfold("Or a face of your own")
    here.panel.locator("input[type=file]").first.set_input_files(tmp_path / "face.png")
    here.page.get_by_text("face.png is not a picture").first.wait_for()
    here.panel.get_by_text("Drop a picture or click").first.wait_for()
    assert here.page.get_by_test_id("toast-body").count() == 1
    here.assert_quiet()


def test_all_are_compared_and_curves_are_drawn(visit):
    here = visit()
    here.open("High Gaussian noise")
    here.unfold("Compare all")
    here.panel.locator("button.primary", has_text="Compare all").click()
    table = here.panel.get_by_role("table").filter(has_text="Method")
    table.wait_for()
    text = table.inner_text()
    assert all(MODELS[name].title in text for name in list_models()) and "Noisy input" in text
    here.unfold("Quality at every noise level")
    here.panel.get_by_role("button", name="Draw the curves").click()
    here.panel.locator(".vega-embed").wait_for()
    here.keep("compared")
    here.assert_quiet()


def test_a_comparison_goes_when_another_face_or_noise_is_shown(visit, monkeypatch):
    monkeypatch.setattr("fer_denoise.demo.compare.list_models", lambda: ["median"])
    here = visit()
    here.unfold("Compare all")
    press = here.panel.locator("button.primary", has_text="Compare all")
    compared = here.panel.get_by_role("table").filter(has_text="Method")

    def move() -> None:
        before = here.table()
        here.slider.press("ArrowRight")
        here.wait_for_table_other_than(before)

    press.click()
    compared.wait_for()
    move()
    compared.wait_for(state="detached")
    press.click()
    compared.wait_for()
    here.panel.locator(".faces .thumbnail-item").nth(2).click()
    compared.wait_for(state="detached")
    # One that was begun before the noise was changed would be of what is no longer there.
    begun, moved, ended = threading.Event(), threading.Event(), threading.Event()

    def late(*inputs):
        begun.set()
        assert moved.wait(WAIT / 1000)
        results = compare(*inputs)
        ended.set()
        return results

    monkeypatch.setattr("fer_denoise.demo.face_tab.compare", late)
    press.click()
    here.wait_until(begun.is_set)
    move()
    moved.set()
    here.wait_until(ended.is_set)
    here.page.wait_for_timeout(1000)
    assert compared.count() == 0
    press.click()
    compared.wait_for()
    here.assert_quiet()


def shown_of(tab: str, sides: tuple[str, str], seed: int, values: Sequence[Any], texture: float = 1.0) -> str:
    """The number that is shown of the first face."""
    face = next(iter(sample_faces().values()))
    view = restore_face(face, Restorers(), sides, FACE_CONTROLS[tab].noise(*values), seed, texture)
    return unescape(re.sub("<[^>]*>", "", view.numbers.partition("</p>")[0]))


MIX = "gaussian:sigma=0.1 + jpeg:quality=10"


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize(
    "settings",
    [
        LinkSettings("high", "noisy", "tv", 5, (0.1,), "Astronaut (NASA)"),
        LinkSettings("salt_pepper", "median", "attention-unet-low", 3, (0.2, 0.3), "Astronaut (NASA)"),
        LinkSettings("low", "clean", "patchgan-low", 1, (0.06,), "Astronaut (NASA)", 0.25),
        LinkSettings("playground", "noisy", "median", 2, ("own", 0.15, MIX), "Astronaut (NASA)"),
    ],
)
def test_a_link_opens_what_it_says(visit, width, settings):
    link = write_link(settings)
    here = visit(width, link)
    here.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expected = shown_of(settings.tab, (settings.left, settings.right), settings.seed, settings.values, settings.texture)
    here.wait_until(lambda: here.panel.get_by_label("Seed").input_value() == str(settings.seed))
    for side in ("left", "right"):
        title = title_of(getattr(settings, side))
        here.wait_until(
            lambda side=side, title=title: here.panel.get_by_label(side.capitalize(), exact=True).input_value() == title
        )
    here.wait_until(lambda: here.table() == expected)
    # Nor does anything come after it.
    here.page.wait_for_timeout(500)
    assert here.table() == expected
    here.panel.get_by_role("button", name="Copy a link").click()
    here.panel.get_by_role("button", name="Link copied", exact=True).wait_for()
    assert here.page.evaluate("navigator.clipboard.readText()") == here.url + link
    here.panel.get_by_role("button", name="Copy a link").wait_for()
    here.assert_quiet()


def test_back_to_the_tasks_own_noise_sets_all_sliders_and_shows_that(visit):
    here = visit(query="?tab=salt_pepper&right=median&seed=2&noise=0.4,0.9")
    sides = ("noisy", "median")
    here.wait_until(lambda: here.table() == shown_of("salt_pepper", sides, 2, (0.4, 0.9)))
    here.panel.get_by_role("button", name="Back to the task's own noise").click()
    here.wait_until(lambda: here.table() == shown_of("salt_pepper", sides, 2, (0.1, 0.5)))
    here.assert_quiet()


def test_a_number_typed_beyond_the_end_is_the_end_and_a_slider_can_be_put_back(visit):
    here = visit()
    here.open("Salt and pepper")
    sides = ("noisy", "universal")
    number = here.panel.get_by_role("spinbutton", name="Amount")
    number.fill("9")
    number.press("Tab")
    here.wait_until(lambda: here.table() == shown_of("salt_pepper", sides, 0, (0.5, 0.5)))
    assert number.input_value() == "0.5"
    here.panel.get_by_label("Reset to default value").first.click()
    here.wait_until(lambda: here.table() == shown_of("salt_pepper", sides, 0, (0.1, 0.5)))
    here.assert_quiet()


def test_a_link_sets_the_dial_from_truth_to_texture(visit):
    here = visit(query="?tab=low&right=patchgan-low&texture=0.25&seed=0&noise=0.02")
    there = visit(query="?tab=low&right=patchgan-low&texture=1&seed=0&noise=0.02")
    for visit_, texture in ((here, 0.25), (there, 1.0)):
        dial = visit_.panel.get_by_role("slider", name="From truth to texture")
        visit_.wait_until(lambda dial=dial, texture=texture: dial.is_visible() and float(dial.input_value()) == texture)
        expected = shown_of("low", ("noisy", "patchgan-low"), 0, (0.02,), texture)
        visit_.wait_until(lambda visit_=visit_, expected=expected: visit_.table() == expected)
    here.assert_quiet()


def test_an_example_is_restored_at_once_faces_are_found_and_the_strength_changes_it(visit):
    here = visit()
    here.open("Your own picture")
    assert here.panel.get_by_role("button", name="Restore", exact=True).is_disabled()
    here.panel.locator("#examples .thumbnail-item").nth(1).click()
    here.panel.get_by_text("Estimated noise after:").wait_for()
    here.keep("own-picture")
    here.unfold("Where the noise is")
    here.panel.get_by_alt_text("Map of the estimated noise").wait_for()
    here.unfold("Options")
    here.panel.get_by_label("Faces in it").check()
    here.panel.get_by_text("One face was found").wait_for()
    here.panel.get_by_role("table").filter(has_text="Face 1, noisy").get_by_text("happy").wait_for()

    def saved() -> np.ndarray:
        with here.page.expect_download() as download:
            here.panel.get_by_role("button", name="Download", exact=True).click()
        assert download.value.suggested_filename == "broken-pixels_restored.png"
        with Image.open(download.value.path()) as picture:
            return np.asarray(picture)

    assert not np.array_equal(saved(), noisy_astronaut())
    slider = here.panel.get_by_role("slider", name="Strength")
    slider.focus()
    slider.press("Home")
    here.wait_until(lambda: np.array_equal(saved(), noisy_astronaut()))
    here.assert_quiet()


def test_the_loupe_on_a_large_picture_of_ones_own_shows_its_own_pixels(visit, tmp_path):
    here = visit()
    here.open("Your own picture")
    large = np.tile(noisy_astronaut(), (3, 4, 1))[:700, :1400]
    Image.fromarray(large).save(tmp_path / "large.png")
    here.unfold("Options")
    here.panel.get_by_label("Restorer").click()
    here.page.get_by_role("option", name=MODELS["median"].title, exact=True).click()
    here.panel.locator("input[type=file]").first.set_input_files(tmp_path / "large.png")
    here.panel.get_by_text("Estimated noise after:").wait_for()
    here.unfold("Loupe")
    loupe = here.panel.get_by_role("group", name="Loupe")
    loupe.get_by_text("Columns 677 to 724 of 1400, rows 327 to 374 of 700").wait_for()
    here.panel.locator(".own-result img").first.hover(position={"x": 60, "y": 60})
    here.wait_until(lambda: "Columns 677" not in loupe.inner_text())
    assert here.panel.locator(".own-lens").is_visible()
    across = loupe.get_by_label("Across")
    across.focus()
    across.press("Home")
    loupe.get_by_text("Columns 1 to 48 of").wait_for()
    across.press("ArrowRight")
    loupe.get_by_text("Columns 2 to 49 of").wait_for()
    assert loupe.get_by_alt_text("Your picture, enlarged").evaluate("image => image.naturalWidth") == SIDE_OF_OWN
    here.keep("own-loupe")
    here.assert_quiet()


COPY = """
async () => {
    const canvas = new OffscreenCanvas(64, 64), pen = canvas.getContext("2d");
    pen.fillRect(0, 0, 64, 64);
    pen.fillStyle = "white";
    pen.fillRect(8, 8, 24, 48);
    await navigator.clipboard.write([new ClipboardItem({"image/png": await canvas.convertToBlob()})]);
}
"""


@pytest.mark.parametrize("source", ["Capture from camera", "Paste from clipboard"])
def test_a_face_comes_from_the_camera_or_the_clipboard(visit, source):
    here = visit()
    here.page.context.grant_permissions(["camera", "clipboard-read", "clipboard-write"])
    before = here.table()
    here.page.evaluate(COPY)
    here.unfold("Or a face of your own")
    here.panel.get_by_role("button", name=source).click()
    if "camera" in source:
        here.panel.get_by_title("grant webcam access").click()
        here.page.wait_for_function("document.querySelector('video')?.videoWidth > 0")
        here.page.wait_for_timeout(1000)
        here.panel.get_by_label("capture photo").click()
    here.wait_for_table_other_than(before)
    # A picker that is still empty is no error: all that is said is what became of the picture.
    said = here.page.get_by_test_id("toast-body")
    said.wait_for()
    assert said.count() == 1 and "48x48" in said.inner_text() and "error" not in said.get_attribute("class")
    here.assert_quiet()


def test_a_move_that_is_not_answered_is_a_friendly_message_and_the_next_is_served(visit):
    here = visit()
    here.page.route("**/component_server/", lambda route: route.abort())
    here.slider.press("ArrowRight")
    here.page.get_by_text("The app does not answer").first.wait_for()
    here.panel.get_by_text("Nothing can be shown of that").wait_for()
    here.page.unroute("**/component_server/")
    here.slider.press("ArrowRight")
    here.wait_until(lambda: here.table() == shown_of("playground", ("noisy", "universal"), 0, ("sensor", 0.17, "")))


def test_of_moves_that_come_while_one_is_answered_the_newest_alone_is_asked_for(visit):
    here = visit()
    held: list[Any] = []
    here.page.route("**/component_server/", lambda route: held.append(route))
    for _ in range(5):
        here.slider.press("ArrowRight")
    here.wait_until(lambda: len(held) == 1)
    here.page.wait_for_timeout(300)
    held[0].continue_()
    here.wait_until(lambda: len(held) == 2)
    held[1].continue_()
    here.wait_until(lambda: here.table() == shown_of("playground", ("noisy", "universal"), 0, ("sensor", 0.2, "")))
    here.page.wait_for_timeout(300)
    assert len(held) == 2
    here.assert_quiet()


COUNT_FRAMES = """
window.frames_asked_for = 0;
const ask = window.requestAnimationFrame.bind(window);
window.requestAnimationFrame = (draw) => { window.frames_asked_for += 1; return ask(draw); };
"""


def test_a_page_at_rest_does_not_ask_to_be_drawn(visit):
    here = visit()
    here.page.add_init_script(COUNT_FRAMES)
    here.reload()
    here.panel.locator(".numbers").wait_for()

    def frames() -> int:
        before = here.page.evaluate("window.frames_asked_for")
        here.page.wait_for_timeout(1000)
        return here.page.evaluate("window.frames_asked_for") - before

    # What moves while the page loads takes a few seconds to come to rest.
    here.wait_until(lambda: frames() <= 2)
    here.assert_quiet()


DROP = """
(target, [name, content]) => {
    const dataTransfer = new DataTransfer(), bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    dataTransfer.items.add(new File([bytes], name));
    target.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}
"""


@pytest.mark.parametrize("name", ["phone.heic", "PHONE.HEIC", "scan.pgm"])
def test_a_picture_to_which_the_browser_gives_no_type_is_taken_by_its_suffix(visit, save_image, name):
    picture = Image.fromarray(noisy_astronaut()[:64, :64]).convert("L" if name.endswith("pgm") else "RGB")
    content = base64.b64encode(save_image(name, picture).read_bytes()).decode()
    here = visit()
    here.open("Your own picture")
    here.panel.locator(".upload-container").first.evaluate(DROP, [name, content])
    here.panel.get_by_text("Estimated noise after:").wait_for()
    here.assert_quiet()


def test_a_file_name_is_never_taken_for_html(visit, tmp_path):
    here = visit()
    name = "<img src=x onerror=window.taken=1>.png"
    (tmp_path / name).write_bytes(b"no picture")
    here.open("Your own picture")
    here.panel.locator("input[type=file]").first.set_input_files(tmp_path / name)
    here.page.get_by_text("is not a picture").first.wait_for()
    here.panel.get_by_text("Nothing was restored").wait_for()
    here.unfold("Many pictures at once")
    here.panel.locator("#noisy input[type=file]").set_input_files([tmp_path / name])
    here.panel.get_by_role("button", name="Restore all").click()
    here.panel.get_by_role("grid").get_by_text("is not a picture").first.wait_for(state="attached")
    assert here.page.evaluate("window.taken") is None


def test_a_failure_is_told_though_another_answer_comes_late(visit, tmp_path, monkeypatch):
    cancel_others, late = Cancellations.cancel_others, threading.Event()

    def cancel_late(*inputs):
        assert late.wait(WAIT / 1000)
        cancel_others(*inputs)

    monkeypatch.setattr(Cancellations, "cancel_others", cancel_late)
    (tmp_path / "broken.png").write_bytes(b"no picture")
    here = visit()
    here.open("Your own picture")
    here.panel.locator("input[type=file]").first.set_input_files(tmp_path / "broken.png")
    failed = here.panel.get_by_text("Nothing was restored")
    failed.wait_for()
    with here.page.expect_response("**/run/predict*"):
        late.set()
    here.page.wait_for_timeout(300)
    assert failed.is_visible()


def test_long_work_can_be_stopped(visit, tmp_path, monkeypatch):
    forward = NetworkMethod._forward

    def slowly(self, *inputs):
        time.sleep(0.1)
        return forward(self, *inputs)

    # However fast the machine is.
    monkeypatch.setattr(NetworkMethod, "_forward", slowly)
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (2500, 3000), dtype=np.uint8)).save(tmp_path / "large.png", compress_level=0)
    here = visit()
    here.open("Your own picture")
    here.panel.locator("input[type=file]").first.set_input_files(tmp_path / "large.png")
    here.panel.get_by_role("button", name="Stop").first.click()
    here.panel.get_by_text("Stopped.").wait_for()
    here.wait_until(here.panel.get_by_role("button", name="Restore", exact=True).is_enabled)
    here.panel.get_by_role("button", name="Stop").first.wait_for(state="hidden")


class Held:
    """Lets networks wait, but for the first few pictures, and tells what was asked to stop meanwhile."""

    def __init__(self, patch: pytest.MonkeyPatch, first: int = 0) -> None:
        self.stopped, self._go_on = threading.Event(), threading.Event()
        forward, cancel = NetworkMethod._forward, Cancellations.cancel
        passing = iter(range(first))

        def wait(restorer, *inputs):
            assert next(passing, None) is not None or self._go_on.wait(WAIT / 1000)
            return forward(restorer, *inputs)

        def tell(cancellations, *job):
            cancel(cancellations, *job)
            self.stopped.set()

        patch.setattr(NetworkMethod, "_forward", wait)
        patch.setattr(Cancellations, "cancel", tell)

    def go_on_once_stopped(self, here: Visit, stop: Callable[[], None]) -> None:
        # What begins stops what was there before, too.
        self.stopped.clear()
        stop()
        here.wait_until(self.stopped.is_set)
        self._go_on.set()


@pytest.fixture
def two_pictures(tmp_path) -> list[Path]:
    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    for path, photo in zip(paths, (noisy_astronaut()[:64, :64], noisy_astronaut()[64:128, :64]), strict=True):
        Image.fromarray(photo).save(path)
    return paths


class OwnPicture:
    """The tab for own pictures: what is done there, and what is seen."""

    def __init__(self, here: Visit) -> None:
        here.open("Your own picture")
        self.here, self.panel = here, here.panel

    def choose(self, path: Path) -> None:
        if (remove := self.panel.get_by_label("Remove Image")).is_visible():
            remove.click()
        self.panel.locator("input[type=file]").first.set_input_files(path)
        self.panel.locator(".image-frame img").first.wait_for()

    def file(self) -> str:
        """What the result is called when it is saved."""
        with self.here.page.expect_download() as download:
            self.panel.get_by_role("button", name="Download", exact=True).click()
        return download.value.suggested_filename

    def restore(self) -> None:
        self.panel.get_by_role("button", name="Restore", exact=True).click()

    def shown(self) -> list[bool]:
        """Whether the result, its file, the strength and what was said of it are on the page."""
        parts = (
            self.panel.get_by_role("button", name="Download", exact=True),
            self.panel.get_by_text("Drag: noisy | restored"),
            self.panel.get_by_role("slider", name="Strength"),
            self.panel.get_by_text("Estimated noise before:"),
        )
        return [part.is_visible() for part in parts]

    def wait_for_result(self) -> None:
        self.here.wait_until(lambda: all(self.shown()))

    def wait_for_none(self) -> None:
        self.here.wait_until(lambda: not any(self.shown()))


def test_a_result_goes_when_another_picture_is_chosen_or_none_is_left(visit, two_pictures):
    own = OwnPicture(visit())
    own.choose(two_pictures[0])
    own.wait_for_result()
    slider = own.panel.get_by_role("slider", name="Strength")
    slider.press("Home")
    own.here.wait_until(lambda: slider.input_value() == "0")
    own.panel.locator("#examples .thumbnail-item").nth(3).click()
    own.panel.get_by_text("320x320 pixels, gray").wait_for()
    own.wait_for_result()
    assert slider.input_value() == "1"
    own.panel.get_by_label("Remove Image").click()
    own.wait_for_none()
    own.panel.get_by_text("Choose a picture, or take one").wait_for()
    own.here.wait_until(own.panel.get_by_role("button", name="Restore", exact=True).is_disabled)
    assert not any(own.shown())
    own.here.keep("own-picture-anew")
    own.here.assert_quiet()


def test_a_result_goes_when_the_next_run_begins_fails_or_is_stopped(visit, two_pictures, tmp_path, monkeypatch):
    own = OwnPicture(visit())
    own.choose(two_pictures[0])
    own.wait_for_result()
    with monkeypatch.context() as patch:
        held = Held(patch)
        own.restore()
        own.panel.get_by_text("Working …").wait_for()
        own.wait_for_none()
        own.here.keep("own-picture-working")
        held.go_on_once_stopped(own.here, own.panel.get_by_role("button", name="Stop").first.click)
        own.panel.get_by_text("Stopped.").wait_for()
        assert not any(own.shown())
    own.restore()
    own.wait_for_result()
    with monkeypatch.context() as patch:
        patch.setattr("fer_denoise.demo.uploads.MAX_MEGAPIXELS", {"network": 0, "filter": 0})
        own.restore()
        own.panel.get_by_text("Nothing was restored").wait_for()
        assert not any(own.shown())
    own.here.keep("own-picture-failed")
    own.here.assert_quiet()


def test_another_picture_ends_the_work_on_the_one_before(visit, two_pictures, monkeypatch):
    own = OwnPicture(visit())
    with monkeypatch.context() as patch:
        held = Held(patch)
        own.choose(two_pictures[0])
        own.panel.get_by_text("Working …").wait_for()
        held.go_on_once_stopped(own.here, lambda: own.choose(two_pictures[1]))
        own.wait_for_result()
    assert own.file() == "two_restored.png"
    own.here.assert_quiet()


def test_a_result_that_comes_after_another_picture_was_chosen_is_not_shown(visit, two_pictures, monkeypatch):
    own = OwnPicture(visit())
    sending, chosen = threading.Event(), threading.Event()

    def wait(photo, profile):
        sending.set()
        assert chosen.wait(WAIT / 1000)
        return preview(photo, profile)

    with monkeypatch.context() as patch:
        patch.setattr("fer_denoise.demo.own_tab.preview", wait)
        own.choose(two_pictures[0])
        own.here.wait_until(sending.is_set)
        own.choose(two_pictures[1])
        chosen.set()
        own.here.wait_until(own.panel.get_by_role("button", name="Restore", exact=True).is_enabled)
        own.wait_for_result()
    own.here.wait_until(lambda: own.file() == "two_restored.png")
    own.here.assert_quiet()


def test_a_file_that_browsers_cannot_show_is_restored_and_that_is_said(visit, two_pictures, tmp_path):
    own = OwnPicture(visit())
    Image.fromarray(noisy_astronaut()[:64, :64]).save(tmp_path / "scan.tif")
    own.choose(tmp_path / "scan.tif")
    own.wait_for_result()
    picker = own.panel.locator(".image-frame img").first
    assert "cannot show such a file" in picker.get_attribute("alt")
    own.choose(two_pictures[0])
    own.here.wait_until(lambda: picker.get_attribute("alt") == "")
    own.here.assert_quiet()


def test_the_results_of_many_pictures_go_with_what_they_were_made_from(visit, two_pictures, monkeypatch):
    here = visit()
    here.open("Your own picture")
    here.unfold("Many pictures at once")
    start = here.panel.get_by_role("button", name="Restore all")
    shown = (
        here.panel.get_by_text("Restored pictures, and the report as CSV"),
        here.panel.get_by_text("What was done", exact=True),
    )

    def restore() -> None:
        start.click()
        here.panel.get_by_text("restored by Universal").wait_for()
        here.wait_until(lambda: all(part.is_visible() for part in shown))

    def wait_for_none(text: str) -> None:
        here.panel.get_by_text(text).wait_for()
        here.wait_until(lambda: not any(part.is_visible() for part in shown))

    here.panel.locator("#noisy input[type=file]").set_input_files(two_pictures)
    here.panel.get_by_label("Remove this file").first.wait_for()
    restore()
    with monkeypatch.context() as patch:
        held = Held(patch, first=1)
        start.click()
        wait_for_none("1 of 2 done.")
        held.go_on_once_stopped(here, here.panel.get_by_role("button", name="Stop").last.click)
        # What was restored until then is theirs.
        here.panel.get_by_text("Stopped after 1 of 2").wait_for()
        here.wait_until(lambda: all(part.is_visible() for part in shown))
    here.panel.get_by_label("Remove this file").first.click()
    wait_for_none("Choose pictures and press")
    restore()
    # PSNR would be that against the clean ones that were there before.
    here.panel.locator("#clean input[type=file]").set_input_files(two_pictures[:1])
    wait_for_none("Something else was chosen: press Restore all")
    restore()
    here.panel.locator("#noisy").get_by_label("Clear").click()
    wait_for_none("Choose pictures and press")
    start.click()
    wait_for_none("Nothing was restored")
    here.assert_quiet()


def test_many_pictures_come_back_as_a_zip_with_a_report(visit, tmp_path, make_faces):
    (clean,) = make_faces(1)
    (tmp_path / "clean").mkdir()
    Image.fromarray(clean).save(tmp_path / "clean" / "a.png")
    Image.fromarray(np.rint(255 * TASKS["high"](clean, seed=0)).astype(np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(noisy_astronaut()[:64, :64]).save(tmp_path / "b.png")
    (tmp_path / "broken.png").write_text("no picture")
    (tmp_path / "faces.csv").write_text(f"emotion,pixels\n0,{' '.join(map(str, clean.ravel()))}\n")
    here = visit()
    here.open("Your own picture")
    here.unfold("Many pictures at once")
    names = "a.png", "b.png", "broken.png", "faces.csv"
    here.panel.locator("#noisy input[type=file]").set_input_files([tmp_path / name for name in names])
    here.panel.locator("#clean input[type=file]").set_input_files(tmp_path / "clean" / "a.png")
    here.panel.get_by_label("Remove this file").nth(3).wait_for()
    here.panel.locator("#clean a[download='a.png']").wait_for()
    here.panel.get_by_role("button", name="Restore all").click()
    here.panel.get_by_text("3 restored by Universal, 1 left out").wait_for()
    here.panel.get_by_role("grid").get_by_text("PSNR restored").first.wait_for(state="attached")
    face = here.panel.get_by_alt_text("a.png, restored")
    assert face.bounding_box()["width"] % 48 == 0 and face.get_attribute("src").startswith("data:image/png;base64,")
    here.keep("many")
    assert serious_faults(here.page) == []
    with here.page.expect_download() as download:
        here.panel.locator("a[download='restored.zip']").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.namelist() == ["a.png", "b.png", "faces.csv", "restored.csv"]
        report = archive.read("restored.csv")
    with here.page.expect_download() as download:
        here.panel.locator("a[download='restored.csv']").click()
    assert Path(download.value.path()).read_bytes() == report
    rows = list(csv.DictReader(io.StringIO(report.decode())))
    assert [row["restored as"] for row in rows] == ["a.png", "b.png", "", "faces.csv"] and float(
        rows[0]["PSNR noisy"]
    ) > 20
    here.assert_quiet()
