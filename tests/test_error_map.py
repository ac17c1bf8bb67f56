import numpy as np

from fer_denoise.demo.error_map import (
    COLOURS,
    ERROR_LIMIT,
    MISSED,
    REPAINTED,
    REPAIRED,
    attention_picture,
    colour,
    error_legend,
    error_picture,
    impulse_legend,
    impulse_picture,
    noise_picture,
)
from fer_denoise.restore import NoiseMap


def test_colours_go_from_dark_to_light_and_stop_at_the_ends():
    ramp = colour(np.linspace(0, 1, 50)[None])[0]
    luminance = ramp @ [0.299, 0.587, 0.114]
    assert (np.diff(luminance) > 0).all()
    np.testing.assert_array_equal(colour(np.array([[-1.0, 2.0]]))[0], COLOURS[[0, -1]])


def test_the_error_picture_is_dark_where_the_face_is_right():
    clean = np.full((48, 48), 0.5, np.float32)
    restored = clean.copy()
    restored[3, 4] += 2 * ERROR_LIMIT
    picture = np.array(error_picture(restored, clean))
    np.testing.assert_array_equal(picture[3, 4], COLOURS[-1])
    picture[3, 4] = COLOURS[0]
    assert (picture == COLOURS[0]).all()
    assert f"{ERROR_LIMIT * 255:.0f} or more" in error_legend()


def test_the_noise_picture_is_light_where_the_noise_is_and_marks_what_is_lost():
    sigma, impulses = np.zeros((8, 8), np.float32), np.zeros((8, 8), np.float32)
    sigma[:, 4:], impulses[0, 0] = 0.2, 0.9
    picture = np.array(noise_picture(NoiseMap(sigma, impulses)))
    assert picture.shape == (8, 8, 3)
    assert (picture[:, 4:] == COLOURS[-1]).all() and (picture[1:, :4] == COLOURS[0]).all()
    assert tuple(picture[0, 0]) == REPAINTED


def test_the_attention_picture_shows_the_differences_of_the_coefficients():
    coefficients = np.full((48, 48), 0.4)
    coefficients[:, 24:] = 0.6
    picture = np.asarray(attention_picture(np.zeros((48, 48)), coefficients)).astype(int)
    assert picture[:, 24:].sum() > 5 * picture[:, :24].sum()
    assert np.isfinite(np.asarray(attention_picture(np.ones((48, 48)), np.ones((48, 48))))).all()


def test_impulses_are_coloured_by_what_became_of_them():
    clean = np.full((8, 8), 0.5)
    clean[0, :2] = 0
    noisy = clean.copy()
    noisy[2, 2] = noisy[3, 3] = 1
    restored = noisy.copy()
    restored[2, 2] = restored[0, 0] = restored[5, 5] = 0.4
    picture = np.asarray(impulse_picture(clean, noisy, restored))
    assert tuple(picture[2, 2]) == REPAIRED and tuple(picture[3, 3]) == MISSED and tuple(picture[0, 0]) == REPAINTED
    for untouched in ((0, 1), (5, 5), (6, 6)):
        assert len(np.unique(picture[untouched])) == 1
    assert "missed" in impulse_legend()
