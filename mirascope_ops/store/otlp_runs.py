"""Entries into sessions in files of OTLP, which knows no sessions: attributes of a resource that has no spans.

Other readers of OTLP find nothing in such a resource. The entries stand in its one attribute, as JSON text: a list of
objects with the fields of `RunRecord`.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from mirascope_ops.store import codec
from mirascope_ops.store.otlp import PREFIX
from mirascope_ops.store.records import RunRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEY: Final = f"{PREFIX}runs"
_AT_ONCE: Final = 1_000  # runs a text
_TEXTS: Final = ("run_id", "session_id")
_TEXTS_OR_NONE: Final = ("parent_run_id", "parent_session_id", "cell_id", "notebook")


def texts_of(runs: Iterable[RunRecord], *, at_once: int = _AT_ONCE) -> Iterator[str]:
    """Write runs as JSON texts.

    Args:
        runs: The runs.
        at_once: How many go into one text.
    """
    source = iter(runs)
    while some := list(islice(source, at_once)):
        yield codec.encode([run._asdict() for run in some])


def runs_in(text: Any) -> list[RunRecord]:
    """Read runs that `texts_of` wrote.

    Args:
        text: What stands under `KEY`; it may have been written by anybody.

    Raises:
        ValueError: It is not what `texts_of` writes.

    Example:
        >>> runs_in("[]")
        []
    """
    try:
        return [_run(fields) for fields in codec.decode(text)]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{KEY} holds no entries into sessions ({error})") from None


def _run(fields: dict[str, Any]) -> RunRecord:
    for name in _TEXTS:
        if not isinstance(fields[name], str):
            raise TypeError(f"{name} is no text")
    for name in _TEXTS_OR_NONE:
        if not isinstance(fields.get(name), str | None):
            raise TypeError(f"{name} is no text")
    count, end = fields.get("execution_count"), fields.get("end")
    return RunRecord(
        run_id=fields["run_id"],
        session_id=fields["session_id"],
        parent_run_id=fields.get("parent_run_id"),
        parent_session_id=fields.get("parent_session_id"),
        attributes=dict(cast("dict[str, Any]", fields["attributes"]).items()),
        cell_id=fields.get("cell_id"),
        execution_count=None if count is None else int(count),
        notebook=fields.get("notebook"),
        start=int(fields["start"]),
        end=None if end is None else int(end),
    )
