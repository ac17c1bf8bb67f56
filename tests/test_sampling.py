from itertools import chain
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from train.shared import sampling

ALONE = SimpleNamespace(process_index=0, num_processes=1)


def batches(count=20, batch_size=6, seed=0, epoch=0, accelerator=ALONE, passes=1) -> list[list[int]]:
    return [batch.tolist() for batch in sampling.batches(count, batch_size, seed, epoch, accelerator, passes)]


def test_an_epoch_visits_images_once_in_whole_batches():
    epoch = batches()
    assert [len(batch) for batch in epoch] == [6, 6, 6]
    visited = list(chain(*epoch))
    assert len(set(visited)) == 18 and set(visited) <= set(range(20))


def test_the_order_depends_on_seed_and_epoch_alone():
    torch.manual_seed(0)
    first = batches(seed=3, epoch=5)
    torch.manual_seed(1)
    assert batches(seed=3, epoch=5) == first
    assert batches(seed=3, epoch=6) != first
    assert batches(seed=4, epoch=5) != first


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_the_batches_of_one(processes):
    shares = [batches(accelerator=SimpleNamespace(process_index=i, num_processes=processes)) for i in range(processes)]
    for whole, *parts in zip(batches(), *shares, strict=True):
        assert all(len(part) == 6 // processes for part in parts)
        assert sorted(chain(*parts)) == sorted(whole)


@pytest.mark.parametrize(("count", "batch_size", "expected"), [(20, 6, 3), (18, 6, 3), (6, 6, 1)])
def test_an_epoch_has_whole_batches_only(count, batch_size, expected):
    assert sampling.batches_per_epoch(count, batch_size) == expected == len(batches(count, batch_size))


def test_too_few_images_for_a_batch_end_with_a_remedy():
    with pytest.raises(SystemExit, match="--batch-size of at most 5"):
        sampling.batches_per_epoch(5, 6)


def test_generators_depend_on_their_key_alone():
    def draw(*key):
        return torch.rand(4, generator=sampling.generator(*key)).tolist()

    keys = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (2**40, 0, 0)]
    draws = {key: draw(*key) for key in keys}
    torch.manual_seed(9)
    assert draws == {key: draw(*key) for key in reversed(keys)}
    assert len({tuple(values) for values in draws.values()}) == len(keys)


def test_as_batch_and_as_float_keep_the_pixels(make_faces):
    faces = make_faces(3)
    batch = sampling.as_batch(faces[:, ::-1], torch.device("cpu"))
    assert batch.shape == (3, 1, 48, 48) and batch.dtype == torch.uint8
    values = sampling.as_float(batch)
    assert values.dtype == torch.float32 and values.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(values[:, 0].numpy(), faces[:, ::-1] / 255, atol=1e-6)
    assert torch.equal(batch, sampling.as_batch(faces[:, ::-1], torch.device("cpu")))


def test_zeros_behind_a_key_make_another_key():
    assert len({sampling.seed_of(*key) for key in ((0,), (0, 0), (0, 0, 0), (0, 0, 0, 0))}) == 4


def test_random_flips_mirror_half_of_the_images():
    images = torch.rand(400, 1, 4, 6, generator=sampling.generator(0))
    flipped = sampling.random_flips(images, sampling.generator(1))
    same = (flipped == images).all(dim=(1, 2, 3))
    mirrored = (flipped == images.flip(-1)).all(dim=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 150 < mirrored.sum() < 250
    assert torch.equal(sampling.random_flips(images, sampling.generator(1)), flipped)


def test_an_epoch_of_several_passes_goes_over_all_images_in_other_orders():
    first, second = (batches(10, 5, epoch=epoch, passes=2) for epoch in (0, 1))
    assert first[:2] == batches(10, 5)
    orders = [list(chain(*two)) for two in (first[:2], first[2:], second[:2], second[2:])]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len(set(map(tuple, orders))) == 4
