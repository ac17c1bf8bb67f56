"""Restore a face through the running app with the real client, and check that it came back better."""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from gradio_client import Client, handle_file
from PIL import Image

from fer_denoise.metrics import psnr
from fer_denoise.noise import TASKS
from fer_denoise.samples import sample_faces


def connect(url: str, seconds: float = 120) -> Client:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return Client(url, verbose=False)
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)


client = connect(sys.argv[1])
clean = next(iter(sample_faces().values()))
noisy = np.rint(TASKS["high"](clean, seed=0) * 255).astype(np.uint8)
with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "noisy.png"
    Image.fromarray(noisy).save(file)
    result = client.predict(handle_file(file), "universal", api_name="/restore")
restored = np.asarray(Image.open(result))
before, after = psnr(noisy, clean), psnr(restored, clean)
print(f"through the app: {before:.2f} dB noisy, {after:.2f} dB restored")
sys.exit(0 if after > before + 3 else "the app did not restore the picture")
