"""What differs between any two runs and says nothing: ids, times, addresses, ports, line numbers, measurements.

A comparison leaves these out. Attributes and JSON keys are left out by their name; inside of texts, where an id
stands among words, by their form.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Volatile(NamedTuple):
    """What a comparison leaves out.

    Attributes:
        attributes: Keys of attributes.
        prefixes: Beginnings of keys of attributes.
        keys: Keys of JSON objects in inputs and outputs.
        texts: What is replaced in texts: what it is, characters with which it begins, its regular expression.
    """

    attributes: frozenset[str]
    prefixes: tuple[str, ...]
    keys: frozenset[str]
    texts: tuple[tuple[str, str, str], ...]


# Tokens and costs are here because they are compared as figures, not as texts.
VOLATILE: Final = Volatile(
    attributes=frozenset(
        {
            # Ids of sessions, conversations, requests and answers
            "mirascope.ops.session.id", "mirascope.ops.session.attributes", "session.id", "langfuse.session.id",
            "gen_ai.conversation.id", "ai.observability.conversation_id", "mlflow.trace.session", "wandb.thread_id",
            "thread_id", "gcp.vertex.agent.session_id", "gcp.vertex.agent.invocation_id", "gcp.vertex.agent.event_id",
            "ai.telemetry.metadata.sessionId", "traceloop.association.properties.session_id",
            "traceloop.correlation.id", "mlflow.traceRequestId", "mlflow.experimentId",
            "gen_ai.response.id", "gen_ai.tool.call.id", "gen_ai.openai.response.system_fingerprint",
            "openai.response.system_fingerprint", "llm.response.id", "ai.response.id", "ai.toolCall.id",
            "http.request.header.traceparent", "http.request.header.x-request-id", "messaging.message.id",
            "mirascope.version.hash", "mirascope.version.signature_hash",
            "mirascope.ops.replay.trace_id", "mirascope.ops.replay.span_id",
            # Times
            "langfuse.observation.completion_start_time", "ai.response.timestamp",
            "gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token", "ai.response.msToFirstChunk",
            "ai.response.msToFinish", "ai.response.avgOutputTokensPerSecond",
            # Machines, processes, places in code
            "server.address", "server.port", "client.address", "client.port", "net.peer.name", "net.peer.ip",
            "net.peer.port", "net.host.name", "net.host.ip", "net.host.port", "net.sock.peer.addr",
            "net.sock.peer.port", "network.peer.address", "network.peer.port", "network.local.address",
            "network.local.port", "http.client_ip", "host.name", "host.id", "process.pid", "thread.id", "thread.name",
            "service.instance.id", "code.lineno", "code.line.number", "code.column.number", "code.filepath",
            "code.file.path", "code.stacktrace",
            # Measurements
            "mirascope.response.usage", "mirascope.response.cost", "mlflow.chat.tokenUsage", "mlflow.llm.cost",
            "langfuse.observation.usage_details", "langfuse.observation.cost_details",
            "ai.observability.cost.cost",
        }
    ),
    prefixes=("gen_ai.usage.", "llm.token_count.", "llm.usage.", "llm.cost.", "ai.usage.", "mlflow.chunk.item."),
    keys=frozenset(
        {
            "tool_call_id", "toolCallId", "tool_use_id", "call_id", "request_id", "requestId", "response_id",
            "responseId", "trace_id", "traceId", "span_id", "spanId", "run_id", "runId", "session_id", "sessionId",
            "system_fingerprint", "created", "created_at", "createdAt", "timestamp", "elapsed", "latency",
        }
    ),
    texts=(
        ("time", "0-9", r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"),
        ("time since the epoch, ms to ns", "0-9", r"1[5-9]\d{11}(?:\d{3}|\d{6})?\b"),
        ("address and port", "0-9", r"\d{1,3}(?:\.\d{1,3}){3}:\d{2,5}\b"),
        ("address of an object", "0-9", r"0x[0-9a-fA-F]{6,16}\b"),
        ("UUID", "0-9a-fA-F", r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b"),
        ("hexadecimal id", "0-9a-f", r"(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{16,64}\b"),
        (
            "id of a provider",
            "acfmrt",
            r"(?:call|chatcmpl|cmpl|resp|msg|toolu|fc|rs|req|asst|thread|run)[_-](?=[A-Za-z_-]*\d)[\w-]{5,}",
        ),
        ("port", "l", r"localhost:\d{2,5}\b"),
        ("line of a traceback", "l", r"(?<=, )line \d+"),
        ("line of a file", "p", r"py:\d+"),
        ("file of a notebook's cell", "i", r"ipykernel_\d+/\d+"),
    ),
)  # fmt: skip

_MARK: Final = "\u27e8\u27e9"  # angle brackets that hardly a text holds
_DIGIT: Final = re.compile(r"\d")


def _either(forms: Sequence[str]) -> str:
    return "|".join(forms)


def _compiled(texts: Sequence[tuple[str, str, str]]) -> re.Pattern[str]:
    """Join the forms to one: at the beginning of a word, by its first character, which most words fail."""
    groups: dict[str, list[str]] = {}
    for _, first, form in texts:
        groups.setdefault(first, []).append(form)
    branches = [f"(?=[{first}])(?:{_either(forms)})" for first, forms in groups.items()]
    return re.compile(rf"\b(?=[{''.join(groups)}])(?:{_either(branches)})")


PATTERN: Final = _compiled(VOLATILE.texts)


def stable(text: str) -> str:
    """Give a text with what is volatile in it replaced by a mark, so that two runs compare equal.

    Example:
        >>> stable("call_00595 at 2026-11-25T14:00:01Z") == stable("call_00712 at 2026-11-26T08:30:00Z")
        True
    """
    # Everything that is replaced holds a digit; most texts hold none.
    return PATTERN.sub(_MARK, text) if _DIGIT.search(text) else text


def stable_json(value: Any) -> Any:
    """Give JSON data without the keys that are volatile; other values stay."""
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {key: stable_json(item) for key, item in fields.items() if key not in VOLATILE.keys}
    if isinstance(value, list):
        return [stable_json(item) for item in cast("list[Any]", value)]
    return value


@lru_cache(maxsize=4096)
def is_volatile(key: str) -> bool:
    """Whether an attribute of this key is left out of comparisons."""
    return key in VOLATILE.attributes or key.startswith(VOLATILE.prefixes)


def lasting(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Give a span's attributes without the volatile ones."""
    return {key: value for key, value in attributes.items() if not is_volatile(key)}
