import torch
from torch import nn

from train.shared.roofline import PASSES, Ceilings, Work, ceilings_of, work_of


def test_the_work_of_a_convolution_is_what_one_counts_by_hand():
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 2, 1))
    work = work_of(network, torch.rand(3, 1, 8, 8), bytes_per_value=2)
    assert work.operations == PASSES * 2 * 64 * (9 * 4 + 4 * 2)
    assert work.bytes == PASSES * 2 * 64 * ((1 + 4) + (4 + 2))


def test_the_scarcer_of_both_sets_the_speed():
    ceilings = Ceilings(operations=1000, bytes=100)
    assert ceilings.images_per_second(Work(operations=10, bytes=10)) == 10
    assert ceilings.images_per_second(Work(operations=500, bytes=1)) == 2


def test_a_processor_has_ceilings_too():
    ceilings = ceilings_of(torch.device("cpu"), torch.float32)
    assert ceilings.operations > 1e8 and ceilings.bytes > 1e8
