import numpy as np
import pytest

from fer_denoise.demo.example_pictures import noisy_astronaut
from fer_denoise.demo.own_words import FEW_IMPULSES, NO_IMPULSES, STRENGTHS, describe, noise_in_words
from fer_denoise.photos import Box
from fer_denoise.pictures import Picture
from fer_denoise.restore import NoiseLevel


def test_frames_depth_and_what_was_changed_are_told():
    film = Picture(tuple(noisy_astronaut()[:90, :90] for _ in range(3)))
    text = describe(film, None)
    assert "3 frames" in text
    deep = Picture((np.full((9, 9), 4000, np.uint16),), white=4095, notes=("transparency was laid on white",))
    assert "16 bits, white is 4095" in describe(deep, None)
    assert "Transparency was laid on white." in describe(deep, None)


def test_a_description_tells_the_noise_before_and_after_and_the_faces():
    photo = np.zeros((20, 30, 3), np.uint8)
    text = describe(Picture.of(photo), NoiseLevel(0.1, 0.05, ("stripes of sigma about 0.10",)), NoiseLevel(0.002, 0))
    assert "30x20 pixels, in colour" in text and "face" not in text
    before = "strong random noise (about 26 of 255 gray levels), impulses on about 5% of the pixels, stripes of sigma"
    assert f"**Estimated noise before:** {before} about 0.10." in text
    after = "hardly any random noise (less than 1 of 255 gray levels), no impulses found"
    assert f"**Estimated noise after:** {after}." in text
    assert "less than about 2% of the pixels" in describe(Picture.of(photo), NoiseLevel(0.1, 0.01))
    assert "No face was found" in describe(Picture.of(photo[..., 0]), None, None, [])
    assert "2 faces" in describe(Picture.of(photo), None, None, [Box(0, 0, 8), Box(1, 1, 8)])


@pytest.mark.parametrize("number", range(len(STRENGTHS) - 1))
def test_noise_of_a_limit_is_called_by_the_next_word(number):
    (limit, weaker), (_, stronger) = STRENGTHS[number : number + 2]
    assert noise_in_words(NoiseLevel(0.99 * limit / 255, 0)).startswith(f"{weaker} random noise (about ")
    assert noise_in_words(NoiseLevel(1.01 * limit / 255, 0)).startswith(f"{stronger} random noise (about ")


def test_few_impulses_are_not_counted():
    words = [noise_in_words(NoiseLevel(0.1, amount)) for amount in (0, NO_IMPULSES, FEW_IMPULSES)]
    assert [word.partition(", ")[2] for word in words] == [
        "no impulses found",
        "impulses on less than about 2% of the pixels, if any",
        "impulses on about 2% of the pixels",
    ]
