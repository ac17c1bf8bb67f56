"""Tables come out with everything as it was that is no image."""

import base64
import io
import json
import shutil

import datasets
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from jobs_on_tables import median_of
from PIL import Image

from fer_denoise import Restorer
from fer_denoise.command import tables
from fer_denoise.command.batch import Execution, process_path
from fer_denoise.command.job import Restoration
from fer_denoise.command.journal import JobError
from fer_denoise.data import DataError, load_fer2013
from fer_denoise.data.formats import Rank

ROWS = 7
MEDIAN = Restoration("median")


@pytest.fixture
def faces(make_faces) -> np.ndarray:
    return make_faces(ROWS)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(tables, "PART_ROWS", 3)


def text(face: np.ndarray) -> str:
    return " ".join(map(str, face.ravel()))


NOTES = ["None", "NA", "null", "0.10", "TRUE", "1e5", " two  words "]


def csv_of(faces: np.ndarray, quote: str = "", delimiter: str = ",", newline: str = "\n", start: str = "") -> bytes:
    """Columns that type inference would change, a label that is missing and a row that is damaged."""
    lines = ["id,emotion, Pixels ,Usage,note"]
    for row, face in enumerate(faces):
        pixels = "1 2 3" if row == 5 else text(face)
        fields = [f"{row:05}", "" if row == 2 else "3", pixels, "Training", NOTES[row]]
        lines.append(",".join(quote + field + quote for field in fields))
    return (start + newline.join(lines).replace(",", delimiter) + newline).encode()


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"quote": '"', "newline": "\r\n", "start": "\ufeff"},
        {"delimiter": ";", "newline": "\r"},
        {"delimiter": "\t", "start": "\n"},
    ],
)
def test_a_csv_keeps_all_bytes_but_those_of_the_pixels(tmp_path, faces, layout):
    (tmp_path / "in.csv").write_bytes(csv_of(faces, **layout))
    report = process_path(str(tmp_path / "in.csv"), tmp_path / "out.csv", MEDIAN)
    assert (tmp_path / "out.csv").read_bytes() == csv_of(median_of(faces), **layout)
    assert report.done == ROWS - 1 and "row 5" in report.skipped[0]


def test_a_csv_without_a_last_line_end_in_another_encoding_is_kept(tmp_path, faces):
    head, tail = b"caf\xe9,pixels,n\n", [f"{text(face)},\xe9".encode("latin-1") for face in faces]
    (tmp_path / "in.csv").write_bytes(head + b"\n\n".join(b"\xff," + line for line in tail))
    process_path(str(tmp_path / "in.csv"), tmp_path / "out.csv", MEDIAN)
    changed = [f"{text(face)},\xe9".encode("latin-1") for face in median_of(faces)]
    assert (tmp_path / "out.csv").read_bytes() == head + b"\n\n".join(b"\xff," + line for line in changed)


def test_the_shares_of_a_csv_are_the_file_one_after_the_other(tmp_path, faces):
    (tmp_path / "in.csv").write_bytes(csv_of(faces))
    header = csv_of(faces).splitlines(keepends=True)[0]
    parts = []
    for rank in range(3):
        own = Rank(rank, 3)
        process_path(str(tmp_path / "in.csv"), tmp_path / "out.csv", MEDIAN, Execution(rank=own))
        parts.append(own.own_file(tmp_path / "out.csv").read_bytes())
    assert all(part.startswith(header) for part in parts)
    assert header + b"".join(part.removeprefix(header) for part in parts) == csv_of(median_of(faces))


def test_rows_without_a_label_do_not_hinder_those_of_other_splits(tmp_path, faces):
    content = csv_of(faces[:5]).replace(b"Training,null", b"PublicTest,null")
    (tmp_path / "in.csv").write_bytes(content)
    process_path(str(tmp_path / "in.csv"), tmp_path / "out.csv", MEDIAN)
    np.testing.assert_array_equal(load_fer2013(tmp_path / "out.csv").images, median_of(faces[:5])[[0, 1, 3, 4]])


def strange_columns() -> dict[str, pa.Array]:
    """Types that `datasets` does not know, or changes."""
    return {
        "kind": pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 0, 1, 0, 1], pa.int8()), ["b", "a"], ordered=True),
        "tags": pa.array([[("k", 1)], [], None, *[[("m", 2)]] * 4], pa.map_(pa.string(), pa.int16())),
        "when": pa.array([None, *range(6)], pa.timestamp("ms", "Europe/Paris")),
        "cost": pa.array([None] * 7, pa.decimal128(9, 2)),
        "views": pa.array([[1]] * 7, pa.list_view(pa.int8())),
        "none": pa.nulls(7),
        "time": pa.array(range(7), pa.time64("us")),
        "half": pa.array(np.arange(7, dtype=np.float16)),
        "large": pa.array(["x"] * 7, pa.large_string()),
        "must": pa.array(range(7), pa.uint8()),
    }


@pytest.mark.slow
def test_parquet_keeps_types_metadata_and_index(tmp_path, faces):
    columns = {"pixels": pa.array([text(face) for face in faces]), **strange_columns()}
    schema = pa.schema(
        [
            pa.field(name, column.type, nullable=name != "must", metadata={"about": name})
            for name, column in columns.items()
        ],
        metadata={"origin": "a camera", "huggingface": "{}"},
    )
    # As the reader of Parquet gives it, which names the items of lists otherwise.
    pq.write_table(pa.table(list(columns.values()), schema=schema), tmp_path / "in.parquet", row_group_size=2)
    before = pq.read_table(tmp_path / "in.parquet")
    for execution in (Execution(), Execution(processes=2), Execution(stream=True)):
        output = tmp_path / "out.parquet"
        process_path(str(tmp_path / "in.parquet"), output, MEDIAN, execution)
        after = pq.read_table(output)
        assert after.schema.equals(before.schema, check_metadata=True)
        assert after.drop_columns("pixels").equals(before.drop_columns("pixels"))
        assert after["pixels"].to_pylist() == [text(face) for face in median_of(faces)]
        output.unlink()


def test_parquet_keeps_columns_of_one_name(tmp_path, faces):
    columns = [pa.array([text(face) for face in faces]), pa.array(range(ROWS)), pa.array(["x"] * ROWS)]
    pq.write_table(pa.table(columns, names=["pixels", "note", "note"]), tmp_path / "in.parquet")
    process_path(str(tmp_path / "in.parquet"), tmp_path / "out.parquet", MEDIAN)
    with pq.ParquetFile(tmp_path / "out.parquet") as file:
        after = file.read()
    assert after.column_names == ["pixels", "note", "note"]
    assert [after.column(number).to_pylist() for number in (1, 2)] == [list(range(ROWS)), ["x"] * ROWS]


def test_a_frame_of_pandas_comes_out_with_its_index_and_categories(tmp_path, faces):
    index = pd.Index([f"{row:03}" for row in range(ROWS)], name="id")
    usage = pd.Categorical(["Training", "PublicTest"] * 3 + ["Training"], ["Training", "PublicTest", "PrivateTest"])
    frame = pd.DataFrame({"pixels": [text(face) for face in faces], "Usage": usage, "emotion": 3}, index)
    frame.to_parquet(tmp_path / "in.parquet")
    process_path(str(tmp_path / "in.parquet"), tmp_path / "out.parquet", MEDIAN)
    expected = frame.assign(pixels=[text(face) for face in median_of(faces)])
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out.parquet"), expected)


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int16(), pa.string()),
        pa.list_(pa.uint8()),
        pa.large_list(pa.int64()),
        pa.list_(pa.int32(), 48 * 48),
        pa.list_(pa.list_(pa.float32())),
    ],
    ids=str,
)
def test_images_come_out_in_the_type_that_they_came_in(tmp_path, faces, kind):
    nested = kind == pa.list_(pa.list_(pa.float32()))
    as_text = not pa.types.is_nested(kind)

    def values(faces: np.ndarray) -> list:
        return [text(face) if as_text else (face if nested else face.ravel()).tolist() for face in faces]

    column = pa.array(values(faces), pa.string() if as_text else kind).cast(kind)
    pq.write_table(pa.table({"pixels": column}), tmp_path / "in.parquet", row_group_size=2)
    report = process_path(str(tmp_path / "in.parquet"), tmp_path / "out.parquet", MEDIAN)
    after = pq.read_table(tmp_path / "out.parquet")
    assert after.schema == pq.read_schema(tmp_path / "in.parquet") and report.done == ROWS
    assert after["pixels"].to_pylist() == values(median_of(faces))


@pytest.mark.parametrize("as_list", [False, True])
def test_fractions_come_out_as_fractions(tmp_path, faces, as_list):
    fractions = [(face / 255).ravel().tolist() for face in faces]
    pq.write_table(pa.table({"pixels": fractions if as_list else list(map(str, fractions))}), tmp_path / "in.parquet")
    process_path(str(tmp_path / "in.parquet"), tmp_path / "out.parquet", MEDIAN)
    values = pq.read_table(tmp_path / "out.parquet")["pixels"].to_pylist()
    restored = np.array([value if as_list else json.loads(value) for value in values]).reshape(faces.shape)
    expected = Restorer.from_pretrained("median")((faces / 255).astype(np.float32))
    np.testing.assert_allclose(restored, expected, atol=1e-6)


@pytest.mark.parametrize("form", ["{}", "[{}]", "data:image/png;base64,{}", " [[ {} ]\n]"])
def test_text_keeps_the_signs_between_its_pixels(tmp_path, faces, form):
    def spell(face: np.ndarray) -> str:
        if "base64" in form:
            buffer = io.BytesIO()
            Image.fromarray(face).save(buffer, "PNG")
            return form.format(base64.b64encode(buffer.getvalue()).decode())
        return form.format("  ,".join(map(str, face.ravel())))

    pq.write_table(pa.table({"pixels": list(map(spell, faces))}), tmp_path / "in.parquet")
    report = process_path(str(tmp_path / "in.parquet"), tmp_path / "out.parquet", MEDIAN)
    assert report.done == ROWS
    assert pq.read_table(tmp_path / "out.parquet")["pixels"].to_pylist() == list(map(spell, median_of(faces)))


def test_images_of_a_type_of_datasets_come_out_as_such(tmp_path, faces):
    features = datasets.Features({"image": datasets.Array2D((48, 48), "uint8")})
    datasets.Dataset.from_dict({"image": faces}, features=features).to_parquet(tmp_path / "in.parquet")
    process_path(str(tmp_path / "in.parquet"), tmp_path / "out.parquet", MEDIAN)
    after = datasets.Dataset.from_parquet(str(tmp_path / "out.parquet"))
    assert after.features == features
    np.testing.assert_array_equal(np.array(after["image"][:]), median_of(faces))


@pytest.mark.slow
@pytest.mark.parametrize("shares", [1, 2, 3, 9])
def test_the_shares_of_a_parquet_file_are_the_file_one_after_the_other(tmp_path, faces, shares):
    frame = pa.table({"pixels": [text(face) for face in faces], "row": range(ROWS)})
    pq.write_table(frame, tmp_path / "in.parquet", row_group_size=2)
    for rank in range(shares):
        execution = Execution(rank=Rank(rank, shares))
        process_path(str(tmp_path / "in.parquet"), tmp_path / "out" / "a.parquet", MEDIAN, execution)
    together = pa.concat_tables([pq.read_table(path) for path in sorted((tmp_path / "out").iterdir())])
    assert together["row"].to_pylist() == list(range(ROWS))
    assert together["pixels"].to_pylist() == [text(face) for face in median_of(faces)]


@pytest.mark.parametrize("name", ["a.parquet", "a.csv"])
def test_a_damaged_file_is_told(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x00\x01damaged\xff")
    with pytest.raises(DataError, match=rf"{name}: .*export it again"):
        process_path(str(tmp_path / name), tmp_path / f"out-{name}", MEDIAN)


def test_a_file_that_has_changed_since_is_not_gone_on_with(tmp_path, faces, monkeypatch):
    path = tmp_path / "in.csv"
    path.write_bytes(csv_of(faces))
    with monkeypatch.context() as patch:
        full = shutil.disk_usage(tmp_path)._replace(free=0)
        patch.setattr(shutil, "disk_usage", lambda path: full)
        with pytest.raises(OSError, match="No space left"):
            process_path(str(path), tmp_path / "out.csv", MEDIAN)
    path.write_bytes(csv_of(faces[::-1]).replace(b"Training", b"PrivateTest"))
    with pytest.raises(JobError, match="was begun with"):
        process_path(str(path), tmp_path / "out.csv", MEDIAN)
