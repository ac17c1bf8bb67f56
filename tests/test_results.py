import json

import pytest

from train.reporting.results import Scores, load_previous


def test_results_of_other_faces_are_not_written_over(tmp_path):
    file = tmp_path / "some.json"
    conditions = {"data": {"images": 3}, "seed": 3}
    assert load_previous(file, conditions) == {}
    file.write_text(json.dumps({**conditions, "tasks": {"low": []}}))
    assert load_previous(file, conditions)["tasks"] == {"low": []}
    with pytest.raises(SystemExit, match="move it away"):
        load_previous(file, {**conditions, "data": {"images": 2}})


def test_a_method_that_is_made_of_something_else_is_measured_again(tmp_path):
    file, conditions = tmp_path / "some.json", {"seed": 3}
    scores = Scores(file, conditions, {"one": {"weights": "a"}, "other": {}})
    scores.put("one", "here", 1)
    scores.put("other", "here", 2)
    scores = Scores(file, conditions, {"one": {"weights": "a"}})
    assert scores.missing("here") == [] and scores.missing("there") == ["one"]
    assert Scores(file, conditions, {"one": {"weights": "b"}}).missing("here") == ["one"]
    scores = Scores(file, conditions, {"one": {"weights": "a"}}, anew=["one"])
    assert scores.missing("here") == ["one"] and scores.results["methods"]["other"]["cells"] == {"here": 2}
