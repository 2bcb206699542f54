from array import array

import pytest

from mirascope_ops.analysis.durations import durations

MANY = 20_000


def told_one_by_one(starts, ends):
    return [None if end is None or start == 0 else max(end - start, 0) for start, end in zip(starts, ends, strict=True)]


@pytest.mark.parametrize("number", [0, 3, MANY])
def test_a_duration_is_the_time_between_start_and_end(number):
    starts = array("q", range(1, number + 1))
    ends = array("q", (start * 2 for start in starts))

    assert list(durations(starts, ends)) == list(starts)


@pytest.mark.parametrize("number", [5, MANY])
@pytest.mark.parametrize(
    ("start", "end"),
    [(7, 3), (0, 3), (3, None), (0, None), (-(2**63), 2**63 - 1), (5, -(2**63)), (2**63 - 1, 2**63 - 1), (0, 0)],
)
def test_an_odd_time_among_others_changes_its_own_duration_only(number, start, end):
    starts, ends = [10] * number + [start], [15] * number + [end]
    columns = [array("q", starts), ends if end is None else array("q", ends)]

    assert list(durations(*columns)) == told_one_by_one(starts, ends)
    assert list(durations(starts, ends)) == told_one_by_one(starts, ends)
