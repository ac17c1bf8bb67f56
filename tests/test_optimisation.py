import numpy as np
import pytest
import torch

from train.shared import optimisation
from train.shared.checkpoint import load_optimizer


def test_the_rate_warms_up_then_falls_as_a_cosine():
    factors = [optimisation.warm_up_then_cosine(step, 10, 110) for step in range(111)]
    np.testing.assert_allclose(factors[:10], np.arange(1, 11) / 10)
    assert factors[10] == 1 and factors[60] == pytest.approx(0.5) and factors[110] == pytest.approx(0)
    assert (np.diff(factors[10:]) < 0).all()
    assert optimisation.warm_up_then_cosine(200, 10, 110) == pytest.approx(0)


def test_a_run_shorter_than_its_warm_up_keeps_warming_up():
    assert [optimisation.warm_up_then_cosine(step, 200, 10) for step in (0, 9)] == [1 / 200, 10 / 200]


def test_the_moving_average_widens_to_its_decay():
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.constant_(model.weight, 2)
    for updates, weight in [(0, 1), (1, 1 - 2 / 11), (10**6, 0.1)]:
        average = optimisation.MovingAverage(model, 0.9)
        torch.nn.init.constant_(average.module.weight, 1)
        average.n_averaged.fill_(updates)
        average.update_parameters(model)
        assert average.module.weight.item() == pytest.approx(1 + weight)
        assert average.n_averaged == updates + 1


def test_the_optimiser_takes_its_rate_with_it():
    model = torch.nn.Linear(2, 1)
    optimizer = optimisation.make_optimizer("adamw", model, 0.1, weight_decay=0.0)
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    again = optimisation.make_optimizer("adamw", model, 0.5, weight_decay=0.0)
    load_optimizer(again, optimizer.state_dict())
    assert again.param_groups[0]["lr"] == pytest.approx(0.1)
    rate = torch.tensor(0.5)
    again.param_groups[0]["lr"] = rate
    load_optimizer(again, optimizer.state_dict())
    assert again.param_groups[0]["lr"] is rate and rate.item() == pytest.approx(0.1)
