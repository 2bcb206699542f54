"""Runs first in the kernels that execute the committed notebooks: the same times and ids on every run."""

from mirascope_ops import testing

testing.deterministic()
del testing  # startup files share the notebook's namespace
