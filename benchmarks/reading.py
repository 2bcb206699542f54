"""What reading costs: spans to a DataFrame, from memory and from a file; a session among many; a tree.

    .venv/bin/python benchmarks/reading.py [SPANS]

Absolute times depend on the machine and on what else it does: each is also told as a multiple of
`pandas.DataFrame(list_of_dicts)` of the same spans in the same run. Times are of this process's processor; the best
of three rounds counts.
"""

from __future__ import annotations

import gc
import resource
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from mirascope_ops import ops
from mirascope_ops.analysis.tree import forest
from mirascope_ops.store.memory import MemoryStore
from mirascope_ops.store.recorder import Recorder, replaced
from mirascope_ops.store.records import SpanRecord
from mirascope_ops.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_START = 1_790_000_000_000_000_000
_IN_TRACE, _IN_SESSION = 10, 100
_BATCH = 10_000
_SAID = "What is the weather like there right now, and do I need an umbrella? " * 3


def record(number: int) -> SpanRecord:
    """Make one span: in each trace of ten a traced function, three model calls below it, and six steps."""
    trace, place = divmod(number, _IN_TRACE)
    session = f"session-{number // _IN_SESSION}"
    attributes: dict[str, Any]
    if place % 3 == 0 and place:
        name = "chat gpt-4o-mini"
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.response.model": "gpt-4o-mini-2026-01-01",
            "gen_ai.usage.input_tokens": 100 + place,
            "gen_ai.usage.output_tokens": 20,
            "gen_ai.input.messages": f'[{{"role":"user","parts":[{{"type":"text","content":"{number} {_SAID}"}}]}}]',
            "gen_ai.output.messages": f'[{{"role":"assistant","parts":[{{"type":"text","content":"{number}: no"}}]}}]',
        }
    else:
        name = "step" if place else "answer"
        attributes = {
            "mirascope.type": "trace",
            "mirascope.fn.qualname": name,
            "mirascope.trace.arg_values": f'{{"message":"{number}"}}',
            "mirascope.trace.output": f"done {number}",
            "mirascope.ops.session.id": session,
        }
    is_call = name.startswith("chat")
    start = _START + number * 1_000_000
    return SpanRecord(
        trace_id=f"{trace + 1:032x}",
        span_id=f"{number + 1:016x}",
        parent_id=f"{trace * _IN_TRACE + 1:016x}" if place else None,
        name=name,
        span_kind="internal",
        start=start,
        end=start + 5_000_000,
        status="unset" if is_call else "ok",
        status_message="",
        session_id=None if is_call else session,
        run_id=None,
        session_attributes=None if is_call else '{"user_tier":"premium"}',
        cell_id=None,
        execution_count=None,
        notebook=None,
        sampled=True,
        service="bench",
        scope="app",
        resource=_RESOURCE,
        attributes=attributes,
    )


_RESOURCE = {"service.name": "bench"}


def batches(number: int) -> Iterator[list[SpanRecord]]:
    """Make spans, some at a time."""
    for first in range(0, number, _BATCH):
        yield [record(each) for each in range(first, min(first + _BATCH, number))]


def best(function: Callable[[], Any], rounds: int = 3) -> float:
    """Give the least processor time that a call took, in seconds."""
    found: list[float] = []
    for _ in range(rounds):
        gc.collect()
        begin = time.process_time()
        function()
        found.append(time.process_time() - begin)
    return min(found)


def of_dicts(number: int) -> float:
    """Give what a DataFrame of dictionaries of so many spans takes, in seconds."""
    dicts = [span._asdict() for some in batches(number) for span in some]
    return best(lambda: pd.DataFrame(dicts))


def main() -> None:
    """Measure, and print a line for each."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rounds = 3 if number <= 200_000 else 1  # noqa: PLR2004 - a million takes long enough
    few = min(number, 100_000)
    unit = of_dicts(few) * number / few
    print(f"{number:,} spans; pandas.DataFrame(list_of_dicts): {unit:.3f} s")

    def line(what: str, seconds: float) -> None:
        print(f"{what:40} {seconds:8.3f} s {seconds / unit:8.2f} x")

    memory, folder = MemoryStore(max_spans=number), tempfile.TemporaryDirectory()
    file = SqliteStore(Path(folder.name) / "spans.db")
    stores = {"file": file, **({"memory": memory} if number <= 200_000 else {})}  # noqa: PLR2004 - as above
    for some in batches(number):
        for store in stores.values():
            store.write(some)
    for name, store in stores.items():
        with replaced(Recorder(store)):
            line(f"{name}: ops.spans()", best(ops.spans, rounds))
            line(f"{name}: ops.spans().to_pandas()", best(lambda: ops.spans().to_pandas(), rounds))
            line(f"{name}: ops.get_session(id)", best(lambda: ops.get_session("session-7")))
            if name == "file" and rounds > 1:
                spans = ops.spans()
                line("tree of all spans", best(partial(forest, spans)))
                line("to_pandas() of rows", best(spans.to_pandas))
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")
    folder.cleanup()


if __name__ == "__main__":
    main()
