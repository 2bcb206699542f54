"""What the first line of a cell may say, and the corners of what happens then, in a real kernel."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.notebook.conftest import Kernel, Reply

pytestmark = pytest.mark.slow

SPANS_MIME = "application/vnd.mirascope.ops.spans+json"
SETUP = """
import asyncio, json
from mirascope_ops import ops
@ops.trace
def work(value=1):
    return value
def entered():
    session = ops.current_session()
    return session.id, dict(session.attributes)
"""


@pytest.fixture(scope="module", autouse=True)
def _functions(kernel: Kernel) -> None:
    assert kernel.run(SETUP).status == "ok"


def cards(reply: Reply) -> list[str]:
    """The session cards that a cell displayed, as text."""
    return [data["text/plain"] for data in reply.displayed if SPANS_MIME in data]


def current(kernel: Kernel) -> str | None:
    return kernel.value("getattr(ops.current_session(), 'id', None)")


# -- the card ---------------------------------------------------------------------------------------------


def test_a_card_comes_of_a_session_without_spans(kernel):
    (card,) = cards(kernel.run("%%ops_session nothing\n1"))

    assert "Session nothing" in card


def test_a_cell_that_does_not_compile_has_no_card_as_its_session_never_began(kernel):
    reply = kernel.run("%%ops_session never\nwork(\n1 1")

    assert (reply.status, reply.content["ename"]) == ("error", "SyntaxError")
    assert reply.kinds == ["error"]
    assert kernel.value("'never' in ops.sessions().ids") is False


def test_an_empty_body_is_an_empty_run(kernel):
    reply = kernel.run("%%ops_session empty")

    assert reply.status == "ok"
    (card,) = cards(reply)
    assert "Session empty" in card


def test_what_is_displayed_below_a_failing_store_is_nothing(kernel):
    kernel.run("from mirascope_ops import reading\nkept = reading.session_card_of")
    kernel.run("def broken(*a, **k): raise RuntimeError('store')\nreading.session_card_of = broken")

    reply = kernel.run("%%ops_session broken\n1 + 1")
    kernel.run("reading.session_card_of = kept")

    assert (reply.status, reply.result) == ("ok", "2")
    assert cards(reply) == []


# -- the options ------------------------------------------------------------------------------------------


def test_without_an_id_every_run_is_a_new_session(kernel):
    code = "%%ops_session -q\nops.current_session().id"

    first, second = kernel.run(code).result, kernel.run(code).result

    assert first != second
    assert len(first) == len("'00000000-0000-0000-0000-000000000000'")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("plain", "plain"),
        ("--id by-option", "by-option"),
        ("--id=-dash", "-dash"),
        ('"two words"', "two words"),
        ("'single quoted'", "single quoted"),
        ("--id 'two words'", "two words"),
        ("user@host/42?x=1#y", "user@host/42?x=1#y"),
        ("naïve-☃", "naïve-☃"),
        ("it's", "it's"),
        ("C:\\new", "C:\\new"),
        ("50%", "50%"),
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
    ],
)
def test_ids(kernel, written, meant):
    reply = kernel.run(f"%%ops_session {written}\nops.current_session().id")

    assert reply.status == "ok", reply.traceback
    assert reply.result == repr(meant)
    assert "<script>" not in reply.displayed[0]["text/html"]


def test_attributes_are_json_where_they_parse_and_text_elsewhere(kernel):
    header = """%%ops_session attributes -q -a tier=premium -a turns=3 -a 'note=two words' -a on=true -a none=null """
    header += (
        """-a tags=["a", "b c"] -a filter={"k": {"n": 1}} -a x=1=2 --attribute day=2026-01-01 -a empty= -a nan=NaN"""
    )
    reply = kernel.run(f"{header}\nprint(json.dumps(dict(ops.current_session().attributes)))")

    assert json.loads(reply.stdout) == {
        "tier": "premium",
        "turns": 3,
        "note": "two words",
        "on": True,
        "none": None,
        "tags": ["a", "b c"],
        "filter": {"k": {"n": 1}},
        "x": "1=2",
        "day": "2026-01-01",
        "empty": "",
        "nan": "NaN",
    }
    assert kernel.value("ops.sessions(attributes={'tier': 'premium', 'turns': 3}).ids") == ["attributes"]


def test_names_are_expanded(kernel):
    kernel.run("user, tier = 'ada', 'gold'\nlookup = {'k': 5}")

    reply = kernel.run("%%ops_session {user.upper()}-$tier -q -a n={lookup['k']} -a price=$$5\nentered()")

    assert reply.result == "('ADA-gold', {'n': 5, 'price': '$5'})"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("%%ops_session --nothing", "unrecognized arguments: --nothing"),
        ("%%ops_session a b", "unrecognized arguments: b"),
        ("%%ops_session --id", "expected one argument"),
        ("%%ops_session -a", "expected one argument"),
        ("%%ops_session -a novalue", "KEY=VALUE"),
        ("%%ops_session -a =value", "KEY=VALUE"),
        ("%%ops_session --as 1x", "--as"),
        ("%%ops_session --as class", "--as"),
        ("%%ops_session one --id two", "Two session ids"),
        ("%%ops_session " + "x" * 257, "256 characters"),
        ("%%ops_session ''", "must not be empty"),
        ("%%ops_trace a b", "unrecognized arguments: b"),
        ("%%ops_trace --as 1x", "--as"),
    ],
)
def test_a_bad_header_fails_the_cell_before_its_body_runs(kernel, header, message):
    kernel.run("ran = False")

    reply = kernel.run(f"{header}\nran = True\nwork()")

    assert (reply.status, reply.content["ename"]) == ("error", "UsageError")
    assert message in reply.content["evalue"]
    assert reply.displayed == []
    assert "Traceback" not in reply.stderr
    assert kernel.value("ran") is False
    assert current(kernel) is None


def test_a_bad_option_says_how_the_magic_is_used(kernel):
    reply = kernel.run("%%ops_session --nothing\n1")

    assert "Usage: %%ops_session" in reply.content["evalue"]
    assert "-h explains" in reply.content["evalue"]


@pytest.mark.parametrize(
    "header", ["%%ops_session", "%%ops_session --nothing", "%%ops_session -a", '%%ops_session "open']
)
def test_a_completeness_check_is_answered(kernel, header):
    # An old frontend hangs where no reply comes; magic cells are incomplete until an empty line.
    for body in ("", "\n1", "\n1\n", "\n1\n\n", "\ndef f(:"):
        assert kernel.is_complete(header + body) in {"complete", "incomplete", "invalid"}
        assert kernel.is_complete(header + body) == kernel.is_complete(header.replace("ops_session", "time") + body)


# -- several headers --------------------------------------------------------------------------------------


def test_a_quiet_header_leaves_the_card_to_the_one_below(kernel):
    (card,) = cards(kernel.run("%%ops_session outer -q\n%%ops_session inner\nwork()"))

    assert "Session inner" in card


def test_stacked_headers_count_their_lines(kernel):
    reply = kernel.run("%%ops_session outer -q\n\n%%ops_session inner -q\n\n1/0")

    assert reply.error == "ZeroDivisionError: division by zero"
    assert "line 5" in reply.traceback
    assert "%%ops_session" in reply.traceback
    assert "_mirascope" not in reply.traceback


# -- %%ops_trace ------------------------------------------------------------------------------------------


def test_a_traced_cell_in_a_session(kernel):
    reply = kernel.run("%%ops_session around\n%%ops_trace step\nwork()\nawait asyncio.sleep(0)")

    assert reply.status == "ok", reply.traceback
    assert kernel.value("[(s.name, s.session_id) for s in ops.get_session('around').spans]") == [
        ("step", "around"),
        ("work", "around"),
    ]


# -- other magics around, inside and beside -----------------------------------------------------------------


def test_in_an_ordinary_string_or_below_code_the_header_is_no_header(kernel):
    reply = kernel.run("x = '''\n%%ops_session no\n'''\nops.current_session() is None")

    assert reply.result == "True"


# -- what is kept ------------------------------------------------------------------------------------------


def test_the_history_keeps_the_text_of_cells_that_fail_and_of_bad_headers(kernel):
    for code in ("%%ops_session kept -q\n1/0", "%%ops_session --nothing\nx", "%%ops_session kept\n1 1"):
        number = kernel.run(code).content["execution_count"]

        assert kernel.value(f"In[{number}]") == code


def test_nothing_is_added_to_the_users_names(kernel):
    everything = "{**get_ipython().user_ns, **vars(__import__('builtins'))}"
    names = f"sorted(n for n in {everything} if not n.strip('_').lstrip('i').isdigit())"
    before = kernel.value(names)

    kernel.run("%%ops_session names -a a=1\nwork()")
    kernel.run("%%ops_session names\n1/0")
    kernel.run("%%ops_session names\nawait asyncio.sleep(0)")
    kernel.run("%%ops_trace names\nwork();")

    assert kernel.value(names) == before


def test_nothing_is_kept_of_the_cells_that_ran(kernel):
    kernel.run("%%ops_session objects -q\nclass Big: pass\nBig()\nimport weakref; ref = weakref.ref(Big()); big = 1;")
    kernel.run("%%ops_session objects -q\nraise ValueError(Big())")

    runner = "get_ipython()._mirascope_ops_cell"
    assert kernel.value(f"(len({runner}._open), len({runner}._kept), len({runner}._runs))") == (0, 0, 1)  # 1: this cell
