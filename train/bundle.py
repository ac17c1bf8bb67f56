"""Bundle trained models with the package, each a complete model repo: config.json, model.safetensors, README.md.

python -m train.bundle attention-unet-low=runs/unet-low/model     # put a trained model into the package
python -m train.benchmark --models attention-unet-low             # measure it
python -m train.bundle                                            # write the cards of all from the results
"""

import argparse
import json
import shutil
from pathlib import Path

from fer_denoise.hub import BUNDLE, CONFIG_FILE, WEIGHTS_FILE, bundled_models
from fer_denoise.zoo import CLASSIFIERS, MODELS
from train.cards import CardError, is_unedited, make_card, results_file


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="NAME=FOLDER", help="the folder model/ of a run, and its name")
    parser.add_argument("--results", type=Path, default=Path("results"), help="their folder (default: %(default)s)")
    parser.add_argument("--overwrite-card", action="store_true", help="also write over cards that a person has edited")
    args = parser.parse_args(argv)
    for pair in args.models:
        name, _, folder = pair.partition("=")
        if name not in {**MODELS, **CLASSIFIERS} or not folder:
            raise SystemExit(f"{pair}: write NAME=FOLDER, with a name out of {', '.join([*MODELS, *CLASSIFIERS])}")
        (BUNDLE / name).mkdir(parents=True, exist_ok=True)
        for file in (CONFIG_FILE, WEIGHTS_FILE):
            shutil.copyfile(Path(folder) / file, BUNDLE / name / file)
    if args.models:
        return
    for name in bundled_models():
        card = BUNDLE / name / "README.md"
        if card.exists() and not is_unedited(card.read_text(encoding="utf-8")) and not args.overwrite_card:
            print(f"kept the card of {name}, which was edited by hand; --overwrite-card replaces it")
            continue
        results = json.loads((args.results / results_file(name)).read_text(encoding="utf-8"))
        try:
            make_card(name, BUNDLE / name, results).save(card)
        except CardError as error:
            raise SystemExit(str(error)) from None
        print(f"wrote the card of {name}")


if __name__ == "__main__":
    main()
