"""The conversation as a view: each message once, for any vocabulary, in every form, within its size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mirascope_ops import ops
from mirascope_ops.analysis.schema import CONVERSATION_SCHEMA
from mirascope_ops.conversations import Conversation
from mirascope_ops.exceptions import ConfigurationError
from mirascope_ops.testing import captured
from mirascope_ops.views.budget import MAX_BYTES

CORPUS = Path(__file__).parents[1] / "analysis" / "data" / "corpus"
CAPTURES = (
    "langfuse",
    "mirascope",
    "mlflow",
    "openinference_openai",
    "otel_genai_openai",
    "traceloop_openai",
    "vercel_ai_sdk",
)
STORY = "Once upon a time in Paris"


def roles(conversation, place):
    return [(said.role, said.content) for said in conversation[place].messages]


def page(conversation):
    return conversation._repr_mimebundle_()["text/html"]


@pytest.fixture
def talk(all_traces):
    """The six turns of the design's pictures."""
    return Conversation(all_traces)


@pytest.mark.parametrize("name", CAPTURES)
def test_every_vocabulary_gives_the_conversation_that_was_held(name):
    conversation = ops.read_otlp(CORPUS / f"{name}.jsonl.gz").conversation()

    assert roles(conversation, 0) == [
        ("system", "You are a helpful travel assistant. Answer briefly."),
        ("user", "What is the capital of France? 🗼"),
        ("assistant", "The capital of France is Paris."),
    ]
    assert roles(conversation, 1) == [
        ("user", "What is the weather there right now?"),
        ("assistant", ""),
        ("assistant", "It is 18°C and sunny in Paris."),
    ]
    (use,) = conversation[1].messages[1].tools
    assert (use.call.name, json.loads(use.call.arguments)["city"]) == ("get_weather", "Paris")
    assert json.loads(use.result)["temp"] == 18
    assert [said.role for said in conversation[2].messages] == ["user", "assistant"]
    assert conversation[2].messages[1].content.startswith(STORY)
    failed = conversation[3].messages
    assert [said.role for said in failed] == ["user", "assistant"]
    assert failed[1].span.status == "error"
    assert [said.role for said in conversation[5].messages] == ["user", "assistant"] * 3
    assert "fake upstream failure" in conversation.to_text()
    assert "fake upstream failure" in page(conversation)


def test_a_conversation_answers_first(talk, html):
    shown = page(talk)

    assert "<b>34.0 ms</b>" in shown
    assert "boom-500, no tokens" in shown
    assert shown == html


def test_tools_stand_with_what_they_gave_and_how_long_they_took(weather):
    shown = page(Conversation(weather))

    assert "get_weather" in shown
    assert "call_00667" in shown
    assert "4.3 ms" in shown
    assert "<i>temp:</i> <b>18</b>" in shown


def test_a_traced_function_that_a_model_asked_for_is_its_tool(weather):
    spans = [span._replace(kind="other") if span.kind == "tool" else span for span in weather]

    (use,) = [use for said in Conversation(spans)[0].messages for use in said.tools]

    assert (use.span.name, use.span.kind) == ("get_weather", "other")
    assert "4.3 ms" in page(Conversation(spans))


def test_a_failed_tool_says_so_in_its_box(weather):
    error = {"status": "error", "error_type": "TimeoutError", "error_message": "no weather"}
    spans = [span._replace(**error) if span.kind == "tool" else span for span in weather]

    conversation = Conversation(spans)

    assert "✕ TimeoutError: no weather" in page(conversation)
    assert "✕ TimeoutError: no weather" in conversation.to_text()
    assert json.loads(conversation.to_pandas()["tools"].dropna().iloc[0])[0]["error"] == "no weather"


def test_what_failed_beside_the_calls_is_told(span):
    error = {"status": "error", "error_type": "ValueError", "error_message": "no city"}
    spans = [
        span("a", None, "chat", 0, 9, input={"message": "Where?"}, **error),
        span("b", "a", "look_up", 1, 2, kind="retriever", **error),
    ]

    conversation = Conversation(spans)

    assert [said.role for said in conversation[0].messages] == ["user", "error"]
    assert "look_up" in page(conversation)
    assert "✕ look_up: ValueError: no city" in conversation.to_text()


def test_what_failed_stands_before_the_answer_that_was_begun_after_it(recovered, span):
    failed = {"status": "error", "error_message": "no city"}
    spans = [*recovered, span("e9", "e1", "look_up", 57, 0.5, **failed)._replace(trace_id=recovered[0].trace_id)]

    said = Conversation(spans)[0].messages

    assert [message.role for message in said] == ["system", "user", "assistant", "error", "assistant"]
    assert said[3].span.name == "look_up"


def test_a_trace_without_model_calls_is_what_went_in_and_came_out(span):
    spans = [span("a", None, "answer", 0, 9, input={"question": "Why?"}, output="Because.")]

    assert roles(Conversation(spans), 0) == [("user", "Why?"), ("assistant", "Because.")]


def chat(sent, answer, **options):
    """One model call in a trace of its own, with the whole history, as chat loops send it."""
    told = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps(sent)}
    if answer is not None:
        told["gen_ai.output.messages"] = json.dumps([{"role": "assistant", "content": answer}])
    with ops.span("chat", **told, **options):
        pass


def test_a_question_that_is_asked_again_stands_twice_and_a_history_that_is_cut_adds_nothing():
    said = [{"role": role, "content": text} for role, text in (("user", "Hi"), ("assistant", "Hello"), ("user", "Hi"))]
    with captured():
        chat(said[:1], "Hello")
        chat(said, "Hello again")
        chat([*said[1:], {"role": "assistant", "content": "Hello again"}, {"role": "user", "content": "Bye"}], "Bye")
        chat(said[:1], "Hello")
        conversation = ops.spans().conversation()

    assert [roles(conversation, place) for place in range(4)] == [
        [("user", "Hi"), ("assistant", "Hello")],
        [("user", "Hi"), ("assistant", "Hello again")],
        [("user", "Bye"), ("assistant", "Bye")],
        [("user", "Hi"), ("assistant", "Hello")],
    ]


def long_talk(number, text="word "):
    """So many turns, each with the whole history before it, the last two messages of which are new."""
    history = [{"role": "system", "content": "Be brief."}]
    for turn in range(number):
        history.append({"role": "user", "content": f"question {turn} {text}"})
        chat([history[0], *history[1:][-21:]], f"answer {turn} {text}")
        history.append({"role": "assistant", "content": f"answer {turn} {text}"})


@pytest.mark.parametrize(("number", "text"), [(1, "x" * 1_000_000), (20, "long " * 4_000), (300, "short " * 20)])
def test_every_form_stays_within_its_size_and_says_what_was_cut(number, text):
    with captured(), ops.session("long"):
        long_talk(number, text)
        conversation = ops.get_session("long").conversation()
        bundle = conversation._repr_mimebundle_()
        markdown = conversation.to_markdown(limit=20_000)

    assert len(conversation) == number
    for form in bundle.values():
        assert len((form if isinstance(form, str) else json.dumps(form)).encode()) <= MAX_BYTES
    assert len(markdown) <= 20_000
    for shown in (bundle["text/html"], bundle["text/plain"]):
        assert f"answer {number - 1} " in shown
        if number < 100:
            assert "more characters" in shown
        else:
            assert "earlier turns" in shown
    assert "more characters" in markdown or "earlier turns" in markdown


def test_a_slice_keeps_its_numbers_tells_the_instructions_and_is_the_call_that_the_view_names():
    with captured(), ops.session("long"):
        long_talk(300, "short " * 20)
        conversation = ops.get_session("long").conversation()
        shown = page(conversation)
        call = "ops.get_session(&#x27;long&#x27;).conversation()[:"
        cut = int(shown.split(call)[1].split("]")[0])
        part = conversation[:cut][-3:]

    assert f"<h5>Turn {cut + 1} " in shown
    assert f"<h5>Turn {cut} " not in shown
    assert [turn.number for turn in part] == [cut - 2, cut - 1, cut]
    assert roles(part, 0)[0] == ("system", "Be brief.")
    assert [said.role for said in conversation[cut - 2].messages] == ["user", "assistant"]
    assert "Be brief." in page(part)


def test_the_table_has_every_message_whole(talk):
    table = talk.to_pandas()

    assert list(table.columns) == [column.name for column in CONVERSATION_SCHEMA]
    assert [str(dtype).split("[")[0] for dtype in table.dtypes] == [
        column.dtype.split("[")[0] for column in CONVERSATION_SCHEMA
    ]
    assert len(table) == sum(len(turn.messages) for turn in talk)
    assert list(Conversation([]).to_pandas().columns) == list(table.columns)
    assert table["duration"].dropna().gt("0 ms").all()


def test_markdown_cannot_be_ended_by_what_was_said(span):
    hostile = "``` \n# Heading\n<img src=x>\n````\n"
    spans = [span("a", None, "answer", 0, 9, input={"question": hostile}, output=hostile)]

    text = Conversation(spans).to_markdown()

    assert "\n`````text\n``` \n# Heading" in text
    with pytest.raises(ConfigurationError, match="2,000"):
        Conversation(spans).to_markdown(limit=10)


def test_files_and_what_is_empty(talk, tmp_path):
    path = talk.to_html(tmp_path / "talk.html")
    talk.to_markdown(tmp_path / "talk.md")

    written = path.read_text()
    assert written.startswith("<!doctype html>")
    assert "<script" not in written
    assert (tmp_path / "talk.md").read_text() == talk.to_markdown()
    empty = Conversation([])
    assert empty.to_text().startswith("No spans here yet")
    assert empty.to_markdown().startswith("No spans here yet")
    assert "No spans here yet" in page(empty)


def test_show_prints_where_there_is_no_notebook(run_python):
    printed = run_python("""
        from mirascope_ops import ops
        with ops.session("talk") as session, ops.span("answer", **{"input.value": "Why?", "output.value": "So."}):
            pass
        session.show()
        ops.last_trace().show()
        session.conversation().show()
    """)

    assert "Session talk" in printed
    assert "User: Why?\nAssistant: So." in printed
