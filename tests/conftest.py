"""Fixtures shared by the tests; no test uses the network or images of FER2013."""

import os
import tempfile

# Read by `datasets` and `huggingface_hub` when they are imported.
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="fer-denoise-hf-")
os.environ["HF_DATASETS_CACHE"] = os.path.join(os.environ["HF_HOME"], "datasets")
os.environ["HF_HUB_CACHE"] = os.path.join(os.environ["HF_HOME"], "hub")
os.environ["HF_HUB_OFFLINE"] = "1"
# Large files then go over plain HTTP, which tests/fake_hub.py speaks.
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_DATASETS_DISABLE_PROGRESS_BARS"] = "1"

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from fer_denoise.samples import sample_faces


@pytest.fixture(autouse=True, scope="session")
def remove_hf_caches() -> Iterator[None]:
    yield
    shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def make_faces() -> Callable[..., np.ndarray]:
    """Smooth random shapes, uint8 (count, *shape), between 20 and 235."""

    def make(count: int, seed: int = 0, shape: tuple[int, int] = (48, 48)) -> np.ndarray:
        rough = np.random.default_rng(seed).standard_normal((count, *shape))
        smooth = gaussian_filter(rough, sigma=(0, 4, 4))
        low, high = smooth.min(axis=(1, 2), keepdims=True), smooth.max(axis=(1, 2), keepdims=True)
        return np.rint(20 + 215 * (smooth - low) / (high - low)).astype(np.uint8)

    return make


@pytest.fixture(scope="session")
def samples() -> np.ndarray:
    """The sample faces as one batch, uint8 (N, 48, 48)."""
    return np.stack(list(sample_faces().values()))


@pytest.fixture
def save_image(tmp_path: Path) -> Callable[..., Path]:
    """Save a Pillow image below `tmp_path`."""

    def save(name: str, image: Image.Image, **options) -> Path:
        path = tmp_path / name
        image.save(path, **options)
        return path

    return save
