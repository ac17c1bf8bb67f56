import pytest

from fer_denoise.hub.sources import is_repo_id


@pytest.mark.parametrize(("source", "answer"), [("user/repo", True), ("a-b/c.d_e", True), ("repo", False)])
def test_hub_ids_are_user_and_repo(source, answer):
    assert is_repo_id(source) is answer


@pytest.mark.parametrize("source", ["a/b/c", "/a", "a/", "./a", "../a", "a b/c", ""])
def test_paths_are_no_hub_ids(source):
    assert not is_repo_id(source)
