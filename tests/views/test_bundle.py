from __future__ import annotations

import json
from datetime import UTC, datetime
from types import MappingProxyType

from mirascope_ops.store.records import EventRecord
from mirascope_ops.views.bundle import DATA_MIME, MAX_DATA_BYTES, MAX_TEXT_BYTES, bundle, chosen


def data_of(data):
    return bundle("text", "<b>html</b>", data)[DATA_MIME]


def size(data) -> int:
    return len(json.dumps(data, ensure_ascii=False).encode())


def test_a_bundle_has_three_forms():
    found = bundle("text", "<b>html</b>", {"count": 1})

    assert found == {DATA_MIME: {"count": 1}, "text/html": "<b>html</b>", "text/plain": "text"}


def test_small_data_comes_through_as_it_is(weather):
    found = data_of({"spans": weather})

    assert [span["name"] for span in found["spans"]] == [span.name for span in weather]
    assert found["spans"][0]["input_tokens"] is None
    assert "cut" not in found


def test_times_beyond_a_browsers_numbers_are_text(weather):
    assert data_of({"spans": weather})["spans"][0]["start"] == "1795548239000000000"


def test_what_is_not_json_becomes_its_text():
    found = data_of(
        {
            "when": datetime(2026, 11, 24, tzinfo=UTC),
            "nan": float("nan"),
            "infinite": float("-inf"),
            "bytes": b"x",
            "mapping": MappingProxyType({1: (True, None, 2.5)}),
            "event": EventRecord("e", 1, {"k": {"v"}}),
        }
    )

    assert json.loads(json.dumps(found, allow_nan=False)) == {
        "when": "2026-11-24 00:00:00+00:00",
        "nan": "nan",
        "infinite": "-inf",
        "bytes": "b'x'",
        "mapping": {"1": [True, None, 2.5]},
        "event": {"name": "e", "time": 1, "attributes": {"k": "{'v'}"}},
    }


def test_text_that_cannot_be_sent_is_made_visible():
    assert data_of({"name": "\ud800\x1b"}) == {"name": r"\ud800\x1b"}


def test_long_strings_are_cut_first_and_counted(span):
    found = data_of({"spans": [span(f"a{n}", None, "x", n, 1, input="y" * 50_000) for n in range(50)]})

    assert size(found) <= MAX_DATA_BYTES
    assert len(found["spans"]) == 50
    assert found["spans"][0]["input"].endswith("more characters")
    assert found["cut"]["strings"] == 50


def test_long_lists_are_cut_next(span):
    found = data_of({"spans": [span(f"a{n}", None, "x" * 100, n, 1) for n in range(5_000)]})

    assert size(found) <= MAX_DATA_BYTES
    assert 0 < len(found["spans"]) < 5_000
    assert found["cut"]["entries"] == 5_000 - len(found["spans"])


def test_a_span_with_thousands_of_attributes_fits(span):
    found = data_of({"spans": [span("a", None, "x", 0, 1, attributes={f"k{n}": "v" * 90 for n in range(50_000)})]})

    assert size(found) <= MAX_DATA_BYTES
    assert found["spans"][0]["name"] == "x"


def test_deep_values_are_ended():
    deep: object = "end"
    for _ in range(10_000):
        deep = [deep]

    assert "…" in json.dumps(data_of({"deep": deep}), ensure_ascii=False)


def test_a_front_end_gets_what_it_asked_for():
    found = bundle("text", "<b>html</b>", {})

    assert chosen(found) == found
    assert list(chosen(found, include=["text/html"])) == ["text/html"]
    assert list(chosen(found, exclude={"text/html"})) == [DATA_MIME, "text/plain"]
    assert chosen(found, include=[], exclude=[]) == found


def test_of_a_long_text_the_first_lines_are_kept_and_the_rest_is_told():
    lines = [f"line {number} é" for number in range(5_000)]

    text = bundle("\n".join(lines), "", {})["text/plain"]

    assert len(text.encode()) <= MAX_TEXT_BYTES
    *kept, last = text.splitlines()
    assert kept == lines[: len(kept)]
    assert last.startswith(f"… {5_000 - len(kept):,} more lines")
