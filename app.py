"""Start the app: `python app.py`, or as a Hugging Face Space."""

import os

# Threads that wait for each other's work by spinning would take the processor from other visitors.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from fer_denoise.demo import build, launch_options

demo = build()

if __name__ == "__main__":
    demo.launch(**launch_options())
