import pytest

from train.measures import recognition, world


@pytest.mark.slow
def test_a_part_of_what_was_measured_does_not_take_its_place(run_benchmark, tmp_path, monkeypatch):
    monkeypatch.setattr(recognition, "levels", lambda: [(0, 0)])
    monkeypatch.setattr(world, "KINDS", {})
    run_benchmark("--emotion", "--models", "median", "switching-median")
    file = tmp_path / "results" / recognition.FILE
    whole = file.read_bytes()
    with pytest.raises(SystemExit, match="choose another --out"):
        run_benchmark("--emotion", "--models", "median")
    for otherwise in (("--images", "3"), ("--seed", "8")):
        with pytest.raises(SystemExit, match="measured otherwise"):
            run_benchmark("--emotion", "--models", "median", "switching-median", *otherwise)
    assert file.read_bytes() == whole
    run_benchmark("--emotion", "--models", "median", "switching-median", "tv")
    assert file.read_bytes() != whole
