"""What `python -m fer_denoise` does to files, folders and datasets: jobs that can be interrupted, and their report."""
