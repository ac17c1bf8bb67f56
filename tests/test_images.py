import numpy as np
import pytest

from fer_denoise.images import to_dtype, to_float


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


@pytest.mark.parametrize("shape", [(), (8,), (1, 1, 8, 8), (0, 8), (0, 8, 8)])
def test_other_shapes_are_refused_with_a_remedy(shape):
    with pytest.raises(ValueError, match=r"\(H, W\).*grayscale"):
        to_float(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_with_a_remedy(bad):
    images = np.full((3, 8, 8), 0.5)
    images[2, 7, 7] = bad
    with pytest.raises(ValueError, match=r"NaN or infinity.*nan_to_num"):
        to_float(images)


@pytest.mark.parametrize(("bad", "shown"), [(-0.5, "-0.5"), (255.0, "255")])
def test_values_outside_the_range_are_refused_with_a_remedy(bad, shown):
    images = np.full((8, 8), 0.5)
    images[0, 0] = bad
    with pytest.raises(ValueError, match=rf"{shown}.*rescale or clip"):
        to_float(images)


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
