"""`@classmethod` on top of `@ops.trace`, where Python does not let the function below take part in binding.

Up to Python 3.12 a class method binds what it holds by its `__get__`. From 3.13 on it makes a plain bound method, which
hands `wrapped` on to the function and loses the class. So while the class is being made, such class methods are
replaced by `TracedClassMethod`, which is what `@ops.trace` on top of `@classmethod` gives.

One that comes to its class later (`Agent.run = classmethod(traced)`) cannot be replaced: its `wrapped` wants the class
as first argument, and says so. `ops.trace(classmethod(function))` works everywhere.

A class method does not pass `__set_name__` on either; the class body gets one more name, which takes itself away when
Python calls its own.
"""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any, Final, cast

from mirascope_ops.core.methods import TracedClassMethod, TracedMethod

if TYPE_CHECKING:
    from types import FrameType

CLASS_METHODS_BIND: Final = sys.version_info < (3, 13)
# Enumerations, pydantic and dataclasses leave names of this form alone.
_NAME: Final = "__mirascope_ops_class_methods__"
# From the decorator up to the class body there are a few frames of ours, and those of decorators made of this one.
_FRAMES: Final = 16


class _ClassMethods:
    """What stands in a class body until the class is made."""

    def __set_name__(self, owner: type, name: str) -> None:
        for attribute, value in list(vars(owner).items()):
            if type(value) is not classmethod:
                continue
            below = cast("Any", value).__func__
            if issubclass(type(below), TracedMethod):
                function = below.function if type(below) is TracedMethod else below
                type.__setattr__(owner, attribute, TracedClassMethod(function))
        type.__delattr__(owner, name)


def watch(fn: Any) -> None:
    """Have the class whose body defines this function replace its traced class methods; called while it is decorated.

    Args:
        fn: A function; nothing happens where it is decorated outside the body of its class.
    """
    around = fn.__qualname__.rpartition(".")[0]
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - no public way up without reading sources
    for _ in range(_FRAMES):
        if frame is None:
            return
        if not frame.f_code.co_flags & inspect.CO_OPTIMIZED and frame.f_locals.get("__qualname__") == around:
            frame.f_locals[_NAME] = _ClassMethods()  # in a class body these are the names themselves, no copy
            return
        frame = frame.f_back
