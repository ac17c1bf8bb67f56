"""What it costs that weights are stored in half precision: PSNR on validation faces, stored so and otherwise.

    python -m train.rounding universal universal-large      # bundled names, folders or Hub repos
    python -m train.rounding runs/universal/model --images 1000

Single precision is gone once a model is saved. But what each parameter may have been is known, namely all that rounds
to it; *single precision* is drawn from that, three times, so that its differences are as large and as independent as
those that rounding made. *bfloat16* takes the same 16 bits, for a larger range and three bits less of precision.
"""

import argparse
import copy
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from fer_denoise import Restorer
from fer_denoise.command.options import at_least
from fer_denoise.data import DataError, load_fer2013
from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.metrics import mean_psnr, psnr
from fer_denoise.models import RestorationNetwork
from fer_denoise.noise import TASK_RECORDS, TASKS
from train.reporting import markdown
from train.shared import setup
from train.shared.faces import VALIDATION_SEED

DRAWS = 3
HEADS = ("model", "task", "stored as float16", "single precision", "bfloat16")


def any_that_rounds_to(values: Tensor, rng: np.random.Generator) -> Tensor:
    """Float32 values, each drawn evenly from what is rounded to a float16 one of `values`."""
    stored = values.detach().cpu().numpy().astype(np.float16)
    below, above = (np.nextafter(stored, np.float16(end)).astype(np.float32) for end in (-np.inf, np.inf))
    exact = stored.astype(np.float32)
    least, most = (exact + below) / 2, (exact + above) / 2
    return torch.from_numpy(np.asarray(rng.uniform(least, most), dtype=np.float32))


def with_parameters(network: RestorationNetwork, change: Callable[[Tensor], Tensor]) -> RestorationNetwork:
    """A copy of `network` whose parameters `change` made."""
    changed = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in changed.parameters():
            parameter.copy_(change(parameter))
    return changed


def rows_of(name: str, network: RestorationNetwork, faces: np.ndarray) -> list[list[str]]:
    """A row for each task that the network is trained for: mean PSNR on `faces`, uint8 (N, H, W), by precision.

    That of single precision is a difference, from the least to the greatest of the draws; that of bfloat16 is one too.
    """
    trained_for = network.training_record.get("task")
    rows = []
    for task in [trained_for] if trained_for in TASKS else TASKS:
        noisy = TASKS[task](faces, seed=VALIDATION_SEED)
        stored = reached(network, noisy, faces)
        differences = []
        for seed in range(DRAWS):
            drawn = with_parameters(network, partial(any_that_rounds_to, rng=np.random.default_rng(seed)))
            differences.append(reached(drawn, noisy, faces) - stored)
        of_bfloat16 = reached(with_parameters(network, Tensor.bfloat16), noisy, faces) - stored
        of_single = f"{min(differences):+.4f} to {max(differences):+.4f}"
        rows.append([f"`{name}`", TASK_RECORDS[task].title, f"{stored:.4f}", of_single, f"{of_bfloat16:+.4f}"])
    return rows


def reached(network: RestorationNetwork, noisy: np.ndarray, faces: np.ndarray) -> float:
    """Mean PSNR of what `network` makes of `noisy`, computed in single precision."""
    return mean_psnr(psnr(Restorer(network, "network", precision="fp32").restore(noisy), faces))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL", help="a bundled name, a folder or a Hub repo")
    setup.add_data_options(parser)
    parser.add_argument("--images", type=at_least(1), default=400, help="the first so many (default: %(default)s)")
    args = parser.parse_args(argv)
    try:
        faces = load_fer2013(args.data, "validation", args.revision).images[: args.images]
        restorers = {name: Restorer.from_pretrained(name) for name in args.models}
    except (DataError, ModelNotFoundError) as error:
        raise SystemExit(str(error)) from None
    networks = {name: each.model for name, each in restorers.items() if isinstance(each.model, RestorationNetwork)}
    if filters := [name for name in restorers if name not in networks]:
        raise SystemExit(f"{', '.join(filters)}: has no weights that could be rounded; name networks")
    rows = [row for name, network in networks.items() for row in rows_of(name, network, faces)]
    print(markdown.table(HEADS, rows, left=(0, 1)))


if __name__ == "__main__":
    main()
