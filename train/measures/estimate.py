"""What the noise estimator of `universal` says of each kind of noise, beside the truth.

`python -m train.benchmark --estimate` runs it, on the first 100 test faces, over the kinds and levels of
`train/measures/world.py`. The true sigma of a face is the root mean square of what was added to it. Where impulses come
together with other noise, or are compressed afterwards, no pixel can be said to be lost or intact, and neither sigma to
be that of the rest, so that these figures are left out.
"""

from typing import Any

import numpy as np
from tqdm import tqdm

from fer_denoise import Restorer
from fer_denoise.images import to_float
from fer_denoise.zoo import UNIVERSAL
from train.measures import world
from train.measures.shared.request import Request
from train.reporting import markdown
from train.reporting.results import load_previous, save, weights_of

FILE = "estimate.json"
HELP = "what `universal` says of the noise of each kind, on 100 faces"
WITH_PEERS = False
PLACE: str | None = None
IMAGES = 100
NAMED = {"jpeg": "JPEG", "stripe": "stripes", "correlated": "correlation", "quantization": "gray levels"}
"""What else is named, by the kind that `NoiseLevel.others` gives it, and what results call it."""
LOST = 0.5
"""Probability from which a pixel counts as said to be lost."""


def methods() -> list[str]:
    return [UNIVERSAL]


def measure(request: Request) -> dict[str, Any]:
    """A row for each kind and level: true and estimated sigma and amount, and which pixels were found."""
    if request.models != methods():
        raise SystemExit(f"only {UNIVERSAL} estimates noise: leave out --models")
    clean = request.faces(most=IMAGES).images
    file, conditions = request.out / FILE, request.conditions(clean)
    load_previous(file, conditions)
    rows = []
    for title, kind in tqdm(world.KINDS.items(), "kinds"):
        for setting, noise in kind.settings.items():
            noisy = noise(clean, seed=request.seed)
            row = describe(request.restorers[UNIVERSAL], noisy, clean, kind.lost)
            rows.append({"kind": title, "level": setting, **row})
    results = {**conditions, **weights_of(UNIVERSAL), "rows": rows}
    save(file, results)
    return results


def describe(restorer: Restorer, noisy: np.ndarray, clean: np.ndarray, lost_pixels: world.Lost) -> dict[str, Any]:
    """What `restorer` says of images (N, H, W), `noisy` float in [0, 1], `clean` uint8; means over them."""
    estimates = [restorer.noise_level(image) for image in noisy]
    sigma, amount = np.array([tuple(estimate) for estimate in estimates]).T
    found = [{other.kind for other in estimate.others} for estimate in estimates]
    row: dict[str, Any] = {
        "sigma": round(float(sigma.mean()), 4),
        "amount": round(float(amount.mean()), 4),
        "named": {
            name: fraction
            for kind, name in NAMED.items()
            if (fraction := round(float(np.mean([kind in kinds for kinds in found])), 3))
        },
    }
    if lost_pixels == "some":
        return row
    residual = noisy - to_float(clean)
    lost = (residual != 0) if lost_pixels == "all" else np.zeros(noisy.shape, bool)
    true_sigma = np.zeros(len(noisy)) if lost_pixels == "all" else np.sqrt(np.square(residual).mean(axis=(1, 2)))
    said = np.stack([_noise_map(restorer, image) for image in noisy]) > LOST
    row |= {
        "true_sigma": round(float(true_sigma.mean()), 4),
        "sigma_error": round(float(np.abs(sigma - true_sigma).mean()), 4),
        "lost": round(float(lost.mean()), 4),
        "accused": round(float(said[~lost].mean()), 5),
    }
    if lost.any():
        row["found"] = round(float(said[lost].mean()), 4)
    return row


def tables(results: dict[str, Any]) -> dict[str, str]:
    """A row per kind and level."""
    columns = {
        "sigma, true": ("true_sigma", ".3f"),
        "estimated": ("sigma", ".3f"),
        "mean error": ("sigma_error", ".3f"),
        "pixels lost": ("lost", ".1%"),
        "of them found": ("found", ".1%"),
        "intact, called lost": ("accused", ".2%"),
    }
    rows = [
        [row["kind"], row["level"], *(_shown(row, *column) for column in columns.values()), _shown_names(row["named"])]
        for row in results["rows"]
    ]
    return {"estimate": markdown.table(("noise", "level", *columns, "also named"), rows, left=(0, 1, len(columns) + 2))}


def _noise_map(restorer: Restorer, image: np.ndarray) -> np.ndarray:
    noise = restorer.noise_map(image)
    assert noise is not None
    return noise.impulses


def _shown(row: dict[str, Any], name: str, spec: str) -> str:
    return format(row[name], spec) if name in row else ""


def _shown_names(named: dict[str, float]) -> str:
    return ", ".join(f"{name} {fraction:.0%}" for name, fraction in named.items() if fraction >= 0.05)
