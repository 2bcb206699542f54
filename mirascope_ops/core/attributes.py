"""The attribute keys that this library writes: Mirascope's names, then OpenTelemetry's.

Written down once, so that what is emitted and what is read cannot drift apart. The names are those of
Mirascope 2.8 (`mirascope.ops`), so that whatever reads its spans reads ours.
"""

from __future__ import annotations

from typing import Final

TYPE: Final = "mirascope.type"
FN_QUALNAME: Final = "mirascope.fn.qualname"
FN_MODULE: Final = "mirascope.fn.module"
FN_IS_ASYNC: Final = "mirascope.fn.is_async"
ARG_TYPES: Final = "mirascope.trace.arg_types"
ARG_VALUES: Final = "mirascope.trace.arg_values"
OUTPUT: Final = "mirascope.trace.output"
TAGS: Final = "mirascope.trace.tags"
METADATA: Final = "mirascope.trace.metadata"

VERSION_HASH: Final = "mirascope.version.hash"
VERSION_SIGNATURE_HASH: Final = "mirascope.version.signature_hash"
VERSION_NUMBER: Final = "mirascope.version.version"
VERSION_NAME: Final = "mirascope.version.name"
VERSION_DESCRIPTION: Final = "mirascope.version.description"
VERSION_TAGS: Final = "mirascope.version.tags"
VERSION_META: Final = "mirascope.version.meta."  # followed by the key

SESSION_ID: Final = "mirascope.ops.session.id"
SESSION_ATTRIBUTES: Final = "mirascope.ops.session.attributes"
OTEL_SESSION_ID: Final = "session.id"

RESPONSE_MESSAGES: Final = "mirascope.response.messages"
RESPONSE_CONTENT: Final = "mirascope.response.content"
RESPONSE_USAGE: Final = "mirascope.response.usage"
RESPONSE_MODEL: Final = "mirascope.response.model_id"
RESPONSE_PROVIDER: Final = "mirascope.response.provider_id"

THREAD_ID: Final = "thread.id"
THREAD_NAME: Final = "thread.name"

TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"

EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
# The execution counts of the notebook cells that a traceback runs through, as JSON by file name:
# {"/tmp/ipykernel_1/2.py": 5}. Whoever records the exception knows them, a later reader does not.
EXCEPTION_CELLS: Final = "mirascope.ops.exception.cells"
