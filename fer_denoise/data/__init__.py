"""Face datasets such as FER2013, as people have them: on the Hub, as tables, folders and lists of pixels.

`datasets` takes a second to import, so only the functions that need it do so, and a picture is restored without it.
"""

from fer_denoise.data.columns import EMOTIONS, DataError
from fer_denoise.data.fer2013 import HUB_DATASET, Faces, load_fer2013, load_splits, stands_in

__all__ = ["EMOTIONS", "HUB_DATASET", "DataError", "Faces", "load_fer2013", "load_splits", "stands_in"]
