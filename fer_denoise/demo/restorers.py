"""The app's restorers, each loaded once: from the Hub where it is configured and answers, else from the bundle."""

import copy
import logging
import os
from functools import cache

from fer_denoise import hub
from fer_denoise.demo.gpu import lends_gpus
from fer_denoise.hub import ModelNotFoundError
from fer_denoise.models import PretrainedModel
from fer_denoise.restore import Restorer

logger = logging.getLogger(__name__)


class Restorers:
    """Loads restorers by name and remembers where their weights came from.

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

    def load_networks(self) -> None:
        """Load every bundled network now, so that no visitor waits for it."""
        for name in hub.bundled_models():
            self.get(name)
            if self._hub_failed:
                break
        if self._hub_failed:
            # All from one place: those that the Hub gave before it failed are loaded again.
            self.get.cache_clear()
            for name in hub.bundled_models():
                self.get(name)

    def get_for_much_work(self, name: str) -> Restorer:
        """As `get`, on a GPU where one is lent; for functions that are marked `with_lent_gpu`."""
        restorer = self.get(name)
        if lends_gpus() and isinstance(restorer.model, PretrainedModel):
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
        if self.owner and not self._hub_failed and name in hub.bundled_models():
            try:
                restorer = Restorer.from_pretrained(f"{self.owner}/fer-denoise-{name}", self.revision, self._device)
                restorer.name = name
                return restorer
            except ModelNotFoundError as error:
                # One time-out is enough: the other repos are not tried.
                self._hub_failed = True
                logger.warning("Taking the bundled weights: %s", error)
        return Restorer.from_pretrained(name, device=self._device)
