"""Do published networks, read from their authors' files, reach their published PSNR on BSD68?

python -m train.peers PEERS PICTURES
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from fer_denoise.data import DataError
from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.images import to_float
from fer_denoise.metrics import mean_psnr, psnr
from train.measures.shared.peers import PEERS, Peer, load_peers
from train.shared.picture_sets import find_set, read_set

BSD68_SIGMA = 25 / 255


@torch.inference_mode()
def bsd68_psnr(peer: Peer, pictures: list[np.ndarray], seed: int = 0) -> float:
    """Mean PSNR of pictures (H, W) with Gaussian noise that is not clipped, as the authors measure."""
    values = []
    for index, picture in enumerate(pictures):
        noise = np.random.default_rng([seed, index]).standard_normal(picture.shape, dtype=np.float32)
        noisy = torch.from_numpy(to_float(picture) + np.float32(BSD68_SIGMA) * noise)[None, None]
        restored = peer.network(noisy.to(peer.device), BSD68_SIGMA).cpu().clamp(0, 1)
        values.append(psnr(restored[0, 0].numpy(), picture))
    return mean_psnr(np.array(values))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", type=Path, help="folder with the authors' files")
    parser.add_argument("pictures", type=Path, help="folder that holds BSD68, as for `train.benchmark --pictures`")
    args = parser.parse_args(argv)
    try:
        pictures = read_set(find_set(args.pictures, "BSD68"))
        peers = load_peers(args.peers, list(PEERS))
    except (DataError, ModelNotFoundError) as error:
        raise SystemExit(str(error)) from None
    print(f"PSNR in dB on {len(pictures)} pictures at sigma {255 * BSD68_SIGMA:g} of 255, the noise not clipped")
    for name, peer in peers.items():
        published = peer.published.bsd68 or "nothing"
        print(f"{name}: {bsd68_psnr(peer, pictures):.2f}, published: {published}", flush=True)


if __name__ == "__main__":
    main()
