import pytest
from random_networks import random_unet
from training_data import assert_same_tensors

from train.shared.unets import make_unet


def test_a_new_one_has_the_widths_that_are_asked_for():
    model = make_unet(None, [4, 8], residual=True)
    assert model.config["widths"] == [4, 8] and model.residual
    assert make_unet("none", None, residual=False).config["widths"] == [16, 32, 64, 128, 256]
    with pytest.raises(SystemExit, match="--widths: "):
        make_unet(None, [4], residual=False)


def test_one_that_is_begun_with_keeps_its_weights_and_widths(tmp_path):
    begun = random_unet()
    begun.save_pretrained(tmp_path, half=False)
    for widths in (None, [8, 16, 32]):
        assert_same_tensors(make_unet(str(tmp_path), widths, residual=True).state_dict(), begun.state_dict())
    with pytest.raises(SystemExit, match=r"has widths \[8, 16, 32\]: leave out --widths"):
        make_unet(str(tmp_path), [4, 8], residual=True)
