import struct
import zlib

import pytest
from PIL import UnidentifiedImageError

from fer_denoise.decoding import DamagedError, decoding


@pytest.mark.parametrize("error", [OSError("cut off"), KeyError("tag"), struct.error("short"), zlib.error("bad block")])
def test_what_a_decoder_raises_is_a_damaged_file_in_its_words(error):
    with pytest.raises(DamagedError) as caught, decoding():
        raise error
    assert str(caught.value) == str(error) and caught.value.__cause__ is error


def test_an_error_without_words_is_told_by_its_name():
    with pytest.raises(DamagedError, match=r"^MemoryError$"), decoding():
        raise MemoryError


@pytest.mark.parametrize("error", [UnidentifiedImageError("no format"), AttributeError("ours"), KeyboardInterrupt()])
def test_what_no_broken_file_brings_about_stays_what_it_is(error):
    with pytest.raises(type(error)) as caught, decoding():
        raise error
    assert caught.value is error
