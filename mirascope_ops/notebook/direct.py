"""Running a cell from its text, for who calls `%%ops_session` as a function: `run_cell_magic` and its like."""

from __future__ import annotations

import ast
from typing import Any

from IPython.core.error import UsageError

from mirascope_ops.notebook.transform import is_marked


def run_text(shell: Any, text: str) -> Any:
    """Run a cell's text with its header, for who calls the magic as a function; return the last expression's value.

    Args:
        shell: The InteractiveShell.
        text: The header line and the body.

    Raises:
        UsageError: The transformers are gone from the shell.
        Exception: Whatever the body raises.
    """
    source = shell.transform_cell(text)
    if not is_marked(source):
        name = text.split(maxsplit=1)[0]
        message = f"{name} needs its input transformer, which something removed. Type: %reload_ext mirascope_ops"
        raise UsageError(message)
    name = shell.compile.cache(source, shell.execution_count - 1, raw_code=text)
    *first, last = shell.transform_ast(shell.compile.ast_parse(source, filename=name)).body
    for node in first if isinstance(last, ast.Expr) else [*first, last]:
        exec(shell.compile(ast.Module([node], []), name, "exec"), shell.user_global_ns, shell.user_ns)  # noqa: S102
    if isinstance(last, ast.Expr):
        code = shell.compile(ast.Expression(last.value), name, "eval")
        return eval(code, shell.user_global_ns, shell.user_ns)  # noqa: S307
    return None
