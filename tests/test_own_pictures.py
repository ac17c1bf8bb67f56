"""The tab for a visitor's own pictures, without a server."""

import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from pictures_on_disk import save
from PIL import ExifTags, Image, ImageCms
from skimage import data
from unvisited import unvisited_page

from fer_denoise.demo import quick_look
from fer_denoise.demo.cancellable_job import Cancellations, Cancelled
from fer_denoise.demo.components import in_plain_words, picture_file
from fer_denoise.demo.endpoints import Endpoints
from fer_denoise.demo.example_pictures import EXAMPLES, example_pictures, noisy_astronaut, thumbnail
from fer_denoise.demo.face_tab import FaceTab
from fer_denoise.demo.fair_queue import FairQueue
from fer_denoise.demo.hub_faces import HubFaces
from fer_denoise.demo.job_controls import ANYTHING
from fer_denoise.demo.many_pictures import ManyPictures
from fer_denoise.demo.moves import Moves
from fer_denoise.demo.own_faces import emotion_tables, face_gallery, keep_faces, small_faces
from fer_denoise.demo.own_restoration import RestorationOptions, restore_own
from fer_denoise.demo.own_tab import OwnTab, progress_text
from fer_denoise.demo.own_words import describe
from fer_denoise.demo.restorers import Restorers
from fer_denoise.demo.uploads import read_upload
from fer_denoise.photos import Box, restore_picture
from fer_denoise.pictures import Picture, read_picture


@pytest.mark.parametrize("tab", [OwnTab, ManyPictures])
def test_results_listen_to_all_that_they_are_made_from(tab):
    with unvisited_page() as page:
        built = tab(Restorers(), Cancellations(), FairQueue())
    heard = {
        target
        for function in page.fns.values()
        for target, event in function.targets
        if event == "change" and function.fn == built.job._choose
    }
    (job,) = (function for function in page.fns.values() if (built.job.start._id, "click") in function.targets)
    assert heard == {part._id for part in job.inputs}
    assert set(job.inputs) == set(vars(built.options).values())


def test_a_result_is_made_from_the_options_that_decide_it(tmp_path):
    photo = noisy_astronaut()[:40, :40]
    paths = [save(tmp_path / "a.png", photo), save(tmp_path / "b.png", photo[..., 0])]
    paths.append(save(tmp_path / "c.png", photo[..., 0].astype(np.uint16) * 257))
    with unvisited_page():
        tab = OwnTab(Restorers(), Cancellations(), FairQueue())
    found = []
    for path in paths:
        first, *_ = tab.restore_chosen(
            str(path), "median", "Whole picture", True, 0, 65535, SimpleNamespace(session_hash="me")
        )
        found.append(first[tab.job._source])
    common = ["median", "Whole picture"]
    assert found == [
        [str(paths[0]), *common, True, 0, ANYTHING],
        [str(paths[1]), *common, ANYTHING, 0, ANYTHING],
        [str(paths[2]), *common, ANYTHING, 0, 65535],
    ]


def test_curves_go_when_other_methods_are_chosen():
    with unvisited_page() as page:
        tab = FaceTab("low", Restorers(), HubFaces(), Moves())
    chosen, plot = tab.parts.comparisons.chosen, tab.parts.comparisons.plot
    listening = [function for function in page.fns.values() if (chosen._id, "change") in function.targets]
    assert [function.outputs for function in listening if function.fn == tab.no_curves] == [[plot]]
    # Those that are being drawn go as well.
    (drawing,) = (number for number, function in page.fns.items() if function.fn == tab.draw_curves)
    assert [drawing] in [list(function.cancels) for function in listening]


@pytest.mark.parametrize("fault", [TypeError, KeyError, AttributeError])
def test_a_fault_of_our_own_is_not_shown_as_words_for_a_visitor(fault):
    def fails(error: type[Exception]) -> None:
        raise error("why")

    with pytest.raises(gr.Error, match="why"):
        in_plain_words(fails)(ValueError)
    with pytest.raises(fault):
        in_plain_words(fails)(fault)


def test_a_face_of_ones_own_is_taken_with_words_where_it_is_changed(tmp_path, make_faces, monkeypatch):
    face, words = make_faces(1)[0], []
    monkeypatch.setattr(gr, "Info", words.append)
    with unvisited_page():
        tab = FaceTab("low", Restorers(), HubFaces(), Moves())
    taken = tab.pick_upload(str(save(tmp_path / "wide.png", np.tile(face, (2, 1)))))
    assert taken.shape == (48, 48) and len(words) == 1
    tab.pick_upload(str(save(tmp_path / "face.png", face)))
    assert len(words) == 1


def test_a_pgm_keeps_its_maximum_in_the_app_and_its_endpoint(tmp_path, make_faces):
    path, restorers = str(tmp_path / "a.pgm"), Restorers()
    Path(path).write_bytes(b"P5 48 48 100\n" + (make_faces(1)[0] // 3).tobytes())
    endpoint = Endpoints(restorers, FairQueue())
    picture = read_upload(path, "median")
    expected = restore_picture(restorers.get("median"), picture)
    assert "8 bits, white is 100" in describe(picture, None)
    for handed_out in (
        picture_file(expected, path),
        endpoint.restore(path, "median", 0, 1, True, 0, SimpleNamespace(client=None, session_hash="me")),
    ):
        assert Path(handed_out).name == "a_restored.pgm"
        again = read_picture(handed_out)
        assert again.white == 100
        np.testing.assert_array_equal(again.frames[0], expected.frames[0])


def test_faces_are_restored_in_every_frame_in_its_depth():
    portrait = data.astronaut()[:200, 120:320].astype(np.uint16) * 16
    picture = Picture((portrait, portrait), white=4095)
    restored = picture.with_images([np.zeros_like(image) for image in picture.images])
    kept = keep_faces(picture, replace(restored, frames=(portrait, portrait)))
    for frame in kept.frames:
        np.testing.assert_array_equal(frame, portrait)
    assert kept.frames[0].dtype == np.uint16


def restored_in_tab(path: Path) -> tuple[OwnTab, dict]:
    """A tab, and what it shows of a picture that arrived in it."""
    with unvisited_page():
        tab = OwnTab(Restorers(), Cancellations(), FairQueue())
    request = SimpleNamespace(session_hash="me")
    inputs = (str(path), "median", "Whole picture", True, None, None, request, lambda *done, **words: None)
    *_, shown = tab.restore_chosen(*inputs)
    return tab, shown


def test_a_picture_comes_back_under_its_own_name_upright_and_in_its_colours(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = Image.fromarray(noisy_astronaut()[:60, :90])
    exif = photo.getexif()
    exif[ExifTags.Base.Orientation] = 6
    photo.save(tmp_path / "My holiday.jpg", quality=95, exif=exif, icc_profile=profile)
    tab, shown = restored_in_tab(tmp_path / "My holiday.jpg")
    file = Path(shown[tab.results.file].value["path"])
    assert file.name == "My holiday_restored.png"
    with Image.open(file) as restored:
        assert restored.size == (60, 90) and restored.info["icc_profile"] == profile
        assert restored.getexif().get(ExifTags.Base.Orientation, 1) == 1
    assert "60x90 pixels" in shown[tab.job.status] and "Estimated noise after" in shown[tab.job.status]
    last = shown[tab.results.last]
    assert Path(tab.change_strength(last, 0)[tab.results.file].value["path"]).name == "My holiday_restored.png"
    assert tab.job.busy(FairQueue(), "x")[tab.job.start].interactive is False


@pytest.mark.slow
def test_a_large_picture_is_looked_at_reduced_before_all_of_it_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(quick_look, "PIXELS", 1000)
    monkeypatch.setattr(quick_look, "LARGE", 4000)
    large, small = save(tmp_path / "large.png", noisy_astronaut()[:60, :90]), noisy_astronaut()[:60, :60]
    with unvisited_page():
        tab = OwnTab(Restorers(), Cancellations(), FairQueue())
    told: list[str] = []
    # The turn comes after a hundred seconds; half of the restoration takes four.
    seconds = iter([0, 100, 100, 100, 104])
    monkeypatch.setattr("fer_denoise.demo.own_tab.time", SimpleNamespace(perf_counter=lambda: next(seconds)))
    monkeypatch.setattr("fer_denoise.demo.own_restoration.restore_picture", halfway)
    request = SimpleNamespace(session_hash="me")
    inputs = ("median", "Whole picture", True, None, None, request, lambda done, desc: told.append(desc))
    _, look, result = tab.restore_chosen(str(large), *inputs)
    shown = look[tab.results.before_after]
    assert shown.visible and shown.label == "A first look, reduced to 30x20 pixels: noisy | restored"
    assert list(look) == [tab.results.before_after]
    assert result[tab.results.before_after].label == "Drag: noisy | restored" and result[tab.results.file].visible
    assert told == ["Restoring", "Restoring, about 4 s left"]
    monkeypatch.undo()
    assert quick_look.quick_look(Restorers().get("median"), Picture.of(small)) is None
    assert len(list(tab.restore_chosen(str(save(tmp_path / "small.png", small)), *inputs))) == 2


def halfway(restorer, picture, sigma, report):
    """Restores a picture, and reports only that half is done."""
    report(0.5)
    return restore_picture(restorer, picture, sigma)


def test_a_first_look_takes_any_picture_and_knows_that_reducing_it_took_noise_away():
    sigmas: list[float | None] = []

    def restorer(noisy, sigma, report):
        sigmas.append(sigma)
        return noisy

    film = Picture(tuple(np.full((400, 800), level, np.uint16) for level in (4095, 0, 0)), white=4095)
    look = quick_look.quick_look(restorer, film, 0.3)
    assert look.size == "267x134 pixels" and look.noisy.dtype == np.uint8 and (look.restored == 255).all()
    assert sigmas == [pytest.approx(0.1)]
    assert quick_look.quick_look(restorer, film).size == "267x134 pixels" and sigmas[1] is None


def test_without_a_picture_there_is_nothing_to_press():
    with unvisited_page():
        tab = OwnTab(Restorers(), Cancellations(), FairQueue())
    (shown,) = tab.restore_chosen(None, "median", "Whole picture", True, None, None, SimpleNamespace(session_hash="me"))
    assert tab.job.start.interactive is False and shown[tab.job.start].interactive is False
    assert shown[tab.results.file]["visible"] is False


def test_a_job_that_was_cancelled_meanwhile_is_no_result():
    cancelled = threading.Event()

    def stop(done: float) -> None:
        cancelled.set()

    picture = Picture.of(noisy_astronaut()[:64, :64])
    with pytest.raises(Cancelled):
        restore_own(picture, RestorationOptions("median"), Restorers(), FairQueue(), "me", cancelled, stop)


def test_the_time_that_is_left_is_told_once_it_takes_longer():
    assert progress_text(0.5, 1) == progress_text(0, 9) == "Restoring"
    assert progress_text(0.25, 10) == "Restoring, about 30 s left"


def test_examples_are_small_noisy_pictures_of_our_own_making():
    assert [title for title, _ in example_pictures()] == list(EXAMPLES)
    with unvisited_page():
        tab = OwnTab(Restorers(), Cancellations(), FairQueue())
    for index, (title, pixels) in enumerate(example_pictures()):
        assert pixels.dtype == np.uint8 and pixels.size < 500_000 and thumbnail(pixels).size == (144, 144)
        file = Path(tab.take_example(SimpleNamespace(index=index)))
        assert file.name == f"{title.lower().replace(' ', '-')}.png"
        np.testing.assert_array_equal(np.asarray(Image.open(file)), pixels)


def test_the_faces_of_a_photo_are_shown_as_fer2013_has_them():
    restorers = Restorers()
    pairs = small_faces([Box(5, 6, 100)], noisy_astronaut(), restorers, "median")
    shown = face_gallery(pairs)
    assert [caption for _, caption in shown] == ["Face 1, noisy", "Face 1, restored"]
    assert all(picture.size == (48, 48) and picture.mode == "L" for picture, _ in shown)
    assert small_faces([], noisy_astronaut(), restorers, "median") == []
    tables = emotion_tables(pairs, restorers)
    assert tables.count("<table") == 1 and "Face 1, noisy" in tables and "What somebody feels" in tables
