from fer_denoise import list_models
from fer_denoise.zoo import DEFAULT_MODEL, MODELS


def test_every_listed_model_is_described():
    assert all(MODELS[name].title and MODELS[name].summary.endswith(".") for name in list_models())


def test_the_default_model_is_listed():
    assert DEFAULT_MODEL in list_models()
