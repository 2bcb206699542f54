"""Sets of spans go out to OTLP, Parquet, Arrow, polars and pandas, and come back as they were."""

from __future__ import annotations

import io
import json
import math
import sys
import tempfile
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from exported_strategies import exported, said
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirascope_ops import FormatError, SpanSet, ops
from mirascope_ops.analysis.normalise import normalise
from mirascope_ops.analysis.schema import SPANS_SCHEMA
from mirascope_ops.store import files
from mirascope_ops.store.records import AnnotationRecord, EventRecord, LinkRecord
from mirascope_ops.testing import captured

NAMES = [column.name for column in SPANS_SCHEMA]
RESPONSE = {"mirascope.response.content": "[]", "mirascope.response.model_id": "openai/gpt"}

# Each span once, as in a store; traces in which spans take sessions and kinds from each other.
some_spans = st.lists(exported(), max_size=4, unique_by=lambda span: span.record[:2])


def rows_of(spans):
    ordered = sorted(spans, key=lambda span: span.record.start)
    annotations = [annotation for span in ordered for annotation in span.annotations]
    return normalise([span.record for span in ordered], annotations)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spans=some_spans)
def test_whatever_a_set_holds_every_way_back_gives_it(spans):
    rows = rows_of(spans)
    found = SpanSet(rows)

    with tempfile.TemporaryDirectory() as folder:
        back = {
            "json": ops.read_otlp(found.to_otlp(Path(folder) / "spans.jsonl")),
            "protobuf": ops.read_otlp(found.to_otlp(Path(folder) / "spans.pb")),
            "parquet": ops.read_parquet(found.to_parquet(Path(folder) / "spans.parquet")),
            "pandas": ops.from_pandas(found.to_pandas()),
        }
    columns = ops.from_pandas(found.to_pandas(attributes="columns"))

    for way, read in back.items():
        assert said(list(read)) == said(rows), way
    # An int among floats comes back as a float: equal, but not the same text.
    assert said([row._replace(attributes={}) for row in columns]) == said([row._replace(attributes={}) for row in rows])
    assert [_equal(row.attributes) for row in columns] == [_equal(row.attributes) for row in rows]


def _equal(value):
    """The value in a form in which NaN equals itself and the order of keys counts for nothing."""
    if isinstance(value, dict):
        return {key: _equal(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return list(map(_equal, value))
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


CORPUS = sorted((Path(__file__).parent.parent / "analysis" / "data" / "corpus").glob("*.jsonl.gz"))


@pytest.mark.parametrize("capture", CORPUS, ids=lambda path: path.name.partition(".")[0])
def test_what_other_libraries_emitted_is_read_and_goes_every_way_unchanged(capture, tmp_path):
    found = ops.read_otlp(capture)

    back = [
        ops.read_otlp(found.to_otlp(tmp_path / "spans.jsonl")),
        ops.read_otlp(found.to_otlp(tmp_path / "spans.pb")),
    ]
    table = ops.read_parquet(found.to_parquet(tmp_path / "spans.parquet"))

    assert len(found) > 20
    for row, *others, from_table in zip(found, *back, table, strict=True):
        if "lone" in row.name:
            continue  # lone surrogates are no characters in a file
        assert [said(other) for other in others] == [said(row)] * 2
        # Tables hold attributes as JSON text, in which bytes are text, and no time after the year 2262.
        if (row.end or 0) < 2**63 and not any(isinstance(value, bytes) for value in row.attributes.values()):
            assert said(from_table) == said(row)


def test_edge_cases_have_the_attributes_that_were_emitted_and_no_others():
    capture = next(path for path in CORPUS if path.name.startswith("edge_cases"))
    truth = json.loads((capture.parent / "edge_cases.truth.json").read_text())

    traces = {trace.trace_id: trace for trace in ops.read_otlp(capture).traces}

    expected = {case["trace_id"]: case["expect"] for case in truth["cases"] if "attributes" in case["expect"]}
    assert {trace: len(traces[trace][0].attributes) for trace in expected} == {
        trace: told["attributes"] for trace, told in expected.items()
    }
    assert len(expected) == 3


@pytest.fixture
def talk():
    """A session with a chain around a model call, a failure, and annotations."""
    with captured():
        with ops.session(id="talk", attributes={"user_id": "ada"}):

            @ops.trace(tags=["demo"])
            def answer(question):
                with ops.span("chat") as span:
                    span.set(**{"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 3, "share": 0.5})
                if question == "fail":
                    raise LookupError("no such city")
                return "Hello"

            trace = answer.wrapped("Hi")
            trace.annotate(label="pass", reasoning="right", metadata={"by": "ada"})
            with pytest.raises(LookupError):
                answer("fail")
        yield ops.get_session("talk")


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz", "pb"])
def test_session_run_cell_and_annotations_survive_otlp(suffix, talk, tmp_path):
    read = ops.read_otlp(talk.to_otlp(tmp_path / f"talk.{suffix}"))

    assert said(list(read)) == said(list(talk))
    assert {row.session_id for row in read} == {"talk"}
    assert read[0].annotations[0].label == "pass"
    assert read[0].user_id == "ada"
    assert read.traces[1].status == "error"


def test_everything_that_holds_spans_can_be_exported(talk, tmp_path):
    trace = talk.traces[0]

    assert len(ops.read_otlp(trace.to_otlp(tmp_path / "a.jsonl"))) == 2
    assert len(ops.read_otlp(talk.traces.to_otlp(tmp_path / "b.jsonl"))) == 4
    assert len(ops.read_parquet(ops.sessions().to_parquet(tmp_path / "c.parquet"))) == 4
    assert talk.to_arrow().num_rows == talk.to_polars().height == 4
    assert SpanSet.from_pandas(talk.to_pandas())[0] == talk[0]


def test_a_traced_call_can_be_exported_at_once(tmp_path):
    with captured():
        trace = ops.trace(lambda: None).wrapped()

        assert len(ops.read_otlp(trace.to_otlp(tmp_path / "a.pb", progress=False))) == 1
        assert len(ops.read_parquet(trace.to_parquet(tmp_path / "a.parquet"))) == 1
        assert json.loads(trace.to_chrome_trace(tmp_path / "a.json").read_bytes())["traceEvents"]
        assert trace.to_arrow().num_rows == trace.to_polars().height == 1
        assert trace.to_markdown(tmp_path / "a.md").startswith("# Trace `")


def test_a_part_of_a_trace_reads_as_it_did_within_the_whole(make, tmp_path):
    rows = normalise(
        [
            make(
                span_id="a" * 16, session_id="s", session_attributes='{"user_id":"ada"}', attributes={"user.id": "bob"}
            ),
            make(span_id="b" * 16, parent_id="a" * 16, attributes=RESPONSE),
            make(span_id="c" * 16, parent_id="b" * 16, attributes={"gen_ai.operation.name": "chat"}),
        ]
    )
    assert [(row.kind, row.session_id, row.user_id) for row in rows[1:]] == [("chain", "s", "bob"), ("llm", "s", "bob")]

    read = ops.read_otlp(SpanSet(rows[1:2]).to_otlp(tmp_path / "part.jsonl"))

    assert list(read) == rows[1:2]


def test_of_a_span_that_comes_twice_the_ended_one_counts(make, tmp_path):
    done, still = make(span_id="a" * 16, name="done"), make(span_id="a" * 16, name="open", end=None, status="open")

    for order in ([done, still], [still, done]):
        path = SpanSet(normalise(order)).to_otlp(tmp_path / "spans.jsonl")
        assert [row.name for row in ops.read_otlp(path)] == ["done"]


# -- Parquet, Arrow, polars ---------------------------------------------------------------------------------------


@pytest.fixture
def rows(make):
    event = EventRecord("exception", 5, {"exception.type": "ValueError", "nan": math.nan})
    return normalise(
        [
            make(
                resource={"service.name": "web"},
                service="web",
                attributes={"n": 1, "share": 0.5, "ok": True, "many": ["p", 2], "text": "5", "none": None},
                events=[event],
                links=[LinkRecord("t", "x", {"a": 1})],
            ),
            make(end=None, status="interrupted", attributes={"share": 2, "text": "[1]", "mixed": "a"}),
            make(attributes={"mixed": 1, "gen_ai.usage.input_tokens": 7, "big": 2**64 - 1}),
        ],
        [AnnotationRecord(f"{1:032x}", f"{1:016x}", 9, "pass", None, ["good"], {"by": "ada"})],
    )


def test_plain_pandas_reads_the_file_as_the_very_frame(rows, tmp_path):
    path = SpanSet(rows).to_parquet(tmp_path / "spans.parquet")

    pd.testing.assert_frame_equal(pd.read_parquet(path), SpanSet(rows).to_pandas())
    empty = pd.read_parquet(SpanSet([]).to_parquet(tmp_path / "empty.parquet"))
    # Parquet keeps a column's categories with its values: without a value there are none.
    pd.testing.assert_frame_equal(empty, SpanSet([]).to_pandas(), check_categorical=False, check_dtype=False)


def test_polars_and_arrow_have_the_columns_of_the_spans_table(rows, tmp_path):
    path = SpanSet(rows).to_parquet(tmp_path / "spans.parquet")

    for frame in (SpanSet(rows).to_polars(), pl.read_parquet(path)):
        assert frame.columns == NAMES
        assert frame["start"].dtype == pl.Datetime("ns", "UTC")
        assert frame["duration"].dtype == pl.Duration("ns")
        assert frame["input_tokens"].to_list() == [None, None, 7]
        assert frame["status"].to_list() == ["error", "interrupted", "ok"]
    assert SpanSet(rows).to_arrow().schema.names == NAMES
    assert json.loads(pq.read_table(path).column("resource")[0].as_py()) == {"service.name": "web"}
    assert pq.read_schema(path).metadata[b"mirascope_ops.schema_version"] == b"1"


def test_files_of_our_columns_that_pandas_and_polars_wrote_are_read(rows, tmp_path):
    SpanSet(rows).to_pandas().to_parquet(tmp_path / "pandas.parquet")
    SpanSet(rows).to_polars().write_parquet(tmp_path / "polars.parquet")

    for name in ("pandas", "polars"):
        assert said(list(ops.read_parquet(tmp_path / f"{name}.parquet"))) == said(rows)


def test_many_spans_are_written_in_parts(make, tmp_path):
    many = SpanSet(normalise([make() for _ in range(20_005)]))

    path = many.to_parquet(tmp_path / "spans.parquet")

    assert pq.ParquetFile(path).metadata.num_row_groups == 2
    assert list(ops.read_parquet(path)) == list(many)


def test_what_is_no_parquet_file_of_spans_is_told(rows, tmp_path):
    table = SpanSet(rows).to_arrow()
    pq.write_table(table.drop_columns(["name", "events"]), tmp_path / "part.parquet")
    newer = {**table.schema.metadata, b"mirascope_ops.schema_version": b"2"}
    pq.write_table(table.replace_schema_metadata(newer), tmp_path / "newer.parquet")
    numbers = table.set_column(NAMES.index("start"), "start", pa.array([True] * 3))
    pq.write_table(numbers, tmp_path / "numbers.parquet")
    (tmp_path / "text.parquet").write_text("hello")

    for name, message in {
        "part": "part.parquet lacks the columns name, events",
        "newer": "was written by a newer mirascope_ops",
        "numbers": "start is bool, expected datetime64",
        "text": "text.parquet cannot be read as Parquet",
    }.items():
        with pytest.raises(FormatError, match=message):
            ops.read_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(FileNotFoundError):
        ops.read_parquet(tmp_path / "none.parquet")


# -- pandas -----------------------------------------------------------------------------------------------------------


def test_attributes_in_columns_come_back_with_their_types(rows):
    frame = SpanSet(rows).to_pandas(attributes="columns")

    assert frame.attrs["mirascope_ops.json"] == [f"attributes.{name}" for name in ("many", "none", "mixed", "big")]
    assert said([row.attributes for row in ops.from_pandas(frame)]) == said(
        [{**row.attributes, **({"share": 2.0} if "share" in row.attributes and row is rows[1] else {})} for row in rows]
    )


def test_a_frame_that_was_worked_on_is_still_spans(rows):
    frame = SpanSet(rows).to_pandas()
    frame["score"] = 1.5

    kept = frame[frame["status"] != "error"].sort_values("start", ascending=False)
    joined = pd.concat([frame.iloc[:1], kept])

    assert said(list(ops.from_pandas(kept))) == said([rows[2], rows[1]])
    assert said(list(ops.from_pandas(joined))) == said([rows[0], rows[2], rows[1]])


def test_a_frame_that_went_through_csv_or_plain_objects_comes_back(rows):
    frame = SpanSet(rows).to_pandas()

    # An empty text and none are the same in CSV.
    by_csv = pd.read_csv(io.StringIO(frame.to_csv(index=False)), dtype={"trace_id": str, "span_id": str})
    assert said(list(ops.from_pandas(frame.astype(object)))) == said(rows)
    assert said(list(ops.from_pandas(by_csv))) == said(rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop(columns=["name", "links"]), "The DataFrame lacks the columns name, links"),
        (lambda frame: frame.drop(columns=["attributes"]), "The DataFrame lacks the column attributes"),
        (lambda frame: frame.assign(name=3), "name cannot be read as .*3 is no text"),
        (lambda frame: frame.assign(start="noon"), "start cannot be read as datetime64"),
        (lambda frame: frame.assign(input_tokens=0.5), "input_tokens cannot be read as Int64"),
        (lambda frame: frame.assign(trace_id=None), "row 0: trace_id is None, expected an id"),
        (lambda frame: frame.assign(kind="model"), "row 0: kind is 'model', expected one of llm, "),
        (lambda frame: frame.assign(events="[1]"), "row 0: events cannot be read as JSON that mirascope_ops wrote"),
        (lambda frame: frame.assign(attributes="{"), "row 0: attributes cannot be read as JSON"),
        (lambda frame: frame.assign(resource="[]"), "row 0: resource cannot be read as JSON"),
    ],
)
def test_a_frame_that_is_not_spans_says_why(change, message, rows):
    with pytest.raises(FormatError, match=message):
        ops.from_pandas(change(SpanSet(rows).to_pandas()))


# -- files ------------------------------------------------------------------------------------------------------------


def test_a_failed_export_leaves_the_earlier_file_and_no_half_one(rows, tmp_path, monkeypatch):
    path = SpanSet(rows).to_otlp(tmp_path / "spans.jsonl")
    before = path.read_bytes()

    def failing(_):
        yield from ()
        raise RuntimeError("boom")

    monkeypatch.setattr("mirascope_ops.analysis.exported.exported", failing)
    with pytest.raises(RuntimeError):
        SpanSet(rows).to_otlp(path)
    monkeypatch.setattr("mirascope_ops.analysis.parquet.spans_table", failing)
    with pytest.raises(AttributeError):
        SpanSet(rows).to_parquet(path)

    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_keeps_its_mode_and_a_link_stays_a_link(rows, tmp_path):
    path = tmp_path / "spans.jsonl"
    path.touch(mode=0o600)
    (tmp_path / "link.jsonl").symlink_to(path)

    SpanSet(rows).to_otlp(tmp_path / "link.jsonl")

    assert (tmp_path / "link.jsonl").is_symlink()
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(ops.read_otlp(path)) == 3


def test_what_is_no_file_is_written_to_and_not_replaced(rows):
    SpanSet(rows).to_otlp("/dev/null")

    assert not Path("/dev/null").is_file()


def test_the_same_spans_give_the_same_bytes(rows, tmp_path):
    paths = [SpanSet(rows).to_otlp(tmp_path / f"{name}.jsonl.gz") for name in "ab"]

    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_missing_folder_is_told(rows, tmp_path):
    with pytest.raises(FileNotFoundError):
        SpanSet(rows).to_otlp(tmp_path / "none" / "spans.jsonl")


@pytest.mark.parametrize(
    ("module", "call", "extra"),
    [
        ("polars", lambda spans, _: spans.to_polars(), "polars"),
        ("pyarrow", lambda spans, _: spans.to_arrow(), "files"),
        ("pyarrow.parquet", lambda spans, folder: spans.to_parquet(folder / "a"), "files"),
        ("tqdm.auto", lambda spans, folder: spans.to_otlp(folder / "a", progress=True), "files"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(module, call, extra, rows, tmp_path, monkeypatch):  # noqa: PLR0917
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(ImportError, match=rf'pip install "mirascope_ops\[{extra}\]"'):
        call(SpanSet(rows), tmp_path)
    assert not list(tmp_path.iterdir())


def test_arrow_polars_and_parquet_need_no_pandas(run_python):
    printed = run_python(
        """
        import sys

        class Hidden:
            def __init__(self, finder):
                self.finder = finder

            def find_spec(self, name, path=None, target=None):
                return None if name.partition(".")[0] == "pandas" else self.finder.find_spec(name, path, target)

        sys.meta_path[:] = [Hidden(finder) for finder in sys.meta_path if hasattr(finder, "find_spec")]

        from mirascope_ops import ops

        with ops.span("a"):
            pass
        spans = ops.spans()
        print(spans.to_arrow().num_rows, spans.to_polars().height, len(ops.read_parquet(spans.to_parquet("a.parquet"))))
        print("pandas" in sys.modules)
        """
    )

    assert printed.split() == ["1", "1", "1", "False"]


def test_a_progress_bar_is_shown_where_asked_for_and_else_not(rows, tmp_path, capsys):
    path = SpanSet(rows).to_otlp(tmp_path / "spans.jsonl")
    SpanSet(rows).to_parquet(tmp_path / "spans.parquet")
    ops.read_otlp(path)
    silent = capsys.readouterr()

    SpanSet(rows).to_otlp(path, progress=True)
    ops.read_otlp(path, progress=True)
    shown = capsys.readouterr()

    assert (silent.out, silent.err) == ("", "")
    assert "spans.jsonl" in shown.err


@pytest.fixture
def bars(monkeypatch):
    """The bars that are made, each with what it was told; every file counts as large."""
    made = []

    class Bar:
        def __init__(self, **told):
            self.told, self.reached, self.closed = told, [0], False
            made.append(self)

        def update(self, more):
            self.reached.append(self.reached[-1] + more)

        def close(self):
            self.closed = True

    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    monkeypatch.setattr(files, "LARGE_SPANS", 1)
    monkeypatch.setattr(files, "LARGE_BYTES", 1)
    return made


@pytest.mark.parametrize(
    ("suffix", "write", "read"),
    [
        ("jsonl", SpanSet.to_otlp, ops.read_otlp),
        ("jsonl.gz", SpanSet.to_otlp, ops.read_otlp),
        ("pb", SpanSet.to_otlp, ops.read_otlp),
        ("parquet", SpanSet.to_parquet, ops.read_parquet),
        ("json", SpanSet.to_chrome_trace, None),
    ],
)
def test_large_files_have_a_bar_that_moves_as_they_are_written_and_read(suffix, write, read, bars, make, tmp_path):  # noqa: PLR0917
    spans = SpanSet(normalise([make() for _ in range(600)]))
    path = tmp_path / f"spans.{suffix}"

    write(spans, path)
    if read is not None:
        assert len(read(path)) == 600

    written, *others = bars
    assert (written.told["total"], written.reached[-1], written.closed) == (600, 600, True)
    for bar in others:
        size = path.stat().st_size if bar.told["unit"] == "B" else 600
        assert (bar.told["total"], bar.reached[-1], bar.closed) == (size, size, True)
    assert len(others) == (read is not None)
    assert all(bar.told["desc"] == path.name for bar in bars)


def test_a_bar_of_json_moves_many_times(bars, make, tmp_path):
    path = SpanSet(normalise([make() for _ in range(2_000)])).to_otlp(tmp_path / "spans.jsonl")
    ops.read_otlp(path)

    assert [len(bar.reached) > 5 for bar in bars] == [True, True]


def test_without_tqdm_large_files_have_no_bar(rows, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.setattr(files, "LARGE_SPANS", 1)

    assert len(ops.read_otlp(SpanSet(rows).to_otlp(tmp_path / "spans.jsonl"))) == 3
