"""Tables with images in a column: done in parts, in several processes, interrupted, streamed."""

import io
import shutil
import zipfile
from dataclasses import replace

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from jobs_on_tables import MEDIAN, ROWS, Broken, images_of, leftovers, median_of
from PIL import Image

from fer_denoise.__main__ import main
from fer_denoise.command.batch import Execution, process_path
from fer_denoise.command.job import Corruption, Restoration
from fer_denoise.command.journal import JobError
from fer_denoise.command.tables import Rank
from fer_denoise.data import DataError, load_fer2013
from fer_denoise.noise import mixed_noise

pytestmark = pytest.mark.usefixtures("small_parts")


@pytest.mark.parametrize(
    "execution",
    [Execution(), Execution(stream=True), pytest.param(Execution(processes=2), marks=pytest.mark.slow)],
)
def test_a_dataset_comes_out_whole_and_in_order(tmp_path, parquet, faces, execution):
    report = process_path(str(parquet), tmp_path / "out" / "test.parquet", MEDIAN, execution)
    np.testing.assert_array_equal(images_of(tmp_path / "out" / "test.parquet"), median_of(faces))
    assert load_fer2013(tmp_path / "out" / "test.parquet", "test").labels.tolist() == [row % 7 for row in range(ROWS)]
    assert report.done == ROWS and report.skipped == [] and len(report.before) == len(report.after) == 2
    assert leftovers(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("execution", [Execution(), Execution(stream=True)])
def test_an_interrupted_job_goes_on_with_the_parts_that_are_there(tmp_path, parquet, faces, execution, monkeypatch):
    output = tmp_path / "out" / "test.parquet"
    with pytest.raises(KeyboardInterrupt):
        process_path(str(parquet), output, Broken("median"), execution)
    assert not output.exists()
    worked: list[int] = []
    restored = Restoration.__call__

    def note(self, pictures, rows):
        worked.extend(rows)
        return restored(self, pictures, rows)

    with monkeypatch.context() as patch:
        patch.setattr(Restoration, "__call__", note)
        report = process_path(str(parquet), output, MEDIAN, execution)
    assert worked == list(range(10, ROWS))
    np.testing.assert_array_equal(images_of(output), median_of(faces))
    assert (report.done, report.earlier) == (ROWS, 10) and leftovers(tmp_path) == []


def test_parts_of_other_work_are_not_taken(tmp_path, parquet):
    output = tmp_path / "out" / "test.parquet"
    with pytest.raises(KeyboardInterrupt):
        process_path(str(parquet), output, Broken("median"))
    with pytest.raises(JobError, match=r"was begun with .*median"):
        process_path(str(parquet), output, Restoration("median", sigma=0.1))


def test_a_result_is_never_written_over(tmp_path, parquet):
    output = tmp_path / "out" / "test.parquet"
    process_path(str(parquet), output, MEDIAN)
    with pytest.raises(DataError, match="is there already"):
        process_path(str(parquet), output, MEDIAN)


@pytest.mark.slow
def test_damaged_rows_stay_and_are_told_in_several_processes_too(tmp_path, faces):
    pixels = [face.ravel().tolist() for face in faces]
    pixels[3], pixels[17] = [1, 2, 3], [300] * 2304
    datasets.Dataset.from_dict({"pixels": pixels, "emotion": [0] * ROWS}).to_parquet(tmp_path / "test.parquet")
    source = str(tmp_path / "test.parquet")
    report = process_path(source, tmp_path / "out.parquet", MEDIAN, Execution(processes=2))
    assert report.done == ROWS - 2
    assert [f"row {row}" in text for row, text in zip((3, 17), report.skipped, strict=True)] == [True, True]
    result = datasets.Dataset.from_parquet(str(tmp_path / "out.parquet"))
    assert result[3]["pixels"] == [1, 2, 3]
    np.testing.assert_array_equal(np.reshape(result[4]["pixels"], (48, 48)), median_of(faces[4:5])[0])


def test_several_machines_each_write_their_share(tmp_path, parquet, faces):
    for rank in range(3):
        process_path(str(parquet), tmp_path / "out" / "test.parquet", MEDIAN, Execution(rank=Rank(rank, 3)))
    names = [f"test-{rank:05}-of-00003.parquet" for rank in range(3)]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    np.testing.assert_array_equal(images_of(tmp_path / "out"), median_of(faces))


@pytest.mark.parametrize("execution", [Execution(), Execution(stream=True)])
def test_a_process_without_rows_writes_an_empty_file(tmp_path, parquet, faces, execution):
    few = tmp_path / "few.parquet"
    datasets.Dataset.from_parquet(str(parquet)).select(range(2)).to_parquet(few)
    for rank in range(3):
        own = replace(execution, rank=Rank(rank, 3))
        process_path(str(few), tmp_path / "out" / "test.parquet", MEDIAN, own)
    parts = [pq.read_table(path) for path in sorted((tmp_path / "out").glob("*.parquet"))]
    assert len(parts) == 3 and parts[2].num_rows == 0 and parts[2].schema == parts[0].schema
    np.testing.assert_array_equal(images_of(tmp_path / "out"), median_of(faces[:2]))


def test_a_process_without_rows_writes_the_heads_of_a_csv(tmp_path, faces):
    (tmp_path / "few.csv").write_text(f"emotion,pixels\n3,{' '.join(map(str, faces[0].ravel()))}\n")
    for rank in range(2):
        process_path(str(tmp_path / "few.csv"), tmp_path / "out" / "few.csv", MEDIAN, Execution(rank=Rank(rank, 2)))
    first, second = (path.read_text().splitlines() for path in sorted((tmp_path / "out").iterdir()))
    assert len(first) == 2 and second == ["emotion,pixels"] == first[:1]


@pytest.mark.slow
def test_images_that_are_files_are_read_where_they_are(tmp_path, faces, publish, monkeypatch):
    archive = tmp_path / "faces.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for row, face in enumerate(faces):
            buffer = io.BytesIO()
            Image.fromarray(face).save(buffer, "PNG")
            file.writestr(f"{row:02}.png", buffer.getvalue())
    strange = ["http://127.0.0.1:9/face.png", f"http://127.0.0.1:9/face.png::{archive}", str(tmp_path / "no.png")]
    paths = [f"zip://{row:02}.png::{archive}" for row in range(ROWS)] + strange
    column = [{"bytes": None, "path": path} for path in paths]
    table = datasets.Dataset.from_dict({"image": column}, datasets.Features({"image": datasets.Image(decode=False)}))
    # Without a batch size, datasets would ask for the size of each file.
    table.to_parquet(tmp_path / "test.parquet", batch_size=100)
    report = process_path(str(tmp_path / "test.parquet"), tmp_path / "out" / "test.parquet", MEDIAN)
    assert report.done == ROWS and len(report.skipped) == len(strange)
    assert all("is no file here or on the Hub" in line for line in report.skipped)
    # Somebody else's dataset does not choose which files of this machine are read, and perhaps published.
    publish({"test": datasets.Dataset.from_parquet(str(tmp_path / "test.parquet"))})
    report = process_path("somebody/faces", tmp_path / "theirs", MEDIAN)
    assert report.done == 0 and "did not come with somebody/faces" in report.skipped[0]
    # What was downloaded is such a file too.
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    report = process_path("somebody/faces", tmp_path / "downloaded", MEDIAN)
    assert report.done == ROWS


@pytest.mark.slow
def test_noise_depends_on_seed_and_row_alone(tmp_path, parquet, faces):
    expected = np.rint(mixed_noise(faces, 0.05, 0.1, 0.3, seed=7) * 255).astype(np.uint8)
    levels = ["--sigma", "0.05", "--amount", "0.1", "--salt-vs-pepper", "0.3", "--seed", "7"]
    for number, more in enumerate([[], ["--processes", "2"], ["--stream"]]):
        output = tmp_path / str(number) / "test.parquet"
        assert main(["corrupt", str(parquet), str(output), *levels, *more]) == 0
        np.testing.assert_array_equal(images_of(output), expected)
    for rank in range(2):
        execution = Execution(rank=Rank(rank, 2))
        process_path(str(parquet), tmp_path / "two" / "test.parquet", Corruption(0.05, 0.1, 0.3, 7), execution)
    np.testing.assert_array_equal(images_of(tmp_path / "two"), expected)


@pytest.mark.slow
def test_csv_goes_through_in_parts(tmp_path, faces):
    rows = [f"3,{' '.join(map(str, face.ravel()))},PrivateTest" for face in faces]
    (tmp_path / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")
    for execution, name in ((Execution(), "one.csv"), (Execution(stream=True), "two.csv")):
        process_path(str(tmp_path / "fer2013.csv"), tmp_path / "out" / name, MEDIAN, execution)
        np.testing.assert_array_equal(images_of(tmp_path / "out" / name), median_of(faces))
        assert (tmp_path / "out" / name).read_text().splitlines()[0] == "emotion,pixels,Usage"


def test_parts_are_not_joined_where_the_disk_has_no_space(tmp_path, parquet, monkeypatch):
    output = tmp_path / "out" / "test.parquet"
    full = shutil.disk_usage(tmp_path)._replace(free=1000)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: full)
        assert main(["restore", str(parquet), str(output), "--model", "median"]) == 2
    assert not output.exists()
    assert main(["restore", str(parquet), str(output), "--model", "median"]) == 0
    assert leftovers(tmp_path) == []


def test_a_table_may_have_a_name_as_long_as_names_can_be(tmp_path, parquet, faces):
    long = parquet.rename(parquet.with_name("n" * 243 + ".parquet"))
    output = tmp_path / "out" / long.name
    process_path(str(long), output, MEDIAN)
    assert pq.read_table(output).num_rows == ROWS and leftovers(tmp_path) == []
