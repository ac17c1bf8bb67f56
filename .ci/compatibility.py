"""Every bundled network on processors of less ability, which an environment variable feigns: the same results?

    PYTHONPATH=. python .ci/compatibility.py

Prints by how many gray levels (of 255) results differ from those of this processor in float32, at most, and fails where
that is more than `TOLERANCE`.
"""

import os
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
PROCESSORS = {
    "this processor": {},
    "AVX2, without AVX-512": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "SSE4.1, without AVX": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
}
TOLERANCE = {"fp32": 0.25, "auto": 2.0}
"""By precision; "auto" is bfloat16 where the processor is fast at it."""


def restore_all(file: str) -> None:
    """What every network makes of the sample faces and, if it restores, of a picture that is none.

    By precision, network and task.
    """
    from skimage import data

    from fer_denoise import Restorer
    from fer_denoise.models import EmotionClassifier
    from fer_denoise.noise import TASKS
    from fer_denoise.samples import sample_faces
    from fer_denoise.zoo import CLASSIFIERS, bundled_restorers

    faces = np.stack(list(sample_faces().values())) / np.float32(255)
    pictures = {"faces": faces, "picture": data.camera()[100:196, 100:196] / np.float32(255)}
    results = {}
    for precision in TOLERANCE:
        for name in bundled_restorers():
            restorer = Restorer.from_pretrained(name, device="cpu", precision=precision)
            for (task, noise), (kind, clean) in product(TASKS.items(), pictures.items()):
                results[f"{precision} {name} {task} {kind}"] = restorer(noise(clean, seed=0))
    for name, (task, noise) in product(CLASSIFIERS, TASKS.items()):
        # Probabilities, counted as gray levels are.
        guesses = EmotionClassifier.from_pretrained(name).probabilities_and_votes(noise(faces, seed=0))
        results[f"fp32 {name} {task} faces"] = np.stack(guesses)
    np.savez(file, **results)


def main() -> None:
    if len(sys.argv) > 1:
        restore_all(sys.argv[1])
        return
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        reference: dict[str, np.ndarray] = {}
        for processor, environment in PROCESSORS.items():
            file = f"{folder}/results.npz"
            subprocess.run([sys.executable, __file__, file], env={**os.environ, **environment}, cwd=ROOT, check=True)
            results = dict(np.load(file))
            reference = reference or results
            for precision, tolerance in TOLERANCE.items():
                differences = {
                    key: 255 * float(np.abs(image - reference[f"fp32 {key.partition(' ')[2]}"]).max())
                    for key, image in results.items()
                    if key.startswith(precision)
                }
                worst = max(differences, key=lambda key: differences[key])
                verdict = "ok" if differences[worst] <= tolerance else f"more than {tolerance}"
                failed |= differences[worst] > tolerance
                print(f"{processor}, {precision}: {differences[worst]:.4f} gray levels ({worst}); {verdict}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
