"""Pixels: the forms in which this package takes images, and how it turns them into float32 in [0, 1] and back."""

from os import PathLike
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

Images = TypeVar("Images", np.ndarray, Tensor, Image.Image)
"""An array, a torch tensor on any device, or a Pillow picture: what comes back is of the same type."""
AnyImages = np.ndarray | Tensor | Image.Image

CHANNELS = (1, 3)
"""Gray and colour."""
MODES = ("L", "RGB")
"""Modes of Pillow's pictures whose pixels are levels of gray or of three colours, and nothing else."""
ROUNDING = 1e-3
"""How far beyond [0, 1] floats are taken for rounded and are clipped: a quarter of a gray level out of 255."""
_GRAY = "a grayscale image (H, W) or a batch (N, H, W)"
_ANY = "gray images (H, W), (N, H, W) or (N, 1, H, W), or colour (H, W, 3), (N, H, W, 3) or (N, 3, H, W)"


class Batch:
    """Images of one size as float32 (N, C, H, W) in [0, 1], and the way back to the form in which they came.

    Args:
        images: gray (H, W), (N, H, W) or (N, 1, H, W), or colour (H, W, 3), (N, H, W, 3) or (N, 3, H, W); uint8, or
            floating point in [0, 1]. So (3, H, W) is three gray images. A Pillow picture has mode L or RGB.

    Attributes:
        pixels: (N, C, H, W), with C 1 for gray and 3 for colour.
        shape: that of the images as they came.
        single: whether it is one image, and not a batch of one.

    Raises:
        TypeError: another dtype, or a path.
        ValueError: another shape or mode, no pixels, NaN or infinity, or values outside [0, 1].
    """

    def __init__(self, images: AnyImages) -> None:
        self._images = images
        array = _as_array(images)
        self.shape = array.shape
        self.single, self._channel = _layout(array.shape, _ANY)
        self._dtype = array.dtype
        array = _in_unit_range(array)
        if self.single:
            array = array[None]
        self.pixels = array[:, None] if self._channel is None else np.moveaxis(array, self._channel, 1)

    def like_input(self, pixels: np.ndarray) -> Any:
        """Float (N, C, H, W) in [0, 1] in the form, shape and dtype, and on the device, of what came in."""
        images = pixels[:, 0] if self._channel is None else np.moveaxis(pixels, 1, self._channel)
        array = np.ascontiguousarray(to_dtype(images[0] if self.single else images, self._dtype))
        original = self._images
        if isinstance(original, Tensor):
            return torch.from_numpy(array).to(original.device, original.dtype)
        if isinstance(original, Image.Image):
            picture = Image.fromarray(array)
            # Which way up it is, its colour profile and its resolution.
            picture.info = original.info.copy()
            return picture
        return array


def to_float(images: AnyImages) -> np.ndarray:
    """Grayscale images as a float32 array in [0, 1].

    Args:
        images: (H, W) or (N, H, W); uint8, or floating point in [0, 1].

    Raises:
        TypeError: another dtype, or a path.
        ValueError: another shape, no pixels, NaN or infinity, or values outside [0, 1].
    """
    array = _as_array(images)
    _, channel = _layout(array.shape, _GRAY)
    if channel is not None:
        gray = array.shape[channel] == 1
        remedy = f"squeeze axis {channel}" if gray else "convert colour first, for example with PIL.Image.convert('L')"
        raise ValueError(f"expected {_GRAY}, got shape {array.shape}; {remedy}")
    return _in_unit_range(array)


def to_dtype(images: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Float images in [0, 1] as `dtype`: floating point, or uint8, which rounds to the nearest of 256 levels."""
    if dtype == np.uint8:
        return np.rint(images * 255).astype(np.uint8)
    return images.astype(dtype, copy=False)


def check_sigma(sigma: Any, name: str = "sigma") -> float:
    """A noise level on the scale of the pixels, as a Python float; any real number will do, NumPy's and torch's too.

    Args:
        name: what the messages call it.

    Raises:
        TypeError: it is not one number.
        ValueError: it is not in [0, 1]; the message says how to convert a level out of 255.
    """
    try:
        level = float(sigma)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} must be one number from 0 to 1, got {sigma!r}") from None
    if not 0 <= level <= 1:
        remedy = f"; of a level out of 255 give {name} / 255, here {level / 255:.4g}" if 1 < level <= 255 else ""
        raise ValueError(f"{name} must be a number from 0 to 1, the scale of the pixels, got {level:g}{remedy}")
    return level


def _as_array(images: Any) -> np.ndarray:
    if isinstance(images, str | PathLike):
        raise TypeError(f"expected pixels, got the path {images}; open it first, with PIL.Image.open({str(images)!r})")
    if isinstance(images, Tensor):
        images = images.detach().cpu()
        return (images.float() if images.dtype == torch.bfloat16 else images).numpy()
    if isinstance(images, Image.Image) and images.mode not in MODES:
        deep = images.mode.startswith(("I", "F"))
        remedy = (
            "divide its array by its white point, as in numpy.asarray(picture) / 65535 for 16 bits"
            if deep
            else "convert it with picture.convert('RGB') or picture.convert('L')"
        )
        raise ValueError(f"expected a picture of mode {' or '.join(MODES)}, got mode {images.mode}; {remedy}")
    return np.asarray(images)


def _layout(shape: tuple[int, ...], expected: str) -> tuple[bool, int | None]:
    """Whether a shape is that of one image, and which axis is that of the channels, if there is one.

    Raises:
        ValueError: it is no shape of images; the message says what is `expected`.
    """
    remedy = "reshape it, a picture of many channels as that many gray ones"
    if 0 in shape:
        remedy = "it holds no pixels"
    elif len(shape) in (3, 4) and shape[-1] in (2, 4):
        remedy = f"leave the alpha channel out: images[..., :{shape[-1] - 1}]"
    elif len(shape) in (3, 4) and shape[-1] in CHANNELS:
        return len(shape) == 3, -1
    elif len(shape) in (2, 3):
        return len(shape) == 2, None
    elif len(shape) == 4 and shape[1] in CHANNELS:
        return False, 1
    raise ValueError(f"expected {expected}, got shape {shape}; {remedy}")


def _in_unit_range(images: np.ndarray) -> np.ndarray:
    """uint8, or floats that are in [0, 1] but for rounding, as float32 in [0, 1]."""
    if images.dtype == np.uint8:
        return images.astype(np.float32) / np.float32(255)
    if not np.issubdtype(images.dtype, np.floating):
        raise TypeError(
            f"expected uint8 or floating point pixels, got {images.dtype}; rescale to [0, 1], that is, divide by the "
            "white point, such as 255"
        )
    low, high = images.min(), images.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(
            "the image holds NaN or infinity; replace those pixels first, for example with numpy.nan_to_num"
        )
    if low < -ROUNDING or high > 1 + ROUNDING:
        raise ValueError(
            f"floating point pixels must lie in [0, 1], got [{low:.4g}, {high:.4g}]; rescale or clip them"
            + (", for example divide by 255" if low >= 0 and 1.5 < high <= 255 else "")
        )
    images = images.astype(np.float32, copy=False)
    return np.clip(images, 0, 1) if low < 0 or high > 1 else images
