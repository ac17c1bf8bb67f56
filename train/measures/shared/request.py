"""What is asked of a measurement: the methods, the data, and where its results lie."""

import json
import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fer_denoise import Restorer
from fer_denoise.classical import FILTERS, available_filters
from fer_denoise.data import Faces, load_fer2013
from fer_denoise.data.votes import Votes, load_votes
from fer_denoise.noise import TASKS
from fer_denoise.zoo import MODELS
from train.measures.shared.peers import PEERS, Peer, load_peers

NOTHING_TO_MEASURE = "--models names none, so there is nothing to measure: name some, or leave it out"


@dataclass(frozen=True)
class Request:
    """A measurement as it was asked for.

    Attributes:
        models: names of the methods to measure: networks and filters of this package, and out of `PEERS`.
        out: folder of the results.
        data, revision: where FER2013 is, as for `load_fer2013`.
        seed: of the noise.
        images: only the first so many; None for as many as the measurement usually takes.
        workers: processes for the filters; None for one per core.
        anew: names of methods that are measured once more though nothing about them has changed.
        device: where networks run; None for the best there is.
        peers_folder: holds the files of published networks.
        place: where the pictures of the measurement are, if it needs any besides FER2013.
        votes: `fer2013new.csv` of FER+, where what people saw in the faces is to be measured too.
        tasks, variants, origin_recipes, samples: for `train.measures.tasks` alone.
    """

    models: list[str]
    out: Path
    data: str
    revision: str | None
    seed: int
    images: int | None = None
    workers: int | None = None
    anew: list[str] = field(default_factory=list)
    device: str | None = None
    peers_folder: Path | None = None
    place: Path | None = None
    votes: Path | None = None
    tasks: list[str] = field(default_factory=lambda: list(TASKS))
    variants: bool = False
    origin_recipes: dict[str, Restorer] = field(default_factory=dict)
    samples: bool = False

    @cached_property
    def restorers(self) -> dict[str, Restorer]:
        """The chosen networks and filters of this package."""
        return {name: Restorer.from_pretrained(name, device=self.device) for name in self.models if name in MODELS}

    @cached_property
    def peers(self) -> dict[str, Peer]:
        """The chosen networks that others published."""
        names = [name for name in self.models if name in PEERS]
        return load_peers(self.peers_folder, names, self.device) if self.peers_folder else {}

    @property
    def blind_networks(self) -> dict[str, Restorer]:
        """The chosen networks that are made for noise of any level."""
        return {name: each for name, each in self.restorers.items() if each.blind and MODELS[name].serves(None)}

    @property
    def processes(self) -> int:
        """How many work on the filters."""
        return self.workers or os.cpu_count() or 1

    def faces(self, split: str = "test", most: int | None = None) -> Faces:
        """The first faces of a split: as many as were asked for, else at most `most`."""
        faces = load_fer2013(self.data, split, self.revision)
        count = self.images or most
        return Faces(faces.images[:count], faces.labels[:count], faces.source)

    def faces_and_votes(self) -> tuple[Faces, Votes | None]:
        """The first test faces, and the votes on them where there is a file of them."""
        whole = load_fer2013(self.data, "test", self.revision)
        faces = Faces(whole.images[: self.images], whole.labels[: self.images], whole.source)
        if not self.votes:
            return faces, None
        return faces, Votes(load_votes(self.votes, whole, "test").counts[: self.images])

    def conditions(self, clean: np.ndarray) -> dict[str, Any]:
        """What the figures depend on besides the methods: the faces, and the seed of their noise."""
        data = {"images": len(clean), "sha256": Faces(clean, np.zeros(len(clean)), "").fingerprint}
        return {"data": data, "seed": self.seed}

    def say_what_is_not_installed(self) -> None:
        """Name the filters that are left out since their packages are not there."""
        for name in FILTERS:
            if name not in available_filters():
                print(f"{name} is left out, for it is not installed: pip install {FILTERS[name].package}")

    def lose_nothing(self, file: Path, images: int | None = None) -> None:
        """End with a message where `file` holds other methods or rows of more images, for they would be lost."""
        if not file.exists():
            return
        results = json.loads(file.read_text(encoding="utf-8"))
        rows = results["rows"] if "rows" in results else results["models"]
        names = {row.get("method") or row.get("model") for row in rows}.union(results.get("methods", ()))
        lost = [name for name in (*MODELS, *PEERS) if name in names and name not in self.models]
        before = max((row.get("images", 0) for row in rows), default=0)
        if lost or (images is not None and images < before):
            more = ", ".join(lost) or f"{before} images"
            raise SystemExit(f"{file} holds more, namely {more}: measure that too, or choose another --out")


class Measurement(Protocol):
    """The face of a module of this folder, as its `__init__.py` says."""

    FILE: str
    HELP: str
    WITH_PEERS: bool
    PLACE: str | None

    def methods(self) -> list[str]: ...
    def measure(self, request: Request) -> dict[str, Any]: ...
    def tables(self, results: dict[str, Any]) -> dict[str, str]: ...
