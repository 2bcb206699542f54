"""Traces that the retention is about to delete, written to files first."""

from __future__ import annotations

import os
import time
import uuid
from typing import TYPE_CHECKING

from mirascope_ops.exceptions import StoreError
from mirascope_ops.store import otlp_file
from mirascope_ops.store.otlp import Exported

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mirascope_ops.store.records import AnnotationRecord, RunRecord, SpanRecord


class ArchiveError(StoreError):
    """The archive cannot be written: nothing that belongs there was deleted."""


def add(
    folder: Path, spans: Sequence[SpanRecord], runs: Sequence[RunRecord], annotations: Sequence[AnnotationRecord]
) -> Path:
    """Write one more file to an archive: OTLP in JSON, compressed, which `ops.read_otlp` reads.

    Args:
        folder: The archive's folder; made, for its owner alone, where it is missing.
        spans: The spans.
        runs: The entries into sessions that they belong to.
        annotations: What was said about them.

    Returns:
        The file. It is on the disk when this returns.

    Raises:
        ArchiveError: It cannot be written.
    """
    about: dict[tuple[str, str], list[AnnotationRecord]] = {}
    for annotation in annotations:
        about.setdefault((annotation.trace_id, annotation.span_id), []).append(annotation)
    name = f"spans-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{uuid.uuid4().hex[:8]}.jsonl.gz"
    path = folder / name
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        otlp_file.write(
            path,
            [Exported(span, about.get((span.trace_id, span.span_id), ())) for span in spans],
            runs=runs,
            progress=False,
        )
        path.chmod(0o600)
        with path.open("rb") as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise ArchiveError(
            f"Traces could not be written to the archive {folder} ({error.strerror or error}), and were not deleted: "
            "make room there, or set MIRASCOPE_OPS_ARCHIVE to another folder."
        ) from error
    return path
