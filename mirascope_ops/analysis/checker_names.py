"""Names that a module imports for type checkers only, and that its annotations use all the same.

They stand under `if TYPE_CHECKING:`. They are read from the module's source and looked for among what is loaded:
nothing is imported for them.
"""

from __future__ import annotations

import ast
import collections.abc
import inspect
import sys
import typing
from functools import lru_cache
from importlib.util import resolve_name
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@lru_cache(maxsize=256)
def checker_names(module: str) -> dict[str, Any]:
    """Return what these names of a module stand for, with the names of Python's own that annotations use.

    Args:
        module: The module's name. One without a source, such as a notebook, has none.

    Example:
        >>> "Iterator" in checker_names("mirascope_ops.analysis.checker_names")
        True
    """
    found: dict[str, Any] = {**vars(collections.abc), **vars(typing)}
    place = sys.modules.get(module)
    if place is None:
        return found
    try:
        tree = ast.parse(inspect.getsource(place))
    except (OSError, TypeError, SyntaxError, ValueError):
        return found
    for statement in _imports(tree):
        for name in statement.names:
            if isinstance(statement, ast.ImportFrom):
                value = _imported(place, statement, name.name)
            else:
                value = sys.modules.get(name.name if name.asname else name.name.partition(".")[0])
            if value is not None:
                found[name.asname or name.name.partition(".")[0]] = value
    return found


def _imports(tree: ast.Module) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in tree.body:
        if isinstance(node, ast.If) and ast.unparse(node.test).rpartition(".")[2] == "TYPE_CHECKING":
            yield from (inner for inner in node.body if isinstance(inner, ast.Import | ast.ImportFrom))


def _imported(place: Any, statement: ast.ImportFrom, name: str) -> Any:
    package = getattr(place, "__package__", None) or ""
    try:
        source = resolve_name("." * statement.level + (statement.module or ""), package)
    except ImportError:
        return None
    names: dict[str, Any] = getattr(sys.modules.get(source), "__dict__", {})
    return names.get(name, sys.modules.get(f"{source}.{name}"))
