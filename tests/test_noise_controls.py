import pytest

from fer_denoise.demo.noise_controls import CONTROLS


@pytest.mark.parametrize("controls", CONTROLS.values())
def test_a_sweep_goes_from_weak_to_strong_within_its_axis(controls):
    levels = [level for level, _ in controls.sweep(*controls.preset)]
    assert levels == sorted(levels) and controls.level_limits[0] < levels[0] <= levels[-1] <= controls.level_limits[1]
    assert all(low <= value <= high for value, (low, high) in zip(controls.preset, controls.limits, strict=True))
