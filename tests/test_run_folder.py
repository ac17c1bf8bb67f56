import pytest

from train.shared import run_folder


@pytest.mark.slow
def test_the_log_has_a_line_for_each_epoch_and_curves(tmp_path):
    rows = [{"epoch": i, "train_loss": 1.0, "validation_loss": 2.0, "validation_psnr": 30.0} for i in range(2)]
    run_folder.write_log(tmp_path, rows)
    assert (tmp_path / "log.jsonl").read_text().count("\n") == 2
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


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
