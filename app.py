"""Start the app: `python app.py`, or as a Hugging Face Space."""

from fer_denoise.demo import build, launch_options

demo = build()

if __name__ == "__main__":
    demo.launch(**launch_options())
