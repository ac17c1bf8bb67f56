"""What holds for every run of the tests; their fixtures stand in `shared_fixtures`."""

import gc
import os

import pytest

SLOW_FIXTURES = {"fresh_accelerator", "run_python", "hub_server", "app_url", "visit"}
"""Of tests that train, run Python in a process of its own, talk to a Hub, or start the app."""
SLOW_FILTER = "bm3d"
"""It takes a second for a face; whoever has not installed it has no tests of it."""
LONGEST_FILES = ("test_browser", "test_zoo_training", "test_faults", "test_gan", "test_training")
"""They come first, so that none is left for one process while the others have nothing to do."""


def pytest_configure(config: pytest.Config) -> None:
    """Import what the tests share, but not in the process that only hands them out, whose others wait for it."""
    if "PYTEST_XDIST_WORKER" in os.environ or not config.getoption("numprocesses", None):
        # The imports and the collected tests are hundreds of thousands of objects, and none of them is garbage.
        gc.disable()
        config.pluginmanager.import_plugin("shared_fixtures")


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SLOW_FILTER in item.name or SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
    ranks = {name: rank for rank, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: ranks.get(item.path.stem, len(ranks)))
