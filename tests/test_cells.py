import json

import numpy as np
import pytest

from fer_denoise.evaluate import NOISY
from train.measures.shared.cells import Cell, NoisyInput, measure_cells
from train.reporting.results import Scores


def test_only_what_is_missing_is_measured_and_kept_at_once(tmp_path):
    file, measured = tmp_path / "scores.json", []

    def measure(name: str, noisy: str, cell: Cell) -> int:
        if name == "broken":
            raise KeyboardInterrupt
        measured.append((name, noisy))
        return len(measured)

    def cells(*drawn: str) -> list[Cell]:
        return [Cell(name, "clean", lambda name=name: f"noisy {name}") for name in drawn]

    with pytest.raises(KeyboardInterrupt):
        measure_cells(cells("one", "two"), Scores(file, {}, {"a": {}, "broken": {}}), measure)
    assert measured == [("a", "noisy one")] and json.loads(file.read_text())["methods"]["a"]["cells"] == {"one": 1}
    # Nobody takes part in the third, so its noise is not drawn.
    whole = [*cells("one", "two"), Cell("three", "clean", lambda: pytest.fail("drawn in vain"))]
    scores = Scores(file, {}, {"a": {}, "b": {}})
    results = measure_cells(whole, scores, measure, lambda cell: ("a", "b") if cell.name == "three" else ())
    assert measured[1:] == [("b", "noisy one"), ("a", "noisy two"), ("b", "noisy two")]
    assert {name: list(method["cells"]) for name, method in results["methods"].items()} == {
        "a": ["one", "two"],
        "broken": [],
        "b": ["one", "two"],
    }


@pytest.mark.parametrize("shape", [(9, 12), (3, 9, 12), (9, 12, 3)])
def test_the_noisy_input_is_a_method_that_changes_nothing(shape):
    whole = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    method = NoisyInput()
    assert method.name == NOISY and method.blind and not method.needs
    np.testing.assert_array_equal(method.restore(whole), whole)
    noisy = whole.astype(np.float32) / 255
    np.testing.assert_array_equal(method.restore(noisy), noisy)
