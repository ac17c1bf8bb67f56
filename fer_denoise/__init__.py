"""Restore noisy grayscale faces (FER2013, 48x48), and measure what each method does.

    from fer_denoise import Restorer
    restored = Restorer.from_pretrained("attention-unet-high")(noisy)

`list_models()` names the others.
"""

from fer_denoise.restore import Restorer
from fer_denoise.zoo import list_models

__version__ = "0.1.0"
__all__ = ["Restorer", "__version__", "list_models"]
