"""What each choice in the universal restorer is worth: short trainings that differ in one thing, from several seeds.

    python -m train.ablation                     # writes results/ablation.json and the README's table; hours on a CPU
    python -m train.ablation --variants "as shipped, on faces alone" "no gates" --seeds 0 1 2

Every variant is trained equally long, for one epoch, and on the same faces alone unless it says otherwise. So the
figures rank choices for short trainings; they are no final quality. An interrupted run goes on where it was. Figures
are on the validation split, whose faces all get the same noise of random kind and level.
"""

import argparse
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from torch import Tensor, nn

from fer_denoise.data import DataError, load_fer2013
from fer_denoise.hub import model_folder, weights_checksum
from fer_denoise.models import UniversalRestorer
from fer_denoise.models.noise_estimator import unscaled
from fer_denoise.options import at_least
from fer_denoise.zoo import UNIVERSAL
from train import run, universal
from train.report import update_readme
from train.results import load_previous, save
from train.supervised import train_restorer

FILE = Path("results/ablation.json")
README = Path("README.md")
RUNS = Path("runs/ablation")
EPOCHS = 1


@dataclass(frozen=True)
class Variant:
    """What is changed: the network's shape, the recipe, or the network itself once it is made."""

    network: dict[str, Any] = field(default_factory=dict)
    recipe: dict[str, Any] = field(default_factory=dict)
    alter: Callable[[UniversalRestorer], UniversalRestorer] = lambda model: model


class OpenGate(nn.Module):
    """In the place of an attention gate: lets everything through."""

    def forward(self, skip: Tensor, gate: Tensor) -> Tensor:
        return skip


def without_gates(model: UniversalRestorer) -> UniversalRestorer:
    model.gates = nn.ModuleList(OpenGate() for _ in model.gates)
    return model


def without_biases(model: UniversalRestorer) -> UniversalRestorer:
    """Mohan et al. 2020, "Robust and interpretable blind image denoising via bias-free CNNs"."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and name.split(".")[0] not in ("head", "noise_estimator"):
            module.bias = None
    return model


class Undetecting(UniversalRestorer):
    """Sees the picture alone, without the mask of extremes and without the pre-fill."""

    def forward(self, noisy: Tensor, level: Tensor | None = None) -> Tensor:
        if level is None:
            with torch.no_grad():
                level = unscaled(self.noise_estimator(super().inputs(noisy)))
        return super().forward(noisy, level)

    def inputs(self, noisy: Tensor) -> Tensor:
        padded, _, mask = super().inputs(noisy).chunk(3, dim=1)
        return torch.cat([padded, padded, torch.zeros_like(mask)], dim=1)


class Untold(UniversalRestorer):
    """Is told the same noise level of every picture, which is to be told nothing."""

    def forward(self, noisy: Tensor, level: Tensor | None = None) -> Tensor:
        return super().forward(noisy, noisy.new_zeros(len(noisy), 2))


def undetecting(model: UniversalRestorer) -> UniversalRestorer:
    model.__class__ = Undetecting
    return model


def untold(model: UniversalRestorer) -> UniversalRestorer:
    model.__class__ = Untold
    return model


BASE = "as shipped, on faces alone"
VARIANTS = {
    BASE: Variant(),
    "other pictures too": Variant(recipe={"scenes": universal.RECIPE.scenes}),
    "three levels, 24/48/96 channels": Variant(network={"widths": (24, 48, 96), "blocks": (2, 2, 4)}),
    "four levels, 16/32/64/128 channels": Variant(network={"widths": (16, 32, 64, 128), "blocks": (1, 2, 2, 2)}),
    "fewer blocks above, more below": Variant(network={"blocks": (1, 7)}),
    "batches of 64": Variant(recipe={"batch_size": 64}),
    "learning rate 2e-3": Variant(recipe={"learning_rate": 2e-3}),
    "squared error": Variant(recipe={"loss": "mse"}),
    "Charbonnier loss": Variant(recipe={"loss": "charbonnier"}),
    "no moving average": Variant(recipe={"ema": None}),
    "no clipping of gradients": Variant(recipe={"clip_gradient": None}),
    "no flips": Variant(recipe={"flips": False}),
    "no gates": Variant(alter=without_gates),
    "no biases": Variant(alter=without_biases),
    "no mask and no pre-fill": Variant(alter=undetecting),
    "no noise level": Variant(alter=untold),
}


def parse_args(argv: list[str] | None = None) -> Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    run.add_data_options(parser)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--seeds", nargs="+", type=at_least(0), default=[0, 1])
    parser.add_argument("--epochs", type=at_least(1), default=EPOCHS, help="default: %(default)s")
    parser.add_argument("--device", choices=("auto", "cpu"), default="auto", help="auto takes a GPU where there is one")
    return parser.parse_args(argv)


def train_variant(args: Namespace, name: str, seed: int) -> dict[str, Any]:
    """Train and validate one variant; go on with it where it was interrupted."""
    variant = VARIANTS[name]
    recipe = replace(universal.RECIPE, **{"epochs": args.epochs, "scenes": 0, **variant.recipe})
    out = RUNS / f"{args.epochs}-epochs" / f"{name.replace(' ', '-').replace('/', '-')}-{seed}"
    options = Namespace(**vars(args), out=out, seed=seed, resume=True, precision="auto")

    estimator = UniversalRestorer.from_pretrained(UNIVERSAL).noise_estimator.state_dict()

    def make_model() -> UniversalRestorer:
        torch.manual_seed(seed)
        model = UniversalRestorer(**variant.network)
        model.noise_estimator.load_state_dict(estimator)
        model.noise_estimator.requires_grad_(False)
        return variant.alter(model)

    settings = {"script": "train.ablation", "variant": name}
    rows = train_restorer(options, recipe, make_model, universal.NOISE, settings)
    parameters = sum(parameter.numel() for parameter in make_model().parameters() if parameter.requires_grad)
    return {
        "variant": name,
        "seed": seed,
        "parameters": parameters,
        "validation_psnr": round(rows[-1]["validation_psnr"], 3),
    }


def markdown_table(results: dict[str, Any]) -> str:
    """A row per variant: its mean over the seeds, and the single values."""
    by_variant: dict[str, list[dict[str, Any]]] = {}
    for row in results["rows"]:
        by_variant.setdefault(row["variant"], []).append(row)
    means = {name: mean(row["validation_psnr"] for row in rows) for name, rows in by_variant.items()}
    shipped = means.get(BASE)
    lines = [
        "| change | parameters | PSNR, dB | difference | of each seed |",
        "| --- | --: | --: | --: | --- |",
    ]
    for name, rows in by_variant.items():
        values = ", ".join(f"{row['validation_psnr']:.2f}" for row in rows)
        difference = "" if shipped is None or name == BASE else f"{means[name] - shipped:+z.2f}"
        lines.append(f"| {name} | {rows[0]['parameters']:,} | {means[name]:.2f} | {difference} | {values} |")
    return "\n".join(lines)


def measure(args: Namespace) -> None:
    """Train what is not yet among the results, and show all of them."""
    try:
        faces = load_fer2013(args.data, "validation", args.revision)
    except DataError as error:
        raise SystemExit(str(error)) from None
    data = {"images": len(faces.images), "sha256": faces.fingerprint}
    conditions = {"epochs": args.epochs, "data": data, "estimator": weights_checksum(model_folder(UNIVERSAL))}
    results = load_previous(FILE, conditions) or {**conditions, "rows": []}
    for seed in args.seeds:
        for name in args.variants:
            if any((row["variant"], row["seed"]) == (name, seed) for row in results["rows"]):
                continue
            results["rows"].append(train_variant(args, name, seed))
            results["rows"].sort(key=lambda row: (list(VARIANTS).index(row["variant"]), row["seed"]))
            save(FILE, results)
    text = markdown_table(results)
    print(text)
    if README.exists():
        update_readme(README, "ablation", text)


def main(argv: list[str] | None = None) -> None:
    run.with_message(measure, parse_args(argv))


if __name__ == "__main__":
    main()
