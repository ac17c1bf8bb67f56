import shutil
from pathlib import Path

import pytest

from fer_denoise.hub.sources import BUNDLE
from fer_denoise.noise import TASK_RECORDS, TASKS, GaussianNoise, SaltAndPepperNoise, task_at

ROOT = Path(__file__).parents[1]
RECORD = """        Task(
            key="very_high",
            noise=GaussianNoise(sigma=0.12),
            name="very high Gaussian",
            title="Task 4, very high Gaussian (sigma 0.12)",
            description="very high Gaussian noise (sigma 0.12 on [0, 1])",
            tab="Very high Gaussian noise",
            sliders=(0.6, 0.4),
        ),
    )
}
"""
USE_THE_FOURTH = """
from pathlib import Path

import gradio as gr
import numpy as np

import fer_denoise
from fer_denoise.classical import ClassicalFilter
from fer_denoise.demo.links import read_link
from fer_denoise.demo.page import build
from fer_denoise.hub.sources import BUNDLE
from fer_denoise.noise import TASKS, task_at
from fer_denoise.zoo import MODELS
from train import gan, unet
from train.reporting.cards import make_card, model_name

assert Path(fer_denoise.__file__).is_relative_to(Path.cwd()), fer_denoise.__file__
assert list(TASKS) == ["low", "high", "salt_pepper", "very_high"] and task_at(0.12, 0) == "very_high"

networks = [name for name, model in MODELS.items() if model.serves("very_high") and model.task]
assert networks == ["attention-unet-very-high", "patchgan-very-high"]
assert MODELS["patchgan-very-high"].title == "PatchGAN, very high Gaussian"
assert "very high Gaussian noise" in MODELS["attention-unet-very-high"].summary
assert [name for name in fer_denoise.list_models() if name in networks] == ["patchgan-very-high"]

folder = BUNDLE / "patchgan-very-high"
assert model_name(folder) == "patchgan-very-high"
card = str(make_card("patchgan-very-high", folder))
assert "very high Gaussian noise (sigma 0.12 on [0, 1])" in card and "PatchGAN, very high Gaussian" in card

for script in (unet, gan):
    for preset in ("origin", "improved"):
        args = script.parse_args(["--task", "very_high", "--preset", preset, "--out", "anywhere"])
        assert script.make_recipe(args).epochs

noisy = TASKS["very_high"](np.full((1, 16, 16), 0.5, np.float32), seed=0)
assert ClassicalFilter("tv")(noisy, 0.12).shape == noisy.shape

assert read_link({"tab": "very_high", "right": "tv", "noise": "0.12"}).values == (0.12,)
parts = build().blocks.values()
assert [part.label for part in parts if isinstance(part, gr.Tab)][:5] == [
    "Playground", "Low Gaussian noise", "High Gaussian noise", "Salt and pepper", "Very high Gaussian noise"
]
factors = [part.value for part in parts if isinstance(part, gr.Slider) and part.label == "Factor"]
assert factors == [0.2, 0.3, 0.4], factors
"""


@pytest.mark.slow
def test_a_fourth_task_is_one_record(run_python, tmp_path):
    package = tmp_path / "fer_denoise"
    shutil.copytree(ROOT / "fer_denoise", package, ignore=shutil.ignore_patterns("weights", "__pycache__"))
    for name in ("train", "hub_cards"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in BUNDLE.iterdir():
        shutil.copytree(folder, package / "weights" / folder.name)
    network = package / "weights" / "patchgan-very-high"
    shutil.copytree(BUNDLE / "patchgan-high", network)
    config = network / "config.json"
    config.write_text(config.read_text().replace('"task": "high"', '"task": "very_high"'))

    records = package / "noise" / "tasks.py"
    before, end, after = records.read_text().partition("    )\n}\n")
    assert end
    records.write_text(before + RECORD + after)

    ran = run_python("-c", USE_THE_FOURTH, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_found_by_the_level_of_its_noise(task):
    match TASKS[task]:
        case GaussianNoise(sigma):
            assert task_at(sigma, 0) == task and task_at(sigma, 0.1) is None
        case SaltAndPepperNoise(amount):
            assert task_at(0, amount) == task and task_at(0.02, amount) is None
    assert TASK_RECORDS[task].noise is TASKS[task]


def test_no_task_is_without_noise_or_of_another_level():
    assert [task_at(*levels) for levels in ((0, 0), (0.03, 0), (0, 0.2))] == [None] * 3


def test_tasks_have_the_levels_of_the_specification():
    assert list(TASKS) == ["low", "high", "salt_pepper"]
    assert TASKS["low"] == GaussianNoise(sigma=0.02)
    assert TASKS["high"] == GaussianNoise(sigma=0.06)
    assert TASKS["salt_pepper"] == SaltAndPepperNoise(amount=0.1, salt_vs_pepper=0.5)
