from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fer_denoise.images import Batch, check_sigma, to_dtype, to_float

LAYOUTS = [(5, 7), (3, 5, 7), (2, 1, 5, 7), (5, 7, 3), (5, 7, 1), (2, 5, 7, 3), (2, 5, 7, 1), (2, 3, 5, 7), (1, 5, 7)]
"""Shapes that images have, all of 5x7 pixels."""


@pytest.mark.parametrize("shape", [(5, 7), (3, 5, 7)])
def test_uint8_is_scaled_to_float32(shape):
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    result = to_float(images)
    assert result.dtype == np.float32 and result.shape == shape
    np.testing.assert_allclose(result, images / 255, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_keep_their_values(dtype):
    images = np.array([[0, 0.25], [0.5, 1]], dtype)
    result = to_float(images)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, images)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint16, bool, np.complex64])
def test_other_dtypes_are_refused_with_a_remedy(dtype):
    with pytest.raises(TypeError, match=rf"{np.dtype(dtype)}.*rescale"):
        to_float(np.zeros((8, 8), dtype))


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((), "reshape"),
        ((8,), "reshape"),
        ((2, 5, 8, 8), "reshape"),
        ((1, 1, 1, 8, 8), "reshape"),
        ((0, 8), "no pixels"),
        ((0, 8, 8), "no pixels"),
        ((8, 8, 4), r"images\[..., :3\]"),
        ((8, 8, 2), r"images\[..., :1\]"),
        ((3, 8, 8, 4), r"images\[..., :3\]"),
    ],
)
@pytest.mark.parametrize("convert", [to_float, Batch])
def test_other_shapes_are_refused_with_a_remedy(convert, shape, remedy):
    with pytest.raises(ValueError, match=rf"gray.*\(H, W\).*{remedy}"):
        convert(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [
        ((8, 8, 3), "convert"),
        ((2, 3, 8, 8), "convert"),
        ((8, 8, 1), "squeeze axis -1"),
        ((2, 1, 8, 8), "squeeze axis 1"),
    ],
)
def test_where_gray_is_asked_for_an_axis_of_channels_is_refused_with_a_remedy(shape, remedy):
    with pytest.raises(ValueError, match=rf"grayscale.*\(H, W\).*{remedy}"):
        to_float(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_with_a_remedy(bad):
    images = np.full((3, 8, 8), 0.5)
    images[2, 7, 7] = bad
    with pytest.raises(ValueError, match=r"NaN or infinity.*nan_to_num"):
        to_float(images)


@pytest.mark.parametrize(("bad", "shown"), [(-0.5, "-0.5"), (255.0, "255"), (1.002, "1.002"), (-0.002, "-0.002")])
def test_values_outside_the_range_are_refused_with_a_remedy(bad, shown):
    images = np.full((8, 8), 0.5)
    images[0, 0] = bad
    with pytest.raises(ValueError, match=rf"{shown}.*rescale or clip"):
        to_float(images)


def test_floats_out_of_255_are_told_to_divide_by_it():
    with pytest.raises(ValueError, match="divide by 255"):
        to_float(np.full((8, 8), 128.0))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_what_rounding_leaves_beyond_the_range_is_clipped(dtype):
    beyond = np.finfo(dtype).eps
    images = np.array([[-beyond, 0.5], [1, 1 + beyond]], dtype)
    before = images.copy()
    np.testing.assert_array_equal(to_float(images), [[0, 0.5], [1, 1]])
    np.testing.assert_array_equal(images, before)
    np.testing.assert_array_equal(to_float(np.full((2, 2), 1 + 1e-9)), 1)


@pytest.mark.parametrize("shape", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.float64])
def test_every_layout_becomes_planes_and_comes_back(shape, dtype):
    images = np.random.default_rng(0).random(shape)
    images = np.rint(255 * images).astype(dtype) if dtype == np.uint8 else images.astype(dtype)
    batch = Batch(images)
    assert batch.pixels.dtype == np.float32 and batch.pixels.shape[2:] == (5, 7)
    assert batch.pixels.size == images.size
    assert batch.single == (shape in [(5, 7), (5, 7, 3), (5, 7, 1)])
    back = batch.like_input(batch.pixels)
    assert back.dtype == dtype and back.flags.c_contiguous
    np.testing.assert_allclose(back, images, rtol=1e-6)


def test_channels_are_found_where_they_stand():
    colour = np.random.default_rng(0).random((2, 5, 7, 3), dtype=np.float32)
    first = np.moveaxis(colour, -1, 1)
    for images in (colour, first, torch.from_numpy(colour), torch.from_numpy(first)):
        np.testing.assert_array_equal(Batch(images).pixels, first)
    np.testing.assert_array_equal(Batch(colour[0]).pixels, first[:1])
    np.testing.assert_array_equal(Batch(first[0]).pixels, first[0][:, None])


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_a_tensor_comes_back_as_a_tensor(dtype):
    images = (torch.arange(35).reshape(1, 1, 5, 7) / (1 if dtype == torch.uint8 else 35)).to(dtype)
    batch = Batch(images)
    back = batch.like_input(batch.pixels)
    assert isinstance(back, torch.Tensor) and back.dtype == dtype
    assert torch.equal(back, images)


def test_a_tensor_with_gradients_is_taken_and_comes_back_without():
    batch = Batch(torch.rand(5, 7, requires_grad=True))
    assert not batch.like_input(batch.pixels).requires_grad


@pytest.mark.parametrize(("mode", "shape"), [("L", (5, 7)), ("RGB", (5, 7, 3))])
def test_a_picture_comes_back_as_a_picture_with_what_it_says_of_itself(mode, shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    picture = Image.fromarray(pixels)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.info.update(exif=exif.tobytes(), dpi=(72, 72))
    batch = Batch(picture)
    back = batch.like_input(batch.pixels)
    assert back.mode == mode and back.getexif()[0x0112] == 6 and back.info["dpi"] == (72, 72)
    np.testing.assert_array_equal(np.asarray(back), pixels)


@pytest.mark.parametrize("path", ["face.png", Path("face.png")])
@pytest.mark.parametrize("convert", [to_float, Batch])
def test_a_path_is_refused_with_how_to_open_it(convert, path):
    with pytest.raises(TypeError, match=r"got the path face\.png; open it first, with PIL\.Image\.open\('face\.png'\)"):
        convert(path)


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK", "YCbCr", "HSV", "LAB"])
@pytest.mark.parametrize("convert", [to_float, Batch])
def test_pictures_whose_pixels_are_no_levels_of_gray_or_rgb_are_refused_with_a_remedy(convert, mode):
    with pytest.raises(ValueError, match=rf"mode {mode};.*convert\('RGB'\)"):
        convert(Image.new(mode, (8, 8)))


@pytest.mark.parametrize("mode", ["I;16", "I", "F"])
def test_deep_pictures_are_not_told_to_convert_which_would_cut_them(mode):
    with pytest.raises(ValueError, match=f"mode {mode};.*white point") as caught:
        Batch(Image.new(mode, (8, 8)))
    assert "convert(" not in str(caught.value)


@pytest.mark.parametrize(
    "sigma", [0.25, np.float32(0.25), np.float64(0.25), np.float16(0.25), np.array(0.25), torch.tensor(0.25)]
)
def test_any_real_number_is_a_noise_level(sigma):
    level = check_sigma(sigma)
    assert type(level) is float and level == 0.25
    assert [check_sigma(whole) for whole in (0, 1, np.uint8(1))] == [0, 1, 1]


@pytest.mark.parametrize("sigma", [15, np.float32(15), np.int64(15), 25.5])
def test_a_noise_level_out_of_255_is_refused_with_what_to_give(sigma):
    with pytest.raises(ValueError, match=rf"sigma / 255, here {float(sigma) / 255:.4g}"):
        check_sigma(sigma)


@pytest.mark.parametrize("sigma", [-0.01, np.nan, np.inf, -np.inf])
def test_what_is_no_level_at_all_is_refused_without_talk_of_255(sigma):
    with pytest.raises(ValueError, match="from 0 to 1") as caught:
        check_sigma(sigma)
    assert "255" not in str(caught.value)


@pytest.mark.parametrize("sigma", [[0.1, 0.2], np.array([0.1, 0.2]), torch.tensor([0.1, 0.2]), "low", 0.1j, None])
def test_what_is_not_one_number_is_no_noise_level(sigma):
    with pytest.raises(TypeError, match="sigma must be one number from 0 to 1"):
        check_sigma(sigma)


def test_to_dtype_rounds_to_the_nearest_level():
    images = np.array([[0, 0.4 / 255, 0.6 / 255], [127.4 / 255, 127.6 / 255, 1]], np.float32)
    result = to_dtype(images, np.dtype(np.uint8))
    assert result.dtype == np.uint8
    assert result.tolist() == [[0, 0, 1], [127, 128, 255]]


def test_uint8_survives_the_way_there_and_back():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    np.testing.assert_array_equal(to_dtype(to_float(levels), levels.dtype), levels)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_to_dtype_gives_the_float_asked_for(dtype):
    images = np.linspace(0, 1, 16, dtype=np.float32).reshape(4, 4)
    result = to_dtype(images, np.dtype(dtype))
    assert result.dtype == dtype
    np.testing.assert_allclose(result, images, atol=1e-3)
