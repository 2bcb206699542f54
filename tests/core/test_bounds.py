"""Values of a gigabyte, lazy and slow ones: a traced call looks at a part, and asks for nothing that is not there."""

from __future__ import annotations

import argparse
import array
import collections
import json
import shelve
import tracemalloc
import types
import unittest.mock
from collections import UserDict, UserList, deque
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import attrs
import numpy as np
import pandas as pd
import pydantic
import pydantic.v1
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops import ops
from mirascope_ops.core import bounds, masking, patience
from mirascope_ops.core.bounds import is_big
from mirascope_ops.core.capture import DEFAULT_LIMIT, attribute, dump, dump_fields, text
from mirascope_ops.core.excerpt import excerpt
from mirascope_ops.core.outline import describe, outline
from mirascope_ops.core.summaries import summarise

KIB = 1024


@pytest.fixture(autouse=True)
def asked_again():
    patience.forget()
    yield
    patience.forget()


def dumped(value: Any) -> Any:
    """Capture a value as an argument by keyword is captured."""
    return json.loads(dump_fields(("value",), (value,)))["value"]


def doubled(times: int) -> Any:
    """A few lists that hold each other twice: 2 ** times values as JSON."""
    value: Any = [1]
    for _ in range(times):
        value = [value, value]
    return value


@dataclass
class Node:
    name: str
    left: Any = None
    right: Any = None


def lattice(depth: int) -> Node:
    node = Node("end")
    for level in range(depth):
        node = Node(f"level {level}", node, node)
    return node


@dataclass(slots=True)
class SlottedNode:
    left: Any
    right: Any


class Items(list):
    """A list that loads its items when it is asked for them."""

    def __iter__(self):
        return pytest.fail("iterated")

    def __len__(self) -> int:
        return pytest.fail("counted")


class Fields(dict):
    """A dict that loads its items when it is asked for them."""

    def items(self):
        return pytest.fail("iterated")

    values = keys = __iter__ = items  # type: ignore[assignment]


class Document(pydantic.BaseModel):
    title: str
    pages: list[Any]
    model_config = pydantic.ConfigDict(extra="allow")


@attrs.define
class Batch:
    rows: list[Any]


MANY = [{"a": 1}] * 1_000_000
NUMBERS = dict.fromkeys(range(1_000_000))
WORDS = ["x" * 100_000] * 10_000  # a gigabyte as JSON, 180 KB in memory

BIG = {
    "list": MANY,
    "tuple": tuple(MANY),
    "deque": deque(MANY),
    "set": set(range(100_000)),
    "dict": dict.fromkeys(range(100_000), "x"),
    "ordered dict": collections.OrderedDict.fromkeys(range(100_000)),
    "user list": UserList(MANY),
    "user dict": UserDict(dict.fromkeys(map(str, range(100_000)))),
    "words": WORDS,
    "nested": {"answer": {"rows": [MANY]}, "n": 1},
    "nested words": [WORDS] * 1_000,
    "doubled": doubled(200),
    "dataclass": Node("a", MANY),
    "graph": lattice(200),
    "slots": SlottedNode(1, MANY),
    "attrs": Batch(MANY),
    "model": Document(title="a", pages=MANY),
    "root model": pydantic.RootModel[list[Any]](MANY),
    "model that cannot be written": Document(title="a", pages=MANY, more=object()),
    "extra field": Document(title="a", pages=[], more=MANY),
    "subclass": type("Rows", (list,), {})(MANY),
    "lone surrogate": ["\ud800", *MANY],
    "big int": [10**30, MANY],
    "odd keys": {(1, 2): MANY},
    "mapping": types.MappingProxyType({"a": MANY, "b": 1}),
    "namespace": types.SimpleNamespace(rows=MANY),
    "arguments of a program": argparse.Namespace(rows=MANY),
    "keys": NUMBERS.keys(),
    "values": {"a": MANY}.values(),
    "items": NUMBERS.items(),
    "keys in order": collections.OrderedDict(NUMBERS).keys(),
    "items in order": collections.OrderedDict(NUMBERS).items(),
    "partial": partial(print, MANY),
    "namedtuple": collections.namedtuple("Pair", "a b")(1, MANY),  # noqa: PYI024
}


# By name: pytest itself would write the values out.
@pytest.mark.parametrize("name", BIG)
def test_a_value_of_a_gigabyte_is_captured_in_little_memory(name):
    value = BIG[name]
    tracemalloc.start()
    try:
        found = dump_fields(("value",), (value,))
        told = attribute(value, "value")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 16 * KIB * KIB
    json.loads(found)
    for text_ in (found, told):
        assert "more" in text_ or "of " in text_ or "object>" in text_
        assert len(text_.encode()) <= DEFAULT_LIMIT + 200


@pytest.mark.parametrize("name", BIG)
def test_a_traced_call_with_a_value_of_a_gigabyte_takes_little_memory(name, only):
    value = BIG[name]

    @ops.trace
    def identity(given: Any) -> Any:
        return given

    tracemalloc.start()
    try:
        assert identity(value) is value
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 16 * KIB * KIB
    assert len(only().input) <= DEFAULT_LIMIT + 200
    assert len(only().output) <= DEFAULT_LIMIT + 200


@pytest.mark.parametrize("letter", ["x", "é", "\ud800"], ids=ascii)
def test_a_long_text_is_captured_in_little_memory(letter):
    value = letter * 50_000_000
    tracemalloc.start()
    try:
        found = text(value)
        json.loads(dump_fields(("value",), (value,)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 4 * KIB * KIB
    assert len(found.encode()) <= DEFAULT_LIMIT + 200
    assert found.endswith("more characters]")


def test_what_is_left_out_is_counted_where_it_is_missing():
    found = dumped({"question": "why?", "rows": [{"n": n} for n in range(100_000)], "words": WORDS, "last": True})

    assert (found["question"], found["last"]) == ("why?", True)
    *rows, marker = found["rows"]
    assert rows[:2] == [{"n": 0}, {"n": 1}]
    assert marker == f"… [{100_000 - len(rows):,} more items]"
    assert found["words"][0].startswith("xxx")
    assert found["words"][0].endswith("more characters]")


def test_the_views_of_a_dict_are_told_as_what_they_show():
    fields = {"city": "Paris", "api_key": "sk-1"}

    for mapping in (fields, collections.OrderedDict(fields)):
        items = mapping.items()
        assert dumped(mapping.keys()) == ["city", "api_key"]
        assert dumped({"city": "Paris"}.values()) == ["Paris"]
        assert dumped(items) == dumped([items, 10**30])[0] == {"city": "Paris", "api_key": "[masked]"}
    *numbers, marker = dumped(NUMBERS.keys())
    assert (numbers[:2], marker) == ([0, 1], f"… [{1_000_000 - len(numbers):,} more items]")
    found = dumped(NUMBERS.items())
    assert (found["0"], found["…"]) == (None, f"… [{1_000_000 - len(found) + 1:,} more items]")


def test_keys_that_are_bytes_are_told_apart():
    found = dumped({b"user:1000:name": "Ada", b"user:1000:city": "Rome", b"api_key": "sk-1", b"\xff": 1})

    assert found == {"user:1000:name": "Ada", "user:1000:city": "Rome", "api_key": "[masked]", "\\xff": 1}


def test_an_array_of_pythons_own_is_told():
    assert dumped(array.array("f", [1, 2])) == "array('f', [1.0, 2.0])"
    many = array.array("d", bytes(8 * 5_000_000))
    tracemalloc.start()
    try:
        found = dumped(many)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert found == {"type": "array.array", "length": 5_000_000, "typecode": "d", "head": [0.0] * 8}
    assert peak < KIB * KIB


def test_secrets_are_masked_in_what_is_left():
    rows = [{"api_key": "sk-1", "n": n} for n in range(100_000)]

    assert "sk-1" not in dump_fields(("rows",), (rows,))
    assert "sk-1" not in attribute(rows, "rows")
    assert dumped(rows)[0] == {"api_key": masking.MASK, "n": 0}
    assert json.loads(dump_fields(("password",), (rows,))) == {"password": masking.MASK}


def test_redact_sees_what_is_left():
    ops.configure(redact=lambda _, value: "[mail]" if isinstance(value, str) and "@" in value else value)

    assert "ada@x.org" not in dump_fields(("rows",), (["ada@x.org"] * 100_000,))


def test_keyword_arguments_of_any_size_do_not_hold_the_call_up(only):
    @ops.trace
    def count(*, rows: Any) -> int:
        return len(rows)

    assert count(rows=doubled(200)) == 2
    assert "more items" in only().input or "items>" in only().input


def test_an_object_that_is_a_graph_is_told():
    found = dumped(lattice(200))

    assert found["name"] == "level 199"
    assert found["left"]["name"] == "level 198"


json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.tuples(inner, inner)
        | st.sets(st.integers())
        | st.dictionaries(st.text(st.characters()) | st.integers() | st.none(), inner, max_size=5)
        | st.builds(Node, st.text(), inner, inner)
    ),
    max_leaves=40,
)


@given(json_data, st.integers(0, 2000))
def test_an_excerpt_takes_about_the_room_that_it_is_given(value, room):
    written = json.dumps(excerpt(value, room), ensure_ascii=False)

    assert len(written) <= 8 * room + 2000


@given(json_data)
def test_an_excerpt_with_room_enough_leaves_nothing_out(value):
    assert "more items" not in json.dumps(excerpt(value, 10**9))


@given(json_data, st.integers(0, 100))
def test_a_value_is_big_when_it_has_more_parts_than_allowed(value, most):
    def count(item: Any) -> int:
        if isinstance(item, dict):
            return 1 + sum(map(count, item.values()))
        if isinstance(item, list | tuple | set):
            return 1 + sum(map(count, item))
        return 1 + sum(map(count, vars(item).values())) if isinstance(item, Node) else 1

    assert is_big(value, nodes=most) == (count(value) > most)


def test_no_more_of_a_value_is_visited_than_is_needed():
    groups = doubled(10_000)

    tracemalloc.start()
    assert is_big(groups)
    assert tracemalloc.get_traced_memory()[1] < 4 * KIB * KIB
    tracemalloc.stop()


# -- what is not there is not asked for ------------------------------------------------------------


def test_subclasses_of_lists_and_dicts_are_read_where_they_store():
    items, fields = Items([1, 10**30]), Fields(a=1, b=10**30)

    for value in (items, fields, [items], {"k": fields}, (items, fields)):
        assert "10000" in dump(value)
        attribute(value)
    assert dumped(Fields(a=1)) == {"a": 1}


class Lazy:
    """A descriptor that loads a field when it is read."""

    def __get__(self, obj: Any, kind: Any = None) -> Any:
        if obj is None:
            return None
        return pytest.fail("loaded")

    def __set__(self, obj: Any, value: Any) -> None:
        pass


@dataclass
class Row:
    id: int
    author: Any = Lazy()


class Mapped:
    """As SQLAlchemy makes them."""

    _sa_class_manager = object()
    author = Lazy()

    def __init__(self) -> None:
        self.__dict__.update(id=7, title="loaded", _sa_instance_state=object())

    def __repr__(self) -> str:
        return f"<{self.author}>"


def test_fields_that_are_loaded_when_read_are_left_out():
    assert dumped(Row(1)) == {"id": 1}
    assert dumped([Row(1), 10**30])[0] == {"id": 1}  # the walk in Python, too
    assert dumped(Mapped()) == {"id": 7, "title": "loaded"}


class Area(pydantic.BaseModel):
    side: int
    secret: str = pydantic.Field(default="hidden", exclude=True)

    @pydantic.computed_field
    def loaded(self) -> int:
        return pytest.fail("computed")

    @cached_property
    def cached(self) -> int:
        return pytest.fail("computed")


def test_computed_fields_of_a_model_are_not_computed():
    assert dumped(Area(side=2)) == {"side": 2}


class Counted(pydantic.BaseModel):
    side: int

    @pydantic.computed_field
    def loaded(self) -> int:
        COMPUTED.append(self)
        return 1


class Plot(pydantic.BaseModel):
    areas: list[Counted]


COMPUTED: list[Counted] = []


# From 2.12 on pydantic can be told for models inside of models.
@pytest.mark.skipif(tuple(map(int, pydantic.VERSION.split(".")[:2])) < (2, 12), reason="this pydantic computes them")
def test_computed_fields_of_models_inside_a_model_are_not_computed():
    assert dumped(Plot(areas=[Counted(side=2)])) == {"areas": [{"side": 2}]}
    assert dumped(Plot.model_construct(areas=[Counted(side=2), object()]))["areas"][0] == {"side": 2}  # type: ignore[list-item]
    assert not COMPUTED


class Connection(pydantic.BaseModel):
    """A model with a field that pydantic cannot write."""

    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True, extra="allow")
    host: str
    lock: Any
    password: pydantic.SecretStr = pydantic.SecretStr("sk-1")
    inner: Any = pydantic.Field(default_factory=object, exclude=True)
    rows: list[Any] = []

    @pydantic.computed_field
    def loaded(self) -> int:
        return pytest.fail("computed")

    @pydantic.field_serializer("host")
    def upper(self, host: str) -> str:
        return host.upper()


def test_a_model_is_told_field_by_field_where_it_cannot_be_written():
    frame = pd.DataFrame({"n": [1]})

    found = dumped(Connection(host="a", lock=frame, port=1))  # type: ignore[call-arg] - an extra field
    of_big = dumped(Connection(host="a", lock=frame, rows=MANY))

    assert found == {"host": "A", "lock": dumped(frame), "password": "[masked]", "rows": [], "port": 1}
    assert of_big == {"host": "A", "lock": dumped(frame), "password": "[masked]", "rows": "<list of 1,000,000 items>"}


def test_a_model_that_writes_itself_is_named_where_it_fails():
    class Own(pydantic.BaseModel):
        hidden: str = "sk-1"

        @pydantic.model_serializer
        def write(self) -> Any:
            raise ValueError

    assert dumped(Own()).endswith("Own object>")


def test_a_big_model_keeps_its_small_fields_and_what_it_hides():
    class Report(pydantic.BaseModel):
        title: str
        key_of_user: pydantic.SecretStr
        rows: list[Any]
        notes: list[Any] = pydantic.Field(exclude=True)

    found = dumped(Report(title="a", key_of_user="sk-1", rows=MANY, notes=["sk-2", *MANY]))  # type: ignore[arg-type]

    assert (found["title"], found["rows"]) == ("a", "<list of 1,000,000 items>")
    assert "sk-" not in json.dumps(found)


def test_a_model_of_pydantic_1_is_kept():
    class Old(pydantic.v1.BaseModel):
        name: str

    assert dumped(Old(name="a")) == {"name": "a"}


def foreign(package: str, name: str, **members: Any) -> Any:
    """Make an instance of what looks like a class of another package."""
    return type(name, (), {"__module__": f"{package}.inside", **members})()


def never(*_: Any) -> Any:
    return pytest.fail("evaluated")


@pytest.mark.parametrize(
    ("package", "name"),
    [("django", "QuerySet"), ("django", "Promise"), ("django", "LazyObject"), ("h5py", "HLObject"), ("zarr", "Group")],
)
def test_queries_and_lazy_objects_are_not_evaluated(monkeypatch, package, name):
    monkeypatch.setitem(__import__("sys").modules, package, types.ModuleType(package))
    value = foreign(package, name, __iter__=never, __len__=never, __repr__=never, __str__=never, __bool__=never)

    assert name in dumped(value)
    assert name in attribute([value])


def test_a_row_of_django_shows_its_loaded_fields(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "django", types.ModuleType("django"))
    value = foreign("django", "Model", __str__=never, __repr__=never, author=Lazy())
    value.__dict__.update(id=1, _state=object())

    assert dumped(value) == {"id": 1}


def test_a_tensor_is_told_without_its_numbers(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", types.ModuleType("torch"))
    value = foreign("torch", "Tensor", shape=(2, 3), dtype="torch.float32", __repr__=never, __iter__=never)

    assert dumped(value) == {"type": "torch.inside.Tensor", "shape": [2, 3], "dtype": "torch.float32"}


def test_iterators_files_and_mocks_are_left_as_they_are(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("one\ntwo\n")
    numbers, generator, mock = iter([1, 2]), (n for n in (1, 2)), unittest.mock.MagicMock()

    with path.open() as file, shelve.open(str(tmp_path / "shelf")) as shelf:
        shelf["a"] = 1
        for value in (numbers, generator, file, mock, shelf, [numbers, generator, file, mock, shelf]):
            dumped(value)
            attribute(value)
        assert file.readline() == "one\n"

    assert (list(numbers), list(generator)) == ([1, 2], [1, 2])
    assert mock.mock_calls == []


# -- what takes long is not asked again ------------------------------------------------------------


@pytest.fixture
def now(monkeypatch):
    """A clock that stands still unless it is moved."""
    moved = types.SimpleNamespace(time=0.0)
    monkeypatch.setattr(patience, "clock", lambda: moved.time)
    return moved


def slow_class(now: Any, seconds: float) -> Any:
    class Slow:
        asked = 0

        def __repr__(self) -> str:
            type(self).asked += 1
            now.time += seconds
            return "told"

    return Slow


def test_a_repr_that_takes_seconds_is_asked_for_once(now):
    slow = slow_class(now, 3.0)

    first, second = dumped([slow(), slow()])

    assert first == "told"
    assert second.endswith("Slow object, whose repr takes long>")
    assert "takes long" in dumped(slow())
    assert slow.asked == 1


def test_reprs_that_are_rather_slow_are_asked_for_until_they_have_taken_long(now):
    slow = slow_class(now, 0.02)

    told = [describe(slow()) for _ in range(50)]

    assert told[0] == "told"
    assert "takes long" in told[-1]
    assert slow.asked < 10


def test_one_pause_of_the_machine_does_not_silence_a_type(now):
    slow = slow_class(now, 0.0)
    for _ in range(10):
        now_slow = slow()
        patience.ask(slow, lambda _: setattr(now, "time", now.time + 0.09), now_slow)
        for _ in range(5):
            assert describe(slow()) == "told"


def test_a_repr_that_raises_after_seconds_is_asked_for_once(now):
    class Failing:
        asked = 0

        def __repr__(self) -> str:
            type(self).asked += 1
            now.time += 3.0
            raise RuntimeError("no repr")

    assert "raised RuntimeError" in dumped(Failing())
    assert "takes long" in dumped(Failing())
    assert Failing.asked == 1


def test_a_slow_mapping_is_read_only_as_far_as_it_answers_quickly(now):
    class Remote(collections.abc.Mapping):
        asked = 0

        def __getitem__(self, key: str) -> int:
            type(self).asked += 1
            now.time += 1.0
            return 1

        def __iter__(self):
            return iter(map(str, range(1_000)))

        def __len__(self) -> int:
            return 1_000

    assert dumped(Remote()) == {"0": 1, "…": "… [999 more items]"}
    assert dumped(Remote()).endswith("Remote object>")
    assert Remote.asked == 1


def test_a_long_mapping_of_a_foreign_kind_is_read_in_part():
    class Endless(collections.abc.Mapping):
        asked = 0

        def __getitem__(self, key: int) -> int:
            type(self).asked += 1
            return key

        def __iter__(self):
            return iter(range(10**9))

        def __len__(self) -> int:
            return 10**9

    dumped(Endless())

    assert Endless.asked <= 10_000


def test_types_without_end_do_not_grow_us(now):
    for _ in range(5000):
        describe(slow_class(now, 1.0)())
        is_big([type("Made", (list,), {})()])

    assert len(patience._spent) <= 4096
    assert len(bounds._openers) <= 4096


# -- wide and long data ----------------------------------------------------------------------------


def test_a_wide_frame_with_long_cells_is_told_in_part():
    frame = pd.DataFrame(np.zeros((3, 5000)))
    frame[0] = "x" * 1_000_000

    found = dumped(frame)

    assert found["shape"] == [3, 5000]
    assert len(found["columns"]) == len(found["head"][0]) == 100
    assert len(found["head"][0][0]) < 3000


def test_a_memoryview_of_any_shape_is_told():
    assert dumped(memoryview(b"abcdefgh").cast("B", (2, 4)))["size"] == 8
    assert dumped(memoryview(np.arange(4)))["head"] == "0" * 16


def test_sets_of_what_cannot_be_compared_are_kept():
    class Odd:
        def __lt__(self, other: Any) -> bool:
            return pytest.fail("compared")

        def __repr__(self) -> str:
            return "odd"

    assert dumped({Odd(), Odd()}) == ["odd", "odd"]
    assert sorted(dumped({(2, 1), (1, 2)})) == [[1, 2], [2, 1]]
    assert summarise({3, 1, 2}) == [1, 2, 3]


def test_what_is_told_from_outside_runs_no_code():
    assert outline(Items([1])).endswith("Items of 1 items>")
    assert outline("abc") == "<str of 3 characters>"


@dataclass
class Held:
    given: list[int] = field(default_factory=list)


def test_floats_and_tuples_of_other_classes_are_plain_in_the_walk():
    values = [10**30, np.float64(0.5), type("Real", (float,), {})(1.5), type("Row", (tuple,), {})((1, 2)), Held([1])]

    assert dumped(values)[1:] == [0.5, 1.5, [1, 2], {"given": [1]}]
