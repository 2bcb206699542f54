"""The shapes in which providers and libraries write chat messages, read as one.

OpenAI's chat and responses APIs, Anthropic, Gemini, OpenTelemetry's GenAI parts, Mirascope, the Vercel AI
SDK, OpenInference's and OpenLLMetry's indexed keys: each has its own. Content is never trusted; what is no
known shape comes out as its text.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from mirascope_ops.analysis.rows import Message, ToolCall
from mirascope_ops.analysis.values import decoded, identifier, mapping, text, unquoted

_ROLES = {"human": "user", "ai": "assistant", "model": "assistant", "developer": "system", "function": "tool"}
_CALL_TYPES = frozenset({"tool_call", "tool-call", "tool_use", "function_call", "function"})
_RESULT_TYPES = frozenset(
    {"tool_call_response", "tool_output", "tool-result", "tool_result", "function_call_output", "function_response"}
)
# What a model thought is not what it said.
_SILENT_TYPES = frozenset({"thinking", "thought", "reasoning", "redacted_thinking"})
# Where a part, or a whole message, keeps its text, in order.
_TEXT_KEYS = ("text", "content", "value", "thinking", "refusal")
# A mapping without any of these is no message, request or response of anyone.
_MESSAGE_KEYS = frozenset(
    {
        "candidates",
        "choices",
        "content",
        "contents",
        "generations",
        "input",
        "instructions",
        "message",
        "messages",
        "output",
        "parts",
        "prompt",
        "role",
        "tool_calls",
        "type",
    }
)
_USE_KEYS = ("toolUse", "toolRequest")
_RESULT_KEYS = ("toolResult", "toolResponse")
_PART_KEYS = frozenset({"text", "reasoningContent", *_USE_KEYS, *_RESULT_KEYS})
_MOST_DEPTH = 12


class _Parts(NamedTuple):
    said: list[str]
    calls: list[ToolCall]
    results: list[Message]


def messages_in(value: object, role: str) -> list[Message]:
    """Read all messages in a value.

    Args:
        value: A message, a list of them, a provider's whole request or response, plain text, or JSON text
            of any of these.
        role: The role of messages that name none.

    Example:
        >>> messages_in('[{"role": "user", "content": "Hello"}]', "user")
        [Message(role='user', content='Hello', tool_calls=(), tool_call_id=None)]
    """
    found = decoded(value)
    if isinstance(value, str) and not _holds_messages(found):
        # A model may well answer JSON: that is text, and stays as it was written.
        return [Message(role, value)] if value else []
    return _messages(found, role, 0)


def said_in(value: object) -> str:
    """Give the text of a content: a string, a part, or a list of parts."""
    return "\n".join(_parts(decoded(value), 0).said)


def tool_call_in(value: object) -> ToolCall | None:
    """Read a request to run a tool, or give None where the value is none."""
    found = mapping(value)
    if found is None:
        return None
    found = mapping(found.get("tool_call")) or found
    inner = mapping(found.get("function")) or mapping(found.get("function_call")) or mapping(found.get("functionCall"))
    source = inner or found
    name = identifier(_first(source, "name", "toolName", "tool_name"))
    if name is None:
        return None
    arguments = _first(source, "arguments", "args", "input")
    call_id = identifier(_first(found, "call_id", "id", "toolCallId", "tool_call_id", "toolUseId", "ref"))
    return ToolCall(name, text(arguments) if arguments is not None else "{}", call_id)  # type: ignore[arg-type]


def _messages(value: object, role: str, depth: int) -> list[Message]:
    if value is None or depth > _MOST_DEPTH:
        return []
    if isinstance(value, dict):
        return _from_mapping(cast("dict[str, Any]", value), role, depth)
    if isinstance(value, (list, tuple)):
        items = cast("list[Any]", value)
        if _all_parts(items):
            return _from_parts(_parts(items, depth), role, None)
        return [message for item in items for message in _messages(item, role, depth + 1)]
    said = text(value)
    return [Message(role, said)] if said else []


def _from_mapping(found: dict[str, Any], role: str, depth: int) -> list[Message]:
    inner = mapping(found.get("message"))
    if inner is not None:
        # OpenInference's items, OpenAI's choices, and Ollama's answers hold the message one level down.
        return _messages(inner, role, depth + 1)
    inner = mapping(found.get("content"))
    if inner is not None and "role" in inner:
        # Gemini's candidates have it there.
        return _messages(inner, role, depth + 1)
    if "role" in found or _is_part(found):
        return _message(found, role, depth)
    request = _from_request(found, depth)
    if request is not None:
        return request
    if any(key in found for key in ("content", "parts", "tool_calls")):
        return _message(found, role, depth)
    return [Message(role, text(found) or "")]


def _from_request(found: dict[str, Any], depth: int) -> list[Message] | None:
    system = _first(found, "system", "instructions", "system_instruction", "systemInstruction")
    if system is None:
        system = (mapping(found.get("config")) or {}).get("system_instruction")
    before = [Message("system", said)] if system is not None and (said := said_in(system)) else []
    for key, role in (("messages", "user"), ("contents", "user"), ("input", "user"), ("prompt", "user")):
        if found.get(key) is not None:
            return before + _messages(decoded(found[key]), role, depth + 1)
    for key in ("choices", "output", "candidates", "generations"):
        if isinstance(found.get(key), list):
            return _messages(found[key], "assistant", depth + 1)
    return before or None


def _message(found: dict[str, Any], role: str, depth: int) -> list[Message]:
    named = identifier(found.get("role"))
    named = _ROLES.get(named, named) if named else None
    if found.get("type") in _RESULT_TYPES or (_is_part(found) and named is None):
        return _from_parts(_parts([found], depth), named or role, None)
    body = _first(found, "parts", "content", "contents", "text")
    listed = decoded(body) if isinstance(body, str) and body[:1] == "[" else body
    parts = _parts(listed if _all_parts(listed) else body, depth)
    listed = decoded(found.get("tool_calls"))
    if isinstance(listed, list):
        calls = (tool_call_in(item) for item in cast("list[Any]", listed))
        parts.calls.extend(call for call in calls if call is not None)
    elif (legacy := tool_call_in(found.get("function_call"))) is not None:
        parts.calls.append(legacy)
    if named is None and not (parts.said or parts.calls or parts.results):
        return []
    return _from_parts(parts, named or role, identifier(_first(found, "tool_call_id", "toolCallId")), keep=True)


def _from_parts(parts: _Parts, role: str, tool_call_id: str | None, *, keep: bool = False) -> list[Message]:
    said = "\n".join(parts.said)
    whole = [Message(role, said, tuple(parts.calls), tool_call_id)]
    if said or parts.calls or (keep and not parts.results):
        return parts.results + whole
    return parts.results


def _parts(value: object, depth: int) -> _Parts:
    parts = _Parts([], [], [])
    items = cast("list[Any]", value) if isinstance(value, (list, tuple)) else [value]
    for item in items:
        if item is None:
            continue
        if not isinstance(item, dict):
            parts.said.append(text(item) or "")
            continue
        found = cast("dict[str, Any]", item)
        # OpenInference puts each part of a content one level down.
        _part(mapping(found.get("message_content")) or found, parts, depth)
    return parts


def _part(found: dict[str, Any], parts: _Parts, depth: int) -> None:
    kind = found.get("type")
    if kind in _SILENT_TYPES or "reasoningContent" in found or _tool_part(found, parts):
        return
    for key in _TEXT_KEYS:
        inner = found.get(key)
        if isinstance(inner, str):
            parts.said.append(inner)
            return
        if inner is not None and depth < _MOST_DEPTH:
            parts.said.extend(_parts(inner, depth + 1).said)
            return
    # Images, audio and files are named, not shown: their bytes are no text.
    parts.said.append(f"[{kind}]" if isinstance(kind, str) else text(found) or "")


def _tool_part(found: dict[str, Any], parts: _Parts) -> bool:
    """Take a part that asks for a tool, or answers for one; False where it does neither."""
    kind = found.get("type")
    answer = next((inner for key in _RESULT_KEYS if (inner := mapping(found.get(key))) is not None), None)
    if answer is not None or kind in _RESULT_TYPES:
        parts.results.append(_result(found if answer is None else answer))
        return True
    asked = next((found[key] for key in _USE_KEYS if key in found), None)
    if asked is None and (kind in _CALL_TYPES or "functionCall" in found or "function_call" in found):
        asked = found
    call = tool_call_in(asked)
    if call is not None:
        parts.calls.append(call)
    return call is not None


def _result(found: dict[str, Any]) -> Message:
    result = _first(found, "response", "result", "output", "content", "error")
    inner = mapping(result)
    if inner is not None and set(inner) == {"type", "value"}:
        # The Vercel AI SDK says of a result which type it has.
        result = inner["value"]
    listed = decoded(result)
    if _all_parts(listed):
        result = said_in(listed)
    call_id = _first(found, "tool_call_id", "id", "toolCallId", "tool_use_id", "call_id", "toolUseId", "ref")
    return Message("tool", unquoted(result) or "", (), identifier(call_id))


def _holds_messages(found: object) -> bool:
    if isinstance(found, list):
        return any(isinstance(item, dict) for item in cast("list[Any]", found))
    return isinstance(found, dict) and not _MESSAGE_KEYS.isdisjoint(cast("dict[str, Any]", found))


def _all_parts(value: object) -> bool:
    if not isinstance(value, (list, tuple)):
        return False
    items = cast("list[Any]", value)
    return bool(items) and all(_is_part(item) for item in items)


def _is_part(item: object) -> bool:
    if not isinstance(item, dict):
        return False
    found = cast("dict[str, Any]", item)
    kind = found.get("type")
    if "role" in found or "message" in found:
        return False
    # Bedrock's and Genkit's parts name no type: their one key does.
    return (isinstance(kind, str) and kind != "message") or (len(found) == 1 and not _PART_KEYS.isdisjoint(found))


def _first(found: dict[str, Any], *names: str) -> Any:
    return next((found[name] for name in names if found.get(name) is not None), None)
