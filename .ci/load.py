"""How the app holds with many visitors at once, driven by the real client on this machine.

    PYTHONPATH=. python .ci/load.py [--seconds 60] [--requests 2000]

Each visitor restores a noisy face, waits for it, and does so again: 1, 4, 16, then 64 of them. Then one visitor sends
large pictures, five at a time, while another restores faces. Last, so many requests in a row, after which memory and
temporary files are counted.
"""

import argparse
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median, quantiles

import numpy as np
from gradio_client import Client, handle_file
from PIL import Image
from running_app import RunningApp
from skimage import data

from fer_denoise.noise import TASKS
from fer_denoise.samples import sample_faces

VISITORS = (1, 4, 16, 64)
WARM_UP = 100


class Tally:
    """What became of the requests: seconds of those that succeeded, and the words of those that did not."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.errors: Counter[str] = Counter()

    def call(self, request: Callable[[], object]) -> None:
        started = time.perf_counter()
        try:
            request()
        except Exception as error:
            self.errors[f"{type(error).__name__}: {error}"[:100]] += 1
            time.sleep(0.2)
        else:
            self.seconds.append(time.perf_counter() - started)

    def __str__(self) -> str:
        if len(self.seconds) < 2:
            return f"{len(self.seconds)} served, {dict(self.errors) or 'no errors'}"
        return (
            f"{len(self.seconds)} served, {1000 * median(self.seconds):.0f} ms (median), "
            f"{1000 * quantiles(self.seconds, n=20)[-1]:.0f} ms (95th percentile), {dict(self.errors) or 'no errors'}"
        )


def visit(url: str, picture: str, until: float, at_once: int = 1) -> Tally:
    """Restore a picture again and again, until a time of `time.monotonic`."""
    tally, client = Tally(), Client(url, verbose=False, download_files=False)

    def again() -> None:
        while time.monotonic() < until:
            tally.call(lambda: client.predict(handle_file(picture), api_name="/restore"))

    threads = [threading.Thread(target=again) for _ in range(at_once)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return tally


def crowd(app: RunningApp, picture: str, visitors: int, seconds: float) -> None:
    before = app.megabytes()
    # Clients need a moment to come.
    until = time.monotonic() + seconds + 0.1 * visitors
    started = time.monotonic()
    with ThreadPoolExecutor(visitors) as pool:
        tallies = list(pool.map(lambda _: visit(app.url, picture, until), range(visitors)))
    whole = Tally()
    for tally in tallies:
        whole.seconds += tally.seconds
        whole.errors += tally.errors
    rate = len(whole.seconds) / (time.monotonic() - started)
    print(f"{visitors} visitors: {rate:.1f} faces per second; {whole}; {before:.0f} -> {app.megabytes():.0f} MB")


def beside_a_heavy_visitor(app: RunningApp, picture: str, large: str, seconds: float) -> None:
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(2) as pool:
        heavy, light = (
            pool.submit(visit, app.url, large, until, 5),
            pool.submit(visit, app.url, picture, until),
        )
        print(f"a visitor with 512x512 pictures, five at once: {heavy.result()}")
        print(f"one with faces beside that: {light.result()}")


def kept(folder: Path) -> str:
    """What the app's folder for temporary files holds."""
    sizes = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
    return f"{len(sizes)} temporary files of {sum(sizes) / 1e6:.1f} MB"


def in_a_row(app: RunningApp, files: Path, pictures: list[str], requests: int) -> None:
    client = Client(app.url, verbose=False, download_files=False)

    def restore(number: int) -> None:
        client.predict(handle_file(pictures[number % len(pictures)]), api_name="/restore")

    for number in range(WARM_UP):
        restore(number)
    before = app.megabytes()
    print(f"after {WARM_UP} requests: {before:.0f} MB, {kept(files)}")
    for number in range(requests):
        restore(number)
    print(f"after {requests} more: {app.megabytes():.0f} MB ({app.megabytes() - before:+.0f}), {kept(files)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60, help="of each crowd (default: %(default)s)")
    parser.add_argument("--requests", type=int, default=2000, help="in a row (default: %(default)s)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pictures = []
        for seed in range(WARM_UP):
            noisy = TASKS["high"](next(iter(sample_faces().values())), seed=seed)
            pictures.append(f"{folder}/{seed}.png")
            Image.fromarray(np.rint(noisy * 255).astype(np.uint8)).save(pictures[-1])
        large = f"{folder}/large.png"
        Image.fromarray(data.camera()).save(large)
        files = Path(folder, "files")
        with RunningApp(GRADIO_TEMP_DIR=str(files)) as app:
            for visitors in VISITORS:
                crowd(app, pictures[0], visitors, args.seconds)
            beside_a_heavy_visitor(app, pictures[0], large, args.seconds)
            in_a_row(app, files, pictures, args.requests)


if __name__ == "__main__":
    main()
