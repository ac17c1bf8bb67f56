"""Bundle trained models with the package, each a complete model repo: config.json, model.safetensors, README.md.

python -m train.bundle attention-unet-low=runs/unet-low/model     # put a trained model into the package
python -m train.benchmark --models attention-unet-low             # measure it
python -m train.bundle                                            # write the cards of all from the results
"""

import argparse
import json
from pathlib import Path

from fer_denoise.hub.sources import BUNDLE, ModelNotFoundError, bundled_models
from fer_denoise.zoo import NETWORKS
from train.reporting.cards import CardError, family_of, is_unedited, make_card, model_name, results_file


def put_into_bundle(name: str, folder: Path) -> None:
    """Save the model in `folder` under this name, once it has proved to be one that may bear it.

    Parameters come to lie in half precision there, in whatever precision they were.

    Raises:
        CardError: it is a model of another kind or task.
        ModelNotFoundError: it is none, or damaged.
    """
    model = family_of(folder).architecture.from_pretrained(folder)
    if (trained := model_name(folder)) != name:
        raise CardError(f"{folder} holds {trained}, not {name}")
    model.save_pretrained(BUNDLE / name)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="NAME=FOLDER", help="the folder model/ of a run, and its name")
    parser.add_argument("--results", type=Path, default=Path("results"), help="their folder (default: %(default)s)")
    parser.add_argument("--overwrite-card", action="store_true", help="also write over cards that a person has edited")
    args = parser.parse_args(argv)
    for pair in args.models:
        name, _, folder = pair.partition("=")
        if name not in NETWORKS or not folder:
            raise SystemExit(f"{pair}: write NAME=FOLDER, with a name out of {', '.join(NETWORKS)}")
        try:
            put_into_bundle(name, Path(folder))
        except (CardError, ModelNotFoundError) as error:
            raise SystemExit(str(error)) from None
    if args.models:
        return
    for name in bundled_models():
        card = BUNDLE / name / "README.md"
        if card.exists() and not is_unedited(card.read_text(encoding="utf-8")) and not args.overwrite_card:
            print(f"kept the card of {name}, which was edited by hand; --overwrite-card replaces it")
            continue
        try:
            results = json.loads((args.results / results_file(name)).read_text(encoding="utf-8"))
            make_card(name, BUNDLE / name, results).save(card)
        except (CardError, OSError, ValueError) as error:
            raise SystemExit(str(error)) from None
        print(f"wrote the card of {name}")


if __name__ == "__main__":
    main()
