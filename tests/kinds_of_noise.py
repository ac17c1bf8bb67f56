"""What the tests of kinds of noise share."""

import numpy as np
import torch

GRAY = np.full((40, 96, 64), 0.5, np.float32)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def both_forms(kind, clean):
    """What the NumPy form and the torch form make of (N, H, W)."""
    return kind(clean, seed=1), kind.corrupt(torch.from_numpy(clean)[:, None], rng())[:, 0].numpy()
