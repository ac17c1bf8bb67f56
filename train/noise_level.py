"""Teach a trained universal restorer to tell how noisy a picture is, from the features that it restores with.

    python -m train.noise_level --model runs/universal/model

Only the small head for it is trained, in minutes; what the model restores stays the same to the last bit. The model is
written back to its folder.
"""

import argparse
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from tqdm import trange

from fer_denoise.data import HUB_DATASET, DataError, load_fer2013
from fer_denoise.hub import ModelNotFoundError
from fer_denoise.models import UniversalRestorer
from fer_denoise.noise import RandomNoise
from fer_denoise.precision import bf16_is_fast
from train import run

WARM_UP_STEPS = 100
FLOORS = (0.01, 0.02)
"""Below which an error of sigma or amount counts no more by its ratio."""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder of the restorer")
    parser.add_argument("--data", default=HUB_DATASET, help="Hub dataset id, folder or file (default: %(default)s)")
    parser.add_argument("--revision", help="revision of the Hub dataset")
    parser.add_argument("--steps", type=int, default=800, help="default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=64, help="default: %(default)s")
    parser.add_argument("--learning-rate", type=float, default=5e-3, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=("auto", "cpu"), default="auto", help="auto takes a GPU where there is one")
    return parser.parse_args(argv)


def relative_error(estimates: Tensor, levels: Tensor) -> Tensor:
    """Mean absolute error of sigma and of amount relative to the levels, both (B, 2); low levels in absolute terms."""
    return ((estimates - levels).abs() / (levels + levels.new_tensor(FLOORS))).mean(dim=0)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    try:
        faces = {split: load_fer2013(args.data, split, args.revision).images for split in ("train", "validation")}
        model = UniversalRestorer.from_pretrained(args.model)
    except (DataError, ModelNotFoundError) as error:
        raise SystemExit(str(error)) from None
    device = Accelerator(cpu=args.device == "cpu").device
    model.to(device, memory_format=torch.channels_last).requires_grad_(False)
    model.level_head.requires_grad_(True)
    train(model, run.as_batch(faces["train"], device), args)

    noise, rng = RandomNoise(), run.generator(args.seed, 1, device=device)
    clean = run.as_float(run.as_batch(faces["validation"], device))
    levels = noise.draw_levels(len(clean), rng)
    noisy = noise.corrupt_at(clean, levels, rng)
    with torch.inference_mode():
        estimates = torch.cat([model.noise_level(part) for part in noisy.split(256)])
    error = (estimates - targets(levels)).abs().mean(dim=0).tolist()
    print(f"mean absolute error on validation: sigma {error[0]:.4f}, amount {error[1]:.4f}")
    model.training_record["noise_level"] = {
        "steps": args.steps,
        "seed": args.seed,
        "validation_error": {"sigma": round(error[0], 4), "amount": round(error[1], 4)},
    }
    model.save_pretrained(args.model)


def train(model: UniversalRestorer, images: Tensor, args: argparse.Namespace) -> None:
    torch.manual_seed(args.seed)
    for layer in model.level_head:
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    # Levels are small numbers, and softplus begins at 0.7.
    torch.nn.init.constant_(model.level_head[-1].bias, -3)
    model.level_head.train()
    optimizer = AdamW(model.level_head.parameters(), lr=args.learning_rate)
    schedule = LambdaLR(optimizer, lambda step: run.warm_up_then_cosine(step, WARM_UP_STEPS, args.steps))
    noise = RandomNoise()
    for step in trange(args.steps):
        rng = run.generator(args.seed, 0, step, device=images.device)
        index = torch.randint(len(images), (args.batch_size,), generator=rng, device=images.device)
        clean = run.random_flips(run.as_float(images[index]), rng)
        levels = noise.draw_levels(len(clean), rng)
        noisy = noise.corrupt_at(clean, levels, rng)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=bf16_is_fast(images.device)):
            estimates = model.noise_level(noisy)
        loss = relative_error(estimates.float(), targets(levels)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.level_head.eval()


def targets(levels: tuple[Tensor, ...]) -> Tensor:
    """Sigma and amount as (B, 2)."""
    return torch.cat([level.flatten(1) for level in levels[:2]], dim=1)


if __name__ == "__main__":
    main()
