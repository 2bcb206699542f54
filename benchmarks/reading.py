"""What reading costs: spans to a DataFrame, from memory and from a file; a session among many; a tree.

    .venv/bin/python benchmarks/reading.py [SPANS ...]

Absolute times depend on the machine and on what else it does: each is also told as a multiple of what
`pandas.DataFrame(list_of_dicts)` takes for as many of the same spans in the same run. Times are of the processor, the
best of three rounds; each question is asked in a process of its own, so that its memory can be told. Numbers are
printed, never asserted.
"""

from __future__ import annotations

import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
from tables import table

from mirascope_ops import ops
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


def best(function: Callable[[], Any], rounds: int) -> float:
    """Give the least processor time that a call took, in seconds."""
    found: list[float] = []
    for _ in range(rounds):
        gc.collect()
        begin = time.process_time()
        function()
        found.append(time.process_time() - begin)
    return min(found)


def call_traced(number: int) -> None:
    """Make so many spans by calls of traced functions, a hundred in a session."""

    @ops.trace
    def step(message: str, place: int) -> str:
        return f"done {message} {place}"

    @ops.trace(tags=["bench"])
    def answer(question: str) -> dict[str, Any]:
        for place in range(_IN_TRACE - 1):
            step(question, place)
        return {"question": question, "ok": True}

    for session in range(number // _IN_SESSION):
        with ops.session(id=f"session-{session}", attributes={"user_tier": "premium"}):
            for trace in range(_IN_SESSION // _IN_TRACE):
                answer(f"{session} {trace} {_SAID}")


def frame() -> Any:
    """Read all spans into a DataFrame."""
    return ops.spans().to_pandas()


def _dicts(number: int, file: Path, rounds: int) -> float:
    """`pandas.DataFrame(list_of_dicts)`: what the others are measured by."""
    del file
    few = min(number, _FEW)  # more would take more memory than what is measured by it
    dicts = [span._asdict() for some in batches(few) for span in some]
    return best(lambda: pd.DataFrame(dicts), rounds) * number / few


def _file(number: int, file: Path, rounds: int) -> float:
    del number
    with replaced(Recorder(SqliteStore(file))):
        return best(frame, rounds)


def _session(number: int, file: Path, rounds: int) -> float:
    del number
    with replaced(Recorder(SqliteStore(file))):
        return best(lambda: ops.get_session("session-7"), rounds)


def _tree(number: int, file: Path, rounds: int) -> float:
    del number
    with replaced(Recorder(SqliteStore(file))):
        spans = ops.spans()
        list(spans)
        return best(spans.tree, rounds)


def _rows(number: int, file: Path, rounds: int) -> float:
    del number
    with replaced(Recorder(SqliteStore(file))):
        spans = ops.SpanSet(list(ops.spans()))
    return best(spans.to_pandas, rounds)


def _calls(number: int, file: Path, rounds: int) -> float:
    del file
    with replaced(Recorder(MemoryStore(number))):
        call_traced(number)
        return best(frame, rounds)


def _records(number: int, file: Path, rounds: int) -> float:
    del file
    store = MemoryStore(number)
    for some in batches(number):
        store.write(some)
    with replaced(Recorder(store)):
        return best(frame, rounds)


class Question(NamedTuple):
    """One thing to measure.

    Attributes:
        what: What it is, for people.
        ask: Measures it.
        most: By number of spans, how many seconds it is to take at most.
        many: Whether it is asked of more spans than memory holds by default.
    """

    what: str
    ask: Callable[[int, Path, int], float]
    most: dict[int, float]
    many: bool = False


_FEW = 100_000
_MEMORY = {1_000_000: 2.5}  # GB at most
UNIT = "dicts"
QUESTIONS = {
    UNIT: Question("pandas.DataFrame(list_of_dicts)", _dicts, {}, many=True),
    "rows": Question("rows in hand -> DataFrame", _rows, {100_000: 0.4}),
    "calls": Question("memory, traced calls -> DataFrame", _calls, {100_000: 0.4}),
    "records": Question("memory, other spans -> DataFrame", _records, {100_000: 0.4}),
    "file": Question("file -> DataFrame", _file, {100_000: 1.5, 1_000_000: 12.0}, many=True),
    "session": Question("one session out of the file", _session, {1_000_000: 0.05}, many=True),
    "tree": Question("tree of all spans", _tree, {100_000: 1.0}),
}


class Answer(NamedTuple):
    """What was measured: seconds of the processor, and the most memory that the process took, in GB."""

    question: Question
    number: int
    seconds: float
    gigabytes: float


def answers(number: int) -> list[Answer]:
    """Ask everything of so many spans, each question in a process of its own."""
    found: list[Answer] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "spans.db"
        store = SqliteStore(file)
        for some in batches(number):
            store.write(some)
        store.close()
        for name, question in QUESTIONS.items():
            if question.many or number <= _FEW:
                command = [sys.executable, __file__, "--ask", name, str(number), str(file)]
                said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
                found.append(Answer(question, number, *json.loads(said)))
    return found


def targets(found: list[Answer]) -> list[tuple[str, float, float]]:
    """Tell what was to be reached: what, measured, at most."""
    reached: list[tuple[str, float, float]] = []
    for each in found:
        what = f"{each.number:,} spans: {each.question.what}"
        if each.number in each.question.most:
            reached.append((f"s, {what}", each.seconds, each.question.most[each.number]))
        if each.number in _MEMORY and each.question.ask is _file:
            reached.append((f"GB, {what}", each.gigabytes, _MEMORY[each.number]))
    return reached


def report(found: list[Answer]) -> str:
    """Write the answers about one number of spans as a table."""
    unit = next(each.seconds for each in found if each.question is QUESTIONS[UNIT])
    rows = [
        [
            each.question.what,
            f"{each.seconds:.4f}" if each.seconds < 0.1 else f"{each.seconds:.2f}",  # noqa: PLR2004 - digits that tell
            f"{each.seconds / unit:.3f}",
            f"{each.question.most.get(each.number, '')}",
            f"{each.gigabytes:.2f}",
        ]
        for each in found
    ]
    title = f"Reading {found[0].number:,} spans, CPU s"
    return table(title, ["what", "s", "/ list_of_dicts", "at most", "process, GB"], rows)


def main() -> None:
    """Ask, or answer one question."""
    if sys.argv[1:2] == ["--ask"]:
        name, number, file = sys.argv[2], int(sys.argv[3]), Path(sys.argv[4])
        seconds = QUESTIONS[name].ask(number, file, 3 if number <= _FEW or name == "session" else 1)
        print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6]))
        return
    for number in map(int, sys.argv[1:] or [str(_FEW)]):
        print(report(answers(number)), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
