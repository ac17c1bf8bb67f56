"""Models and datasets on the Hugging Face Hub: which there are, fetching them, and writing to it."""
