"""Whatever spans tell of their sessions, each takes what it lacks from where one would look for it, span by span."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from sample_records import span_record

from mirascope_ops.analysis.normalise import normalise

TAKEN = ("session_id", "session_attributes", "user_id", "run_id")
spans = st.builds(
    lambda place, **told: span_record(
        span_id=f"{place:016x}", end=None, attributes={} if told["run_id"] is None else {"user.id": "u"}, **told
    ),
    place=st.integers(1, 6),
    trace_id=st.sampled_from(["a" * 32, "b" * 32]),
    parent_id=st.none() | st.integers(1, 7).map("{:016x}".format),
    start=st.integers(1, 3),
    session_id=st.none() | st.sampled_from(["s", "t"]),
    run_id=st.sampled_from([None, "1", "2"]),
    session_attributes=st.sampled_from([None, "{}", '{"k":1}']),
)


def looked_for(rows, row):
    """What one span's session, attributes, user and run are, looked for from this span on."""
    last = {(other.trace_id, other.span_id): other for other in rows}
    seen, above = {id(row)}, last.get((row.trace_id, row.parent_id))
    while above is not None and above.session_id is None and id(above) not in seen:
        seen.add(id(above))
        above = last.get((above.trace_id, above.parent_id))
    if above is None or above.session_id is None:
        known = [other for other in rows if other.trace_id == row.trace_id and other.session_id is not None]
        above = min(known, key=lambda other: (other.parent_id is not None, other.start), default=None)
    if row.session_id is not None or above is None:
        return tuple(getattr(row, name) for name in TAKEN)
    return tuple(value if (value := getattr(row, name)) is not None else getattr(above, name) for name in TAKEN)


@settings(max_examples=400, deadline=None)
@given(st.lists(spans, max_size=8, unique_by=lambda span: span[:2]))
def test_a_span_takes_what_it_lacks_from_its_nearest_ancestor_with_a_session_else_from_its_trace(records):
    alone = [normalise([record])[0] for record in records]

    found = normalise(records)

    assert [tuple(getattr(row, name) for name in TAKEN) for row in found] == [looked_for(alone, row) for row in alone]
