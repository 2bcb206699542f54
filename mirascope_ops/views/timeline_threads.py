"""Which thread a span ran in, as its attributes say it, and what its lane is called.

OpenTelemetry's conventions have `thread.id` and `thread.name`. Names may be those of several threads, numbers are used
again after a thread's end, and every process counts for itself: a thread is all three together. Our own spans say
nothing where they ran in the main thread (`core.thread`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from mirascope_ops.core.attributes import THREAD_ID, THREAD_NAME
from mirascope_ops.core.pipeline import SCOPE_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping

MAIN: Final = "MainThread"
HINT: Final = '"thread.'
"""What JSON text of attributes holds where they tell a thread."""

_PROCESS: Final = ("service.instance.id", "host.name", "process.pid", "service.name")
# An escaped quote is part of a value; a brace before a quote may begin an object, in which a key is none of the span's.
_SAID: Final = re.compile(r'(?<!\\)"thread\.(id|name)":(?:"([^"\\]*)"|(-?\d+))(?=[,}])')
_NESTED: Final = '{"'


class Thread(NamedTuple):
    """A thread.

    Attributes:
        process: What tells its process from others.
        number: Its id as text, or "".
        name: Its name, or "".
    """

    process: str
    number: str
    name: str


def process_of(resource: Mapping[str, Any]) -> str:
    """Give what tells one process from others, as a resource says it.

    Example:
        >>> process_of({"service.name": "shop", "process.pid": 7})
        '7 shop'
    """
    return " ".join(str(resource[key]) for key in _PROCESS if key in resource)


def thread_of(attributes: Mapping[str, Any], process: str = "") -> Thread | None:
    """Give the thread that a span's attributes name; None where they name none.

    Args:
        attributes: The span's attributes.
        process: What tells its process from others.

    Example:
        >>> thread_of({"thread.id": 7, "thread.name": "worker"})
        Thread(process='', number='7', name='worker')
    """
    if THREAD_ID not in attributes and THREAD_NAME not in attributes:
        return None
    number, name = (_text(attributes.get(key)) for key in (THREAD_ID, THREAD_NAME))
    return Thread(process, number, name) if number or name else None


def is_main(scope: str) -> bool:
    """Tell whether a span of this scope that names no thread ran in the main one."""
    return scope == SCOPE_NAME


def said_by(text: str) -> tuple[str, str] | None:
    """Give id and name of the thread that attributes name, read from their JSON text without reading all of it.

    Args:
        text: The attributes as a store keeps them.

    Returns:
        None where the text has to be read as JSON to tell.

    Example:
        >>> said_by('{"input":"x","thread.id":7,"thread.name":"worker"}')
        ('7', 'worker')
    """
    if _NESTED in text[1:]:
        return None
    found = {key: named or number for key, named, number in _SAID.findall(text)}
    if len(found) != text.count(HINT):  # a value that is neither text nor a number, or an escape in it
        return None
    return found.get("id", ""), found.get("name", "")


class ThreadLabels:
    """Calls threads by their names, each of them by one of its own."""

    def __init__(self) -> None:
        self._known: dict[Thread, str] = {}
        self._named: dict[tuple[str, str, str], str] = {}  # by process, and id or name
        self._taken: set[str] = set()

    def __getitem__(self, thread: Thread) -> str:
        label = self._known.get(thread)
        if label is None:
            label = self._known[thread] = self._label(thread)
        return label

    def _label(self, thread: Thread) -> str:
        process, number, name = thread
        # One library may tell the id of a thread of which another one told id and name.
        keys = [(process, *told) for told in ((THREAD_ID, number), (THREAD_NAME, name)) if told[1]]
        if len(keys) == 1 and keys[0] in self._named:
            return self._named[keys[0]]
        label = self._free(name or f"thread {number}", number if name else "")
        for key in keys:
            self._named.setdefault(key, label)
        return label

    def _free(self, label: str, number: str) -> str:
        made, again = label, 1
        if made in self._taken and number:
            made = f"{label} ({number})"
        while made in self._taken:
            again += 1
            made = f"{label} · {again}"
        self._taken.add(made)
        return made


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()
