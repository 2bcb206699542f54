"""Reads OTLP/JSON, one request a line, as records: plainly, for tests."""

from __future__ import annotations

import json

from mirascope_ops.store.records import EventRecord, LinkRecord, SpanRecord

KINDS = {0: "internal", 1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
STATUSES = {0: "unset", 1: "ok", 2: "error"}


def plain(value):
    if not value:
        return None
    kind, inner = next(iter(value.items()))
    match kind:
        case "arrayValue":
            return [plain(item) for item in inner.get("values", [])]
        case "kvlistValue":
            return attributes(inner.get("values", []))
        case "intValue":
            return int(inner)
        case _:
            return inner


def attributes(pairs):
    return {pair["key"]: plain(pair.get("value")) for pair in pairs or []}


def records_of(lines):
    found = []
    for line in lines:
        for resource_spans in json.loads(line).get("resourceSpans", []):
            resource = attributes(resource_spans.get("resource", {}).get("attributes"))
            for scope_spans in resource_spans.get("scopeSpans", []):
                scope = scope_spans.get("scope", {}).get("name", "")
                found += [record(span, scope, resource) for span in scope_spans.get("spans", [])]
    return found


def record(span, scope, resource):
    end = int(span.get("endTimeUnixNano") or 0) or None
    status = span.get("status", {})
    return SpanRecord(
        trace_id=span["traceId"].lower(),
        span_id=span["spanId"].lower(),
        parent_id=span.get("parentSpanId", "").lower() or None,
        name=span.get("name", ""),
        span_kind=KINDS.get(span.get("kind", 0), "internal"),
        start=int(span.get("startTimeUnixNano") or 0),
        end=end,
        status=STATUSES[status.get("code", 0)] if end else "open",
        status_message=status.get("message", ""),
        session_id=None,
        run_id=None,
        session_attributes=None,
        cell_id=None,
        execution_count=None,
        notebook=None,
        sampled=True,
        service=resource.get("service.name"),
        scope=scope,
        resource=resource,
        attributes=attributes(span.get("attributes")),
        events=[
            EventRecord(e.get("name", ""), int(e.get("timeUnixNano") or 0), attributes(e.get("attributes")))
            for e in span.get("events", [])
        ],
        links=[
            LinkRecord(link["traceId"], link["spanId"], attributes(link.get("attributes")))
            for link in span.get("links", [])
        ],
    )
