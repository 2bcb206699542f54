"""Mirascope's `llm`, with `call` and `prompt` that take chat dictionaries as well.

Everything else is `mirascope.llm`'s own, looked up there when it is used. It belongs to the extra `llm`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mirascope_ops._optional import require

_llm = require("mirascope.llm", extra="llm")

if TYPE_CHECKING:
    from mirascope.llm import *  # pyright: ignore[reportMissingTypeStubs, reportWildcardImportFromLibrary] # noqa: F403 - for type checkers: the module's names are Mirascope's
    from mirascope.llm import call, prompt  # pyright: ignore[reportMissingTypeStubs]
else:
    from mirascope_ops.integrations.mirascope_llm import call, prompt

__all__ = ["call", "prompt"]


def __getattr__(name: str) -> Any:
    return getattr(_llm, name)


def __dir__() -> list[str]:
    return sorted({*__all__, *dir(_llm)})
