import numpy as np
import pytest

from fer_denoise import Restorer
from fer_denoise.demo.compare import compare, comparison_gallery, comparison_table, psnr_curves
from fer_denoise.demo.noise_controls import CONTROLS
from fer_denoise.demo.restorers import Restorers
from fer_denoise.metrics import PSNR_CAP, psnr
from fer_denoise.noise import TASKS, GaussianNoise, gaussian_noise
from fer_denoise.zoo import MODELS, list_models


@pytest.mark.slow
def test_a_comparison_holds_every_model_and_the_input_best_first(face):
    noise = TASKS["high"]
    results = compare(face, Restorers(), noise, 3)
    assert {result.title for result in results} == {"Noisy input", *(MODELS[name].title for name in list_models())}
    values = [result.psnr for result in results]
    assert values == sorted(values, reverse=True)
    noisy = noise(face, seed=3)
    by_title = {result.title: result for result in results}
    assert by_title["Noisy input"].psnr == pytest.approx(psnr(noisy, face))
    expected = Restorer.from_pretrained("tv")(noisy, sigma=noise.sigma)
    np.testing.assert_array_equal(by_title["Total variation"].restored, expected)
    assert by_title["Noisy input"].seconds is None and by_title["Total variation"].seconds > 0
    table = comparison_table(results)
    assert table.count("class='best'") >= 2
    assert table.index(results[0].title) < table.index(results[-1].title)
    assert comparison_gallery(results)[0][1] == f"{results[0].title}: {results[0].psnr:.2f} dB"


def test_curves_hold_every_method_at_every_level(face):
    controls = CONTROLS["high"]
    curves = psnr_curves(face, Restorers(), ["tv", "median"], controls.sweep(*controls.preset), 3)
    levels = [level for level, _ in controls.sweep(*controls.preset)]
    for title in ("Noisy input", "Total variation", "Median filter"):
        assert curves[curves["method"] == title]["level"].tolist() == levels
    noisy = gaussian_noise(face, 0.06, seed=3)
    at = curves[curves["level"] == 0.06].set_index("method")["PSNR, dB"]
    assert at["Noisy input"] == pytest.approx(psnr(noisy, face))
    assert at["Total variation"] == pytest.approx(psnr(Restorer.from_pretrained("tv")(noisy, 0.06), face))


@pytest.mark.slow
def test_a_face_without_any_error_is_no_hole_in_a_comparison_or_a_curve(face):
    none = GaussianNoise(0)
    results = compare(face, Restorers(), none, 0)
    table = comparison_table(results)
    assert ("Noisy input: ∞ dB" in [caption for _, caption in comparison_gallery(results)]) and "inf" not in table
    curves = psnr_curves(face, Restorers(), ["median"], [(0.0, none)], 0)
    assert curves["PSNR, dB"].max() == PSNR_CAP
