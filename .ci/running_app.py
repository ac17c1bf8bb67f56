"""The app in a process of its own, for scripts that use it as visitors do."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]


class RunningApp:
    """`python app.py` on a free port of this machine, from when it answers until the end of a `with`.

    Args:
        environment: variables beside those of this process.

    Attributes:
        seconds: how long it took to answer.
    """

    def __init__(self, **environment: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {**os.environ, "GRADIO_SERVER_PORT": str(self.port), **environment}

    def __enter__(self) -> "RunningApp":
        started = time.perf_counter()
        command = [sys.executable, "app.py"]
        self.process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=subprocess.DEVNULL)
        while not self._answers():
            if self.process.poll() is not None:
                raise SystemExit(f"app.py ended with {self.process.returncode} before it answered")
            time.sleep(0.02)
        self.seconds = time.perf_counter() - started
        return self

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.process.wait()

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=0.1).close()
        except OSError:
            return False
        return True

    def megabytes(self) -> float:
        """Its resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024
