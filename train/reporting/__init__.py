"""What people read of measurements: files of results, tables and plots, and model cards."""
