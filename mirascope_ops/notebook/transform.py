"""Turning a cell that starts with `%%ops_session` into the same cell, run inside a session.

Two steps, and no text of the user's is ever pasted into a template. `HeaderTransform` works on text: it puts
a *marker*, valid Python without any effect, in the place of the header lines, so that every later line keeps
its number. `CellTransform` works on the syntax tree: it finds the marker and puts each top-level statement
into a `with` of its own. IPython compiles and runs top-level statements one by one; keeping them apart keeps
`global`, a late `from __future__`, a `return` that does not compile, and every setting of
`ast_node_interactivity` as they are in a plain cell.

What the transformed cell calls is `runner.Runner`, which the shell holds as an attribute named `NAME`: no
name is added to the user's namespace, nor to `builtins`.
"""

from __future__ import annotations

import ast
import itertools
import json
import re
from typing import TYPE_CHECKING, Any, Final

from IPython.core import inputtransformer2

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NAME: Final = "_mirascope_ops_cell"
_IPYTHON: Final[Any] = inputtransformer2  # untyped
_TOP: Final = (_IPYTHON.leading_indent, _IPYTHON.classic_prompt, _IPYTHON.ipython_prompt)
_HEADER: Final = re.compile(r"%%(?:ops_session|ops_trace)(?:\s|$)")
_FUTURE: Final = re.compile(r"from\s+__future__\s")


class HeaderTransform:
    """An input transformer: header lines to a marker, and what follows as IPython treats the top of a cell.

    A call is the marker of choice, as it complains where nobody transforms the tree (`%%prun` runs text). Before
    `from __future__` only a string may stand, so there it is one.
    """

    # Completeness checks leave out what has side effects. Without us they see a cell magic, which in a
    # console ends with an empty line; and an unfinished header cannot disturb them.
    has_side_effects = True

    def __call__(self, lines: list[str]) -> list[str]:
        """Transform a cell's lines; those of a cell without a header of ours are returned as they are."""
        top: list[str] = []  # the header lines, and blank ones between them
        body = list(lines)
        while (blank := _leading_blank(body)) < len(body) and is_header(body[blank]):
            top += [*[""] * blank, body[blank].rstrip()]
            body = _as_cell_start(body[blank + 1 :])
        if not top:
            return lines
        body = body[:blank] + _lines(_IPYTHON.cell_magic, body[blank:])
        marker = _marker(top, as_string=any(map(_FUTURE.match, body)))
        return [marker + "\n", *["\n"] * (len(top) - 1), *body]


def _leading_blank(lines: Sequence[str]) -> int:
    return next((index for index, line in enumerate(lines) if not line.isspace()), len(lines))


def _as_cell_start(body: list[str]) -> list[str]:
    """Do to a body what IPython does to a cell's first lines: take off common indentation and prompts."""
    blank = _leading_blank(body)
    text = body[blank:]
    for transform in _TOP:
        text = _lines(transform, text)
    return body[:blank] + text


def _lines(transform: Any, lines: list[str]) -> list[str]:
    return list(transform(lines)) if lines else lines


def _marker(top: Sequence[str], *, as_string: bool) -> str:
    if as_string:
        return repr(f"{NAME}:{json.dumps(top)}")
    return f"get_ipython().{NAME}({', '.join(map(repr, top))})"


def is_header(line: str) -> bool:
    """Whether a line is a header of ours."""
    return _HEADER.match(line) is not None


def is_marked(source: str) -> bool:
    """Whether a cell's transformed text starts with a marker."""
    return source.startswith((f"get_ipython().{NAME}(", f"'{NAME}:"))


class SingleLineTransform:
    """A late input transformer: automagic and autocall for a body of one line.

    IPython rewrites `ls` to `%ls` and `exit` to `exit()` in cells of a single line; a header must not change that.
    """

    def __init__(self, prefilter: Callable[[str], str]) -> None:
        self._prefilter = prefilter

    def __call__(self, lines: list[str]) -> list[str]:
        """Rewrite the only line of a marked cell's body."""
        if not lines or not is_marked(lines[0]):
            return lines
        first = 1 + _leading_blank(lines[1:])
        if first != len(lines) - 1:
            return lines
        return [*lines[:first], self._prefilter(lines[first].rstrip("\n")) + "\n"]


class CellTransform:
    """An AST transformer: a marked module becomes calls to the runner around the user's statements.

    Args:
        interactivity: Gives the shell's `ast_node_interactivity` when a cell is transformed.
        wants_help: Whether a header asks for help, in which case the body does not run.
    """

    _keys = itertools.count()

    def __init__(self, interactivity: Callable[[], str], wants_help: Callable[[str], bool]) -> None:
        self._interactivity = interactivity
        self._wants_help = wants_help

    def visit(self, module: ast.AST) -> ast.AST:
        """Transform a module whose first statement is a marker; leave others alone."""
        top = _read_marker(module)
        if top is None or not isinstance(module, ast.Module):
            return module
        marker, *body = module.body
        if asking := next(filter(self._wants_help, top), None):
            module.body = [_at(marker, ast.Expr(_call("help", asking)))]
            return module
        key = next(self._keys)
        preamble = _preamble(body)
        module.body = [
            *body[:preamble],
            _at(marker, ast.Expr(_call("open", key, *top))),
            *self._wrapped(body[preamble:] or [_at(marker, ast.Pass())], key),
        ]
        return module

    def _wrapped(self, body: list[ast.stmt], key: int) -> list[ast.stmt]:
        """Put every statement into a `with` and keep what the last one has to show for after it."""
        *first, last = body
        # A text on its own stays as it is: it cannot fail, and Python makes `__doc__` of it.
        steps = [node if _is_future(node) or _is_string(node) else _with("step", key, node) for node in first]
        if _is_future(last):
            return [*steps, last, _with("last_step", key, _at(last, ast.Pass()))]
        if isinstance(last, ast.Expr) and not isinstance(last.value, ast.Starred):
            # The value leaves the `with` by way of the runner, so that it is displayed as always: by IPython.
            kept = _at(last, ast.Expr(_call("keep", key, last.value)))
            return [*steps, _with("last_step", key, kept), _at(last, ast.Expr(_call("take", key)))]
        shown = self._assigned(last)
        return [*steps, _with("last_step", key, last), *([] if shown is None else [shown])]

    def _assigned(self, last: ast.stmt) -> ast.stmt | None:
        """With `last_expr_or_assign`, the name that IPython would display after this statement, as a statement."""
        if self._interactivity() != "last_expr_or_assign":
            return None
        match last:
            case ast.Assign(targets=[ast.Name(id=name)]):
                pass
            case ast.AugAssign(target=ast.Name(id=name)) | ast.AnnAssign(target=ast.Name(id=name)):
                pass
            case _:
                return None
        # Not an expression: IPython itself decides whether an assignment is displayed.
        return _at(last, ast.Assign([ast.Name(name, ast.Store())], ast.Name(name, ast.Load())))


def _read_marker(module: ast.AST) -> list[str] | None:
    """Read the header lines, and blank ones between them, out of a module's marker; None where there is none."""
    match module:
        case ast.Module(body=[ast.Expr(value=ast.Call(func=ast.Attribute(attr=attr), args=args)), *_]) if attr == NAME:
            return [str(ast.literal_eval(argument)) for argument in args]
        case ast.Module(body=[ast.Expr(value=ast.Constant(value=str(text))), *_]) if text.startswith(f"{NAME}:"):
            return list(json.loads(text.removeprefix(f"{NAME}:")))
        case _:
            return None


def _preamble(body: Sequence[ast.stmt]) -> int:
    """Count the statements that must stay in front: `from __future__`, and a docstring before it."""
    start = 1 if len(body) > 1 and _is_string(body[0]) and _is_future(body[1]) else 0
    return next((index for index, node in enumerate(body[start:], start) if not _is_future(node)), len(body))


def _is_string(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def _call(method: str, *arguments: Any) -> ast.Call:
    """Return the expression `get_ipython()._mirascope_ops_cell.method(arguments)`."""
    shell = ast.Call(ast.Name("get_ipython", ast.Load()), [], [])
    runner = ast.Attribute(ast.Attribute(shell, NAME, ast.Load()), method, ast.Load())
    nodes = [given if isinstance(given, ast.expr) else ast.Constant(given) for given in arguments]
    return ast.Call(runner, nodes, [])


def _with(method: str, key: int, statement: ast.stmt) -> ast.stmt:
    return _at(statement, ast.With([ast.withitem(_call(method, key))], [statement]))


def _at(original: ast.stmt, node: ast.stmt) -> ast.stmt:
    """Give new nodes the place of the user's statement; nodes that have one keep it."""
    return ast.fix_missing_locations(ast.copy_location(node, original))
