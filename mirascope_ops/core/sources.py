"""A function's source as a syntax tree, found by its code object, and written in one normal form.

The whole file or cell is parsed and the function is looked up in it. Taking the function's lines out first, as
`inspect.getsource` does, would change multi-line strings when they are dedented, and cannot separate two lambdas
on one line.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import linecache
import os
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from types import CodeType

FunctionNode: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_LAMBDA: Final = "<lambda>"
_ATTEMPTS: Final = 10  # at parsing
_MAX_FILES: Final = 256  # parsed files and cells that are kept
_MUTATORS: Final = frozenset((
    "add", "append", "appendleft", "clear", "discard", "extend", "extendleft", "insert", "pop", "popitem",
    "popleft", "remove", "reverse", "setdefault", "sort", "update",
))  # fmt: skip


class Uses(NamedTuple):
    """The names that a function uses, as far as its syntax tells.

    Attributes:
        annotations: Names in annotations, which belong to the scope around the function.
        paths: Dotted names, as (name, attribute).
        inherited: Attributes of `super()`.
        state: Names whose value the function itself changes: `global x`, `x.append(...)`, `x[...] = ...`.
    """

    annotations: frozenset[str]
    paths: frozenset[tuple[str, str]]
    inherited: frozenset[str]
    state: frozenset[str]


_parsing = threading.RLock()


def _renew_lock() -> None:
    """Take a new lock after a fork: the old one may be held by a thread that does not exist in the child."""
    global _parsing  # noqa: PLW0603 - one lock a process
    _parsing = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def parse(text: str, mode: str = "exec") -> ast.AST:
    """Parse source, one thread at a time.

    Until Python 3.12, two threads that parse at once disturb each other's count of the depth, and one of them gets
    a SystemError (https://github.com/python/cpython/issues/106905). Threads of the user's may parse too, so it is
    tried again.

    Args:
        text: The source.
        mode: As for `compile`.

    Raises:
        SyntaxError: It is no Python.
    """
    with _parsing:
        for _ in range(_ATTEMPTS - 1):
            with contextlib.suppress(SystemError):
                return ast.parse(text, mode=mode)
        return ast.parse(text, mode=mode)


class _File:
    """A parsed file or cell."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.functions: dict[tuple[str, int], list[FunctionNode]] = {}
        self.uses: dict[FunctionNode, Uses] = {}
        self.normal: dict[tuple[FunctionNode, frozenset[int]], str] = {}
        try:
            tree = parse(text)
        except (SyntaxError, ValueError, RecursionError):  # a magic, a template: there is no source to speak of
            return
        for node in ast.walk(tree):
            if isinstance(node, ast.Lambda):
                self.functions.setdefault((_LAMBDA, node.lineno), []).append(node)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                self.functions.setdefault((node.name, first), []).append(node)


_files: dict[str, _File] = {}


class Source(NamedTuple):
    """A function's syntax tree, in its file."""

    node: FunctionNode
    file: _File

    @property
    def decorators(self) -> list[ast.expr]:
        """The function's decorators, the outermost first."""
        return [] if isinstance(self.node, ast.Lambda) else self.node.decorator_list

    @property
    def uses(self) -> Uses:
        """The names that the function uses."""
        if self.node not in self.file.uses:
            self.file.uses[self.node] = _uses(self.node)
        return self.file.uses[self.node]

    def normalised(self, dropped: Collection[int] = ()) -> str:
        """Return the source without comments, formatting and docstrings.

        A tool's docstring stays: the model reads it.

        Args:
            dropped: Which decorators to leave out, by index.
        """
        key = (self.node, frozenset(dropped))
        if key not in self.file.normal:
            node = copy.deepcopy(self.node)
            if not isinstance(node, ast.Lambda):
                _drop_docstrings(node)
                node.decorator_list = [item for at, item in enumerate(node.decorator_list) if at not in key[1]]
            self.file.normal[key] = ast.unparse(node)
        return self.file.normal[key]

    def signature(self) -> list[Any]:
        """Return the parameters: kind, name, annotation's text, default's text; the result's annotation; "async"."""
        given = self.node.args
        positional = [("positional only", arg) for arg in given.posonlyargs] + [("", arg) for arg in given.args]
        missing = len(positional) - len(given.defaults)
        defaults: list[ast.expr | None] = [*([None] * missing), *given.defaults]
        rows = [(kind, arg, default) for (kind, arg), default in zip(positional, defaults, strict=True)]
        if given.vararg is not None:
            rows.append(("*", given.vararg, None))
        rows += [
            ("keyword only", arg, default) for arg, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        ]
        if given.kwarg is not None:
            rows.append(("**", given.kwarg, None))
        returns = None if isinstance(self.node, ast.Lambda) else self.node.returns
        written = [(kind, arg.arg, _text(arg.annotation), _text(default)) for kind, arg, default in rows]
        return [written, _text(returns), *(["async"] if isinstance(self.node, ast.AsyncFunctionDef) else [])]


def find(code: CodeType, namespace: dict[str, Any] | None = None) -> Source | None:
    """Find a function's source.

    Files, modules in archives and notebook cells are found where tracebacks find them: in `linecache`.

    Args:
        code: The function's code object.
        namespace: The function's globals.

    Returns:
        The source, or None where there is none (`exec`, a prompt, a C function).

    Example:
        >>> find(compile("1", "<nowhere>", "eval")) is None
        True
    """
    text = "".join(linecache.getlines(code.co_filename, namespace))
    if not text:
        return None
    file = _files.get(code.co_filename)
    if file is None or file.text != text:
        while len(_files) >= _MAX_FILES:
            with contextlib.suppress(RuntimeError, StopIteration):  # another thread changes it
                _files.pop(next(iter(_files)), None)
        file = _files[code.co_filename] = _File(text)
    found = file.functions.get((code.co_name, code.co_firstlineno), [])
    if len(found) > 1:
        found = _around(code, found)
    return Source(found[0], file) if len(found) == 1 else None


def names_in(node: ast.AST, *, annotation: bool = False) -> Iterator[str]:
    """Yield the names that an expression reads.

    Args:
        node: The expression.
        annotation: Whether strings in it are expressions too.

    Example:
        >>> sorted(names_in(ast.parse("dict[str, 'Book']"), annotation=True))
        ['Book', 'dict', 'str']
    """
    for item in ast.walk(node):
        if isinstance(item, ast.Name):
            yield item.id
        elif annotation and isinstance(item, ast.Constant) and isinstance(item.value, str) and item.value.isascii():
            try:
                inner = parse(item.value.strip(), mode="eval")
            except (SyntaxError, ValueError, RecursionError):
                continue
            if isinstance(inner, ast.Expression) and not isinstance(inner.body, ast.Constant):
                yield from names_in(inner, annotation=True)


def resolved(node: ast.expr, look_up: Callable[[str], Any]) -> Any:
    """Return what a decorator's dotted name stands for, or None; a call stands for what is called.

    Args:
        node: The decorator.
        look_up: Returns a name's value, or None.
    """
    path: list[str] = []
    while isinstance(node, ast.Attribute | ast.Call):
        if isinstance(node, ast.Attribute):
            path.append(node.attr)
            node = node.value
        else:
            node = node.func
    found = look_up(node.id) if isinstance(node, ast.Name) else None
    while path and found is not None:
        found = getattr(found, path.pop(), None)
    return found


def last_name(node: ast.expr) -> str:
    """Return the last part of a decorator's dotted name: `llm.tool(...)` gives `tool`."""
    while isinstance(node, ast.Call):
        node = node.func
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.expr | None) -> str | None:
    return None if node is None else ast.unparse(node)


def _around(code: CodeType, nodes: list[FunctionNode]) -> list[FunctionNode]:
    """Keep the innermost lambda around the code's first instruction that tells its place."""
    for line, _, column, _ in code.co_positions():
        if line is None or column is None or column == 0 == line:
            continue
        inside = [
            node
            for node in nodes
            if isinstance(node, ast.Lambda)
            and (node.body.lineno, node.body.col_offset) <= (line, column)
            and (line, column) < (node.body.end_lineno or 0, node.body.end_col_offset or 0)
        ]
        if inside:
            return [max(inside, key=lambda node: (node.lineno, node.col_offset))]
    return nodes


def _drop_docstrings(tree: ast.AST) -> None:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        # What a model reads is no comment: a tool's docstring, and that of a class that becomes a schema.
        is_read = bool(node.bases) if isinstance(node, ast.ClassDef) else "tool" in map(last_name, node.decorator_list)
        if ast.get_docstring(node, clean=False) is not None and not is_read:
            node.body = node.body[1:] or [ast.Pass()]


def _uses(function: FunctionNode) -> Uses:
    paths: set[tuple[str, str]] = set()
    inherited: set[str] = set()
    state: set[str] = set()
    given = function.args
    arguments = (*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg)
    written = [arg.annotation for arg in arguments if arg is not None]
    if not isinstance(function, ast.Lambda):
        written.append(function.returns)
    annotations = {name for node in written if node is not None for name in names_in(node, annotation=True)}
    for node in ast.walk(function):
        if isinstance(node, ast.Global | ast.Nonlocal):
            state.update(node.names)
        elif isinstance(node, ast.Attribute):
            if isinstance(node.value, ast.Name) and isinstance(node.ctx, ast.Load):
                paths.add((node.value.id, node.attr))
            elif isinstance(node.value, ast.Call) and last_name(node.value) == "super":
                inherited.add(node.attr)
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            state.add(_root(node))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATORS:
            state.add(_root(node.func))
    return Uses(frozenset(annotations), frozenset(paths), frozenset(inherited), frozenset(state))


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
