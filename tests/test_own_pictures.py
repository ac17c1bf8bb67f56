"""The tab for a visitor's own pictures, without a server."""

import re
import threading
import time
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms
from skimage import data
from unvisited import unvisited_page

from fer_denoise.data import DataError, Faces
from fer_denoise.demo import hub_faces, quick_look
from fer_denoise.demo.cancellable_job import Cancellations, Cancelled, run_with_progress
from fer_denoise.demo.components import in_plain_words, picture_file
from fer_denoise.demo.endpoints import Endpoints
from fer_denoise.demo.example_pictures import EXAMPLES, example_pictures, noisy_astronaut, thumbnail
from fer_denoise.demo.face_tab import FaceTab
from fer_denoise.demo.fair_queue import FairQueue
from fer_denoise.demo.hub_faces import HubFaces
from fer_denoise.demo.job_controls import ANYTHING, JobControls
from fer_denoise.demo.many_pictures import ManyPictures
from fer_denoise.demo.moves import Moves
from fer_denoise.demo.own_faces import emotion_tables, face_gallery, keep_faces, small_faces
from fer_denoise.demo.own_restoration import RestorationOptions, restore_own
from fer_denoise.demo.own_tab import OwnTab, progress_text
from fer_denoise.demo.own_words import describe
from fer_denoise.demo.restorers import Restorers
from fer_denoise.demo.uploads import read_face, read_upload
from fer_denoise.photos import Box, find_faces, restore_picture
from fer_denoise.pictures import Picture, PictureError, read_picture, to_face
from fer_denoise.restore import NoiseLevel


def test_a_job_gives_its_progress_and_then_its_result():
    def job(report):
        for progress in (0.25, 0.5, 1):
            report(progress)
        return "done"

    cancelled = threading.Event()
    assert list(run_with_progress(job, cancelled)) == [(0.25, None), (0.5, None), (1, "done")]
    # Who asks afterwards whether the result is still wanted is told that nobody cancelled it.
    assert not cancelled.is_set()


def test_what_a_job_raises_is_raised_to_the_one_who_waits():
    def job(report):
        report(0.5)
        raise ValueError("broken")

    steps = run_with_progress(job, threading.Event())
    assert next(steps) == (0.5, None)
    with pytest.raises(ValueError, match="broken"):
        next(steps)


def test_a_job_ends_when_nobody_waits_any_more():
    ended: list[type] = []

    def job(report):
        try:
            for _ in range(1000):
                report(0.1)
                time.sleep(0.005)
        except Cancelled as error:
            ended.append(type(error))
            raise

    cancelled = threading.Event()
    steps = run_with_progress(job, cancelled)
    next(steps)
    assert not cancelled.is_set()
    steps.close()
    deadline = time.monotonic() + 5
    while not ended and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ended == [Cancelled]


def test_a_visitor_cancels_only_what_they_started_last_of_a_kind():
    cancellations = Cancellations()
    one, kind, other = (cancellations.start(*job) for job in (("one", "a"), ("one", "b"), ("other", "a")))
    cancellations.cancel("one", "a")
    assert one.is_set() and not kind.is_set() and not other.is_set()
    again = cancellations.start("one", "a")
    assert not again.is_set()
    last = cancellations.start("one", "a")
    assert again.is_set() and not last.is_set()
    cancellations.cancel("nobody", "a")
    cancellations.cancel_all("one")
    assert last.is_set() and kind.is_set() and not other.is_set()


def test_a_cancelled_job_raises_to_the_one_who_waits():
    cancelled = threading.Event()

    def job(report):
        for _ in range(1000):
            report(0.1)
            time.sleep(0.005)

    steps = run_with_progress(job, cancelled)
    next(steps)
    cancelled.set()
    with pytest.raises(Cancelled):
        list(steps)


def test_who_waits_is_let_go_though_a_cancelled_job_does_not_report():
    cancelled, release = threading.Event(), threading.Event()
    steps = run_with_progress(lambda report: release.wait(60), cancelled)
    threading.Timer(0.1, cancelled.set).start()
    with pytest.raises(Cancelled):
        next(steps)
    assert not release.is_set()
    release.set()


def test_what_decides_nothing_is_known_in_a_copy_too():
    assert deepcopy([ANYTHING])[0] is ANYTHING


def test_no_result_is_left_when_a_job_begins_fails_or_is_cancelled():
    with unvisited_page():
        job = JobControls(Cancellations(), "Restore")
        job.add_status("Choose.")
        shown, kept = gr.Image(visible=False), gr.State()
        source, option = gr.Textbox(), gr.Checkbox()
        job.listen(lambda path, option: iter(()), [source, option], {shown: None, kept: None})
    request = SimpleNamespace(session_hash="me")
    for updates, words in (
        (job.busy(FairQueue(), ["picture", True]), "Working …"),
        (job.without_results("Stopped."), "Stopped."),
        (job.no_results(), "Choose."),
        (job._drop_outdated(["picture", True], "another picture", True), "Choose."),
        (job._drop_outdated(["picture", True], None, True), "Choose."),
        (job._choose(request, ["picture", True], "picture", False), "Something else was chosen: press *Restore*."),
        (job._refuse(request), "Give what can be taken, then press *Restore*."),
    ):
        assert updates[job.status] == words
        assert updates[shown]["visible"] is False and updates[shown]["value"] is None and updates[kept] is None
    for made_from in (None, ["picture", True], ["picture", ANYTHING], job._failed("picture")[job._source]):
        assert job._drop_outdated(made_from, "picture", True) == gr.skip()


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
    choices = built.options if tab is OwnTab else built.choices
    assert set(job.inputs) == set(vars(choices).values())


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


def save(path: Path, picture: np.ndarray) -> Path:
    Image.fromarray(picture).save(path)
    return path


def test_a_picture_that_is_too_large_for_a_shared_app_is_refused_with_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr("fer_denoise.demo.uploads.MAX_MEGAPIXELS", {"network": 0.02, "filter": 0.01})
    path = save(tmp_path / "photo.png", np.zeros((120, 120), np.uint8))
    assert read_upload(path, "universal").frames[0].shape == (120, 120)
    with pytest.raises(PictureError, match=r"photo.png has 0.0 megapixels, and here nl-means takes 0.01.*python -m"):
        read_upload(path, "nl-means")
    with pytest.raises(PictureError, match="choose one first"):
        read_upload(None, "universal")


def test_what_becomes_of_a_picture_that_is_taken_as_a_face_is_said(tmp_path, make_faces):
    face, second = make_faces(2)
    taken, said = read_face(save(tmp_path / "face.png", face))
    np.testing.assert_array_equal(taken, face)
    assert said == ""

    deep = tmp_path / "deep.tif"
    tifffile.imwrite(deep, np.stack([face, second]).astype(np.uint16) * 257, photometric="minisblack")
    taken, said = read_face(deep)
    np.testing.assert_array_equal(taken, face)
    assert said == "Taken as FER2013 has faces: of several frames, the first was taken."
    tifffile.imwrite(deep, face.astype(np.uint16) * 256 + 255, photometric="minisblack")
    assert read_face(deep)[1] == "Taken as FER2013 has faces: 16 bits became 8."
    assert "colours became gray" in read_face(save(tmp_path / "red.png", np.stack([face, second, face], axis=-1)))[1]

    _, said = read_face(save(tmp_path / "wide.png", np.tile(face, (1, 2))))
    assert "the largest centred square of 96x48 pixels was resized to 48x48." in said
    clear = np.stack([face, np.full_like(face, 100)], axis=-1)
    assert "transparency was laid on white." in read_face(save(tmp_path / "clear.png", clear))[1]


@pytest.mark.slow
def test_the_largest_face_in_a_photo_is_cut_out_and_that_is_said(tmp_path):
    photo = data.astronaut()
    gray = np.asarray(Image.fromarray(photo).convert("L"))
    (box,) = find_faces(gray)
    face, said = read_face(save(tmp_path / "photo.png", photo))
    np.testing.assert_array_equal(face, to_face(gray[box.slices]))
    assert said.endswith(f"the face found in it, {box.side}x{box.side} pixels, was cut out and reduced to 48x48.")

    small = np.asarray(Image.fromarray(gray[box.slices]).resize((60, 60)))
    scene = np.full((256, 400), 128, np.uint8)
    scene[20:80, 20:80], scene[90 : 90 + box.side, 200 : 200 + box.side] = small, gray[box.slices]
    lesser, greater = sorted(find_faces(scene), key=lambda box: box.side)
    assert lesser.side < 80 and greater.left > 150
    face, said = read_face(save(tmp_path / "two.png", scene))
    np.testing.assert_array_equal(face, to_face(scene[greater.slices]))
    assert f"the largest of 2 faces found in it, {greater.side}x{greater.side} pixels" in said


@pytest.mark.slow
def test_where_there_is_no_face_or_nothing_else_the_picture_is_taken_as_a_whole(tmp_path):
    stones = data.gravel()
    face, said = read_face(save(tmp_path / "gravel.png", stones))
    np.testing.assert_array_equal(face, to_face(stones))
    assert "no face was found in it, so the largest centred square of 512x512 pixels was resized to 48x48." in said
    (box,) = find_faces(data.astronaut())
    portrait = np.asarray(Image.fromarray(data.astronaut()[box.slices]).convert("L").resize((96, 96)))
    face, said = read_face(save(tmp_path / "portrait.png", portrait))
    np.testing.assert_array_equal(face, to_face(portrait))
    assert "faces: the largest centred square of 96x96 pixels was resized" in said


def test_a_face_of_ones_own_is_taken_with_words_where_it_is_changed(tmp_path, make_faces, monkeypatch):
    face, words = make_faces(1)[0], []
    monkeypatch.setattr(gr, "Info", words.append)
    with unvisited_page():
        tab = FaceTab("low", Restorers(), HubFaces(), Moves())
    taken = tab.pick_upload(str(save(tmp_path / "wide.png", np.tile(face, (2, 1)))))
    assert taken.shape == (48, 48) and len(words) == 1
    tab.pick_upload(str(save(tmp_path / "face.png", face)))
    assert len(words) == 1


def test_colour_is_kept_where_there_is_some(tmp_path):
    colour = np.zeros((9, 9, 3), np.uint8)
    gray = save(tmp_path / "gray.png", colour)
    colour[2, 3] = (200, 10, 10)
    path = save(tmp_path / "colour.png", colour)
    np.testing.assert_array_equal(read_upload(path, "median").frames[0], colour)
    assert read_upload(path, "median", gray=True).frames[0].shape == (9, 9)
    assert read_upload(gray, "median").frames[0].shape == (9, 9)


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


def test_a_film_and_its_faces_are_told():
    film = Picture(tuple(noisy_astronaut()[:90, :90] for _ in range(3)))
    text = describe(film, None)
    assert "3 frames" in text
    deep = Picture((np.full((9, 9), 4000, np.uint16),), white=4095, notes=("transparency was laid on white",))
    assert "16 bits, white is 4095" in describe(deep, None)
    assert "Transparency was laid on white." in describe(deep, None)


def test_faces_are_restored_in_every_frame_in_its_depth():
    portrait = data.astronaut()[:200, 120:320].astype(np.uint16) * 16
    picture = Picture((portrait, portrait), white=4095)
    restored = picture.with_images([np.zeros_like(image) for image in picture.images])
    kept = keep_faces(picture, replace(restored, frames=(portrait, portrait)))
    for frame in kept.frames:
        np.testing.assert_array_equal(frame, portrait)
    assert kept.frames[0].dtype == np.uint16


def test_a_description_tells_the_noise_before_and_after_and_the_faces():
    photo = np.zeros((20, 30, 3), np.uint8)
    text = describe(Picture.of(photo), NoiseLevel(0.1, 0.05, ("stripes of sigma about 0.10",)), NoiseLevel(0.002, 0))
    assert "30x20 pixels, in colour" in text and "face" not in text
    before = "strong random noise (about 26 of 255 gray levels), impulses on about 5% of the pixels, stripes of sigma"
    assert f"**Estimated noise before:** {before} about 0.10." in text
    after = "hardly any random noise (less than 1 of 255 gray levels), no impulses found"
    assert f"**Estimated noise after:** {after}." in text
    assert "less than about 2% of the pixels" in describe(Picture.of(photo), NoiseLevel(0.1, 0.01))
    assert "No face was found" in describe(Picture.of(photo[..., 0]), None, None, [])
    assert "2 faces" in describe(Picture.of(photo), None, None, [Box(0, 0, 8), Box(1, 1, 8)])


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


def test_a_job_is_cancelled_by_another_picture_and_not_by_its_own():
    cancellations = Cancellations()
    job = cancellations.start("me", "a", "one.png")
    cancellations.cancel_others("me", "a", "one.png")
    assert not job.is_set()
    cancellations.cancel_others("me", "a", None)
    assert job.is_set()


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


def test_random_faces_come_from_the_hubs_test_split_with_their_emotion(monkeypatch, make_faces):
    images = make_faces(20)
    faces = Faces(images, np.arange(20) % 7, "")
    asked = []
    monkeypatch.setattr(hub_faces, "load_fer2013", lambda *args: asked.append(args) or faces)
    hub = HubFaces()
    for _ in range(2):
        drawn = hub.draw(np.random.default_rng(0))
        assert asked == [(hub_faces.HUB_DATASET, "test")] and len(drawn) == hub_faces.COUNT
        for title, image in drawn:
            index = next(i for i in range(20) if np.array_equal(images[i], image))
            assert title == ("Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral")[index % 7]


def test_without_a_network_a_visitor_is_told_in_their_words_and_may_try_again(monkeypatch, make_faces, caplog):
    faces = Faces(make_faces(20), np.zeros(20, int), "")

    def fail(*args):
        raise DataError("cannot be loaded from the Hub (gaierror); set HF_TOKEN, or give --data a local copy")

    monkeypatch.setattr(hub_faces, "load_fer2013", fail)
    hub = HubFaces()
    with pytest.raises(DataError, match=r"shown still work.*later") as error:
        hub.draw(np.random.default_rng(0))
    assert not re.search("--data|HF_|gaierror|network", str(error.value))
    assert "gaierror" in caplog.text
    monkeypatch.setattr(hub_faces, "load_fer2013", lambda *args: faces)
    assert len(hub.draw(np.random.default_rng(0))) == hub_faces.COUNT


def test_a_visitor_does_not_wait_for_a_slow_hub_but_finds_its_faces_later(monkeypatch, make_faces):
    assert hub_faces.SECONDS <= 5
    faces, answers, asked = Faces(make_faces(20), np.zeros(20, int), ""), threading.Event(), []

    def slow(*args):
        asked.append(args)
        answers.wait()
        return faces

    monkeypatch.setattr(hub_faces, "load_fer2013", slow)
    monkeypatch.setattr(hub_faces, "SECONDS", 0.05)
    hub = HubFaces()
    for _ in range(2):
        with pytest.raises(DataError, match=r"did not come.*shown still work.*press again later"):
            hub.draw(np.random.default_rng(0))
    answers.set()
    monkeypatch.setattr(hub_faces, "SECONDS", 30)
    assert len(hub.draw(np.random.default_rng(0))) == hub_faces.COUNT and len(asked) == 1


def test_a_fault_of_our_own_is_not_taken_for_a_silent_hub(monkeypatch):
    monkeypatch.setattr(hub_faces, "load_fer2013", lambda *args: {}["wrong"])
    with pytest.raises(KeyError, match="wrong"):
        HubFaces().draw(np.random.default_rng(0))
