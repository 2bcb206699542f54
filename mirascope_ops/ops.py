"""`mirascope_ops.ops`: this package under the name that the API is used by.

`from mirascope_ops import ops` and `from mirascope_ops.ops import trace` read as they do with Mirascope. The module
replaces itself by the package, so that there is one set of objects and no second namespace to keep in step.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import mirascope_ops

if TYPE_CHECKING:
    from mirascope_ops import *  # noqa: F403 - for type checkers: the package's names are this module's

sys.modules[__name__] = mirascope_ops
