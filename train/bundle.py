"""Bundle trained models with the package, each a complete model repo: config.json, model.safetensors, README.md.

python -m train.bundle attention-unet-low=runs/unet-low/model     # put a trained model into the package
python -m train.benchmark --models attention-unet-low             # measure it
python -m train.bundle                                            # write the cards of all from the results
"""

import argparse
import shutil
from pathlib import Path

from fer_denoise.hub import BUNDLE, CONFIG_FILE, WEIGHTS_FILE, bundled_models
from fer_denoise.zoo import MODELS
from train.cards import make_card


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="NAME=FOLDER", help="the folder model/ of a run, and its name")
    parser.add_argument("--results", type=Path, default=Path("results/benchmark.json"), help="default: %(default)s")
    args = parser.parse_args(argv)
    for pair in args.models:
        name, _, folder = pair.partition("=")
        if name not in MODELS or not folder:
            raise SystemExit(f"{pair}: write NAME=FOLDER, with a name out of {', '.join(MODELS)}")
        (BUNDLE / name).mkdir(parents=True, exist_ok=True)
        for file in (CONFIG_FILE, WEIGHTS_FILE):
            shutil.copyfile(Path(folder) / file, BUNDLE / name / file)
    if args.models:
        return
    for name in bundled_models():
        make_card(name, BUNDLE / name, args.results).save(BUNDLE / name / "README.md")
        print(f"wrote the card of {name}")


if __name__ == "__main__":
    main()
