"""`export` and `import`: out of a store and into another, through files and pipes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from cli_samples import HOSTILE, trace
from sample_records import MS, T0, run_record

from mirascope_ops import ops
from mirascope_ops.cli import everything
from mirascope_ops.store import batch, merge, sqlite
from mirascope_ops.store.records import AnnotationRecord, SpanQuery
from mirascope_ops.store.sqlite import SqliteStore

SPANS = 8


@pytest.fixture(autouse=True)
def kept_for_ever(monkeypatch):
    monkeypatch.setenv("MIRASCOPE_OPS_KEEP_DAYS", "forever")


@pytest.fixture
def other(tmp_path):
    return tmp_path / "other.db"


def contents(path):
    store = SqliteStore(path)
    try:
        spans = store.spans(SpanQuery())
        return spans, store.runs(), store.annotations(None)
    finally:
        store.close()


@pytest.mark.parametrize("name", ["all.jsonl", "all.json", "all.jsonl.gz", "all.pb", "all.pb.gz", "all.parquet"])
def test_what_goes_out_comes_back_the_same(cli, store, other, tmp_path, name):
    kept = SqliteStore(store)
    kept.write([], [], [AnnotationRecord("b1" * 16, "b1b1b1b100000000", T0, "fail", "wrong", ("t",), {"score": 1})])
    kept.close()
    before = contents(store)

    out = cli("export", tmp_path / name)
    back = cli("--store", other, "import", tmp_path / name)

    assert (out.code, out.out) == (0, "")
    assert f"{name}: {SPANS} spans, " in out.err
    assert (back.code, back.out, back.err) == (0, "8 spans new, 0 already there, 0 refused, 3 session entries\n", "")
    assert contents(other) == before


def test_what_is_there_already_stays(cli, store, tmp_path):
    cli("export", tmp_path / "all.jsonl")
    before = contents(store)

    again = cli("import", tmp_path / "all.jsonl", tmp_path / "all.jsonl", "--json")

    assert again.records == [
        {"new": 0, "completed": 0, "known": 16, "entries": 0, "annotations": 0, "refused": 0, "expired": 0}
    ]
    assert contents(store) == before


def test_only_the_end_of_a_span_is_taken_over(cli, store, tmp_path):
    root, call = trace("d1", "slow", T0)
    kept = SqliteStore(store)
    kept.write([root._replace(end=None, status="open"), call])
    kept.close()
    ops.Recording([]).to_otlp(tmp_path / "none.jsonl")
    ended = SqliteStore(tmp_path / "ended.db")
    ended.write([root, call._replace(name="renamed")], [run_record(run_id="r9", session_id="s9", start=T0, end=T0)])
    ended.close()
    cli("--store", tmp_path / "ended.db", "export", tmp_path / "ended.jsonl")

    done = cli("import", tmp_path / "ended.jsonl")

    assert done.out == "0 spans new, 1 completed, 1 already there, 0 refused, 1 session entry\n"
    found = {span.span_id: span for span in contents(store)[0]}
    assert found[root.span_id].end == root.end
    assert found[call.span_id].name == "chat"


@pytest.mark.parametrize("name", ["all.jsonl", "all.parquet"])
def test_a_store_is_exported_by_parts(cli, store, tmp_path, monkeypatch, name):
    monkeypatch.setattr(everything, "_TRACES_AT_ONCE", 3)
    monkeypatch.setattr(batch, "BATCH", 4)
    monkeypatch.setattr(sqlite, "BATCH", 4)
    kept = SqliteStore(store)
    kept.write([span for n in range(16, 40) for span in trace(f"{n:x}", "n", T0 + n % 5 * MS)])  # traces in each other
    kept.close()

    done = cli("export", tmp_path / name)

    read = (ops.read_parquet if name == "all.parquet" else ops.read_otlp)(tmp_path / name)
    assert f"{name}: 56 spans, " in done.err
    assert len(read) == len({(span.trace_id, span.span_id) for span in read}) == 56
    assert sum(span.kind == "llm" for span in read) == 28


@pytest.mark.parametrize(("given", "spans"), [("user-1", 4), ("b1b1", 2), ("b1b1b1b1f", 1), ("inn", 2)])
def test_one_session_trace_or_span_is_exported(cli, tmp_path, given, spans):
    done = cli("export", tmp_path / "some.jsonl", given)

    assert done.code == 0
    assert len(ops.read_otlp(tmp_path / "some.jsonl")) == spans


def test_a_stretch_of_time_is_exported_with_whole_traces(cli, tmp_path):
    cli("export", tmp_path / "some.jsonl", "--since", "2026-09-21T14:13:21.005Z")
    cli("export", tmp_path / "early.parquet", "--until", "2026-09-21T14:13:21Z")

    assert {span.trace_id[:2] for span in ops.read_otlp(tmp_path / "some.jsonl")} == {"c1"}
    early = ops.read_parquet(tmp_path / "early.parquet")
    assert {span.trace_id[:2] for span in early} == {"a1", "a2"}
    assert early.sessions.ids == ["user-1", "inner"]


def test_views_are_exported_by_the_name_of_the_file(cli, tmp_path):
    for name in ("page.html", "text.md", "spans.trace.json"):
        assert cli("export", tmp_path / name, "user-1").code == 0

    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "text.md").read_text().startswith("# ")
    assert json.loads((tmp_path / "spans.trace.json").read_text())["traceEvents"]


def test_a_format_given_wins_over_the_name(cli, tmp_path):
    cli("export", tmp_path / "all.json", "--format", "chrome")

    assert "traceEvents" in json.loads((tmp_path / "all.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["spans.xyz"], "tells no format: end it with one of .jsonl, .pb,"),
        (["spans.parquet.gz"], "tells no format"),
        (["a.jsonl", "user-1", "--since", "1h"], "--since and --until are for exports without ID"),
        (["a.jsonl", "-f", "csv"], "'csv' is not one of"),
    ],
)
def test_a_call_that_means_nothing_says_what_to_type(cli, tmp_path, arguments, said):
    done = cli("export", *arguments)

    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert not list(tmp_path.glob("*.jsonl"))


def test_a_failed_export_is_a_failure_and_leaves_nothing(cli, tmp_path):
    done = cli("export", tmp_path / "missing" / "all.jsonl")

    assert done.code == 1
    assert done.err == f"Error: {tmp_path / 'missing' / 'all.jsonl'}: No such file or directory\n"
    assert not (tmp_path / "missing").exists()


def test_a_file_that_cannot_be_read_is_named_whatever_its_name(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "directory").mkdir()

    done = cli("import", ".", "directory", "no")

    assert done.code == 1
    assert done.err.splitlines() == [
        "Error: .: Is a directory",
        "Error: directory: Is a directory",
        "Error: no: No such file or directory",
    ]


def test_what_cannot_be_read_is_left_out_counted_and_a_failure(cli, other, tmp_path):
    cli("export", tmp_path / "all.jsonl")
    lines = (tmp_path / "all.jsonl").read_text().splitlines()
    (tmp_path / "broken.jsonl").write_text("\n".join([lines[0], "{broken", *lines[1:]]))
    (tmp_path / "text.md").write_text("# no spans\nat all\n")

    done = cli("--store", other, "import", tmp_path / "text.md", tmp_path / "nowhere.pb", tmp_path / "broken.jsonl")

    assert done.code == 1
    assert done.out == "8 spans new, 0 already there, 3 refused, 3 session entries\n"
    assert "text.md holds no spans that can be read as OTLP: line 1" in done.err
    assert "nowhere.pb: No such file or directory" in done.err
    assert "broken.jsonl: 1 place cannot be read as OTLP; the first: line 2" in done.err


def test_spans_without_ids_are_refused(cli, other, tmp_path):
    (tmp_path / "bare.jsonl").write_text('{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"checkout"}]}]}]}')

    done = cli("--store", other, "import", tmp_path / "bare.jsonl")

    assert (done.code, done.out) == (1, "0 spans new, 0 already there, 1 refused\n")


def test_a_store_is_no_export_and_the_error_says_how_to_get_one(cli, store):
    done = cli("import", store)

    assert done.code == 1
    assert "export - | mirascope-ops import -" in done.err


def test_secrets_are_masked_before_they_are_written(cli, other, tmp_path):
    attribute = {"key": "http.request.header.authorization", "value": {"stringValue": "Bearer hunter2"}}
    span = {"traceId": "d1" * 16, "spanId": "d1" * 8, "name": "get", "attributes": [attribute]}
    (tmp_path / "foreign.jsonl").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}))

    done = cli("--store", other, "import", tmp_path / "foreign.jsonl")

    assert done.code == 0
    assert b"hunter2" not in b"".join(path.read_bytes() for path in other.parent.glob("other.db*"))


def test_what_will_soon_be_deleted_for_its_age_is_said(cli, other, tmp_path, monkeypatch):
    cli("export", tmp_path / "all.jsonl")
    monkeypatch.setenv("MIRASCOPE_OPS_KEEP_DAYS", "0.001")

    done = cli("--store", other, "import", tmp_path / "all.jsonl")

    assert done.code == 0
    assert "8 of these spans ended longer ago than the store keeps spans" in done.err
    assert "MIRASCOPE_OPS_KEEP_DAYS" in done.err


def test_a_session_of_many_spans_is_taken_in_by_parts(cli, store, other, tmp_path):
    root, call = trace("d1", "large", T0, session_id="large")
    kept = SqliteStore(store)
    kept.write([root, *(call._replace(span_id=f"{n:016x}", start=T0 + n * MS) for n in range(1, 4_500))])
    kept.close()
    cli("export", tmp_path / "all.jsonl.gz")

    first, second = (cli("--store", other, "import", tmp_path / "all.jsonl.gz") for _ in range(2))

    assert first.out.startswith("4,508 spans new, 0 already there")
    assert second.out.startswith("0 spans new, 4,508 already there")


def test_ids_that_were_forgotten_are_looked_up_again(cli, store, other, tmp_path, monkeypatch):
    monkeypatch.setattr(merge, "_BATCH", 3)
    monkeypatch.setattr(merge, "_MOST_KNOWN", 4)
    kept = SqliteStore(store)
    kept.write([span for n in range(16, 40) for span in trace(f"{n:x}", "n", T0 + n % 5 * MS)])  # traces in each other
    kept.close()
    cli("export", tmp_path / "all.jsonl")

    first = cli("--store", other, "import", tmp_path / "all.jsonl", tmp_path / "all.jsonl")

    assert first.out.startswith("56 spans new, 56 already there, 0 refused")
    assert contents(other) == contents(store)


# -- pipes, with real processes ----------------------------------------------------------------------------------


def test_a_pipe_takes_a_store_to_another(process, store, other):
    before = contents(store)
    out = process("export", "-")

    done = process("--store", other, "import", "-", stdin=out.out.encode())

    assert (out.code, out.err, done.code, done.err) == (0, "", 0, "")
    assert done.out == "8 spans new, 0 already there, 0 refused, 3 session entries\n"
    assert contents(other) == before


@pytest.mark.parametrize("format_", ["protobuf", "parquet"])
def test_binary_formats_go_through_pipes_too(store, other, format_, environment):
    mops = f"{sys.executable} -m mirascope_ops"
    done = subprocess.run(
        f"{mops} export - --format {format_} | {mops} --store {other} import -",
        shell=True,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "8 spans new, 0 already there, 0 refused, 3 session entries\n"
    assert contents(other) == contents(store)


def test_hostile_names_come_back_as_they_were(cli, store, other, tmp_path):
    cli("export", tmp_path / "all.jsonl")
    cli("--store", other, "import", tmp_path / "all.jsonl")

    assert HOSTILE in {span.name for span in contents(other)[0]}
