"""Past the training: other faces, pictures that are no faces, and kinds of noise that no specialist was trained on.

`python -m train.benchmark --generalisation` runs it. On pictures, the filters are told the true sigma and have the
parameters tuned for the task. Against other noise, of which `universal` learned all but the uniform one, nobody is told
anything: the filters estimate sigma. With `--models`, only those are measured anew.
"""

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import Any

import numpy as np
from skimage import data
from skimage.color import rgb2gray
from skimage.util import random_noise
from tqdm import tqdm

from fer_denoise import Restorer, list_models
from fer_denoise.classical import FILTERS, tuned_parameters
from fer_denoise.evaluate import NOISY, restore
from fer_denoise.images import to_dtype, to_float
from fer_denoise.method import KnownNoise
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.noise import TASK_RECORDS, TASKS, JpegCompression, PoissonNoise
from fer_denoise.noise.kind import corrupt_each
from fer_denoise.photos import restore_luminance
from fer_denoise.zoo import MODELS, UNIVERSAL, UNIVERSAL_LARGE, specialists
from train.measures.shared.request import Request
from train.reporting import markdown
from train.reporting.report import bold_best
from train.reporting.results import load_previous, save, weights_of

FILE = "generalisation.json"
HELP = "other pictures, and noise that no specialist was trained on, on 500 faces"
WITH_PEERS = False
PLACE: str | None = None
methods = list_models

IMAGES = 500
BEST_FILTER = "best filter"
HIGH = "high"
"""The task whose specialist stands beside the others against other noise, which is of no task."""


def pictures() -> dict[str, np.ndarray]:
    """What scikit-image ships, uint8 (N, H, W): faces first, then pictures that are none."""
    astronaut = np.rint(rgb2gray(data.astronaut()) * 255).astype(np.uint8)
    return {
        "100 faces of LFW, 25x25": np.rint(data.lfw_subset()[:100] * 255).astype(np.uint8),
        "astronaut, 512x512": astronaut[None],
        "camera, 512x512": data.camera()[None],
        "coins, 303x384": data.coins()[None],
        "brick, 512x512": data.brick()[None],
    }


def uniform(image: np.ndarray, rng: np.random.Generator, width: float) -> np.ndarray:
    """Noise spread evenly from -width to width."""
    return np.clip(image + rng.uniform(-width, width, image.shape), 0, 1)


# These two draw in double precision; those of `fer_denoise.noise`, in single, would give other figures.
def speckle(image: np.ndarray, rng: np.random.Generator, sigma: float) -> np.ndarray:
    """Gaussian noise in proportion to the brightness."""
    return random_noise(image, "speckle", rng=rng, var=sigma**2)


def in_8_bits(image: np.ndarray, rng: np.random.Generator, sigma: float) -> np.ndarray:
    """Gaussian noise, rounded to gray levels as files are."""
    return np.rint(np.clip(image + sigma * rng.standard_normal(image.shape), 0, 1) * 255) / 255


OTHER_NOISE: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "Gaussian, sigma 0.06, in 8 bits": lambda image, rng: in_8_bits(image, rng, 0.06),
    **{f"Poisson, {photons} photons": PoissonNoise(photons).corrupt_image for photons in (1000, 100, 30)},
    "speckle, sigma 0.1": lambda image, rng: speckle(image, rng, 0.1),
    "speckle, sigma 0.3": lambda image, rng: speckle(image, rng, 0.3),
    "uniform, up to 0.05": lambda image, rng: uniform(image, rng, 0.05),
    "uniform, up to 0.2": lambda image, rng: uniform(image, rng, 0.2),
    **{f"JPEG, quality {quality}": JpegCompression(quality).corrupt_image for quality in (80, 40, 10)},
}
"""Corrupt one float32 image (H, W) in [0, 1]."""


def measure(request: Request) -> dict[str, Any]:
    """All of it, on scikit-image's pictures and on faces."""
    clean = request.faces(most=IMAGES).images
    conditions = request.conditions(clean)
    before = load_previous(request.out / FILE, conditions)
    results = {**conditions, **measure_all(clean, request.restorers, request.seed, request.workers, before)}
    save(request.out / FILE, results)
    return results


def tables(results: dict[str, Any]) -> dict[str, str]:
    return {"generalisation": markdown_tables(results)}


def measure_all(
    clean: np.ndarray, restorers: dict[str, Restorer], seed: int, workers: int | None, before: dict[str, Any]
) -> dict[str, Any]:
    """All of it, on scikit-image's pictures and on faces (N, 48, 48).

    Args:
        before: what was measured earlier on the same faces. Its figures of others than `restorers` are taken over,
            where their weights or parameters are still the same.

    Ends with a message where the tables would lack a method.
    """
    made_of = {name: _made_of(name) for name in restorers}
    unchanged = {
        name: made
        for name, made in before.get("made_of", {}).items()
        if name not in restorers and made == _made_of(name)
    }
    needed = [UNIVERSAL, *(specialists(task)[0] for task in TASKS), "median"]
    if missing := [name for name in needed if name not in {**made_of, **unchanged}]:
        raise SystemExit(f"this needs {', '.join(missing)} among the --models")
    with ProcessPoolExecutor(workers) as pool:
        pictures = list(tqdm(measure_pictures(restorers, seed, pool), "pictures"))
        other_noise = list(tqdm(measure_other_noise(clean, restorers, seed, pool), "other noise"))
    colour = list(measure_colour(restorers[UNIVERSAL], seed)) if UNIVERSAL in restorers else before["colour"]
    return {
        "made_of": {**unchanged, **made_of},
        "pictures": _joined(before.get("pictures", []), pictures, unchanged, ("task", "pictures")),
        "colour": colour,
        "unseen": _joined(before.get("unseen", []), other_noise, unchanged, ("noise",)),
    }


def _made_of(name: str) -> Any:
    """What decides how a method restores: the weights of a network, the parameters of a filter."""
    if name in FILTERS:
        return {task: tuned_parameters(name, task) for task in TASKS}
    return weights_of(name).get("weights")


def _joined(
    before: list[dict[str, Any]], rows: list[dict[str, Any]], unchanged: Collection[str], keys: tuple[str, ...]
) -> list[dict[str, Any]]:
    """The rows with what `before` says of the same, of the methods that are `unchanged`, and with their best filter."""
    by_key = {tuple(row[key] for key in keys): row for row in before}
    earlier = [by_key.get(tuple(row[key] for key in keys), {}) for row in rows]
    return [
        _with_best_filter({**row, **{name: old[name] for name in unchanged if name in old}})
        for row, old in zip(rows, earlier, strict=True)
    ]


def measure_pictures(restorers: dict[str, Restorer], seed: int, pool: Executor) -> Iterator[dict[str, Any]]:
    """A row per task and picture: PSNR of the noisy input, of the networks made for it, and of the best filter."""
    for task, noise in TASKS.items():
        for title, clean in pictures().items():
            noisy = noise(clean, seed=seed)
            row: dict[str, Any] = {NOISY: mean_psnr(psnr(noisy, clean))}
            for name, restorer in restorers.items():
                if MODELS[name].serves(task):
                    restored = restore(restorer.tuned_for(task), noisy, KnownNoise.of(noise), pool)
                    row[name] = mean_psnr(psnr(restored, clean))
            yield {"task": task, "pictures": title, **_rounded(row)}


def measure_colour(restorer: Restorer, seed: int) -> Iterator[dict[str, Any]]:
    """A row per task: PSNR over all channels of a photo whose every channel is noisy, restored in two ways."""
    channels = np.moveaxis(data.astronaut(), -1, 0)
    for task, noise in TASKS.items():
        photo = np.moveaxis(to_dtype(noise(channels, seed=seed), np.dtype(np.uint8)), 0, -1)
        shown = {
            NOISY: photo,
            "each channel": restorer(photo),
            "luminance only": restore_luminance(restorer, photo),
        }
        errors = {
            name: np.mean((to_float(np.moveaxis(each, -1, 0)) - to_float(channels)) ** 2)
            for name, each in shown.items()
        }
        yield {"task": task, **{name: round(float(-10 * np.log10(error)), 4) for name, error in errors.items()}}


def measure_other_noise(
    clean: np.ndarray, restorers: dict[str, Restorer], seed: int, pool: Executor
) -> Iterator[dict[str, Any]]:
    """A row per kind of noise: PSNR of the noisy input, of the networks, and of the best filter, all of them blind."""
    for title, corrupt in OTHER_NOISE.items():
        noisy = corrupt_each(clean, corrupt, seed, first_index=0)
        row: dict[str, Any] = {NOISY: mean_psnr(psnr(noisy, clean))}
        for name, restorer in restorers.items():
            row[name] = mean_psnr(psnr(restore(restorer, noisy, KnownNoise(), pool), clean))
        yield {"noise": title, **_rounded(row)}


def markdown_tables(results: dict[str, Any]) -> str:
    """The pictures, colour, and the other noise, as three tables."""
    every = [*results["pictures"], *results["unseen"]]
    universal = [name for name in (UNIVERSAL, UNIVERSAL_LARGE) if all(name in row for row in every)]
    unnoted = ["" for _ in (NOISY, *universal, "the specialist")]
    pictures = []
    for row in results["pictures"]:
        specialist = row[specialists(row["task"])[0]]
        values = (row[NOISY], *(row[name] for name in universal), specialist, row[BEST_FILTER][1])
        notes = (*unnoted, f" ({row[BEST_FILTER][0]})")
        pictures.append([TASK_RECORDS[row["task"]].title, row["pictures"], *bold_best(values, notes)])
    other_noise = []
    for row in results["unseen"]:
        values = (row[NOISY], *(row[name] for name in universal), row[specialists(HIGH)[0]], row[BEST_FILTER][1])
        other_noise.append([row["noise"], *bold_best(values, (*unnoted, f" ({row[BEST_FILTER][0]})"))])
    ways = (NOISY, "each channel", "luminance only")
    colour = [[TASK_RECORDS[row["task"]].title, *bold_best([row[way] for way in ways])] for row in results["colour"]]
    in_colour = "The astronaut in colour, restored by `universal` channel by channel or in its luminance only:"
    on_faces = f"And on {results['data']['images']} test faces:"
    methods = (NOISY, *(f"`{name}`" for name in universal))
    return "\n\n".join(
        [
            markdown.table(
                ("noise", "pictures", *methods, "specialist U-Net", "best filter, told sigma"),
                pictures,
                left=(0, 1, 4 + len(universal)),
            ),
            in_colour,
            markdown.table(("noise in every channel", *ways), colour),
            on_faces,
            markdown.table(
                ("other noise", *methods, f"U-Net for {TASK_RECORDS[HIGH].name}", "best filter, blind"),
                other_noise,
                left=(0, 3 + len(universal)),
            ),
        ]
    )


def _rounded(row: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in row.items()}


def _with_best_filter(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its best filter's name and PSNR beside the rest."""
    filters = [name for name in row if name in FILTERS]
    if filters:
        best = max(filters, key=row.__getitem__)
        row[BEST_FILTER] = [best, row[best]]
    return row
