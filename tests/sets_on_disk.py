"""Sets of pictures as the Hub has them."""

from pathlib import Path

import datasets
import numpy as np
from datasets_on_disk import png


def write_parquet(file: Path, **columns: list[np.ndarray]) -> None:
    rows = {name: [{"bytes": png(picture), "path": None} for picture in each] for name, each in columns.items()}
    features = datasets.Features({name: datasets.Image() for name in columns})
    datasets.Dataset.from_dict(rows, features=features).to_parquet(file)
