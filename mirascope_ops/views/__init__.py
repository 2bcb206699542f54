"""What is read back, to look at: text, static HTML, plotly figures. Pure functions that return values."""
