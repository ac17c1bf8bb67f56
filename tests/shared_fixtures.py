"""Fixtures shared by the tests; no test uses the network or images of FER2013."""

import os
import tempfile

if processes := os.environ.get("PYTEST_XDIST_WORKER_COUNT"):
    # Read by torch when it is imported: threads that wait for a core hinder those that have one.
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // int(processes)))

# Read by `datasets` and `huggingface_hub` when they are imported.
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="fer-denoise-hf-")
os.environ["HF_DATASETS_CACHE"] = os.path.join(os.environ["HF_HOME"], "datasets")
os.environ["HF_HUB_CACHE"] = os.path.join(os.environ["HF_HOME"], "hub")
os.environ["HF_HUB_OFFLINE"] = "1"
# Large files then go over plain HTTP, which tests/fake_hub.py speaks.
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"

import without_stubs  # noqa: F401, isort: skip; before whatever imports Gradio

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import drawn_faces
import numpy as np
import pytest
from accelerate.state import AcceleratorState, GradientState
from datasets_on_disk import SIZES, pixel_text, write_csv
from fake_hub import FakeHub
from huggingface_hub import constants
from jobs_on_tables import ROWS, write_table
from measuring import IMAGES
from PIL import Image
from random_networks import random_unet
from visiting import CHROMIUM, FAKE_CAMERA, QUIET, SCREENS, Visit

from fer_denoise import Restorer
from fer_denoise.command import tables
from fer_denoise.data import Faces
from fer_denoise.data.hub_dataset import fixed_dataset
from fer_denoise.hub import download
from fer_denoise.models import AttentionUNet
from fer_denoise.samples import sample_faces


@pytest.fixture(autouse=True, scope="session")
def remove_hf_caches() -> Iterator[None]:
    yield
    shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)


def forget_accelerator() -> None:
    """Accelerate keeps the precision of a process's first run."""
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


@pytest.fixture
def fresh_accelerator() -> Iterator[None]:
    forget_accelerator()
    yield
    forget_accelerator()


@pytest.fixture(autouse=True, scope="module")
def no_accelerator_of_another_file() -> None:
    """Whatever ran in this process before, a file's tests and fixtures find what they find when run alone."""
    forget_accelerator()


@pytest.fixture(scope="module")
def network() -> AttentionUNet:
    """A small one of random weights."""
    return random_unet()


@pytest.fixture(scope="module")
def restorer(network) -> Restorer:
    return Restorer(network, "random", device="cpu")


@pytest.fixture(scope="session")
def make_faces() -> Callable[..., np.ndarray]:
    return drawn_faces.make_faces


@pytest.fixture(scope="session")
def samples() -> np.ndarray:
    """The sample faces as one batch, uint8 (N, 48, 48)."""
    return np.stack(list(sample_faces().values()))


@pytest.fixture(scope="session")
def face(samples: np.ndarray) -> np.ndarray:
    """The first of them, uint8 (48, 48)."""
    return samples[0]


@pytest.fixture(scope="session")
def median() -> Restorer:
    return Restorer.from_pretrained("median")


@pytest.fixture
def save_image(tmp_path: Path) -> Callable[..., Path]:
    """Save a Pillow image below `tmp_path`."""

    def save(name: str, image: Image.Image, **options) -> Path:
        path = tmp_path / name
        image.save(path, **options)
        return path

    return save


@pytest.fixture(scope="module")
def splits(make_faces) -> dict[str, Faces]:
    """Different faces and mixed labels for each split."""
    faces = {}
    for seed, (split, count) in enumerate(SIZES.items()):
        labels = np.random.default_rng(seed).permutation(np.arange(count) % 7)
        faces[split] = Faces(make_faces(count, seed=seed), labels, split)
    return faces


@pytest.fixture(scope="module")
def csv_file(tmp_path_factory, splits) -> Path:
    """Kaggle's CSV with the splits interleaved."""
    usages = {"train": "Training", "validation": "PublicTest", "test": "PrivateTest"}
    lines = []
    for row in range(max(SIZES.values())):
        for split, faces in splits.items():
            if row < len(faces):
                lines.append(f"{faces.labels[row]},{pixel_text(faces.images[row])},{usages[split]}")
    return write_csv(tmp_path_factory.mktemp("kaggle") / "fer2013.csv", lines)


@pytest.fixture(scope="session")
def benchmark_data(tmp_path_factory, make_faces) -> Path:
    """A train and a test split that share two images."""
    folder = tmp_path_factory.mktemp("fer2013")
    faces = make_faces(IMAGES, seed=5)
    splits = {"train": np.concatenate([make_faces(4, seed=6), faces[:2]]), "validation": faces, "test": faces}
    for split, images in splits.items():
        rows = {"pixels": [image.ravel().tolist() for image in images], "emotion": [0] * len(images)}
        datasets.Dataset.from_dict(rows).to_parquet(folder / f"{split}.parquet")
    return folder


@pytest.fixture
def run_benchmark(
    benchmark_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Run the benchmark in an empty folder with pages to fill; returns its results."""
    from train import benchmark

    monkeypatch.chdir(tmp_path)
    (tmp_path / "README.md").write_text("<!-- summary:start -->\n<!-- summary:end -->\n")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "README.md").write_text(
        "before\n<!-- results:start -->\nold\n<!-- results:end -->\n"
        + "".join(f"<!-- {name}:start -->\n<!-- {name}:end -->\n" for name in benchmark.MEASUREMENTS)
        + "after\n"
    )

    def run(*options: str) -> dict[str, Any]:
        arguments = ["--data", str(benchmark_data), "--workers", "1", "--no-samples", *options]
        benchmark.main(arguments)
        args = benchmark.parse_args(arguments)
        return json.loads((args.out / benchmark.chosen_measurement(args).FILE).read_text())

    return run


@pytest.fixture
def fake_bm3d(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of that name that makes everything gray, or in colour black."""
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "bm3d.py").write_text(
        "def bm3d(z, sigma_psd):\n    return 0 * z + 0.5\ndef bm3d_rgb(z, sigma_psd):\n    return 0 * z\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "packages")
    monkeypatch.delitem(sys.modules, "bm3d", raising=False)


@pytest.fixture
def pairs(make_faces: Callable[..., np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Two pictures in colour with noise, and without."""
    clean = np.stack([make_faces(2, seed=channel, shape=(32, 40)) for channel in range(3)], axis=-1)
    noise = 12 * np.random.default_rng(0).standard_normal(clean.shape)
    return np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8), clean


@pytest.fixture
def faces(make_faces: Callable[..., np.ndarray]) -> np.ndarray:
    """Those of `parquet`."""
    return make_faces(ROWS)


@pytest.fixture
def parquet(tmp_path: Path, faces: np.ndarray) -> Path:
    return write_table(tmp_path / "test.parquet", faces)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a job on `parquet` have several parts."""
    monkeypatch.setattr(tables, "PART_ROWS", 5)


@pytest.fixture(scope="module")
def hub_server() -> Iterator[FakeHub]:
    with FakeHub() as server:
        yield server


@pytest.fixture
def connected(hub_server: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """The Hub, and this process as one that was started with it as HF_ENDPOINT and with an HF_HOME of its own."""
    monkeypatch.setattr(constants, "ENDPOINT", hub_server.url)
    template = hub_server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    hub_server.faults.clear()
    hub_server.requests.clear()
    return hub_server


class Published:
    """What `datasets` finds on the Hub, prepared already."""

    name, info = "parquet", datasets.DatasetInfo(builder_name="parquet")

    def __init__(self, splits: dict[str, datasets.Dataset], commit: str) -> None:
        self._splits, self.hash = splits, commit
        self.config = datasets.BuilderConfig()

    def download_and_prepare(self) -> None:
        pass

    def as_dataset(self) -> dict[str, datasets.Dataset]:
        return self._splits

    def as_streaming_dataset(self) -> dict[str, datasets.IterableDataset]:
        return {split: dataset.to_iterable_dataset() for split, dataset in self._splits.items()}


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make splits of `datasets` what each repo of the Hub holds, without a Hub."""

    def publish(splits: dict[str, datasets.Dataset], commit: str = "c" * 40) -> None:
        fixed_dataset.cache_clear()
        monkeypatch.setattr(datasets, "load_dataset_builder", lambda repo, revision: Published(splits, commit))

    return publish


@pytest.fixture
def connected_datasets(connected: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    """The Hub, for `datasets` too."""
    fixed_dataset.cache_clear()
    for name, value in {
        "HF_ENDPOINT": connected.url,
        "HF_HUB_OFFLINE": False,
        "HF_DATASETS_CACHE": tmp_path / "datasets",
        "DOWNLOADED_DATASETS_PATH": tmp_path / "datasets" / "downloads",
    }.items():
        monkeypatch.setattr(datasets.config, name, value)
    return connected


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a Hub that is silent or slow; a busy machine may be so too, so the others wait as long as users do."""
    monkeypatch.setattr(download, "ASK_TIMEOUT", 1)
    monkeypatch.setattr(download, "DOWNLOAD_TIMEOUT", 1)
    monkeypatch.setattr(download, "PATIENCE", 3)


@pytest.fixture
def run_python(hub_server: FakeHub, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess]:
    """Run Python in a process of its own, whose environment names the Hub."""

    def run(*arguments: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "FER_"))}
        hub = {
            "HF_ENDPOINT": hub_server.url,
            "HF_HOME": str(tmp_path / "home"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_ETAG_TIMEOUT": "1",
            "HF_HUB_DOWNLOAD_TIMEOUT": "1",
            "OMP_NUM_THREADS": "1",
        }
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd or Path(__file__).parents[1],
            env={**clean, **hub, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture(scope="session")
def app_url() -> Iterator[str]:
    """The app, on a port of its own."""
    from fer_denoise.demo import build, launch_options

    page = build()
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    yield url
    page.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; not for the whole session, for in its thread no other loop of events can run meanwhile."""
    sync_api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    SCREENS.mkdir(parents=True, exist_ok=True)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*QUIET, *FAKE_CAMERA])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, app_url: str) -> Iterator[Callable[..., Visit]]:
    """Visit the app, in a context of its own each time."""
    contexts = []

    def make(width: int = 1280, query: str = "") -> Visit:
        context = browser.new_context(viewport={"width": width, "height": 900}, accept_downloads=True)
        contexts.append(context)
        return Visit(context.new_page(), app_url, query)

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def few_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few drawings beside the faces of a training that they are there at once."""
    monkeypatch.setattr("train.shared.scenes.DRAWINGS", 20)
