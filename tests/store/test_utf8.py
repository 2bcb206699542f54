import pytest

from mirascope_ops.store.utf8 import Utf8

TEXTS = ["plain", None, "é 日本", ""]


@pytest.fixture
def texts():
    return Utf8([None if text is None else text.encode() for text in TEXTS])


def test_text_reads_like_a_list_of_it(texts):
    assert list(texts) == TEXTS
    assert len(texts) == len(TEXTS)
    assert [texts[place] for place in range(-4, 4)] == [*TEXTS, *TEXTS]
    assert list(texts[1:3]) == TEXTS[1:3]
    with pytest.raises(IndexError):
        texts[4]


def test_what_is_in_and_what_is_not(texts):
    assert "é 日本" in texts
    assert None in texts
    assert "other" not in texts
    assert "lone \ud800" not in texts
    assert None not in texts[2:]
