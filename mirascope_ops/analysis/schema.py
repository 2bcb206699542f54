"""The columns of every table: names, dtypes, order and meaning, each said once.

Strings are `string[pyarrow]`: Arrow-backed, with pandas' own string methods, and with `pd.NA` for what is
missing, as in the nullable Int64 and Float64 columns beside them (pandas' default `str` has NaN instead).
Tags, attributes, events, links and annotations are JSON text. For tags an Arrow list would do too, but
pandas cannot read back a Parquet file that it wrote with one.
"""

from __future__ import annotations

from typing import NamedTuple

TIME = "datetime64[ns, UTC]"
DURATION = "timedelta64[ns]"
TEXT = "string[pyarrow]"
COUNT = "Int64"
NUMBER = "Float64"
CATEGORY = "category"
FLAG = "boolean"

KINDS = ("llm", "embedding", "retriever", "tool", "agent", "chain", "other")
STATUSES = ("unset", "ok", "error", "open", "interrupted")
SPAN_KINDS = ("internal", "server", "client", "producer", "consumer")
DIFFERENCES = ("same", "changed", "moved", "added", "removed")


class Column(NamedTuple):
    """One column of a table.

    Attributes:
        name: Its name.
        dtype: The pandas dtype, as text.
        description: What it holds.
        categories: All values of a categorical column, present or not.
    """

    name: str
    dtype: str
    description: str
    categories: tuple[str, ...] = ()


SPANS_SCHEMA: tuple[Column, ...] = (
    Column("trace_id", TEXT, "32 hex digits"),
    Column("span_id", TEXT, "16 hex digits"),
    Column("parent_id", TEXT, "the parent's span_id, missing at a root"),
    Column("session_id", TEXT, "the span's own session, else its nearest ancestor's, else its trace's"),
    Column("conversation_id", TEXT, "the conversation that the emitting library named"),
    Column("name", TEXT, "the span's name"),
    Column("kind", CATEGORY, "what the span is for", KINDS),
    Column("status", CATEGORY, "how it ended; open and interrupted spans have no end", STATUSES),
    Column("start", TIME, "when it started"),
    Column("end", TIME, "when it ended"),
    Column("duration", DURATION, "end - start, never negative"),
    Column("input", TEXT, "what went in: JSON, or plain text"),
    Column("output", TEXT, "what came out: JSON, or plain text"),
    Column("model", TEXT, "the model that answered, else the one that was asked"),
    Column("provider", TEXT, "the model's provider"),
    Column("input_tokens", COUNT, "tokens of the prompt, cached ones included"),
    Column("output_tokens", COUNT, "tokens of the answer"),
    Column("cache_read_tokens", COUNT, "tokens of the prompt that came from the provider's cache"),
    Column("cost", NUMBER, "US dollars as reported, else by configure(prices=...); missing where neither tells it"),
    Column("ttft", DURATION, "time to the first token, from the span's start"),
    Column("error_type", TEXT, "the exception's type"),
    Column("error_message", TEXT, "the exception's message, else the status's"),
    Column("user_id", TEXT, "the application's user"),
    Column("tags", TEXT, "JSON list of the span's tags"),
    Column("session_attributes", TEXT, "JSON of the session's attributes when the span started"),
    Column("cell_id", TEXT, "the notebook cell that made the span"),
    Column("execution_count", COUNT, "that cell's execution count"),
    Column("notebook", TEXT, "the notebook's path"),
    Column("service", TEXT, "the resource's service.name"),
    Column("scope", TEXT, "the instrumentation scope"),
    Column("attributes", TEXT, "JSON of everything that was emitted, under the names that were emitted"),
    Column("events", TEXT, "JSON list of {name, time (ns), attributes}"),
    Column("links", TEXT, "JSON list of {trace_id, span_id, attributes}"),
    Column("run_id", TEXT, "the entry into the session"),
    Column("annotations", TEXT, "JSON list of {time (ns), label, reasoning, tags, metadata}"),
    Column("span_kind", CATEGORY, "OpenTelemetry's kind", SPAN_KINDS),
    Column("status_code", CATEGORY, "the status as it was emitted, whatever the events say", STATUSES),
    Column("status_message", TEXT, "the emitted status' description"),
    Column("sampled", FLAG, "whether the user's sampler would have exported the span"),
    Column("resource", TEXT, "JSON of the resource's attributes"),
)

TRACES_SCHEMA: tuple[Column, ...] = (
    Column("trace_id", TEXT, "32 hex digits"),
    Column("session_id", TEXT, "the session of the trace's root"),
    Column("name", TEXT, "the root's name"),
    Column("status", CATEGORY, "the root's status", STATUSES),
    Column("start", TIME, "first start in the trace"),
    Column("end", TIME, "last end in the trace"),
    Column("duration", DURATION, "end - start"),
    Column("ttft", DURATION, "time to the first token of the first model call that streamed"),
    Column("spans", COUNT, "number of spans"),
    Column("errors", COUNT, "number of spans that failed"),
    Column("llm_calls", COUNT, "number of model calls, each counted once"),
    Column("model", TEXT, "the model that answered last"),
    Column("input_tokens", COUNT, "tokens of all prompts"),
    Column("output_tokens", COUNT, "tokens of all answers"),
    Column("cache_read_tokens", COUNT, "tokens of prompts that came from a cache"),
    Column("cost", NUMBER, "US dollars as reported"),
    Column("error", TEXT, "the error's message where the trace failed"),
    Column("recovered", TEXT, "the message of an error inside a trace that went well"),
    Column("label", TEXT, "the newest judgement on its root, such as pass or fail"),
    Column("score", NUMBER, "the score in that judgement"),
    Column("note", TEXT, "the note in that judgement"),
)

TURNS_SCHEMA: tuple[Column, ...] = (
    Column("trace_id", TEXT, "32 hex digits"),
    Column("session_id", TEXT, "the session of the trace's root"),
    Column("user", TEXT, "what the user said"),
    Column("assistant", TEXT, "what was answered"),
    Column("start", TIME, "first start in the trace"),
    Column("duration", DURATION, "last end - first start"),
    Column("ttft", DURATION, "time to the first token of the first model call that streamed"),
    Column("model", TEXT, "the model that answered last"),
    Column("input_tokens", COUNT, "tokens of all prompts"),
    Column("output_tokens", COUNT, "tokens of all answers"),
    Column("cost", NUMBER, "US dollars as reported"),
    Column("llm_calls", COUNT, "number of model calls, each counted once"),
    Column("error", TEXT, "the error's message where the turn failed"),
    Column("label", TEXT, "the newest judgement on its root, such as pass or fail"),
    Column("score", NUMBER, "the score in that judgement"),
    Column("note", TEXT, "the note in that judgement"),
)

MESSAGES_SCHEMA: tuple[Column, ...] = (
    Column("trace_id", TEXT, "32 hex digits"),
    Column("span_id", TEXT, "the model call"),
    Column("session_id", TEXT, "the model call's session"),
    Column("index", COUNT, "the message's place in the call, from 0; answers come last"),
    Column("role", TEXT, "system, user, assistant or tool"),
    Column("content", TEXT, "the text"),
    Column("tool_calls", TEXT, "JSON list of {name, arguments, id}, missing where none was asked for"),
    Column("tool_call_id", TEXT, "the request that a tool message answers"),
)

CONVERSATION_SCHEMA: tuple[Column, ...] = (
    Column("turn", COUNT, "the turn's place in the conversation, from 1"),
    Column("trace_id", TEXT, "the turn's trace"),
    Column("span_id", TEXT, "the model call that answered, or with which it was sent"),
    Column("session_id", TEXT, "the trace's session"),
    Column("role", TEXT, "system, user, assistant or tool; error where something else than a model call failed"),
    Column("content", TEXT, "the text"),
    Column("tools", TEXT, "JSON list of {name, arguments, id, result, error}, missing where none was asked for"),
    Column("tool_call_id", TEXT, "the request that a tool message answers"),
    Column("start", TIME, "start of the model call that answered; missing, as what follows, for what was sent"),
    Column("duration", DURATION, "how long that call took"),
    Column("ttft", DURATION, "time to its first token"),
    Column("model", TEXT, "the model that answered"),
    Column("input_tokens", COUNT, "tokens of its prompt"),
    Column("output_tokens", COUNT, "tokens of its answer"),
    Column("cost", NUMBER, "US dollars, as reported"),
    Column("error", TEXT, "what failed"),
)

SESSIONS_SCHEMA: tuple[Column, ...] = (
    Column("session_id", TEXT, "the session"),
    Column("parent_session_id", TEXT, "the session in which it was entered"),
    Column("attributes", TEXT, "JSON of the session's attributes"),
    Column("tags", TEXT, "JSON list of all tags of its spans"),
    Column("status", CATEGORY, "error where a turn failed, open while spans run", STATUSES),
    Column("first_seen", TIME, "first sign of it"),
    Column("last_seen", TIME, "last sign of it"),
    Column("runs", COUNT, "how often it was entered"),
    Column("traces", COUNT, "number of traces, those of child sessions included"),
    Column("spans", COUNT, "number of spans, those of child sessions included"),
    Column("errors", COUNT, "number of spans that failed"),
    Column("llm_calls", COUNT, "number of model calls, each counted once"),
    Column("input_tokens", COUNT, "tokens of all prompts"),
    Column("output_tokens", COUNT, "tokens of all answers"),
    Column("cost", NUMBER, "US dollars as reported"),
    Column("label", TEXT, "what the newest judgement of the session as a whole calls it, such as pass or fail"),
    Column("score", NUMBER, "the score in that judgement"),
    Column("note", TEXT, "the note in that judgement"),
)

CRITICAL_PATH_SCHEMA: tuple[Column, ...] = (
    Column("trace_id", TEXT, "32 hex digits"),
    Column("span_id", TEXT, "the span that the trace waited for"),
    Column("name", TEXT, "its name"),
    Column("kind", CATEGORY, "what it is for", KINDS),
    Column("depth", COUNT, "how deep it is below its root, 0 at the root"),
    Column("start", TIME, "when the trace began to wait for it"),
    Column("end", TIME, "when the trace waited no longer for it"),
    Column("duration", DURATION, "end - start; of one root they add up to its duration"),
)

CONCURRENCY_SCHEMA: tuple[Column, ...] = (
    Column("time", TIME, "when the number changed"),
    Column("running", COUNT, "how many spans ran from then on"),
)

CONTEXT_SCHEMA: tuple[Column, ...] = (
    Column("session_id", TEXT, "the session"),
    Column("trace_id", TEXT, "32 hex digits"),
    Column("span_id", TEXT, "the model call"),
    Column("turn", COUNT, "the trace's place in its session, from 1"),
    Column("call", COUNT, "the call's place in its trace, from 1"),
    Column("start", TIME, "when it started"),
    Column("model", TEXT, "the model"),
    Column("context", COUNT, "tokens of its prompt: how long the context was"),
    Column("growth", COUNT, "how much longer than in the call before, in the same session"),
    Column("cached", COUNT, "tokens of its prompt that came from the provider's cache"),
    Column("output_tokens", COUNT, "tokens of its answer"),
)

PATHS_SCHEMA: tuple[Column, ...] = (
    Column("name", TEXT, "the spans' name; spans reached by the same names from their roots are one row"),
    Column("parent", TEXT, "the name of what called them, missing at a root; its row is above"),
    Column("depth", COUNT, "how deep they are below their root, 0 at the root"),
    Column("kind", CATEGORY, "what the first of the spans is for", KINDS),
    Column("count", COUNT, "number of spans"),
    Column("errors", COUNT, "number of those that failed"),
    Column("total", DURATION, "durations of all of them"),
    Column("self_time", DURATION, "time in which no child of theirs ran"),
)

DIFF_SCHEMA: tuple[Column, ...] = (
    Column("turn", COUNT, "the trace's place in the comparison, from 1"),
    Column("depth", COUNT, "how deep the span is below its root, 0 at the root"),
    Column("change", CATEGORY, "what became of the span; changed where it moved and changed", DIFFERENCES),
    Column("differs", TEXT, "what differs, with commas between: prompt, output, error, ..."),
    Column("name", TEXT, "the span's name, that of the second run where both have it"),
    Column("kind", CATEGORY, "what it is for", KINDS),
    Column("status_a", CATEGORY, "how it ended in the first run", STATUSES),
    Column("status_b", CATEGORY, "how it ended in the second run", STATUSES),
    Column("duration_a", DURATION, "its duration in the first run"),
    Column("duration_b", DURATION, "its duration in the second run"),
    Column("duration_delta", DURATION, "duration_b - duration_a"),
    Column("ttft_a", DURATION, "its time to the first token in the first run"),
    Column("ttft_b", DURATION, "its time to the first token in the second run"),
    Column("ttft_delta", DURATION, "ttft_b - ttft_a"),
    Column("input_tokens_a", COUNT, "tokens of its prompt in the first run, as in the spans table"),
    Column("input_tokens_b", COUNT, "tokens of its prompt in the second run"),
    Column("input_tokens_delta", COUNT, "input_tokens_b - input_tokens_a"),
    Column("output_tokens_a", COUNT, "tokens of its answer in the first run"),
    Column("output_tokens_b", COUNT, "tokens of its answer in the second run"),
    Column("output_tokens_delta", COUNT, "output_tokens_b - output_tokens_a"),
    Column("cost_a", NUMBER, "US dollars in the first run"),
    Column("cost_b", NUMBER, "US dollars in the second run"),
    Column("cost_delta", NUMBER, "cost_b - cost_a"),
    Column("model_a", TEXT, "the model in the first run"),
    Column("model_b", TEXT, "the model in the second run"),
    Column("error_a", TEXT, "type and message of its error in the first run"),
    Column("error_b", TEXT, "type and message of its error in the second run"),
    Column("diff", TEXT, "the values that differ, line by line, with - and + before the lines; up to 4,000 characters"),
    Column("input_a", TEXT, "what went in, in the first run: JSON, or plain text"),
    Column("input_b", TEXT, "what went in, in the second run"),
    Column("output_a", TEXT, "what came out, in the first run"),
    Column("output_b", TEXT, "what came out, in the second run"),
    Column("start_a", TIME, "when it started in the first run"),
    Column("start_b", TIME, "when it started in the second run"),
    Column("trace_id_a", TEXT, "32 hex digits, missing where the first run has no such span"),
    Column("span_id_a", TEXT, "16 hex digits"),
    Column("trace_id_b", TEXT, "32 hex digits, missing where the second run has no such span"),
    Column("span_id_b", TEXT, "16 hex digits"),
)

DIFF_SUMMARY_SCHEMA: tuple[Column, ...] = (
    Column("changes", COUNT, "number of changes, one for each cause"),
    Column("same", COUNT, "spans that both runs have, in which nothing differs"),
    Column("changed", COUNT, "spans that both runs have, in which something differs"),
    Column("moved", COUNT, "spans that stand elsewhere, and in which nothing differs"),
    Column("added", COUNT, "spans that only the second run has"),
    Column("removed", COUNT, "spans that only the first run has"),
    Column("new_errors", COUNT, "errors that only the second run has, each where it began"),
    Column("fixed_errors", COUNT, "errors that only the first run has, each where it began"),
    *(
        Column(f"{name}_{end}", dtype, f"{words}{told}")
        for name, dtype, words in (
            ("duration", DURATION, "durations of all roots together"),
            ("slowest_turn", DURATION, "the longest duration of a root"),
            ("ttft", DURATION, "time to the first token of the first model call that streamed"),
            ("input_tokens", COUNT, "tokens of all prompts"),
            ("output_tokens", COUNT, "tokens of all answers"),
            ("cost", NUMBER, "US dollars"),
            ("llm_calls", COUNT, "number of model calls, each counted once"),
            ("spans", COUNT, "number of spans"),
            ("errors", COUNT, "number of errors, each counted once"),
        )
        for end, told in (("a", " in the first run"), ("b", " in the second run"), ("delta", ": b - a"))
    ),
)
