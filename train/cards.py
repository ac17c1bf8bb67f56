"""Model cards: the README.md of a model repo, made from `hub_cards/`, its config and the benchmark's results."""

import json
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from fer_denoise.evaluate import NOISY
from fer_denoise.models import ARCHITECTURES
from fer_denoise.models.pretrained import read_config
from fer_denoise.zoo import MODELS

TEMPLATES = Path(__file__).parents[1] / "hub_cards"
NOISE = {
    "low": "low Gaussian noise (sigma 0.02 on [0, 1], 5.1 of 255)",
    "high": "high Gaussian noise (sigma 0.06 on [0, 1], 15.3 of 255)",
    "salt_pepper": "salt-and-pepper noise (amount 0.1)",
}


def make_card(name: str, folder: Path, results_file: Path) -> ModelCard:
    """The card of the model `name`, whose files are in `folder`.

    Raises:
        KeyError: the model is not among the results; run the benchmark first.
    """
    config = read_config(folder)
    training = config["training"]
    task = training["task"]
    results = _results(name, task, json.loads(results_file.read_text(encoding="utf-8")))
    parameters = sum(p.numel() for p in ARCHITECTURES[config["architecture"]](**config["config"]).parameters())
    dataset = {"dataset_type": "fer2013", "dataset_name": "FER2013", "dataset_split": "test"}
    measured = [
        EvalResult(task_type="image-to-image", metric_type=metric, metric_value=value, task_name=NOISE[task], **dataset)
        for metric, value in (("psnr", float(results["psnr"])), ("ssim", float(results["ssim"])))
    ]
    data = ModelCardData(
        model_name=f"fer-denoise {name}",
        license="other",
        license_name="research-only",
        library_name="fer-denoise",
        pipeline_tag="image-to-image",
        tags=["image-denoising", "image-restoration", "fer2013", "attention-unet"],
        eval_results=measured,
    )
    return ModelCard.from_template(
        data,
        template_path=str(TEMPLATES / "attention-unet.md"),
        name=name,
        title=MODELS[name].title,
        noise=NOISE[task],
        residual=config["config"]["residual"],
        parameters=f"{parameters:,}",
        images=f"{training['data']['images']:,}",
        recipe=describe_recipe(training["recipe"]),
        best_epoch=training["best_epoch"],
        epochs=training["recipe"]["epochs"],
        seed=training["seed"],
        init=training["init"],
        results=results,
    )


def describe_recipe(recipe: dict[str, Any]) -> str:
    """A recipe in one line of prose."""
    parts = [
        f"{recipe['loss']} loss",
        f"Adam at {recipe['learning_rate']:g}",
        "warm-up and cosine decay" if recipe["schedule"] == "cosine" else "rate halved on plateaus",
        f"batches of {recipe['batch_size']}",
        f"{recipe['epochs']} epochs at most",
    ]
    if recipe["flips"]:
        parts.append("horizontal flips")
    if recipe["ema"]:
        parts.append(f"moving average of the weights ({recipe['ema']} per step)")
    return ", ".join(parts)


def _results(name: str, task: str, results: dict[str, Any]) -> dict[str, Any]:
    rows = {row["model"]: row for row in results["tasks"][task]}
    places = {"psnr": 2, "ssim": 3, "psnr_unseen": 2, "ssim_unseen": 3}
    shown = {metric: f"{rows[name][metric]:.{digits}f}" for metric, digits in places.items()}
    shown |= {f"noisy_{metric}": f"{rows[NOISY][metric]:.{digits}f}" for metric, digits in places.items()}
    data = results["data"]
    return {
        **shown,
        "images": f"{data['images']:,}",
        "seen": data["images"] - data["unseen"],
        "seed": results["seed"],
    }
