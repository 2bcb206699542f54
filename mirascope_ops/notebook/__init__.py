"""The notebook: the IPython extension, its magics, and which cell is running."""
