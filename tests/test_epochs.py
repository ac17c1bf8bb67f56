import pytest
from accelerate import Accelerator

from train.shared import epochs


@pytest.mark.usefixtures("fresh_accelerator")
@pytest.mark.parametrize(
    ("foreseen", "took", "left", "expected"),
    [
        (20, 10, 190, 20),
        (20, 10.5, 189.5, 20),
        (20, 5, 195, 40),
        (20, 20, 180, 10),
        (2, 100, 20, 2),
        (5, 100, 20, 2),
        (1, 100, -40, 1),
        (1, 20, 40, 3),
    ],
)
def test_the_first_epoch_tells_how_many_fit(foreseen, took, left, expected):
    assert epochs.epochs_after_first(foreseen, took, left, Accelerator(cpu=True)) == expected
