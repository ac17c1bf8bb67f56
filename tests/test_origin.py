import math

import pytest

from fer_denoise.noise import TASKS
from fer_denoise.origin import ORIGIN_REPORTED, PATCHGAN_OFFSET


def test_what_is_reported_is_by_task_and_of_task_3_by_the_u_net_alone():
    assert ORIGIN_REPORTED.keys() == TASKS.keys()
    assert [list(models) for models in ORIGIN_REPORTED.values()] == [["Attention U-Net", "PatchGAN"]] * 2 + [
        ["Attention U-Net"]
    ]


def test_the_offset_of_the_patchgan_is_that_of_half_the_range():
    assert pytest.approx(20 * math.log10(2), abs=0.001) == PATCHGAN_OFFSET
