"""Spans: as people use them, as OpenTelemetry and its neighbours see them, and what is recorded of them."""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import subprocess
import sys
import textwrap

import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace as otel_trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, sampling
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags, TraceState

from mirascope_ops import Span, ops
from mirascope_ops.core import backend

ELSEWHERE = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def event(span, name):
    (found,) = [event for event in span.events if event.name == name]
    return found


# -- as people use it ------------------------------------------------------------------------------


def test_a_span_is_recorded_with_its_name_attributes_and_times(only):
    with ops.span("retrieve", top_k=3) as span:
        span.set(found=2, source="index", score=0.5, exact=True, ids=["a", "b"])

    stored = only()
    assert stored.name == "retrieve"
    expected = {"top_k": 3, "found": 2, "source": "index", "score": 0.5, "exact": True, "ids": ["a", "b"]}
    assert {key: _list(value) for key, value in stored.attributes.items() if key in expected} == expected
    assert stored.start <= stored.end
    assert (stored.span_id, stored.trace_id) == (span.span_id, span.trace_id)
    assert stored.status == "unset"


def _list(value):
    return list(value) if isinstance(value, tuple) else value


async def test_a_span_works_as_async_with(only):
    async with ops.span("retrieve") as span:
        await asyncio.sleep(0)
        current = otel_trace.get_current_span()

    assert current is span
    assert only().name == "retrieve"


def test_ids_are_none_before_the_start_and_stay_after_the_end():
    span = ops.span("retrieve")
    before = (span.span_id, span.trace_id, span.span_context, span.is_noop, span.is_recording())
    with span:
        inside = (span.span_id, span.trace_id, span.is_noop, span.is_recording())
        context = span.span_context

    assert before == (None, None, None, True, False)
    assert inside[2:] == (False, True)
    assert len(inside[0]) == 16
    assert len(inside[1]) == 32
    assert int(inside[0], 16) == context.span_id
    assert int(inside[1], 16) == context.trace_id
    assert (span.span_id, span.trace_id) == inside[:2]
    assert not span.is_recording()


def test_a_span_that_is_never_entered_records_nothing(recorded):
    ops.span("idle", n=1).set(m=2)

    assert len(recorded()) == 0


def test_messages_are_events_with_a_level(only):
    with ops.span("work") as span:
        span.debug("d", n=1)
        span.info("i")
        span.warning("w")
        span.event("custom", size=3)

    stored = only()
    told = [(event.name, event.attributes.get("level"), event.attributes.get("message")) for event in stored.events]
    assert told == [("debug", "debug", "d"), ("info", "info", "i"), ("warning", "warning", "w"), ("custom", None, None)]
    assert stored.events[0].attributes["n"] == 1
    assert dict(stored.events[3].attributes) == {"size": 3}
    assert all(stored.start <= event.time <= stored.end for event in stored.events)
    assert stored.status == "unset"


@pytest.mark.parametrize("level", ["error", "critical"])
def test_an_error_message_makes_the_span_an_error(only, level):
    with ops.span("work") as span:
        getattr(span, level)("went wrong", code=7)

    assert only().status == "error"
    assert event(only(), level).attributes["message"] == "went wrong"
    assert event(only(), level).attributes["code"] == 7


def test_finish_ends_the_span_and_a_second_time_changes_nothing(recorded, only):
    with ops.span("work") as span:
        span.finish()
        current = otel_trace.get_current_span()
        end = only().end
        span.finish()
        span.set(late=1)
        span.event("late")
        span.error("late")
        span.update_name("late")
        span.end()

    assert current is otel_trace.INVALID_SPAN
    assert len(recorded()) == 1
    stored = only()
    assert (stored.name, stored.end, stored.status, list(stored.events)) == ("work", end, "unset", [])
    assert "late" not in stored.attributes


def test_a_span_may_be_started_and_finished_without_with(only):
    span = ops.span("work").__enter__()
    span.finish()

    assert only().name == "work"


def test_a_finished_span_entered_again_records_nothing_more(recorded):
    span = ops.span("work")
    with span:
        pass
    with span:
        current = otel_trace.get_current_span()

    assert len(recorded()) == 1
    assert current is otel_trace.INVALID_SPAN


def test_spans_form_a_tree(recorded):
    with ops.span("root") as root:
        with ops.span("child") as child, ops.span("grandchild"):
            pass
        with ops.span("second child"):
            pass
    with ops.span("other root"):
        pass

    parents = {span.name: span.parent_id for span in recorded()}
    assert parents == {
        "root": None,
        "child": root.span_id,
        "grandchild": child.span_id,
        "second child": root.span_id,
        "other root": None,
    }
    assert len({span.trace_id for span in recorded()}) == 2


def test_open_spans_are_visible_as_open_and_then_as_ended(only):
    with ops.span("work", n=1):
        while_open = only()
    after = only()

    assert (while_open.status, while_open.end, while_open.attributes["n"]) == ("open", None, 1)
    assert (after.status, after.span_id) == ("unset", while_open.span_id)


def test_an_exception_is_recorded_with_its_traceback_and_passes(only):
    error = ValueError("no such city")
    with pytest.raises(ValueError, match="no such city") as raised, ops.span("work"):
        raise error

    assert raised.value is error
    stored = only()
    recorded = event(stored, "exception").attributes
    assert (stored.status, stored.error_type, stored.error_message) == ("error", "ValueError", "no such city")
    assert (recorded["exception.type"], recorded["exception.message"]) == ("ValueError", "no such city")
    assert "Traceback (most recent call last)" in recorded["exception.stacktrace"]
    assert "raise error" in recorded["exception.stacktrace"]
    assert "ValueError: no such city" in recorded["exception.stacktrace"]


class Refused(BaseException):
    """As trio's Cancelled or pytest's outcomes: no Exception."""


@pytest.mark.parametrize(
    "error",
    [asyncio.CancelledError(), KeyboardInterrupt(), SystemExit(1), SystemExit("message"), Refused("no")],
    ids=repr,
)
def test_what_breaks_off_a_span_is_an_error_though_it_is_no_exception(only, error):
    with pytest.raises(type(error)), ops.span("work"):
        raise error

    assert only().status == "error"
    assert event(only(), "exception").attributes["exception.type"].endswith(type(error).__name__)


@pytest.mark.parametrize("error", [SystemExit(0), SystemExit(None), GeneratorExit()], ids=repr)
def test_leaving_on_purpose_is_no_error(only, error):
    with pytest.raises(type(error)), ops.span("work"):
        raise error

    assert (only().status, list(only().events)) == ("unset", [])


def test_an_exception_whose_str_fails_is_recorded_all_the_same(only):
    class Broken(Exception):  # noqa: N818
        def __str__(self) -> str:
            raise RuntimeError("even this fails")

    with pytest.raises(Broken), ops.span("work"):
        raise Broken

    assert only().status == "error"
    assert only().error_type.endswith("Broken")


def test_notes_causes_and_groups_are_in_the_recorded_traceback(only):
    def fail():
        try:
            raise KeyError("inner")
        except KeyError as cause:
            error = ExceptionGroup("several", [ValueError("member")])
            error.add_note("a note")
            raise error from cause

    with pytest.raises(ExceptionGroup), ops.span("work"):
        fail()

    stack = event(only(), "exception").attributes["exception.stacktrace"]
    assert all(part in stack for part in ("KeyError: 'inner'", "direct cause", "ValueError: member", "a note"))


# -- status, as OpenTelemetry has it ---------------------------------------------------------------


def test_ok_is_final(only):
    with ops.span("work") as span:
        span.set_status(StatusCode.OK)
        span.set_status(StatusCode.ERROR, "too late")
        span.set_status(StatusCode.UNSET)

    assert only().status == "ok"
    assert span.status.status_code is StatusCode.OK


def test_an_error_may_become_ok_and_unset_changes_nothing():
    with ops.span("work") as span:
        span.set_status(Status(StatusCode.ERROR, "first"))
        span.set_status(StatusCode.UNSET)
        failed = (span.status.status_code, span.status.description)
        span.set_status(StatusCode.OK)

    assert failed == (StatusCode.ERROR, "first")
    assert (span.status.status_code, span.status.description) == (StatusCode.OK, None)


def test_only_errors_have_a_description():
    with ops.span("work") as span:
        span.set_status(StatusCode.OK, "ignored")

    assert span.status.description is None


def test_a_recorded_exception_that_did_not_escape_leaves_the_otel_status_alone():
    with ops.span("work") as span:
        span.record_exception(ValueError("handled"), {"attempt": 1})

    assert span.status.status_code is StatusCode.UNSET
    assert span.events[0].attributes["exception.message"] == "handled"
    assert span.events[0].attributes["attempt"] == 1


# -- as OpenTelemetry sees it ----------------------------------------------------------------------


def test_a_span_is_an_instance_of_both_opentelemetry_classes():
    with ops.span("work") as span:
        pass

    assert isinstance(span, Span)
    assert isinstance(span, otel_trace.Span)
    assert isinstance(span, ReadableSpan)


def test_the_current_opentelemetry_span_is_ours():
    with ops.span("work") as span:
        current = otel_trace.get_current_span()
        current.set_attribute("from", "user code")

    assert current is span
    assert span.attributes["from"] == "user code"


def test_to_json_shows_the_whole_span():
    with ops.session(id="a"), ops.span("parent") as parent, ops.span("work", n=1, tags=["x"]) as span:
        span.event("tick", size=3)
        span.add_link(ELSEWHERE, {"why": "retry"})
        span.set_status(StatusCode.ERROR, "bad")

    shown = json.loads(span.to_json())
    assert shown["name"] == "work"
    assert shown["context"]["span_id"] == f"0x{span.span_id}"
    assert shown["context"]["trace_id"] == f"0x{span.trace_id}"
    assert shown["parent_id"] == f"0x{parent.span_id}"
    assert shown["kind"] == "SpanKind.INTERNAL"
    assert shown["status"] == {"status_code": "ERROR", "description": "bad"}
    assert (shown["attributes"]["n"], shown["attributes"]["tags"]) == (1, ["x"])
    assert shown["attributes"]["mirascope.ops.session.id"] == "a"
    assert (shown["events"][0]["name"], shown["events"][0]["attributes"]) == ("tick", {"size": 3})
    assert shown["links"][0]["attributes"] == {"why": "retry"}
    assert shown["start_time"] <= shown["end_time"]


def test_links_are_recorded_and_invalid_ones_ignored(only):
    with ops.span("work") as span:
        span.add_link(ELSEWHERE, {"why": "retry"})
        span.add_link(otel_trace.INVALID_SPAN_CONTEXT)

    (link,) = only().links
    assert (link.trace_id, link.span_id, dict(link.attributes)) == (f"{0xABC:032x}", f"{0xDEF:016x}", {"why": "retry"})
    assert isinstance(span.links[0], Link)


def test_an_event_may_carry_a_time_and_a_span_may_end_at_one(only):
    with ops.span("work") as span:
        span.add_event("earlier", {"n": 1}, timestamp=123)
        span.end(end_time=span.start_time + 5)

    assert event(only(), "earlier").time == 123
    assert only().duration == 5


def test_a_span_may_be_renamed(only):
    with ops.span("old") as span:
        span.update_name("new")

    assert only().name == "new"


def test_a_none_attribute_changes_nothing(only):
    with ops.span("work", n=1, nothing=None) as span:
        span.set(n=None)
        span.set_attribute("other", None)

    assert only().attributes["n"] == 1
    assert not {"nothing", "other"} & set(only().attributes)


def test_our_spans_and_the_sdks_are_each_others_parents_and_children(install_provider, only):
    provider = install_provider()

    with (
        ops.span("ours 1") as first,
        provider.tracer.start_as_current_span("sdk 2") as second,
        ops.span("ours 3") as third,
        provider.tracer.start_as_current_span("sdk 4"),
    ):
        pass

    assert [span.name for span in provider.exported] == ["sdk 4", "ours 3", "sdk 2", "ours 1"]
    parents = {span.name: span.parent and span.parent.span_id for span in provider.exported}
    assert parents == {
        "ours 1": None,
        "sdk 2": first.get_span_context().span_id,
        "ours 3": second.get_span_context().span_id,
        "sdk 4": third.get_span_context().span_id,
    }
    assert {span.context.trace_id for span in provider.exported} == {first.get_span_context().trace_id}
    assert only("ours 3").parent_id == only("sdk 2").span_id
    assert only("sdk 4").parent_id == only("ours 3").span_id


def test_a_stock_exporter_gets_our_scope_and_the_providers_resource(install_provider, only):
    provider = install_provider(resource=Resource({"service.name": "travel", "region": "eu"}))
    with ops.span("work", n=1):
        pass

    exported = provider.one("work")
    assert exported.instrumentation_scope.name == "mirascope_ops"
    assert exported.resource.attributes["region"] == "eu"
    assert exported.attributes["n"] == 1
    assert exported.parent is None
    assert only().service == "travel"


def test_a_provider_that_appears_later_is_joined(install_provider, recorded):
    with ops.span("before"):
        provider = install_provider()
        with ops.span("inside"):
            pass
    with ops.span("after"):
        pass

    assert {"inside", "after"} <= {span.name for span in provider.exported}
    assert [span.name for span in recorded()] == ["before", "inside", "after"]


def test_a_processor_that_is_added_later_is_called(install_provider):
    provider = install_provider()
    with ops.span("before"):
        pass
    processor = Noting()
    provider.sdk.add_span_processor(processor)
    with ops.span("after"):
        pass

    assert [span.name for span in processor.ended] == ["after"]


def test_a_configured_provider_is_used_beside_the_global_one(install_provider):
    from opentelemetry.sdk.trace import TracerProvider

    theirs = install_provider()
    processor = Noting()
    mine = TracerProvider()
    mine.add_span_processor(processor)

    ops.configure(tracer_provider=mine)
    with ops.span("work"):
        pass

    assert [span.name for span in processor.ended] == ["work"]
    assert theirs.exported == ()
    assert otel_trace.get_tracer_provider() is theirs.sdk


def test_a_provider_that_is_not_the_sdks_breaks_no_span(only):
    class ApiProvider(otel_trace.TracerProvider):
        def get_tracer(self, *_: object, **__: object):
            return otel_trace.NoOpTracer()

    otel_trace.set_tracer_provider(ApiProvider())
    with ops.span("work"):
        pass

    assert only().name == "work"


def test_a_provider_with_a_processor_of_its_own_kind_breaks_no_span(only):
    from opentelemetry.sdk.trace import TracerProvider

    processor = Noting()
    processor.add_span_processor = lambda _: None
    otel_trace.set_tracer_provider(TracerProvider(active_span_processor=processor))
    with ops.span("work"):
        pass
    with ops.span("again"):
        pass

    assert only("again").status == "unset"
    assert [span.name for span in processor.ended] == ["work", "again"]


def test_an_incoming_remote_parent_is_continued(only):
    token = otel_context.attach(otel_trace.set_span_in_context(NonRecordingSpan(ELSEWHERE)))
    with ops.span("work") as span:
        context = span.get_span_context()
    otel_context.detach(token)

    assert (only().trace_id, only().parent_id) == (f"{0xABC:032x}", f"{0xDEF:016x}")
    assert context.trace_flags.sampled
    assert not context.is_remote


def test_the_tracestate_is_handed_on():
    state = TraceState([("vendor", "1")])
    remote = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    token = otel_context.attach(otel_trace.set_span_in_context(NonRecordingSpan(remote)))
    with ops.span("outer"), ops.span("inner") as inner:
        found = inner.get_span_context().trace_state
    otel_context.detach(token)

    assert dict(found) == {"vendor": "1"}


def test_an_invalid_current_span_makes_no_parent(only):
    token = otel_context.attach(otel_trace.set_span_in_context(otel_trace.INVALID_SPAN))
    with ops.span("work"):
        pass
    otel_context.detach(token)

    assert only().parent_id is None
    assert int(only().trace_id, 16) != 0


def test_use_span_makes_a_finished_span_a_parent(recorded):
    with ops.span("earlier") as earlier:
        pass
    with otel_trace.use_span(earlier, end_on_exit=False), ops.span("later"):
        pass

    assert [span.parent_id for span in recorded()] == [None, earlier.span_id]


def test_ids_come_from_the_providers_generator(install_provider):
    class Counting(IdGenerator):
        def __init__(self) -> None:
            self.number = 0

        def generate_span_id(self) -> int:
            self.number += 1
            return self.number

        def generate_trace_id(self) -> int:
            return 77

    install_provider(id_generator=Counting())
    with ops.span("work") as span:
        pass

    assert (span.trace_id, span.span_id) == (f"{77:032x}", f"{1:016x}")


# -- limits ----------------------------------------------------------------------------------------


def test_limits_hold_for_what_is_exported_and_not_for_what_is_stored(install_provider, only):
    limits = SpanLimits(max_span_attributes=5, max_span_attribute_length=10, max_events=2, max_links=1)
    provider = install_provider(span_limits=limits)
    with ops.span("work", **{f"k{n}": "x" * 100 for n in range(20)}) as span:
        for number in range(5):
            span.event(f"e{number}")
            span.add_link(SpanContext(1, number + 1, is_remote=False))

    exported, stored = provider.one("work"), only()
    assert len(exported.attributes) == 5
    assert all(len(value) <= 10 for value in exported.attributes.values() if isinstance(value, str))
    assert [event.name for event in exported.events] == ["e3", "e4"]
    assert len(exported.links) == 1
    assert (exported.dropped_events, exported.dropped_links) == (3, 4)
    assert exported.dropped_attributes > 0
    assert all(stored.attributes[f"k{n}"] == "x" * 100 for n in range(20))
    assert len(stored.events) == 5
    assert len(stored.links) == 5


def test_limits_of_zero_export_nothing_of_the_kind(install_provider, only):
    provider = install_provider(span_limits=SpanLimits(max_events=0, max_links=0))
    with ops.span("work") as span:
        span.event("tick")
        span.add_link(ELSEWHERE)

    exported = provider.one("work")
    assert (len(exported.events), len(exported.links)) == (0, 0)
    assert (exported.dropped_events, exported.dropped_links) == (1, 1)
    assert (len(only().events), len(only().links)) == (1, 1)


def test_limits_hold_for_attributes_of_events_and_links(install_provider):
    limits = SpanLimits(max_event_attributes=1, max_link_attributes=1, max_attribute_length=5)
    provider = install_provider(span_limits=limits)
    with ops.span("work") as span:
        span.event("tick", a="x" * 50, b="y" * 50)
        span.add_link(ELSEWHERE, {"a": "x" * 50, "b": "y" * 50})

    exported = provider.one("work")
    assert [len(value) for value in exported.events[0].attributes.values()] == [5]
    assert [len(value) for value in exported.links[0].attributes.values()] == [5]


# -- samplers --------------------------------------------------------------------------------------


def test_a_dropped_span_is_recorded_here_and_says_so_on_the_wire(install_provider, only):
    processor = Noting()
    provider = install_provider(processor, sampler=sampling.ALWAYS_OFF)
    headers: dict[str, str] = {}
    with ops.span("work") as span:
        ops.inject_context(headers)

    assert only().name == "work"
    assert not span.get_span_context().trace_flags.sampled
    assert headers["traceparent"].rpartition("-")[2] in ("00", "02")
    assert provider.exported == ()
    assert (processor.started, processor.ended) == ([], [])


def test_children_of_a_dropped_span_are_dropped_too_and_recorded_here(install_provider, recorded):
    provider = install_provider(sampler=sampling.ParentBased(sampling.ALWAYS_OFF))
    with ops.span("root"), ops.span("child"), provider.tracer.start_as_current_span("sdk"):
        pass

    assert provider.exported == ()
    assert {"root", "child"} <= {span.name for span in recorded()}


def test_an_unsampled_parent_from_elsewhere_drops_its_children_by_default(install_provider, only):
    processor = Noting()
    provider = install_provider(processor)
    remote = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(0))
    token = otel_context.attach(otel_trace.set_span_in_context(NonRecordingSpan(remote)))
    with ops.span("work") as span:
        flags = span.get_span_context().trace_flags
    otel_context.detach(token)

    assert not flags.sampled
    assert provider.exported == ()
    assert [span.name for span in processor.ended] == []
    assert only().name == "work"


class Choosy(Sampler):
    """Decides as told, and adds an attribute and a tracestate."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.asked: list[tuple[str, dict[str, object]]] = []

    def should_sample(self, parent_context, trace_id, name, kind=None, attributes=None, links=None, trace_state=None):  # noqa: PLR0917
        self.asked.append((name, dict(attributes or {})))
        return SamplingResult(self.decision, {"sampler.rule": "choosy"}, TraceState([("s", "1")]))

    def get_description(self) -> str:
        return "Choosy"


def test_a_sampler_sees_name_and_attributes_and_may_add_to_them(install_provider, only):
    sampler = Choosy(Decision.RECORD_AND_SAMPLE)
    provider = install_provider(sampler=sampler)
    with ops.span("work", n=1) as span:
        pass

    assert sampler.asked[0][0] == "work"
    assert sampler.asked[0][1]["n"] == 1
    assert provider.one("work").attributes["sampler.rule"] == "choosy"
    assert dict(span.get_span_context().trace_state) == {"s": "1"}
    assert only().attributes["sampler.rule"] == "choosy"


def test_a_span_that_is_only_recorded_reaches_processors_but_not_exporters(install_provider):
    processor = Noting()
    provider = install_provider(processor, sampler=Choosy(Decision.RECORD_ONLY))
    with ops.span("work"):
        pass

    assert [span.name for span in processor.ended] == ["work"]
    assert provider.exported == ()


def test_a_sampler_that_raises_does_not_break_the_call_and_leaves_a_sane_span(lenient, install_provider, only):
    class Broken(Sampler):
        def should_sample(self, *_: object, **__: object):
            raise RuntimeError("sampler")

        def get_description(self) -> str:
            return "Broken"

    install_provider(sampler=Broken())
    with ops.span("work"):
        done = True

    assert done
    assert 0 < only().start <= only().end


# -- processors ------------------------------------------------------------------------------------


class Noting(SpanProcessor):
    """Keeps what it is called with."""

    def __init__(self) -> None:
        self.started: list[tuple[object, object]] = []
        self.ended: list[ReadableSpan] = []

    def on_start(self, span, parent_context=None):
        self.started.append((span, parent_context))
        span.set_attribute("added.on_start", 1)

    def on_end(self, span):
        self.ended.append(span)


class Raising(SpanProcessor):
    """Fails where it is told to."""

    def __init__(self, where: str) -> None:
        self.where = where

    def on_start(self, span, parent_context=None):
        if self.where == "on_start":
            raise RuntimeError("processor")

    def on_end(self, span):
        if self.where == "on_end":
            raise RuntimeError("processor")


def test_processors_are_called_with_our_span_and_may_set_attributes(install_provider, only):
    processor = Noting()
    install_provider(processor)
    with ops.span("outer"), ops.span("work") as span:
        pass

    started, parent_context = processor.started[1]
    assert started is span
    assert otel_trace.get_current_span(parent_context).get_span_context().span_id == span.parent.span_id
    assert processor.ended[0] is span
    assert only("work").attributes["added.on_start"] == 1


@pytest.mark.parametrize("where", ["on_start", "on_end"])
def test_a_processor_that_raises_breaks_no_span(lenient, install_provider, only, where):
    install_provider(Raising(where))
    with ops.span("work", n=1):
        done = True

    assert done
    assert only().attributes["n"] == 1


@pytest.mark.parametrize("where", ["on_start", "on_end"])
def test_a_processor_that_raises_breaks_no_traced_call(lenient, install_provider, only, where):
    @ops.trace
    def double(x: int) -> int:
        return 2 * x

    install_provider(Raising(where))
    result = double(21)

    assert result == 42
    assert otel_trace.get_current_span() is otel_trace.INVALID_SPAN
    assert only().output == "42"


def test_a_provider_that_was_shut_down_breaks_no_span(install_provider, only):
    provider = install_provider()
    provider.sdk.shutdown()
    with ops.span("work"):
        pass

    assert only().name == "work"


# -- contexts --------------------------------------------------------------------------------------


def test_a_span_finished_in_another_context_ends_and_never_raises(only):
    span = ops.span("work")
    contextvars.copy_context().run(span.__enter__)
    span.__exit__(None, None, None)

    assert only().status == "unset"


def test_a_thread_starts_without_a_current_span(in_thread, recorded):
    def work():
        with ops.span("in thread"):
            pass

    with ops.span("outside"):
        in_thread(work)

    assert [span.parent_id for span in recorded()] == [None, None]


async def test_tasks_inherit_the_current_span(recorded):
    async def work(name):
        with ops.span(name):
            await asyncio.sleep(0)

    with ops.span("root") as root:
        await asyncio.gather(work("a"), work("b"))

    assert [span.parent_id for span in recorded()] == [None, root.span_id, root.span_id]


# -- hostile values --------------------------------------------------------------------------------


class Unfriendly:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


CYCLE: list[object] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, {"b": None}]},
        [1, "mixed"],
        [None],
        [],
        {1, 2},
        b"bytes",
        Unfriendly(),
        CYCLE,
        10**30,
        -(10**30),
        10**5000,
        [10**30],
        float("nan"),
        "lone\ud800",
        ["lone\ud800"],
        "x" * 200_000,
        object(),
        lambda: None,
    ],
    ids=[
        "dict",
        "mixed list",
        "list of None",
        "empty list",
        "set",
        "bytes",
        "failing repr",
        "cycle",
        "big int",
        "negative big int",
        "int of 5,001 digits",
        "list of big int",
        "nan",
        "lone surrogate",
        "list of lone surrogate",
        "long text",
        "object",
        "function",
    ],
)
def test_any_value_may_be_set_on_a_span_and_on_an_event(only, value):
    with ops.span("work", at_start=value) as span:
        span.set(later=value)
        span.event("tick", value=value)

    stored = only()
    assert {"at_start", "later"} <= set(stored.attributes)
    assert "value" in stored.events[0].attributes
    span.to_json().encode()
    for found in (stored.attributes["at_start"], stored.events[0].attributes["value"]):
        assert isinstance(found, str | bool | int | float | list | tuple)
        assert len(str(found).encode()) < 100_000  # encodes, and is bounded


def test_a_mapping_is_kept_as_json_text(only):
    with ops.span("work", config={"depth": 2, "tags": ["a"]}):
        pass

    assert json.loads(only().attributes["config"]) == {"depth": 2, "tags": ["a"]}


def test_later_mutation_changes_no_attribute(only):
    values = [1, 2]
    with ops.span("work", values=values) as span:
        span.event("tick", values=values)
        values.append(3)

    assert list(only().attributes["values"]) == [1, 2]
    assert list(only().events[0].attributes["values"]) == [1, 2]


def test_secrets_are_masked_by_key_on_spans_events_and_links(only):
    with ops.span("work", api_key="sk-1", max_tokens=5) as span:
        span.set(headers={"Authorization": "Bearer sk-1", "accept": "*/*"})
        span.event("request", password="sk-1", status=200)
        span.add_link(ELSEWHERE, {"token": "sk-1"})

    stored = only()
    assert "sk-1" not in str(stored._asdict())
    assert stored.attributes["max_tokens"] == 5
    assert stored.events[0].attributes["status"] == 200


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "", "🙂", "a\nb", "x" * 10_000], ids=lambda v: v[:10])
def test_any_name_is_kept(only, name):
    with ops.span(name) as span:
        span.event(name)

    assert only().name == name
    assert only().events[0].name == name


def test_names_keys_and_descriptions_with_lone_surrogates_can_be_written(only):
    with ops.span("name \ud800") as span:
        span.event("event \ud800", **{"key \ud800": 1})
        span.set(**{"key \ud800": 1})
        span.set_status(StatusCode.ERROR, "description \ud800")

    stored = only()
    for text in (stored.name, stored.events[0].name, *stored.events[0].attributes, *stored.attributes):
        text.encode()
    (stored.error_message or "").encode()


# -- switched off ----------------------------------------------------------------------------------


def run(program: str, **environment: str) -> str:
    """Run a program in a process of its own; return what it prints."""
    outcome = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "MIRASCOPE_OPS_STORE": ":memory:", **environment},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def test_otel_sdk_disabled_gives_spans_that_do_nothing():
    program = """
        from opentelemetry import trace
        from mirascope_ops import ops

        @ops.trace
        def double(x):
            return 2 * x

        with ops.session(id="a") as ctx, ops.span("work", n=1) as span:
            span.set(m=2); span.event("tick"); span.info("i"); span.error("e")
            print(span.is_noop, span.span_id, span.trace_id, span.span_context, span.is_recording())
            print(trace.get_current_span() is trace.INVALID_SPAN, ops.current_session() is ctx)
            result = double.wrapped(21)
        print(result.result, result.span_id, result.trace_id, double(4), len(ops.spans()))
    """

    assert run(program, OTEL_SDK_DISABLED="true").splitlines() == [
        "True None None None False",
        "True True",
        "42 None None 8 0",
    ]


def test_tracing_prints_nothing_and_installs_no_provider():
    program = """
        from opentelemetry import trace
        from mirascope_ops import ops

        with ops.span("work"):
            pass
        print(trace._TRACER_PROVIDER, len(ops.spans()))
    """

    assert run(program).split() == ["None", "1"]


@pytest.mark.slow
def test_ten_thousand_open_spans_nest(recorded):
    spans = [ops.span(str(number)).__enter__() for number in range(10_000)]
    for span in reversed(spans):
        span.finish()

    assert len(recorded()) == 10_000


def test_a_span_says_what_it_is():
    span = ops.span("work")
    before = repr(span)
    with span:
        inside = repr(span)

    assert "work" in before
    assert "not started" in before
    assert "open" in inside
    assert "ended" in repr(span)


def test_a_span_shows_itself(only):
    with ops.span("work <b>") as span:
        pass

    shown = span._repr_mimebundle_()

    assert "work <b>" in shown["text/plain"]
    assert "work &lt;b&gt;" in shown["text/html"]
    assert only().name == "work <b>"


def test_a_span_that_has_not_started_shows_itself():
    assert "work" in ops.span("work")._repr_mimebundle_()["text/plain"]


def test_a_processor_that_raises_is_reported_to_tests(install_provider):
    install_provider(Raising("on_end"))
    with pytest.raises(RuntimeError, match="processor"), ops.span("work"):
        pass


def test_keys_that_are_no_strings_are_kept_as_text(only):
    with ops.span("odd") as span:
        span.set_attribute(3, "three")
        span.set_attributes({None: 1})
        span.add_event("event", {(1, 2): 3})

    assert {key: only().attributes[key] for key in ("3", "None")} == {"3": "three", "None": 1}
    assert only().events[0].attributes == {"(1, 2)": 3}


@pytest.mark.usefixtures("lenient")
def test_a_span_that_is_entered_again_after_its_end_says_so_once(only, caplog):
    step = ops.span("step")
    for _ in range(3):
        with step as span:
            span.set(round=1)

    assert only().attributes["round"] == 1
    assert [record.message for record in caplog.records] == [
        "The span 'step' has ended and records nothing more: write `with ops.span(...)` for each one."
    ]


def test_a_span_that_is_entered_twice_at_once_is_one_span(only):
    with ops.span("step") as span, span:
        pass

    assert only().name == "step"


def test_what_a_span_leaves_is_what_it_tells_of_itself():
    left = []
    backend.watch(left.append)
    try:
        with ops.session("told"), ops.span("told", some=1) as span:
            pass
    finally:
        backend.unwatch(left.append)

    assert left == [span.record()]
