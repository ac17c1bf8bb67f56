"""The base class of every network: its configuration, and saving and loading as safetensors."""

import json
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from fer_denoise.devices import check_device
from fer_denoise.files import write_whole
from fer_denoise.hub.sources import CONFIG_FILE, WEIGHTS_FILE, ModelNotFoundError, model_folder


class PretrainedModel(nn.Module):
    """A network that records the arguments it was built with, so that its folder alone is enough to rebuild it.

    Attributes:
        config: keyword arguments of the constructor, as written to `config.json`.
        training_record: how the weights came about (task, recipe, data, scores); empty for a fresh network.
    """

    def __init__(self, **config: Any) -> None:
        super().__init__()
        self.config = config
        self.training_record: dict[str, Any] = {}

    def save_pretrained(self, folder: str | Path, half: bool = True) -> None:
        """Write `config.json` and `model.safetensors`.

        With `half`, parameters are stored as float16; statistics such as those of batch norm keep their precision.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        parameters = {name for name, _ in self.named_parameters()}

        def stored(name: str, tensor: Tensor) -> Tensor:
            tensor = tensor.detach().cpu().contiguous()
            return tensor.half() if half and name in parameters else tensor

        tensors = {name: stored(name, tensor) for name, tensor in self.state_dict().items()}
        write_whole(folder / WEIGHTS_FILE, save(tensors, metadata={"format": "pt"}))
        config = {"architecture": type(self).__name__, "config": self.config, "training": self.training_record}
        write_whole(folder / CONFIG_FILE, (json.dumps(config, indent=2) + "\n").encode())

    @classmethod
    def from_pretrained(
        cls, source: str | Path, revision: str | None = None, device: str | torch.device = "cpu"
    ) -> Self:
        """Load from a bundled name, a local folder or a Hub repo id, in float32 and evaluation mode.

        Args:
            source: which model.
            revision: commit, tag or branch of a Hub repo.
            device: where its weights go.

        Raises:
            ModelNotFoundError: no such model, or its files do not fit this class.
            DeviceError: torch cannot compute on that device.
        """
        device = check_device(device)
        return cls.from_folder(model_folder(source, revision), source).to(device)

    @classmethod
    def from_folder(cls, folder: Path, source: str | Path) -> Self:
        """As `from_pretrained`, with the files of `source` in `folder`."""
        record = read_config(folder, source)
        if record["architecture"] != cls.__name__:
            raise ModelNotFoundError(
                f"{source}: holds a {record['architecture']}, not a {cls.__name__}; load it with that class"
            )
        try:
            model = cls(**record["config"])
            model.load_state_dict(load_file(folder / WEIGHTS_FILE), strict=True)
        except (SafetensorError, RuntimeError, TypeError, ValueError) as error:
            raise ModelNotFoundError(
                f"{source}: config and weights do not fit {cls.__name__} ({error}); fetch them again"
            ) from error
        model.training_record = record.get("training", {})
        return model.to(torch.float32).eval()


def read_config(folder: Path, source: str | Path | None = None) -> dict[str, Any]:
    """The parsed `config.json` of a model folder.

    Args:
        source: what a person calls the model, for the error.

    Raises:
        ModelNotFoundError: the file is missing or none of this package's; the message says what is wrong with it.
    """
    where = source or folder
    try:
        record = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _no_configuration(where, str(error)) from error
    for key, kind, name in (("architecture", str, "text"), ("config", dict, "an object")):
        if not isinstance(record, dict) or key not in record:
            raise _no_configuration(where, f"it has no {key!r}")
        if not isinstance(record[key], kind):
            raise _no_configuration(where, f"its {key!r} is not {name}")
    return record


def _no_configuration(where: str | Path, reason: str) -> ModelNotFoundError:
    return ModelNotFoundError(
        f"{where}: its {CONFIG_FILE} is no model configuration of this package ({reason}); take the one that "
        "save_pretrained or training wrote"
    )
