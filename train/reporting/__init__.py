"""From measurements to what people read: files of results, tables and plots, and model cards."""
