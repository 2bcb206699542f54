"""Watching the spans that end, beside the store."""

from __future__ import annotations

from mirascope_ops import ops
from mirascope_ops.core import backend

NAME = 1


def test_who_watches_is_told_of_spans_until_they_stop(recorded):
    told = []
    backend.watch(told.append)
    with ops.span("seen"):
        pass
    backend.unwatch(told.append)
    with ops.span("later"):
        pass

    assert [ended[NAME] for ended in told] == ["seen"]
    assert [span.name for span in recorded()] == ["seen", "later"]


def test_two_who_watch_are_told_both_and_leave_one_by_one(recorded):
    first, second = [], []
    backend.watch(first.append)
    backend.watch(second.append)
    with ops.span("both"):
        pass
    backend.unwatch(first.append)
    with ops.span("one"):
        pass
    backend.unwatch(second.append)

    assert [[ended[NAME] for ended in told] for told in (first, second)] == [["both"], ["both", "one"]]
    assert len(recorded()) == 2


def test_a_store_that_is_opened_meanwhile_changes_nothing_for_who_watches():
    told = []
    backend.watch(told.append)
    backend.set_sink(None)  # the next span opens the store

    for name in ("opens", "follows"):
        with ops.span(name):
            pass
    backend.unwatch(told.append)

    assert [ended[NAME] for ended in told] == ["opens", "follows"]


def test_nobody_watching_leaves_the_stores_own_function():
    before = backend.sink
    backend.watch(print)
    backend.unwatch(print)
    backend.unwatch(print)

    assert backend.sink == before
