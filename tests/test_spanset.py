"""The sets that people hold: SpanSet, StoredTrace, TraceSet, Session, SessionSet, and how they show themselves."""

from __future__ import annotations

import json
import pickle
import re
from html.parser import HTMLParser

import pytest

from mirascope_ops import OpsError, ops
from mirascope_ops.analysis.schema import MESSAGES_SCHEMA, SESSIONS_SCHEMA, SPANS_SCHEMA, TRACES_SCHEMA, TURNS_SCHEMA
from mirascope_ops.testing import captured

DATA, HTML, TEXT = "application/vnd.mirascope.ops.spans+json", "text/html", "text/plain"
MAX_HTML = 100 * 1024


@pytest.fixture(autouse=True)
def recorded():
    with captured() as spans:
        yield spans


def chat(text, *, model="gpt-4o-mini"):
    """A model call, as an OpenTelemetry instrumentation records it."""
    with ops.span("chat") as span:
        span.set(
            **{
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": model,
                "gen_ai.usage.input_tokens": 10,
                "gen_ai.usage.output_tokens": 3,
                "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": text}]}]),
                "gen_ai.output.messages": json.dumps(
                    [{"role": "assistant", "parts": [{"type": "text", "content": f"Echo: {text}"}]}]
                ),
            }
        )
    return f"Echo: {text}"


@ops.trace(tags=["demo"])
def answer(question):
    if question == "fail":
        raise LookupError("no such city")
    with ops.span("retrieve"):
        pass
    return chat(question)


@pytest.fixture
def talk():
    """A session of three turns, the last of which failed, with a child session."""
    with ops.session(id="talk", attributes={"user_tier": "premium"}):
        answer("Hello!")
        with ops.session(id="aside"):
            answer("By the way")
        with pytest.raises(LookupError):
            answer("fail")
    return ops.get_session("talk")


def names(spans):
    return [span.name for span in spans]


# -- as a sequence ----------------------------------------------------------------------------------------


def test_a_set_is_an_immutable_sequence(talk):
    spans = talk.spans

    assert type(spans) is ops.SpanSet
    assert len(spans) == 7
    assert names(spans) == ["answer", "retrieve", "chat"] * 2 + ["answer"]
    assert spans[0] is next(iter(spans))
    assert spans[-1].name == "answer"
    assert names(spans[1:3]) == ["retrieve", "chat"]
    assert type(spans[1:3]) is type(talk[1:3]) is ops.SpanSet
    assert spans[0] in spans
    assert next(reversed(spans)) is spans[-1]
    with pytest.raises(IndexError):
        spans[7]
    with pytest.raises(TypeError):
        spans[0] = spans[1]


def test_an_empty_set_is_false_and_works():
    empty = ops.SpanSet([])

    assert not empty
    assert empty.tree() == []
    assert len(empty.traces) == len(empty.roots) == 0
    assert list(empty.to_pandas().columns) == [column.name for column in SPANS_SCHEMA]
    assert len(empty.turns()) == len(empty.messages()) == len(empty.summary()) == 0
    assert set(empty._repr_mimebundle_()) == {DATA, HTML, TEXT}
    assert repr(empty) == "SpanSet of 0 spans"


def test_sets_say_what_they_are(talk):
    assert repr(talk.spans) == "SpanSet of 7 spans"
    assert repr(talk) == "Session('talk', 7 spans)"
    assert repr(talk[:1]) == "SpanSet of 1 span"
    assert repr(talk.traces) == "TraceSet of 3 traces"
    assert repr(talk.traces[:1]) == "TraceSet of 1 trace"
    assert re.fullmatch(r"StoredTrace\('answer', unset, 3 spans, trace_id='[0-9a-f]{32}'\)", repr(talk.traces[0]))
    assert repr(ops.sessions()) == "SessionSet of 2 sessions"


def test_spans_survive_pickling(talk):
    assert list(pickle.loads(pickle.dumps(talk.spans))) == list(talk.spans)


def test_a_stored_trace_is_judged_and_tagged_long_after_it_ended(talk):
    trace_id = talk.traces[0].trace_id

    ops.get_trace(trace_id).annotate(label="pass", reasoning="right", metadata={"by": "Ada"})
    ops.get_trace(trace_id).tag("checked")

    root = ops.get_trace(trace_id).root
    assert [(note.label, note.reasoning, note.metadata) for note in root.annotations if note.label] == [
        ("pass", "right", {"by": "Ada"})
    ]
    assert "checked" in root.tags


def test_what_is_said_of_a_trace_that_is_in_no_store_is_not_lost_in_silence(talk):
    trace = talk.traces[0]
    ops.store.delete(session="talk")

    with pytest.raises(OpsError, match=r"no trace .* in the store"):
        trace.annotate(label="pass")


# -- filter, tree, below ------------------------------------------------------------------------------------


def test_filter_by_columns_values_and_a_function(talk):
    assert names(talk.filter(name="chat")) == ["chat", "chat"]
    assert names(talk.filter(kind="llm", session_id="aside")) == ["chat"]
    assert names(talk.filter(name=["chat", "retrieve"])) == ["retrieve", "chat"] * 2
    assert names(talk.filter(name={"chat"})) == names(talk.filter(name=("chat",))) == ["chat", "chat"]
    assert names(talk.filter(lambda span: span.error_type is not None)) == ["answer"]
    assert names(talk.filter(lambda span: span.parent_id, name="chat", model="gpt-4o-mini")) == ["chat", "chat"]
    assert names(talk.filter(parent_id=None)) == ["answer"] * 3
    assert names(talk.filter(tags=("demo",))) == ["answer"] * 3
    assert len(talk.filter(model=[])) == len(talk.filter(model="another")) == 0
    assert type(talk.filter(kind="llm")) is ops.SpanSet


def test_filter_refuses_an_unknown_column_and_names_those_there_are(talk):
    with pytest.raises(OpsError, match=r"'sesion'.*session_id"):
        talk.filter(sesion="talk")


def test_a_tree_has_every_span_once_below_its_parent(talk):
    tree = talk.tree()

    assert [node.span.name for node in tree] == ["answer"] * 3
    assert [[child.span.name for child in node.children] for node in tree] == [["retrieve", "chat"]] * 2 + [[]]
    for shown in (repr(tree), str(tree)):
        assert shown.count("retrieve") == 2
        assert "no such city" in shown
    assert set(tree._repr_mimebundle_()) == {DATA, HTML, TEXT}


def test_below_is_a_span_with_all_below_it(talk):
    root = talk[0]

    assert names(talk.below(root.span_id)) == ["answer", "retrieve", "chat"]
    assert names(talk.below(talk[1].span_id)) == ["retrieve"]
    assert len(talk.below("0" * 16)) == 0


def test_roots_are_the_spans_without_a_parent_in_the_set(talk):
    assert names(talk.roots) == ["answer"] * 3
    assert names(talk[1:3].roots) == ["retrieve", "chat"]


def test_a_trace_shows_the_spans_of_its_call_only():
    @ops.trace
    def outer():
        answer("before")
        return answer.wrapped("Hello!")

    inner = outer()

    assert names(inner.spans) == ["answer", "retrieve", "chat"]
    assert len(inner.to_pandas()) == 3
    assert [node.span.name for node in inner.tree()] == ["answer"]


# -- tables -------------------------------------------------------------------------------------------------


def test_the_spans_frame_has_all_columns_of_the_schema_and_a_row_a_span(talk):
    frame = talk.to_pandas()

    assert list(frame.columns) == [column.name for column in SPANS_SCHEMA]
    assert len(frame) == 7
    assert str(frame["start"].dtype) == "datetime64[ns, UTC]"
    assert str(frame["duration"].dtype) == "timedelta64[ns]"
    assert str(frame["input_tokens"].dtype) == "Int64"
    assert frame["start"].astype("int64").tolist() == [span.start for span in talk]
    assert list(talk.to_pandas(columns=["name", "kind"]).columns) == ["name", "kind"]
    assert "attributes.mirascope.type" in talk.to_pandas(attributes="columns").columns
    with pytest.raises(OpsError, match="nonsense"):
        talk.to_pandas(columns=["nonsense"])


def test_other_tables_have_the_columns_of_their_schemas(talk):
    tables = {
        "traces": (talk.traces.to_pandas(), TRACES_SCHEMA, 3),
        "turns": (talk.turns(), TURNS_SCHEMA, 3),
        "messages": (talk.messages(), MESSAGES_SCHEMA, 4),
        "sessions": (ops.sessions().to_pandas(), SESSIONS_SCHEMA, 2),
    }

    for name, (frame, schema, rows) in tables.items():
        assert list(frame.columns) == [column.name for column in schema], name
        assert len(frame) == rows, name


def test_turns_are_what_was_asked_and_answered(talk):
    turns = talk.turns()

    assert turns["user"].tolist()[:2] == ["Hello!", "By the way"]
    assert turns["assistant"].tolist()[:2] == ["Echo: Hello!", "Echo: By the way"]
    assert turns["session_id"].tolist() == ["talk", "aside", "talk"]
    assert turns["llm_calls"].tolist() == [1, 1, 0]
    assert turns["error"].isna().tolist() == [True, True, False]
    assert "no such city" in turns["error"][2]


def test_messages_are_what_the_model_was_sent_and_said(talk):
    messages = talk.messages()

    assert messages["role"].tolist() == ["user", "assistant"] * 2
    assert messages["content"].tolist() == ["Hello!", "Echo: Hello!", "By the way", "Echo: By the way"]
    assert messages["index"].tolist() == [0, 1, 0, 1]


def test_a_summary_counts_by_a_column_or_several(talk):
    by_name = talk.summary()
    by_both = talk.summary(by=["session_id", "name"])

    assert dict(zip(by_name.reset_index()["name"], by_name["count"], strict=True)) == {
        "answer": 3,
        "retrieve": 2,
        "chat": 2,
    }
    assert by_name["errors"].sum() == 1
    assert by_name["input_tokens"].sum() == 20
    assert len(by_both) == 6
    with pytest.raises(OpsError, match="nonsense"):
        talk.summary(by="nonsense")


def test_totals_count_each_call_once(talk):
    totals = talk.totals

    assert (totals.spans, totals.traces, totals.errors, totals.llm_calls) == (7, 3, 1, 2)
    assert (totals.input_tokens, totals.output_tokens, totals.cost) == (20, 6, None)


def test_a_figure_has_a_bar_a_span_up_to_its_limit(talk):
    import plotly.graph_objects as plotly

    figure = talk.figure()
    assert isinstance(figure, plotly.Figure)
    assert sum(len(trace.y or ()) for trace in figure.data if trace.type == "bar") == 7
    assert sum(len(trace.y or ()) for trace in talk.figure(limit=3).data if trace.type == "bar") == 3
    assert isinstance(talk.traces.figure(), plotly.Figure)
    assert isinstance(ops.SpanSet([]).figure(), plotly.Figure)
    with pytest.raises(OpsError, match=r"'pie'.*timeline"):
        talk.figure("pie")


# -- traces, sessions ---------------------------------------------------------------------------------------


def test_a_stored_trace_tells_its_root(talk):
    trace = talk.traces[0]

    assert (trace.name, trace.session_id, trace.status) == ("answer", "talk", "unset")
    assert (trace.trace_id, trace.start, trace.duration) == (talk[0].trace_id, talk[0].start, talk[0].duration)
    assert isinstance(trace, ops.SpanSet)
    assert len(trace.traces) == 1


def test_a_set_of_traces_filters_by_roots(talk):
    traces = talk.traces

    assert type(traces) is type(traces[:2]) is ops.TraceSet
    assert len(traces.filter(status="error")) == 1
    assert len(traces.filter(session_id="aside")) == 1
    assert len(traces.filter(name="chat")) == 0
    assert len(traces.filter(lambda trace: len(trace) == 3, session_id="talk")) == 1
    assert traces.traces is traces
    assert names(traces.spans) == names(talk.spans)
    assert [node.span.name for node in traces.tree()] == ["answer"] * 3
    with pytest.raises(OpsError):
        traces.filter(nonsense=1)


def test_a_set_of_sessions_is_a_sequence(talk):
    sessions = ops.sessions()

    assert sessions.ids == ["talk", "aside"]
    assert [session.id for session in sessions] == sessions.ids
    assert type(sessions[0]) is ops.Session
    assert sessions[-1].id == "aside"
    assert sessions[:1].ids == ["talk"]
    assert type(sessions[:1]) is ops.SessionSet
    assert sessions.filter(lambda session: session.parent_id is not None).ids == ["aside"]
    with pytest.raises(IndexError):
        sessions[2]


def test_a_set_of_sessions_has_every_span_once(talk):
    sessions = ops.sessions()

    assert len(sessions.spans) == 7  # those of the child are in both
    assert len(sessions.traces) == len(sessions.turns()) == 3
    assert len(sessions.messages()) == 4
    assert sessions.summary()["count"].sum() == 7


def test_the_sessions_frame_rolls_up(talk):
    frame = ops.sessions().to_pandas().set_index("session_id")

    assert frame.loc["talk", ["spans", "llm_calls", "input_tokens"]].tolist() == [7, 2, 20]
    assert frame.loc["aside", ["spans", "llm_calls", "input_tokens"]].tolist() == [3, 1, 10]
    assert frame.loc["aside", "parent_session_id"] == "talk"
    assert frame.loc["talk", "status"] == "error"
    assert json.loads(frame.loc["talk", "attributes"]) == {"user_tier": "premium"}


# -- how they show themselves -------------------------------------------------------------------------------


class Parsed(HTMLParser):
    """The elements and attributes of an HTML text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags = []
        self.attributes = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes.extend(attrs)

    def handle_data(self, data):
        self.text += data


def shown():
    """Everything that can show itself."""
    session = ops.get_session("talk")
    trace = answer.wrapped("shown")
    with ops.session(id="talk") as ctx:
        pass
    return {
        "SpanSet": session.spans,
        "Session": session,
        "SessionContext": ctx,
        "SessionSet": ops.sessions(),
        "StoredTrace": session.traces[0],
        "TraceSet": session.traces,
        "Tree": session.tree(),
        "Trace": trace,
        "Span": trace.span,
        "SpanRow": session[0],
    }


@pytest.mark.parametrize(
    "kind",
    [
        "SpanSet",
        "Session",
        "SessionContext",
        "SessionSet",
        "StoredTrace",
        "TraceSet",
        "Tree",
        "Trace",
        "Span",
        "SpanRow",
    ],
)
def test_each_shows_itself_in_three_forms(talk, capsys, kind):
    bundle = shown()[kind]._repr_mimebundle_()

    assert set(bundle) == {DATA, HTML, TEXT}
    assert json.loads(json.dumps(bundle[DATA], allow_nan=False))["type"]
    assert bundle[TEXT].strip()
    assert bundle[HTML].lstrip().startswith(("<article", "<style"))
    assert not {"script", "iframe", "link", "object", "embed"} & set(Parsed(bundle[HTML]).tags)
    assert "http" not in bundle[HTML].lower().replace("http://www.w3.org", "")
    assert len(bundle[HTML].encode()) <= MAX_HTML
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "kind", ["SpanSet", "Session", "SessionContext", "SessionSet", "TraceSet", "Tree", "Trace", "Span"]
)
def test_forms_can_be_chosen(talk, kind):
    shows = shown()[kind]

    assert set(shows._repr_mimebundle_(include={TEXT})) == {TEXT}
    assert set(shows._repr_mimebundle_(exclude=[HTML])) == {DATA, TEXT}
    assert set(shows._repr_mimebundle_(None, None)) == {DATA, HTML, TEXT}


HOSTILE = (
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "\"'><svg onload=alert(1)>",
    "<!-- -->&lt;b&gt;&#60;i&#62;",
    "javascript:alert(1)",
    "\x1b]0;title\x07\x1b[31mred",
    "\u202egnp.exe",
    "]]></article><iframe src='//example.com'>",
)


def hostile_session(text):
    """A session in which every place that can hold a text holds this one."""
    printable = "".join(character for character in text if character.isprintable()) or "x"

    @ops.trace(name=text, tags=[text], metadata={text: text})
    def work(value):
        with ops.span(text, **{text: text}) as span:
            span.event(text, **{text: text})
            span.error(text)
            chat(text, model=text)
        return value

    with ops.session(id=printable[:256], attributes={text: text}):
        trace = work.wrapped({text: text})
        trace.annotate(label=text, reasoning=text, metadata={text: text})
        with pytest.raises(ValueError, match=r"."):
            ops.trace(_failing)(text)
    return ops.get_session(printable[:256])


def _failing(text):
    raise ValueError(text)


def tags_of(session):
    """The bundles and the elements of all that shows a session."""
    things = [session, session.spans, session.traces, session.traces[0], session.tree(), ops.sessions(), *session]
    bundles = [thing._repr_mimebundle_() for thing in things]
    return bundles, [Parsed(bundle[HTML]) for bundle in bundles]


@pytest.fixture(scope="module")
def harmless():
    """The elements that our views are made of."""
    with captured():
        _, parsed = tags_of(hostile_session("harmless"))
    return {tag for each in parsed for tag in each.tags}


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_shown_as_texts(harmless, text):
    bundles, parsed = tags_of(hostile_session(text))

    assert {tag for each in parsed for tag in each.tags} <= harmless
    for each in parsed:
        assert not [name for name, _ in each.attributes if name.startswith("on")]
        assert not [value for name, value in each.attributes if name in ("href", "src") and "javascript" in value]
    for bundle in bundles:
        for form in (bundle[HTML], bundle[TEXT]):
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202e]", form)
        json.dumps(bundle[DATA], allow_nan=False)
    visible = "".join(character for character in text if character.isprintable())
    assert any(visible in each.text for each in parsed) or visible != text


def test_thousands_of_spans_stay_within_the_size_of_an_output():
    with ops.session(id="big"):
        for number in range(50):
            with ops.span(f"root {number}", note="x" * 2000):
                for child in range(60):
                    with ops.span(f"child {child}", note="y" * 100):
                        pass

    session = ops.get_session("big")
    assert len(session) == 50 * 61
    for thing in (session, session.spans, session.traces, session.traces[0], ops.sessions()):
        bundle = thing._repr_mimebundle_()
        assert len(bundle[HTML].encode()) <= MAX_HTML
        assert len(json.dumps(bundle[DATA])) <= 4 * MAX_HTML
        assert len(bundle[TEXT]) <= MAX_HTML
