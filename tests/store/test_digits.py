import pytest

from mirascope_ops import ops
from mirascope_ops.store.digits import Digits
from mirascope_ops.testing import captured

IDS = ["0a0b", "0c0d", None, "0e0f"]


@pytest.fixture
def ids():
    return Digits(b"0a0b0c0d00000e0f", 4, [2])


def test_ids_read_like_a_list_of_text(ids):
    assert list(ids) == IDS
    assert len(ids) == len(IDS)
    assert [ids[place] for place in range(-4, 4)] == [*IDS, *IDS]
    assert (ids[1:], ids[::-1], ids[5:]) == (IDS[1:], IDS[::-1], [])
    with pytest.raises(IndexError):
        ids[4]


def test_what_is_in_and_what_is_not(ids):
    assert "0c0d" in ids
    assert None in ids
    assert not {"a0b0", "", "0000", 4} & {each for each in ("a0b0", "", "0000", 4) if each in ids}
    assert None not in Digits(b"0a0b", 4)


def test_others_are_added_behind_and_stay_as_they_are(ids):
    others = Digits(b"0000ffff", 4, [0])

    ids.extend(others)

    assert list(ids) == [*IDS, None, "ffff"]
    assert list(others) == [None, "ffff"]


def test_a_table_of_many_calls_has_the_ids_of_its_rows():
    @ops.trace
    def step(number):
        return number

    with captured() as spans:
        for number in range(5_700):
            with ops.span("outer"):
                step(number)
                step(number)
        frame = spans().to_pandas(columns=["trace_id", "span_id", "parent_id"])
        rows = list(spans())

    assert len(rows) == 17_100
    for name in frame:
        assert frame[name].astype(object).where(frame[name].notna(), None).tolist() == [
            getattr(row, name) for row in rows
        ]
    assert frame["parent_id"].isna().sum() == 5_700
