"""Capture: any value becomes bounded JSON text, at once, and never an exception in the user's call."""

from __future__ import annotations

import array
import collections
import datetime as dt
import decimal
import enum
import fractions
import io
import ipaddress
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import textwrap
import threading
import types
import uuid
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import attrs
import numpy as np
import pandas as pd
import polars as pl
import pydantic
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image

from mirascope_ops import ops
from mirascope_ops.core import masking
from mirascope_ops.core.capture import DEFAULT_LIMIT, attribute, dump, dump_arguments, dump_fields, dump_result, text

LIMIT = 64 * 1024
MARKER = 200  # bytes that a marker may take


def dumped(value: Any) -> Any:
    return json.loads(dump(value))


# -- faithful values -------------------------------------------------------------------------------

json_data = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=25,
)


def keys_of(value):
    if isinstance(value, dict):
        yield from value
        for item in value.values():
            yield from keys_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from keys_of(item)


@given(json_data)
def test_json_data_is_kept_as_it_is(value):
    assume(not any(masking.is_secret(key) for key in keys_of(value)))

    assert dumped(value) == value
    assert json.loads(dump_fields(("a",), (value,), {"b": value})) == {"a": value, "b": value}


@given(st.lists(json_data, max_size=4))
def test_positional_arguments_are_kept_as_they_are(values):
    assume(not any(masking.is_secret(key) for key in keys_of(values)))

    found = dump_arguments(tuple(values))

    # None: something in there looks as if it might be secret, and the slow way must tell.
    assert found is None or json.loads(found) == values


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())  # lone surrogates too
    | st.binary(max_size=50)
    | st.complex_numbers()
    | st.decimals()
    | st.datetimes()
    | st.timedeltas()
    | st.uuids(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(
            st.text(st.characters()) | st.integers() | st.none() | st.tuples(st.integers()), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(anything)
def test_anything_becomes_bounded_json_text(value):
    for found in (dump(value), dump_fields(("value",), (value,))):
        json.loads(found)
        found.encode()
        assert len(found.encode()) <= LIMIT + MARKER
    attribute(value)
    dump_result(value)


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Shout(str):
    """A str of another class."""

    __slots__ = ()


class Pair(NamedTuple):
    left: int
    right: Any


@dataclass
class Plan:
    name: str
    limits: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Slotted:
    name: str
    plan: Plan


@attrs.define
class Attrs:
    name: str
    plan: Plan


class Model(pydantic.BaseModel):
    name: str
    when: dt.date
    inner: Model | None = None


class Mapped(collections.abc.Mapping):
    """A mapping that is no dict."""

    def __getitem__(self, key: str) -> int:
        return {"a": 1, "b": 2}[key]

    def __iter__(self):
        return iter(("a", "b"))

    def __len__(self) -> int:
        return 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, 2), [1, 2]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset("a"), ["a"]),
        (collections.deque([1, 2]), [1, 2]),
        (collections.OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (collections.defaultdict(int, a=1), {"a": 1}),
        (collections.Counter("aab"), {"a": 2, "b": 1}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (Mapped(), {"a": 1, "b": 2}),
        (Plan("free", {"calls": 3}), {"name": "free", "limits": {"calls": 3}}),
        (Slotted("a", Plan("b")), {"name": "a", "plan": {"name": "b", "limits": {}}}),
        (Attrs("a", Plan("b")), {"name": "a", "plan": {"name": "b", "limits": {}}}),
        (
            Model(name="a", when=dt.date(2026, 1, 2), inner=Model(name="b", when=dt.date(2026, 1, 3))),
            {"name": "a", "when": "2026-01-02", "inner": {"name": "b", "when": "2026-01-03", "inner": None}},
        ),
        (Color.RED, "red"),
        (Level.HIGH, 3),
        (Shout("loud"), "loud"),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ({1: "a", None: "b", False: "c", 1.5: "d"}, {"1": "a", "null": "b", "false": "c", "1.5": "d"}),
        ([Plan("a"), {2, 1}, (b"x" and 3)], [{"name": "a", "limits": {}}, [1, 2], 3]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_with_a_form_in_json_are_kept_whole(value, expected):
    assert dumped(value) == expected


def test_a_named_tuple_is_kept_with_its_values():
    assert dumped(Pair(1, [2])) in ([1, [2]], {"left": 1, "right": [2]})


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), ["2026-01-02", "03:04:05"]),
        (dt.time(1, 2), ["01:02"]),
        (decimal.Decimal("1.50"), ["1.50"]),
        (fractions.Fraction(1, 3), ["1", "3"]),
        (1 + 2j, ["1+2j"]),
        (pathlib.PurePosixPath("/a/b"), ["/a/b"]),
        (range(3), ["range(0, 3)"]),
        (ValueError("no such city"), ["ValueError", "no such city"]),
        (ExceptionGroup("several", [ValueError("x")]), ["ExceptionGroup", "several"]),
        (int, ["int"]),
        (Plan, ["Plan"]),
        (len, ["len"]),
        (re.compile("a+"), ["a+"]),
        (ipaddress.ip_address("10.0.0.1"), ["10.0.0.1"]),
        (dt.timedelta(seconds=90), ["90"]),
        (math, ["math"]),
        (iter([1]), ["iterator"]),
        (io.StringIO("x"), ["StringIO"]),
        (threading.Lock(), ["lock"]),
        (types.SimpleNamespace(a=1), ["a=1"]),
        (array.array("i", [1, 2]), ["array"]),
        (object(), ["object"]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_values_are_described(value, told):
    found = dump(value)

    json.loads(found)
    assert all(part in found for part in told)
    assert json.loads(dump([value, {"k": value}]))[0] == json.loads(found)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_are_summarised(kind):
    found = dumped(kind(b"\x89PNG" + b"\0" * 10_000_000))

    assert found["size"] == 10_000_004
    assert found["type"] == kind.__name__
    assert found["head"].startswith("89504e47")
    assert len(json.dumps(found)) < 500


# -- arrays, frames, images ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [np.arange(6).reshape(2, 3), np.array([0.5, 1.5]), np.array([True, False]), np.array([]), np.array(5)],
    ids=["matrix", "floats", "bools", "empty", "scalar"],
)
def test_a_small_array_is_kept_whole(value):
    assert dumped(value) == value.tolist()


def test_a_big_array_is_summarised():
    found = dumped({"embedding": np.zeros((1000, 1000), dtype="float32")})["embedding"]

    assert (found["shape"], found["dtype"]) == ([1000, 1000], "float32")
    assert found["head"] == [0.0] * len(found["head"])
    assert 0 < len(found["head"]) < 100


@pytest.mark.parametrize(
    "value",
    [
        np.arange(10_000).reshape(100, 100).T,
        np.arange(10_000)[::-2],
        np.array(["a", "b"] * 100),
        np.array([object()] * 100, dtype=object),
        np.array([1 + 2j] * 100),
        np.array(["2026-01-01"] * 100, dtype="datetime64[D]"),
        np.full(100, np.nan),
        np.zeros(100, dtype=[("a", "i4"), ("b", "f8")]),
        np.zeros((0, 5)),
        np.ma.masked_array(np.arange(100), mask=[True, False] * 50),
    ],
    ids=["transposed", "strided", "text", "objects", "complex", "dates", "nan", "records", "empty", "masked"],
)
def test_an_array_of_any_kind_is_told(value):
    found = dumped(value)

    assert found == value.tolist() or (found["shape"] == list(value.shape) and found["dtype"] == str(value.dtype))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(np.float32(0.5), 0.5), (np.int64(3), 3), (np.bool_(1), True), (np.str_("a"), "a")],
    ids=repr,
)
def test_numbers_of_numpy_are_numbers(value, expected):
    assert dumped(value) == expected
    assert dumped([value]) == [expected]


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_a_frame_is_summarised(library):
    frame = library.DataFrame({"city": ["Paris", "Rome"] * 5000, "n": range(10_000)})

    found = dumped({"frame": frame})["frame"]

    assert found["shape"] == [10_000, 2]
    assert [name for name, _ in found["columns"]] == ["city", "n"]
    assert found["head"][0] == ["Paris", 0]
    assert found["type"].startswith(library.__name__)
    assert len(json.dumps(found)) < 2000


def test_a_frame_of_pandas_with_awkward_contents_is_told():
    index = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])
    frame = pd.DataFrame({("x", 1): [pd.Timestamp("2026-01-01"), pd.NaT], 2: [np.nan, object()]}, index=index)

    found = dumped(frame)

    assert found["shape"] == [2, 2]
    assert dumped(pd.DataFrame())["shape"] == [0, 0]
    assert dumped(pd.DataFrame([[1, 2]], columns=["same", "same"]))["shape"] == [1, 2]


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_a_series_is_summarised(library):
    series = library.Series(range(10_000)) if library is pd else library.Series("n", range(10_000))

    found = dumped(series)

    assert found["length"] == 10_000
    assert found["head"][:3] == [0, 1, 2]
    assert len(json.dumps(found)) < 500


def test_a_lazy_frame_is_not_collected():
    lazy = pl.LazyFrame({"a": [1]}).with_columns(
        pl.col("a").map_elements(lambda _: pytest.fail("collected"), return_dtype=pl.Int64)
    )

    json.loads(dump(lazy))


def test_an_image_is_summarised(tmp_path):
    path = tmp_path / "image.png"
    Image.new("RGB", (640, 480)).save(path)
    with Image.open(path) as image:
        found = dumped({"image": image})["image"]
        loaded = image._im if hasattr(image, "_im") else None

    assert (found["size"], found["mode"], found["format"]) == ([640, 480], "RGB", "PNG")
    assert loaded is None  # a picture that is not loaded yet is not loaded for this


def test_secret_types_of_pydantic_stay_secret():
    class Login(pydantic.BaseModel):
        user: str
        key_of_user: pydantic.SecretStr

    assert "sk-1" not in dump(Login(user="a", key_of_user="sk-1"))
    assert "sk-1" not in dump(pydantic.SecretStr("sk-1"))


def test_secrets_inside_models_dataclasses_and_attrs_are_masked():
    class Login(pydantic.BaseModel):
        password: str

    @dataclass
    class Data:
        password: str

    @attrs.define
    class AttrsLogin:
        password: str

    for value in (Login(password="sk-1"), Data("sk-1"), AttrsLogin("sk-1"), {"x": [Login(password="sk-1")]}):
        assert "sk-1" not in dump(value)
        assert masking.MASK in dump(value)


# -- hostile values --------------------------------------------------------------------------------


class FailingRepr:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class LongRepr:
    def __repr__(self) -> str:
        return "x" * 10_000_000


class SurrogateRepr:
    def __repr__(self) -> str:
        return "\ud800"


class FailingMapping(Mapped):
    def __getitem__(self, key: str) -> int:
        raise KeyError(key)


class FailingDict(dict):
    def items(self):
        raise RuntimeError("no items")


class FailingStr(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no str")


@dataclass
class FailingField:
    @property
    def name(self) -> str:
        raise RuntimeError("no name")


class FailingModel(pydantic.BaseModel):
    value: Any

    @pydantic.field_serializer("value")
    def fail(self, value: Any) -> Any:
        raise RuntimeError("no value")


class Liar:
    """Has every attribute that one may ask for."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: self

    @property
    def __class__(self):
        raise RuntimeError("no class")


def cyclic_list() -> Any:
    value: list[Any] = [1]
    value.append(value)
    return value


def cyclic_dict() -> Any:
    value: dict[str, Any] = {"a": 1}
    value["self"] = value
    return value


def cyclic_object() -> Any:
    value = Plan("a")
    value.limits = {"self": value}  # type: ignore[dict-item]
    return value


def cyclic_attrs() -> Any:
    value = Attrs("a", Plan("b"))
    value.plan = value  # type: ignore[assignment]
    return value


def deep_list(depth: int = 5000) -> Any:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


HOSTILE = {
    "failing repr": FailingRepr(),
    "long repr": LongRepr(),
    "surrogate repr": SurrogateRepr(),
    "failing mapping": FailingMapping(),
    "failing dict": FailingDict(a=1),
    "failing str": FailingStr("text"),
    "failing field": FailingField(),
    "failing model": FailingModel(value=1),
    "liar": Liar(),
    "cyclic list": cyclic_list(),
    "cyclic dict": cyclic_dict(),
    "cyclic dataclass": cyclic_object(),
    "cyclic attrs": cyclic_attrs(),
    "deep list": deep_list(),
    "big int": 10**30,
    "negative big int": -(10**30),
    "int of 5,001 digits": 10**5000,
    "list of int of 5,001 digits": [10**5000],
    "dict of int of 5,001 digits": {"k": 10**5000},
    "key of 5,001 digits": {10**5000: 1},
    "nan": float("nan"),
    "inf": [float("inf"), float("-inf")],
    "lone surrogate": "lone \ud800",
    "lone surrogate key": {"lone \ud800": "\udfff"},
    "many lone surrogates": ["\ud800" * 100_000],
    "odd keys": {(1, 2): 3, b"k": 4, FailingRepr(): 5},
    "set with failing repr": {FailingRepr()},
    "among others": [{"a": FailingRepr()}, FailingDict(), "kept"],
    "module": pytest,
    "odd type": type("Odd", (), {"__module__": None})(),
}


# By name: pytest itself would trip over some of the values.
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_value_never_breaks_the_call(name, only):
    value = HOSTILE[name]

    @ops.trace
    def identity(given: Any) -> Any:
        return given

    same = identity(value) is value

    assert same
    stored = only()
    assert "given" in json.loads(stored.attributes["mirascope.trace.arg_values"])
    assert stored.attributes["mirascope.trace.output"] is not None
    for key in ("mirascope.trace.arg_values", "mirascope.trace.output"):
        assert len(str(stored.attributes[key]).encode()) <= 2 * LIMIT
    json.loads(dump(value))
    json.loads(dump({"nested": [value]}))
    attribute(value)


def test_a_cycle_is_cut_where_it_closes_and_the_rest_is_kept():
    found = dumped(cyclic_dict())

    assert found["a"] == 1
    assert "cycle" in json.dumps(found)


def test_a_value_that_stands_twice_is_no_cycle():
    shared = {"n": 1}

    assert dumped([shared, shared, 10**30]) == [shared, shared, str(10**30)]


def test_what_stands_beside_a_hostile_value_is_kept():
    found = dumped({"good": [1, 2], "bad": FailingRepr(), "big": 10**30, "text": "é"})

    assert (found["good"], found["text"], found["big"]) == ([1, 2], "é", str(10**30))
    assert "FailingRepr" in found["bad"]


def test_a_lone_surrogate_is_kept_visibly():
    assert dumped("a\ud800b") == "a\\ud800b"
    assert text("a\ud800b") == "a\\ud800b"


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 2**53 + 1, 0])
def test_ints_that_fit_stay_ints(number):
    assert dumped(number) == number
    assert attribute(number) == number
    assert dump_result(number) == number


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**63) - 1, 10**30])
def test_ints_that_fit_no_attribute_become_text(number):
    assert attribute(number) == str(number)
    assert dump_result(number) == str(number)
    assert dumped([number]) in ([number], [str(number)])


# -- limits ----------------------------------------------------------------------------------------


def test_the_default_limit_is_64_kib():
    assert DEFAULT_LIMIT == LIMIT


@pytest.mark.parametrize("letter", ["x", "é", "漢", "🙂", '"', "\x00"], ids=ascii)
@pytest.mark.parametrize("shape", [lambda v: v, lambda v: {"k": v}, lambda v: [v]], ids=["text", "dict", "list"])
def test_a_value_over_the_limit_is_cut_and_says_how_much(letter, shape):
    found = dump(shape(letter * 200_000))

    assert len(found.encode()) <= 2 * LIMIT if letter in '"\x00' else len(found.encode()) <= LIMIT + MARKER
    cut = json.loads(found)
    assert isinstance(cut, str)
    assert re.search(r"\[[\d,]+ more (characters|bytes)\]$", cut)


def test_the_marker_counts_what_is_missing():
    assert text("x" * 100_000).endswith(f"[{100_000 - LIMIT:,} more characters]")


@pytest.mark.parametrize("letter", ["x", "漢"])
def test_a_long_text_result_is_cut(only, letter):
    @ops.trace
    def make() -> str:
        return letter * 200_000

    assert len(make()) == 200_000
    assert len(only().output.encode()) <= LIMIT + MARKER
    assert only().output.startswith(letter * 1000)


def test_a_value_within_the_limit_is_not_cut():
    value = "x" * (LIMIT - 2)

    assert dumped(value) == value


def test_one_long_argument_leaves_the_others_whole(only):
    @ops.trace
    def read(document: str, question: str, options: dict[str, int]) -> None:
        pass

    read("x" * 1_000_000, "why?", {"n": 1})

    found = json.loads(only().attributes["mirascope.trace.arg_values"])
    assert (found["question"], found["options"]) == ("why?", {"n": 1})
    assert len(found["document"]) <= LIMIT + MARKER
    assert "more" in found["document"]


def test_the_limit_can_be_configured(only):
    ops.configure(capture_limit=100)

    @ops.trace
    def make(given: str) -> str:
        return given

    make("x" * 1000)

    assert len(only().output) < 100 + MARKER
    assert len(json.loads(only().attributes["mirascope.trace.arg_values"])["given"]) < 100 + MARKER


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_that_means_nothing_is_refused(limit):
    with pytest.raises(ops.ConfigurationError):
        ops.configure(capture_limit=limit)


# -- attributes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("text", "text"),
        (1, 1),
        (1.5, 1.5),
        (True, True),
        (["a", "b"], ("a", "b")),
        ((1, 2), (1, 2)),
        ([], ()),
        ([True], (True,)),
        ([1, "a"], '[1,"a"]'),
        ([1, None], "[1,null]"),
        ({"a": 1}, '{"a":1}'),
        ([[1]], "[[1]]"),
        (Level.HIGH, 3),
    ],
    ids=repr,
)
def test_an_attribute_is_what_opentelemetry_accepts(value, expected):
    found = attribute(value)

    assert found == expected
    assert type(found) is type(expected)


# -- switched off ----------------------------------------------------------------------------------


@ops.trace
def shout(words: str) -> str:
    return words.upper()


@ops.trace(capture_args=True, capture_result=True)
def always(words: str) -> str:
    return words.upper()


def test_capture_can_be_switched_off_and_a_function_may_insist(recorded):
    ops.configure(capture_content=False)

    assert (shout("a secret"), always("known")) == ("A SECRET", "KNOWN")
    off, on = recorded()
    assert "secret" not in str(off._asdict()).lower()
    assert "mirascope.trace.arg_values" not in off.attributes
    assert on.output == "KNOWN"


async def test_capture_switched_off_holds_for_every_kind_of_function(recorded):
    @ops.trace
    async def coroutine(words: str) -> str:
        return words

    @ops.trace
    def generator(words: str):
        yield words

    @ops.trace
    async def async_generator(words: str):
        yield words

    ops.configure(capture_content=False)
    await coroutine("a secret")
    list(generator("a secret"))
    _ = [word async for word in async_generator("a secret")]

    assert len(recorded()) == 3
    assert "a secret" not in str([span._asdict() for span in recorded()])


@pytest.mark.parametrize("setting", ["off", "0", "false", "no", " OFF "])
def test_the_environment_switches_capture_off(setting):
    program = """
        from mirascope_ops import ops

        @ops.trace
        def shout(words):
            return words.upper()

        shout("a secret")
        (span,) = ops.spans()
        print(span.name, span.input, span.output)
    """
    outcome = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={**os.environ, "MIRASCOPE_OPS_CAPTURE": setting, "MIRASCOPE_OPS_STORE": ":memory:"},
        capture_output=True,
        text=True,
        timeout=170,
        check=True,
    )

    assert outcome.stdout.split() == ["shout", "None", "None"]
