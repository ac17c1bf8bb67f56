import os

import pytest
from accelerate import Accelerator

from train.shared import run_folder


@pytest.mark.slow
def test_the_log_has_a_line_for_each_epoch_and_its_curves_are_plotted_anew_when_they_are_old(tmp_path):
    rows = [{"epoch": i, "train_loss": 1.0, "validation_loss": 2.0, "validation_psnr": 30.0} for i in range(2)]
    run_folder.write_log(tmp_path, rows)
    assert (tmp_path / "log.jsonl").read_text().count("\n") == 2
    curves = tmp_path / "curves.png"
    run_folder.update_curves(tmp_path, rows, "validation_psnr")
    assert curves.read_bytes().startswith(b"\x89PNG")
    written = (tmp_path / "log.jsonl").stat().st_mtime
    for older, age, is_new in ((0, 0, False), (20, 30, False), (40, 30, True), (1, 0, True)):
        curves.write_bytes(b"old")
        os.utime(curves, (written - older, written - older))
        run_folder.update_curves(tmp_path, rows, "validation_psnr", age)
        assert (curves.read_bytes() != b"old") == is_new


@pytest.mark.usefixtures("fresh_accelerator")
def test_a_run_that_does_not_name_its_script_is_one_of_the_u_net_and_goes_on(tmp_path):
    Accelerator(cpu=True)
    rows = [{"epoch": 0, "train_loss": 1.0, "validation_loss": 2.0, "validation_psnr": 30.0}]
    begun = {"task": "low", "recipe": {"epochs": 2}}
    run_folder.save_progress(tmp_path, begun, {}, rows, "validation_psnr")
    for script in ("train.unet", "train.gan"):
        settings = {"script": script, **begun}
        if script == "train.unet":
            assert run_folder.resume(tmp_path, settings, {}) == rows
        else:
            with pytest.raises(SystemExit, match=r"begun with \{'script': 'train\.unet'\}"):
                run_folder.resume(tmp_path, settings, {})


@pytest.mark.parametrize(
    ("losses", "recipe", "finished"),
    [
        ([3.0, 2.0], {"epochs": 3}, False),
        ([3.0, 2.0, 1.0], {"epochs": 3}, True),
        ([1.0, 2.0, 3.0], {"epochs": 9, "early_stop": 2}, True),
        ([1.0, 2.0], {"epochs": 9, "early_stop": 2}, False),
        ([1.0, 2.0, 3.0], {"epochs": 9, "early_stop": None}, False),
    ],
)
def test_a_run_is_finished_after_its_epochs_or_its_early_stop(losses, recipe, finished):
    log = [{"epoch": epoch, "validation_loss": loss} for epoch, loss in enumerate(losses)]
    assert run_folder.is_finished(log, recipe) == finished
