"""What tests of jobs on tables share: a table of faces, and what is to become of it."""

from pathlib import Path

import datasets
import numpy as np

from fer_denoise import Restorer
from fer_denoise.command.job import Restoration
from fer_denoise.data import load_fer2013

ROWS = 23
MEDIAN = Restoration("median")


def write_table(file: Path, faces: np.ndarray) -> Path:
    """A Parquet file shaped as FER2013: pixels and labels."""
    rows = {"pixels": [face.ravel().tolist() for face in faces], "emotion": [row % 7 for row in range(len(faces))]}
    datasets.Dataset.from_dict(rows).to_parquet(file)
    return file


def images_of(path: Path) -> np.ndarray:
    return load_fer2013(path, "test").images


def median_of(faces: np.ndarray) -> np.ndarray:
    return Restorer.from_pretrained("median")(faces)


def leftovers(folder: Path) -> list[str]:
    """What a job leaves for the next one, whatever it calls it: all that is hidden."""
    return [path.name for path in folder.rglob(".*")]


class Broken(Restoration):
    """Fails at a row, as where a machine is switched off."""

    def __call__(self, pictures, rows):
        if 12 in rows:
            raise KeyboardInterrupt
        return super().__call__(pictures, rows)
