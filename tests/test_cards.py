import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard
from huggingface_hub.utils import validate_repo_id
from measuring import rows_of

from fer_denoise.data import HUB_DATASET
from fer_denoise.hub.sources import BUNDLE, bundled_models
from fer_denoise.models import AttentionUNet, UniversalRestorer
from fer_denoise.models.pretrained import read_config
from fer_denoise.models.universal import LARGE
from fer_denoise.noise import TASK_RECORDS, TASKS
from fer_denoise.zoo import CLASSIFIERS, MODELS, PATCHGANS, bundled_restorers
from train import gan as train_gan
from train.reporting import cards
from train.reporting.cards import CardError, describe_recipe, is_unedited, make_card, model_name, results_file, sign

FOLDER = Path(__file__).parents[1] / "results"
RESULTS = json.loads((FOLDER / "benchmark.json").read_text())
GAN_RECORD = {
    "task": "salt_pepper",
    "preset": "improved",
    "recipe": {"epochs": 3, "adversarial_weight": 0.001, "something_new": [2, 1], "flips": True, "ema": None},
    "seed": 4,
    "init": "/somewhere/on/my/disk/model",
    "data": {"name": "FER2013", "images": 28709, "sha256": "ab" * 32},
    "script": "train.gan",
}


@pytest.fixture
def gan(tmp_path) -> Path:
    torch.manual_seed(0)
    model = AttentionUNet(widths=(4, 8), residual=True)
    model.training_record = GAN_RECORD
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def code_of(card: ModelCard) -> str:
    (code,) = re.findall(r"```python\n(.*?)```", card.text, flags=re.DOTALL)
    return code


@pytest.mark.parametrize("name", bundled_models())
def test_the_bundled_cards_are_current(name):
    text = (BUNDLE / name / "README.md").read_text()
    assert is_unedited(text)
    results = json.loads((FOLDER / results_file(name)).read_text())
    assert text == str(make_card(name, BUNDLE / name, results)), "run: python -m train.bundle"


@pytest.mark.parametrize("name", bundled_models())
def test_the_code_of_a_card_runs_as_printed(name):
    found: dict = {}
    exec(code_of(ModelCard.load(BUNDLE / name / "README.md")), found)
    if name in CLASSIFIERS:
        assert found["probabilities"].shape == (2, 7)
        return
    assert found["restored"].shape == found["noisy"].shape == (48, 48)
    assert found["restored"].dtype == found["noisy"].dtype


@pytest.mark.parametrize("name", bundled_restorers())
def test_a_card_stands_huggingface_hubs_own_checks(name):
    text = (BUNDLE / name / "README.md").read_text()
    card = ModelCard(text)  # raises on wrong metadata, eval results among it
    assert str(card) == text
    validate_repo_id(card.data.datasets[0])
    assert card.data.license == "other" and card.data.license_name
    tasks = [MODELS[name].task] if MODELS[name].task else list(TASKS)
    measured = {(result.task_name, result.metric_name): result for result in card.data.eval_results}
    assert len(measured) == 2 * len(tasks)
    assert f"On the {RESULTS['data']['unseen']:,} of these images that do not also stand in train, no PSNR" in card.text
    for task in tasks:
        row = next(row for row in RESULTS["tasks"][task] if row["model"] == name)
        result = measured[f"Restoring faces from {TASK_RECORDS[task].description}", "PSNR, dB"]
        assert result.metric_value == pytest.approx(row["psnr"], abs=1e-4)
    for result in measured.values():
        # A branch says nothing of the data once it has moved: the fingerprint does.
        assert (result.dataset_type, result.dataset_split, result.dataset_revision) == (HUB_DATASET, "test", None)
        assert result.dataset_args["sha256_of_pixels"] == RESULTS["data"]["sha256"]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_card_of_a_classifier(name):
    results = json.loads((FOLDER / results_file(name)).read_text())
    card = ModelCard((BUNDLE / name / "README.md").read_text())
    assert card.data.pipeline_tag == "image-classification" and "emotion-recognition" in card.data.tags
    measured = {result.metric_type: result.metric_value for result in card.data.eval_results}
    row = results["classifiers"][name]
    assert measured == {"accuracy": row["accuracy"], "f1": row["macro_f1"]}
    versions = {(result.dataset_revision, result.dataset_args["sha256_of_pixels"]) for result in card.data.eval_results}
    assert versions == {(None, results["data"]["sha256"])}
    assert f"Accuracy {row['accuracy']:.1%}" in card.text
    assert f"| happy | {' | '.join(map(str, row['confusion'][3]))} |" in card.text
    for line in (
        "votes = classifier.votes(faces)",
        "the votes of ten people",
        "how frequent each emotion is in training",
        "70% of the loss",
    ):
        assert line in card.text
    votes = row["votes"]
    assert f"on the {votes['faces']:,} faces with a clear majority" in card.text
    assert f"Accuracy {votes['accuracy']:.1%}" in card.text
    assert f"| happy | {' | '.join(map(str, votes['confusion'][3]))} |" in card.text
    assert ("half of them with" in card.text) == (name == "emotion-noise") and "restored worse" not in card.text
    assert model_name(BUNDLE / name) == name
    row["weights"] = "0" * 64
    with pytest.raises(CardError, match=r"of other weights; run: python -m train\.benchmark --emotion"):
        make_card(name, BUNDLE / name, results)


def test_a_card_names_the_commit_of_a_start_on_the_hub(tmp_path):
    model = AttentionUNet(widths=(4, 8), residual=True)
    model.training_record = {**GAN_RECORD, "init": "somebody/start", "init_revision": "c" * 40}
    model.save_pretrained(tmp_path / "model")
    assert (
        f"started from `somebody/start` at commit `{'c' * 40}`"
        in make_card("patchgan-salt-pepper", tmp_path / "model").text
    )


def test_results_of_other_weights_are_refused():
    results = json.loads(json.dumps(RESULTS))
    row = next(row for row in results["tasks"]["low"] if row["model"] == "attention-unet-low")
    row["weights"] = "0" * 64
    with pytest.raises(CardError, match="of other weights; run"):
        make_card("attention-unet-low", BUNDLE / "attention-unet-low", results)


@pytest.mark.parametrize("heading", ["Use", "Training", "Results", "Limits", "Bias", "Intended use", "Licence"])
def test_a_card_tells_all(gan, heading):
    for name, folder in (("attention-unet-low", BUNDLE / "attention-unet-low"), ("patchgan-salt-pepper", gan)):
        assert f"\n## {heading}\n" in make_card(name, folder).text


def test_a_name_in_a_card_is_text_and_no_template(gan):
    hostile = "{{ 7 * 7 }}{% raw %}{0.__class__}"
    card = make_card("patchgan-salt-pepper", gan, source=hostile, revision=hostile)
    assert card.text.count(hostile) >= 2


def test_the_card_of_a_gan(gan):
    assert model_name(gan) == "patchgan-salt-pepper"
    card = make_card("patchgan-salt-pepper", gan)
    assert "Isola et al. 2017" in card.text and "patchgan" in card.data.tags
    assert "epochs 3, adversarial weight 0.001, something new [2, 1], flips." in card.text
    assert "relativistic" not in card.text
    assert "a little less PSNR than from\n`attention-unet-salt-pepper`" in card.text
    assert "Not yet measured" in card.text and card.data.eval_results is None
    assert "my/disk" not in str(card) and "the weights of an earlier run" in card.text
    assert "\n\n\n" not in card.text


def test_the_large_universal_restorer_is_known_by_its_shape(tmp_path):
    for shape, name in ((LARGE, "universal-large"), ({"widths": [4, 8], "blocks": [1, 1]}, "universal")):
        model = UniversalRestorer(**shape)
        model.training_record = {"script": "train.universal", "task": "universal"}
        model.save_pretrained(tmp_path / name)
        assert model_name(tmp_path / name) == name


def test_a_card_names_the_teacher(tmp_path):
    model = UniversalRestorer(widths=(4, 8), blocks=(1, 1))
    noise = read_config(BUNDLE / "universal")["training"]["noise"]
    data = {"images": 8, "sha256": "ab" * 32}
    for teacher in (None, {"widths": [8, 16], "blocks": [1, 1], "weights": "cd" * 32}):
        model.training_record = {"script": "train.universal", "task": "universal", "noise": noise, "data": data}
        model.training_record |= {"teacher": teacher} if teacher else {}
        model.save_pretrained(tmp_path)
        card = make_card("universal", tmp_path).text
        assert ("universal restorer of 8, 16 channels" in card and "cd" * 32 in card) == bool(teacher)


@pytest.mark.usefixtures("fresh_accelerator")
def test_the_card_of_a_real_run(make_faces, tmp_path):
    """Whatever the script records, its card can be made."""
    data = tmp_path / "fer2013.csv"
    usages = ["Training"] * 8 + ["PublicTest"] * 4
    rows = [f"{i % 7},{' '.join(map(str, face.ravel()))},{usages[i]}" for i, face in enumerate(make_faces(12))]
    data.write_text("\n".join(["emotion,pixels,Usage", *rows]))
    AttentionUNet(widths=(4, 8), residual=True).save_pretrained(tmp_path / "init")
    options = ["--task", "high", "--preset", "improved", "--init", str(tmp_path / "init"), "--epochs", "1"]
    train_gan.main(
        [*options, "--batch-size", "4", "--device", "cpu", "--data", str(data), "--out", str(tmp_path / "run")]
    )
    folder = tmp_path / "run" / "model"
    card = make_card(model_name(folder), folder)
    assert "# PatchGAN, high Gaussian" in card.text and "Huang et al. 2024" in card.text
    assert "Kept: epoch 1 of 1, the last;" in card.text
    assert "8 faces" in card.text and str(tmp_path) not in str(card)


def test_results_of_another_model_are_never_shown(gan):
    with pytest.raises(CardError, match=r"train\.benchmark --models patchgan-salt-pepper"):
        make_card("patchgan-salt-pepper", gan, RESULTS)


def test_a_model_of_another_name_has_the_card_of_its_script(gan):
    card = make_card("unheard-of", gan)
    assert "# unheard-of\n" in card.text and "Isola et al. 2017" in card.text and "patchgan" in card.data.tags
    assert make_card("unheard-of", BUNDLE / "emotion").data.pipeline_tag == "image-classification"


def test_a_family_without_a_template_of_its_own_has_the_card_of_all(gan, monkeypatch):
    of_family = str(make_card("x", gan))
    nameless = replace(PATCHGANS, name="no template is called so")
    monkeypatch.setattr(cards, "family_of", lambda folder: nameless)
    card = str(make_card("x", gan))
    assert "no template is called so" in card and "## Training" in card and card != of_family


def test_a_model_that_no_script_trained_has_no_card(gan, tmp_path):
    for architecture, script in (("AttentionUNet", "train.nothing"), ("PatchGANDiscriminator", "train.gan")):
        config = json.loads((gan / "config.json").read_text())
        config["architecture"], config["training"]["script"] = architecture, script
        (tmp_path / "config.json").write_text(json.dumps(config))
        with pytest.raises(CardError, match=f"{architecture} of {script}; give"):
            make_card("patchgan-salt-pepper", tmp_path)
    AttentionUNet(widths=(4, 8)).save_pretrained(tmp_path / "bare")
    with pytest.raises(CardError, match="training record"):
        make_card("attention-unet-low", tmp_path / "bare")
    with pytest.raises(CardError, match="--name"):
        model_name(tmp_path / "bare")


def test_an_edit_is_noticed_and_new_line_ends_are_none():
    signed = sign("# Title\n\nText.\n")
    assert is_unedited(signed) and is_unedited(signed.replace("\n", "\r\n")) and is_unedited(signed.rstrip())
    assert sign(signed) == signed
    assert not is_unedited(signed.replace("Text", "My text"))
    assert not is_unedited(signed + "My text.\n")
    assert not is_unedited("# Title\n")
    assert not is_unedited("")


def test_a_recipe_in_words():
    assert describe_recipe({"epochs": 8, "learning_rate": 1e-4, "flips": True, "ema": None, "residual": False}) == (
        "epochs 8, learning rate 0.0001, flips"
    )
    assert describe_recipe({}) == "not recorded"


def test_results_without_proof_of_the_weights_make_no_card():
    for name, others in (("attention-unet-low", "emotion.json"), ("emotion", "benchmark.json")):
        results = json.loads((FOLDER / results_file(name)).read_text())
        with pytest.raises(CardError, match=results_file(name)):
            make_card(name, BUNDLE / name, json.loads((FOLDER / others).read_text()))
        rows = [results["classifiers"][name]] if name == "emotion" else results["tasks"]["low"]
        for row in rows:
            row.pop("weights", None)
        with pytest.raises(CardError, match="of other weights; run"):
            make_card(name, BUNDLE / name, results)


def test_a_card_holds_the_measured_numbers_and_machine_readable_results():
    results = json.loads((Path(__file__).parents[1] / "results" / "benchmark.json").read_text())
    card = cards.make_card("attention-unet-low", BUNDLE / "attention-unet-low", results)
    row = rows_of(results, "low")["attention-unet-low"]
    assert f"{row['psnr']:.2f}" in card.text
    assert {result.metric_type for result in card.data.eval_results} == {"psnr", "ssim"}
    assert card.data.license_name == "research-only"
