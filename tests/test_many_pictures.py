"""Many pictures, tables and archives at once, without a server: what comes back, and what is never done."""

import csv
import io
import shutil
import threading
import tracemalloc
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import datasets
import gradio as gr
import numpy as np
import pyarrow.parquet as pq
import pytest
from pictures_on_disk import save
from PIL import Image
from unvisited import unvisited_page

from fer_denoise.command.batch import process_path
from fer_denoise.command.job import Restoration
from fer_denoise.demo import batch_restoration, incoming, received_table
from fer_denoise.demo.batch_report import ReportRow, as_csv
from fer_denoise.demo.cancellable_job import Cancellations
from fer_denoise.demo.example_pictures import noisy_astronaut
from fer_denoise.demo.fair_queue import FairQueue
from fer_denoise.demo.job_controls import ANYTHING
from fer_denoise.demo.many_pictures import ManyPictures
from fer_denoise.demo.restorers import Restorers
from fer_denoise.metrics import psnr, ssim
from fer_denoise.noise import gaussian_noise
from fer_denoise.photos import restore_photo

MEDIAN = Restoration("median")
PHOTO = noisy_astronaut()[:40, :60]
RESTORERS = Restorers()


class Answer(NamedTuple):
    """What is shown at the end: the words, the files by their names, the report, and captions with pictures."""

    said: str
    files: dict[str, bytes]
    report: list[dict[str, str]]
    seen: list[tuple[Image.Image, str]]

    @property
    def archive(self) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(self.files["restored.zip"])) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def restore(*paths: Path, clean: tuple[Path, ...] = (), white: float | None = None, cancellations=None) -> Answer:
    """Restore files by the median filter, as the page does."""
    with unvisited_page():
        many = ManyPictures(RESTORERS, cancellations or Cancellations(), FairQueue())
    chosen, request = [str(path) for path in paths], SimpleNamespace(session_hash="me")
    updates = many.restore_all(chosen, [str(path) for path in clean], "median", white, request, gr.Progress())
    for last in updates:
        files, table, seen = (
            last.get(part, {}) for part in (many.results.files, many.results.table, many.results.thumbnails)
        )
        if files and files["value"]:
            # Afterwards they are gone.
            contents = {Path(path).name: Path(path).read_bytes() for path in files["value"]}
            report = list(csv.DictReader(io.StringIO(contents["restored.csv"].decode())))
            assert [list(row) for row in report] == [table["value"]["headers"]] * len(report)
            return Answer(last[many.job.status], contents, report, seen["value"])
    return Answer(last[many.job.status], {}, [], [])


def png(picture: np.ndarray) -> bytes:
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "PNG")
    return content.getvalue()


def pack(path: Path, members: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def pixels_of(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture)


def csv_of(faces: np.ndarray) -> bytes:
    lines = [f'{row % 7},"{" ".join(map(str, face.ravel()))}",Training' for row, face in enumerate(faces)]
    return "\r\n".join(["emotion,pixels,Usage", *lines, ""]).encode()


def test_pictures_come_back_in_an_archive_with_a_row_each(tmp_path):
    paths = (
        save(tmp_path / "a.png", PHOTO),
        save(tmp_path / "a.bmp", PHOTO[..., 0]),
        save(tmp_path / "b" / "A.png", PHOTO),
    )
    (tmp_path / "broken.png").write_text("no picture")
    answer = restore(*paths, tmp_path / "broken.png")
    assert answer.said == "3 restored by *Median filter*, 1 left out: see the remarks."
    assert list(answer.archive) == ["a.png", "a-2.png", "A-3.png", "restored.csv"]
    assert answer.archive["restored.csv"] == answer.files["restored.csv"]
    np.testing.assert_array_equal(pixels_of(answer.archive["a.png"]), restore_photo(RESTORERS.get("median"), PHOTO))
    assert pixels_of(answer.archive["a-2.png"]).ndim == 2
    assert [(row["file"], row["restored as"]) for row in answer.report] == [
        ("a.png", "a.png"),
        ("a.bmp", "a-2.png"),
        ("A.png", "A-3.png"),
        ("broken.png", ""),
    ]
    assert answer.report[0]["width"] == "60" and float(answer.report[0]["sigma"]) > 0
    assert "not a picture" in answer.report[3]["remark"] and "PSNR noisy" not in answer.report[0]
    assert [caption for _, caption in answer.seen][:3] == ["a.png, noisy", "a.png, restored", "a.bmp, noisy"]


def test_depth_and_frames_are_kept(tmp_path):
    Image.fromarray(PHOTO[..., 0].astype(np.uint16) * 16).save(tmp_path / "12.png")
    Image.fromarray(PHOTO[..., 0] / np.float32(255)).save(tmp_path / "float.tif")
    first, *others = (Image.fromarray(PHOTO[:20]), Image.fromarray(PHOTO[20:]))
    first.save(tmp_path / "film.webp", save_all=True, append_images=others, lossless=True, duration=9)
    answer = restore(tmp_path / "12.png", tmp_path / "float.tif", tmp_path / "film.webp", white=4095)
    for name, dtype, frames in (("12.png", "u2", 1), ("film.png", "u1", 2)):
        with Image.open(io.BytesIO(answer.archive[name])) as picture:
            assert np.asarray(picture).dtype == np.dtype(dtype) and getattr(picture, "n_frames", 1) == frames
    (tmp_path / "100.pgm").write_bytes(b"P5 60 40 100\n" + (PHOTO[..., 0] // 3).tobytes())
    answer = restore(tmp_path / "12.png", tmp_path / "float.tif", tmp_path / "100.pgm")
    assert answer.archive["100.pgm"].startswith(b"P5\n60 40\n100\n")
    assert pixels_of(answer.archive["float.tif"]).dtype == np.float32
    assert "say what number is white" in answer.report[0]["remark"]


def made_from(*paths: Path, clean: tuple[Path, ...] = ()) -> list:
    """What the page takes the results at the end for."""
    with unvisited_page():
        many = ManyPictures(RESTORERS, Cancellations(), FairQueue())
    chosen, request = [str(path) for path in paths], SimpleNamespace(session_hash="me")
    *_, last = many.restore_all(chosen, [str(path) for path in clean], "median", None, request, gr.Progress())
    return last[many.job._source]


def test_results_are_made_from_white_only_where_it_may_decide_them(tmp_path):
    plain = save(tmp_path / "a.png", PHOTO)
    deep = save(tmp_path / "deep" / "a.png", PHOTO[..., 0].astype(np.uint16) * 257)
    dark = save(tmp_path / "dark.png", PHOTO[..., 0].astype(np.uint16))
    assert made_from(plain) == [[str(plain)], [], "median", ANYTHING]
    for paths, clean in (((deep,), ()), ((plain, dark), ()), ((plain,), (deep,))):
        assert made_from(*paths, clean=clean) == [[*map(str, paths)], [*map(str, clean)], "median", None]


def test_faces_are_shown_pixel_by_pixel_and_no_more_than_said(tmp_path, make_faces):
    paths = [save(tmp_path / f"{number}.png", face) for number, face in enumerate(make_faces(9))]
    large = save(tmp_path / "large.png", PHOTO)
    answer = restore(large, *paths)
    assert len(answer.seen) == 16
    assert [picture.size for picture, _ in answer.seen[:4]] == [(144, 144), (144, 144), (48, 48), (48, 48)]
    np.testing.assert_array_equal(np.asarray(answer.seen[3][0]), pixels_of(answer.archive["0.png"]))


@pytest.mark.parametrize("stop_at", [1, 2])
def test_a_stop_is_within_the_last_as_within_any(tmp_path, monkeypatch, stop_at):
    paths = [save(tmp_path / f"{number}.png", PHOTO) for number in range(2)]
    cancellations, release, begun = Cancellations(), threading.Event(), []
    restore_picture = batch_restoration.restore_picture

    def slow(restorer, picture, sigma, on_progress):
        begun.append(picture)
        if len(begun) == stop_at:
            cancellations.cancel("me", "Restore all")
            release.wait(60)
        return restore_picture(restorer, picture, sigma, on_progress)

    monkeypatch.setattr(batch_restoration, "restore_picture", slow)
    answer = restore(*paths, cancellations=cancellations)
    assert not release.is_set()
    release.set()
    assert answer.said == f"Stopped after {stop_at - 1} of 2: {stop_at - 1} restored by *Median filter*."


@pytest.mark.slow
def test_of_a_table_that_is_stopped_nothing_stays_but_what_came_before_it(tmp_path, make_faces, monkeypatch):
    picture, cancellations, calls = save(tmp_path / "a.png", PHOTO), Cancellations(), []
    (tmp_path / "faces.csv").write_bytes(csv_of(make_faces(40)))
    restore_pictures = batch_restoration.restore_pictures

    def stop_in_the_second(restorer, pictures):
        calls.append(len(pictures))
        if len(calls) == 2:
            cancellations.cancel("me", "Restore all")
        return restore_pictures(restorer, pictures)

    monkeypatch.setattr(batch_restoration, "restore_pictures", stop_in_the_second)
    answer = restore(picture, tmp_path / "faces.csv", cancellations=cancellations)
    assert answer.said == "Stopped after 1 of 2: 1 restored by *Median filter*." and calls == [16, 16]
    assert list(answer.archive) == ["a.png", "restored.csv"] and len(answer.report) == 1


@pytest.mark.slow
def test_a_csv_comes_back_as_the_command_gives_it(tmp_path, make_faces):
    lines = csv_of(make_faces(20)).replace(b'3,"', b'3,"1 2 3 ', 1)
    (tmp_path / "fer2013.csv").write_bytes(lines)
    process_path(str(tmp_path / "fer2013.csv"), tmp_path / "out" / "fer2013.csv", MEDIAN)
    answer = restore(tmp_path / "fer2013.csv")
    assert list(answer.files) == ["fer2013.csv", "restored.csv"]
    assert answer.files["fer2013.csv"] == (tmp_path / "out" / "fer2013.csv").read_bytes()
    assert answer.said == "19 restored by *Median filter*, 1 left out: see the remarks."
    damaged = answer.report[3]
    assert damaged["file"] == "fer2013.csv, row 3" and damaged["restored as"] == ""
    assert damaged["remark"].startswith("left as it was: ") and "2307 pixels" in damaged["remark"]
    assert answer.seen[0][0].size == (48, 48)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["pictures", "lists"])
def test_a_parquet_comes_back_as_the_command_gives_it(tmp_path, make_faces, kind):
    faces = make_faces(20)
    images = [face.ravel().tolist() for face in faces] if kind == "lists" else [Image.fromarray(face) for face in faces]
    table = datasets.Dataset.from_dict({"image": images, "label": [row % 7 for row in range(20)]})
    if kind == "pictures":
        table = table.cast_column("image", datasets.Image())
    table.to_parquet(tmp_path / "test.parquet")
    process_path(str(tmp_path / "test.parquet"), tmp_path / "out" / "test.parquet", MEDIAN)
    answer = restore(tmp_path / "test.parquet")
    assert answer.said == "20 restored by *Median filter*."
    restored = pq.read_table(io.BytesIO(answer.files["test.parquet"]))
    assert restored.equals(pq.read_table(tmp_path / "out" / "test.parquet"), check_metadata=True)


def test_what_a_table_only_names_is_never_read(tmp_path):
    secret = save(tmp_path / "secret.png", PHOTO)
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    rows = {"image": [{"bytes": None, "path": str(secret)}, {"bytes": png(PHOTO), "path": "own.png"}], "label": [0, 0]}
    # Written by hand, for the library would put the file itself into the table.
    pq.write_table(datasets.Dataset.from_dict(rows, features=features).data.table, tmp_path / "test.parquet")
    for clean in ((), (tmp_path / "test.parquet",)):
        answer = restore(tmp_path / "test.parquet", clean=clean)
        assert "has no image" in answer.report[0]["remark"] and answer.report[1]["restored as"] == "test.parquet"
        images = pq.read_table(io.BytesIO(answer.files["test.parquet"])).column("image").to_pylist()
        assert images[0] == {"bytes": None, "path": str(secret)}


@pytest.mark.parametrize(
    ("limit", "reason"),
    [("MAX_ROWS", "faces.parquet: has 20 rows"), ("MAX_UNPACKED_MEGABYTES", "faces.parquet: holds 0 MB")],
)
def test_a_table_that_is_too_large_is_left_out_with_a_remedy(tmp_path, make_faces, monkeypatch, limit, reason):
    monkeypatch.setattr(received_table, limit, 0)
    rows = {"pixels": [face.ravel().tolist() for face in make_faces(20)]}
    datasets.Dataset.from_dict(rows).to_parquet(tmp_path / "faces.parquet")
    answer = restore(tmp_path / "faces.parquet")
    assert list(answer.files) == ["restored.csv"] and str(tmp_path) not in answer.report[0]["remark"]
    assert answer.report[0]["remark"].startswith(reason) and "python -m fer_denoise" in answer.report[0]["remark"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.parquet", b"no table", "a.parquet: cannot be read"),
        ("a.csv", b"\0", "a.csv: is no CSV text"),
        ("a.csv", b'emotion,pixels\n0,"1 2', "a quote is never closed"),
        ("a.csv", b"emotion,usage\n0,Training\n", "has no column image"),
        ("a.csv", b"emotion,image\n0,face.png\n", "names pictures and holds none"),
        ("a.zip", b"no archive", "is no ZIP, or damaged"),
    ],
)
def test_a_damaged_table_or_archive_is_named_and_the_rest_restored(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    answer = restore(tmp_path / name, save(tmp_path / "b.png", PHOTO))
    (remark,) = (row["remark"] for row in answer.report if row["file"] == name)
    assert words in remark and "/tmp" not in remark and "fer-denoise-" not in remark
    assert list(answer.archive) == ["b.png", "restored.csv"]


def test_an_archive_gives_an_archive_with_its_folders(tmp_path, make_faces):
    faces = make_faces(4)
    members = {
        "train/happy/1.png": png(faces[0]),
        "train/sad/1.png": png(faces[1]),
        "labels.csv": csv_of(faces),
        "notes.txt": b"hello",
        "more.zip": b"",
        "__MACOSX/train/._1.png": b"",
    }
    answer = restore(pack(tmp_path / "faces.zip", members))
    assert list(answer.archive) == ["train/happy/1.png", "train/sad/1.png", "labels.csv", "restored.csv"]
    left_out = {row["file"]: row["remark"] for row in answer.report if not row["restored as"]}
    assert list(left_out) == ["notes.txt", "more.zip"] and "unpack it" in left_out["more.zip"]
    assert answer.said == "6 restored by *Median filter*, 2 left out: see the remarks."


@pytest.mark.parametrize(
    "name", ["../../climbs.png", "..\\..\\climbs.png", "C:climbs.png", "\\\\host\\share\\climbs.png", "/climbs.png"]
)
def test_a_name_cannot_climb_out_of_an_archive(tmp_path, name):
    answer = restore(pack(tmp_path / "evil.zip", {name: png(PHOTO), "a/../b.png": png(PHOTO)}))
    assert list(answer.archive) == ["climbs.png", "a/b.png", "restored.csv"]
    if "/" not in name:
        assert list(restore(save(tmp_path / name, PHOTO)).archive) == ["climbs.png", "restored.csv"]
    assert not list(tmp_path.parent.rglob("climbs.png"))


@pytest.mark.slow
def test_no_archive_is_unpacked_beyond_what_may_be_sent_by_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(incoming, "MAX_MEGABYTES", 1)
    bomb = pack(tmp_path / "bomb.zip", {"a.png": bytes(50_000_000)})
    # One that lies of its size, in both places where it says it.
    lying = tmp_path / "lying.zip"
    lying.write_bytes(bomb.read_bytes().replace((50_000_000).to_bytes(4, "little"), (500_000).to_bytes(4, "little")))
    tracemalloc.start()
    answer = restore(bomb, lying, save(tmp_path / "c.png", PHOTO))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    remarks = [row["remark"] for row in answer.report if row["file"] == "a.png"]
    assert "has 50 MB, and 1 are taken" in remarks[0] and "a.png cannot be unpacked" in remarks[1]
    assert list(answer.archive) == ["c.png", "restored.csv"] and peak < 20_000_000


def test_what_cannot_be_unpacked_within_bounds_is_left_out(tmp_path, monkeypatch):
    packed = pack(tmp_path / "packed.zip", {"a.png": png(PHOTO)}, zipfile.ZIP_LZMA)
    secret = tmp_path / "secret.zip"
    content = pack(tmp_path / "plain.zip", {"b.png": png(PHOTO)}, zipfile.ZIP_STORED).read_bytes()
    # The flag of encryption, in the list at the end.
    at = content.index(b"PK\x01\x02") + 8
    secret.write_bytes(content[:at] + b"\x01" + content[at + 1 :])
    answer = restore(packed, secret)
    assert [row["file"] for row in answer.report] == ["a.png", "b.png"] and list(answer.files) == ["restored.csv"]
    assert "ordinary ZIP" in answer.report[0]["remark"] and "encrypted" in answer.report[1]["remark"]


def test_too_many_are_refused_those_in_archives_counted(tmp_path, monkeypatch):
    monkeypatch.setattr(incoming, "MAX_FILES", 2)
    archive = pack(tmp_path / "many.zip", {f"{number}.png": b"" for number in range(3)})
    with pytest.raises(ValueError, match="These are 3 pictures and tables; 2 go at once"):
        incoming.receive([str(archive)])
    monkeypatch.setattr(incoming, "MAX_MEMBERS", 2)
    assert "holds 3 files" in incoming.receive([str(archive)]).left_out[0][1]


def test_clean_ones_of_the_same_names_give_psnr_and_ssim(tmp_path, make_faces):
    clean = make_faces(6)
    noisy = np.rint(gaussian_noise(clean, 0.1, seed=0) * 255).astype(np.uint8)
    (tmp_path / "noisy").mkdir()
    paths = [save(tmp_path / "noisy" / f"{number}.png", noisy[number]) for number in range(3)]
    (tmp_path / "noisy" / "rest.csv").write_bytes(csv_of(noisy[3:]))
    members = {"clean/0.bmp": png(clean[0]), "clean/1.png": png(clean[1][:40]), "clean/other.png": png(clean[2])}
    (tmp_path / "clean").mkdir()
    (tmp_path / "clean" / "rest.csv").write_bytes(csv_of(clean[3:5]))
    answer = restore(
        *paths,
        tmp_path / "noisy" / "rest.csv",
        clean=(pack(tmp_path / "c.zip", members), tmp_path / "clean" / "rest.csv"),
    )
    rows = {row["file"]: row for row in answer.report}
    restored = pixels_of(answer.archive["0.png"])
    assert rows["0.png"]["PSNR noisy"] == f"{psnr(noisy[0], clean[0]):.2f}"
    assert rows["0.png"]["PSNR restored"] == f"{psnr(restored, clean[0]):.2f}"
    assert rows["0.png"]["SSIM restored"] == f"{ssim(restored, clean[0]):.4f}"
    assert rows["rest.csv, row 1"]["PSNR noisy"] == f"{psnr(noisy[4], clean[4]):.2f}"
    assert rows["rest.csv, row 2"]["PSNR noisy"] == "" and "no clean one" in rows["rest.csv, row 2"]["remark"]
    assert "another size" in rows["1.png"]["remark"] and "no clean one" in rows["2.png"]["remark"]
    assert "no noisy one has its name" in rows["clean/other.png"]["remark"]


def test_a_table_may_have_a_longer_name_in_an_archive_than_on_a_disk(tmp_path, make_faces):
    name = f"{'ä' * 300}-.csv"
    archive = pack(tmp_path / "long.zip", {name: csv_of(make_faces(2))})
    (table,) = (file for file in restore(archive).files if file != "restored.csv")
    assert table.endswith("ää-.csv") and len(table.encode()) == 239
    assert list(restore(archive, save(tmp_path / "a.png", PHOTO)).archive) == [name, "a.png", "restored.csv"]


def test_a_name_that_is_a_formula_is_disarmed():
    assert "'=1+1.png" in as_csv([ReportRow("=1+1.png")])


def test_nothing_stays_in_the_temporary_folder(tmp_path, make_faces, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "faces.csv").write_bytes(csv_of(make_faces(2)))
    restore(shutil.copy(tmp_path / "faces.csv", tmp_path / "other.csv"), tmp_path / "faces.csv")
    assert not [path for path in (tmp_path / "temporary").iterdir() if path.name.startswith("fer-denoise-")]
