"""Mirascope's `llm.call` and `llm.prompt`, for functions that return chat dictionaries too.

Mirascope 2.8 takes from a prompt function a string, content parts or its own messages; on the dictionaries that
every chat API speaks (`{"role": ..., "content": ...}`) it fails with an AttributeError. Here such a list is turned
into Mirascope's messages first; anything else is passed on as it is.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Final, cast

import orjson
from mirascope import llm  # pyright: ignore[reportMissingTypeStubs] - it ships its types without a marker

from mirascope_ops.exceptions import OpsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_SYSTEM_ROLES: Final = ("system", "developer")


class ChatMessageError(OpsError, ValueError):
    """A chat dictionary that says nothing that Mirascope has a message for."""


def call(model: Any, **options: Any) -> Callable[[Any], Any]:
    """Make a prompt function a model call, as `mirascope.llm.call`.

    Args:
        model: A model id such as "openai/gpt-4o-mini", or a `llm.Model`.
        **options: As `mirascope.llm.call` takes them: tools, format, temperature, ...

    Returns:
        A decorator. The function it decorates may return chat dictionaries.

    Raises:
        ChatMessageError: When called, a chat dictionary that cannot be understood; the message says which.
    """
    decorator = cast("Callable[[Any], Any]", llm.call(model, **options))

    def decorate(target: Any) -> Any:
        return decorator(with_chat_messages(target))

    return decorate


def prompt(fn: Any = None, /, **options: Any) -> Any:
    """Make a function a prompt, as `mirascope.llm.prompt`; it may return chat dictionaries.

    Args:
        fn: The function, where the decorator is used without options.
        **options: As `mirascope.llm.prompt` takes them: tools, format.

    Returns:
        The prompt, or a decorator.
    """
    decorator = cast("Callable[[Any], Any]", llm.prompt(**options))

    def decorate(target: Any) -> Any:
        return decorator(with_chat_messages(target))

    return decorate if fn is None else decorate(fn)


def with_chat_messages(fn: Any) -> Any:
    """Wrap a prompt function so that chat dictionaries among its results become Mirascope's messages."""
    if inspect.iscoroutinefunction(fn):

        @functools.wraps(fn)
        async def async_wrapper(*args: Any, **kwargs: Any) -> Any:
            return _converted(await fn(*args, **kwargs))

        return async_wrapper

    @functools.wraps(fn)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return _converted(fn(*args, **kwargs))

    return wrapper


def _converted(result: Any) -> Any:
    items = cast("Sequence[Any]", result)
    is_sequence = isinstance(result, list | tuple)
    if is_sequence and any(isinstance(item, dict) and "role" in item for item in items):  # pyright: ignore[reportUnknownVariableType]
        return chat_messages(items)
    return cast("Any", result)


def chat_messages(items: Sequence[Mapping[str, Any] | llm.Message]) -> list[llm.Message]:
    """Turn chat dictionaries into Mirascope's messages; messages among them stay as they are.

    Args:
        items: Dictionaries with `role` (system, developer, user, assistant or tool) and `content`, which is text,
            a list of parts, or None; an assistant's may have `tool_calls`, a tool's has `tool_call_id`.

    Returns:
        The messages, in the same order; consecutive tool results make one.

    Raises:
        ChatMessageError: A dictionary cannot be understood; the message says which and why.

    Example:
        >>> [message.role for message in chat_messages([{"role": "user", "content": "Hello!"}])]
        ['user']
    """
    messages: list[llm.Message] = []
    tools: dict[str, str] = {}
    for index, item in enumerate(items):
        if not isinstance(item, dict):
            messages.append(cast("llm.Message", item))
            continue
        try:
            message = _message(item, tools)
        except (KeyError, TypeError, AttributeError) as error:
            problem = f"misses {error}" if isinstance(error, KeyError) else str(error)
            text = f"Message {index} is no chat message, it {problem}: {str(item)[:200]}"  # pyright: ignore[reportUnknownArgumentType]
            raise ChatMessageError(text) from error
        last = messages[-1] if messages else None
        if item.get("role") == "tool" and isinstance(last, llm.UserMessage) and _is_tool_results(last):  # pyright: ignore[reportUnknownMemberType]
            last.content = [*last.content, *cast("llm.UserMessage", message).content]
        else:
            messages.append(message)
    return messages


def _message(item: dict[str, Any], tools: dict[str, str]) -> llm.Message:
    role, content = item["role"], item.get("content")
    if role in _SYSTEM_ROLES:
        return llm.messages.system(_text(content))
    if role == "user":
        return llm.messages.user(_parts(content), name=item.get("name"))
    if role == "assistant":
        parts: list[Any] = [] if content is None else _parts(content)
        for requested in item.get("tool_calls") or ():
            function = requested["function"]
            arguments = function["arguments"]
            tools[requested["id"]] = function["name"]
            parts.append(
                llm.ToolCall(
                    id=requested["id"],
                    name=function["name"],
                    args=arguments if isinstance(arguments, str) else orjson.dumps(arguments).decode(),
                )
            )
        return llm.messages.assistant(parts or [""], model_id=None, provider_id=None, name=item.get("name"))
    if role == "tool":
        identifier = item["tool_call_id"]
        name = item.get("name") or tools.get(identifier, "")
        return llm.messages.user([llm.ToolOutput(id=identifier, name=name, result=_text(content))])
    message = f"has the role {role!r} (expected system, developer, user, assistant or tool)"
    raise TypeError(message)


def _parts(content: Any) -> list[Any]:
    """Return content as Mirascope's parts."""
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list | tuple):
        message = f"has a content of type {type(content).__name__} (expected text or a list of parts)"
        raise TypeError(message)
    return [_part(part) for part in cast("Sequence[Any]", content)]


def _part(part: Any) -> Any:
    if not isinstance(part, dict):
        return part
    kind = cast("dict[str, Any]", part).get("type")
    if kind in ("text", "input_text", "output_text"):
        return str(part["text"])  # pyright: ignore[reportUnknownArgumentType]
    if kind == "image_url":
        url = part["image_url"]["url"]  # pyright: ignore[reportUnknownVariableType]
        return llm.Image.from_url(url)  # pyright: ignore[reportUnknownArgumentType]
    message = f"has a part of type {kind!r} (expected text or image_url)"
    raise TypeError(message)


def _text(content: Any) -> str:
    if content is None:
        return ""
    return "".join(part if isinstance(part, str) else str(part) for part in _parts(content))


def _is_tool_results(message: llm.UserMessage) -> bool:
    return all(isinstance(part, llm.ToolOutput) for part in message.content)
