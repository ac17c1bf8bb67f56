"""The app's models, each loaded once: from the Hub where it is configured and answers, else from the bundle."""

import copy
import logging
import os
from collections.abc import Callable
from functools import cache
from typing import TypeVar

import torch

from fer_denoise.demo.gpu import lends_gpus
from fer_denoise.hub import sources
from fer_denoise.hub.sources import ModelNotFoundError
from fer_denoise.models import EmotionClassifier
from fer_denoise.precision import fold_batch_norm, on_device
from fer_denoise.restore import Restorer
from fer_denoise.zoo import EMOTION, bundled_restorers

Model = TypeVar("Model", Restorer, EmotionClassifier)

logger = logging.getLogger(__name__)


class Restorers:
    """Loads restorers by name, and the emotion classifier, and remembers where their weights came from.

    `FER_DENOISE_HUB_OWNER` names the Hub user or organisation whose repos `OWNER/fer-denoise-NAME` hold the weights,
    and `FER_DENOISE_HUB_REVISION` the commit, tag or branch to take. Without an owner the Hub is never asked.
    """

    def __init__(self) -> None:
        self.owner = os.environ.get("FER_DENOISE_HUB_OWNER")
        self.revision = os.environ.get("FER_DENOISE_HUB_REVISION")
        self._hub_failed = False
        # What shows a face at once runs on the processor where GPUs are lent by the call.
        self._device = "cpu" if lends_gpus() else None
        self.get = cache(self._load)
        self.classifier = cache(self._load_classifier)

    def load_networks(self) -> None:
        """Load every network now, so that no visitor waits for it."""
        self._load_all()
        if self._hub_failed:
            # All from one place: those that the Hub gave before it failed are loaded again.
            self.get.cache_clear()
            self.classifier.cache_clear()
            self._load_all()

    def _load_all(self) -> None:
        for name in bundled_restorers():
            self.get(name)
        self.classifier()

    def get_on_gpu(self, name: str) -> Restorer:
        """The restorer of `get`, on a GPU where one is lent; for functions that are marked `with_lent_gpu`."""
        restorer = self.get(name)
        if lends_gpus() and not restorer.cpu_only:
            return Restorer(copy.deepcopy(restorer.model), name, "cuda")
        return restorer

    def weights_source(self) -> str:
        """Where the networks' weights came from, for a person to read."""
        if not self.owner:
            return "bundled with this version"
        revision = self.revision or "main"
        if self._hub_failed:
            return f"bundled with this version (the Hub repos of {self.owner} could not be read)"
        return f"Hub repos of {self.owner}, revision {revision}"

    def _load(self, name: str) -> Restorer:
        restorer = self._prefer_hub(
            name, lambda source, revision: Restorer.from_pretrained(source, revision, self._device)
        )
        restorer.name = name
        return restorer

    def _load_classifier(self) -> EmotionClassifier:
        classifier = self._prefer_hub(EMOTION, EmotionClassifier.from_pretrained)
        return on_device(fold_batch_norm(classifier), torch.device("cpu"))

    def _prefer_hub(self, name: str, load: Callable[[str, str | None], Model]) -> Model:
        # One time-out is enough: after it the other repos are not tried.
        if self.owner and not self._hub_failed and name in sources.bundled_models():
            try:
                return load(f"{self.owner}/fer-denoise-{name}", self.revision)
            except ModelNotFoundError as error:
                self._hub_failed = True
                logger.warning("Taking the bundled weights: %s", error)
        return load(name, None)
