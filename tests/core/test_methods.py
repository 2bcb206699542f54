"""`@ops.trace` on methods: of objects, of classes, static ones; inherited, overridden, patched, in models."""

from __future__ import annotations

import abc
import asyncio
import copy
import enum
import functools
import inspect
import json
import pickle
import types
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable
from unittest import mock

import pydantic
import pytest

from mirascope_ops import Span, Trace, ops


class Agent:
    """With every kind of method."""

    def __init__(self, name: str = "Ada") -> None:
        self.name = name

    @ops.trace
    def ask(self, question: str, *, times: int = 1) -> str:
        """Ask the agent."""
        return f"{self.name}: {question * times}"

    @ops.trace
    async def ask_async(self, question: str) -> str:
        """Ask the agent, later."""
        await asyncio.sleep(0)
        return f"{self.name}: {question}"

    @ops.trace
    def stream(self, text: str):
        """Stream the answer."""
        yield from text

    @ops.trace
    async def stream_async(self, text: str):
        """Stream the answer, later."""
        for letter in text:
            yield letter

    @ops.trace
    def with_span(self, trace_ctx: Span, question: str) -> Span:
        return trace_ctx

    @ops.trace(name="named", tags=["a"])
    def with_options(self) -> str:
        return self.name

    @ops.trace
    @classmethod
    def class_outside(cls, x: int) -> tuple[str, int]:
        """Of the class."""
        return cls.__name__, x

    @classmethod
    @ops.trace
    def class_inside(cls, x: int) -> tuple[str, int]:
        """Of the class."""
        return cls.__name__, x

    @ops.trace
    @staticmethod
    def static_outside(x: int) -> int:
        """Of nobody."""
        return x + 1

    @staticmethod
    @ops.trace
    def static_inside(x: int) -> int:
        """Of nobody."""
        return x + 1

    @staticmethod
    @ops.trace
    async def static_async(x: int) -> int:
        return x + 1

    @classmethod
    @ops.trace
    async def class_async(cls, x: int) -> tuple[str, int]:
        return cls.__name__, x

    @property
    @ops.trace
    def title(self) -> str:
        return self.name.title()

    @functools.cached_property
    @ops.trace
    def expensive(self) -> str:
        return self.name.upper()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Agent) and self.name == other.name

    __hash__ = None  # type: ignore[assignment] - a method of an object that cannot be hashed


class Plain:
    """The same methods, not traced."""

    def ask(self, question: str, *, times: int = 1) -> str:
        """Ask the agent."""
        return question * times

    async def ask_async(self, question: str) -> str:
        """Ask the agent, later."""
        return question

    def stream(self, text: str):
        """Stream the answer."""
        yield from text

    async def stream_async(self, text: str):
        """Stream the answer, later."""
        yield text

    @classmethod
    def class_outside(cls, x: int) -> tuple[str, int]:
        """Of the class."""
        return cls.__name__, x

    class_inside = class_outside

    @staticmethod
    def static_outside(x: int) -> int:
        """Of nobody."""
        return x

    static_inside = static_outside


KINDS = [
    "ask",
    "ask_async",
    "stream",
    "stream_async",
    "class_outside",
    "class_inside",
    "static_outside",
    "static_inside",
]


def arguments(span):
    return json.loads(span.attributes["mirascope.trace.arg_values"])


# -- calls -----------------------------------------------------------------------------------------


def test_a_method_is_called_with_its_object(only):
    assert Agent().ask("why?", times=2) == "Ada: why?why?"
    assert only().name == "Agent.ask"
    assert arguments(only()) == {"question": "why?", "times": 2}
    assert only().output == "Ada: why?why?"


def test_wrapped_of_an_objects_method_knows_the_object(only):
    agent = Agent("Bob")

    trace = agent.ask.wrapped("why?")

    assert isinstance(trace, Trace)
    assert trace.result == "Bob: why?"
    assert trace.span_id == only().span_id
    assert arguments(only()) == {"question": "why?", "times": 1}


def test_through_the_class_the_object_is_the_first_argument(only):
    assert Agent.ask.wrapped(Agent("Bob"), "why?").result == "Bob: why?"
    assert arguments(only()) == {"question": "why?", "times": 1}


def test_through_the_class_a_plain_call_works():
    assert Agent.ask(Agent("Bob"), "why?") == "Bob: why?"
    assert [*map(Agent.static_inside, [1, 2])] == [2, 3]


async def test_a_coroutine_method_works_in_every_way(recorded):
    agent = Agent("Bob")

    assert await agent.ask_async("a") == "Bob: a"
    assert (await agent.ask_async.wrapped("b")).result == "Bob: b"
    assert (await Agent.ask_async.wrapped(agent, "c")).result == "Bob: c"
    assert [arguments(span) for span in recorded()] == [{"question": letter} for letter in "abc"]


async def test_generator_methods_work_in_every_way(recorded):
    agent = Agent()

    assert list(agent.stream("abc")) == ["a", "b", "c"]
    assert list(agent.stream.wrapped("abc").result) == ["a", "b", "c"]
    assert [letter async for letter in agent.stream_async("abc")] == ["a", "b", "c"]
    assert [letter async for letter in agent.stream_async.wrapped("abc").result] == ["a", "b", "c"]
    assert [span.output for span in recorded()] == ["abc"] * 4


def test_a_method_may_take_the_span(only):
    agent = Agent()

    trace = agent.with_span.wrapped("why?")

    assert trace.result is trace.span
    assert agent.with_span("again").name == "Agent.with_span"
    assert list(inspect.signature(agent.with_span).parameters) == ["question"]
    assert list(inspect.signature(Agent.with_span).parameters) == ["self", "question"]


def test_a_method_may_have_options(only):
    assert Agent().with_options() == "Ada"
    assert (only().name, only().tags) == ("named", ("a",))


@pytest.mark.parametrize("name", ["class_outside", "class_inside"])
@pytest.mark.parametrize("holder", [Agent, Agent()], ids=["class", "object"])
def test_a_class_method_knows_its_class_in_both_orders(recorded, name, holder):
    method = getattr(holder, name)

    assert method(1) == ("Agent", 1)
    assert method.wrapped(x=2).result == ("Agent", 2)
    assert [arguments(span) for span in recorded()] == [{"x": 1}, {"x": 2}]
    assert {span.name for span in recorded()} == {f"Agent.{name}"}


@pytest.mark.parametrize("name", ["static_outside", "static_inside"])
@pytest.mark.parametrize("holder", [Agent, Agent()], ids=["class", "object"])
def test_a_static_method_works_in_both_orders(recorded, name, holder):
    method = getattr(holder, name)

    assert method(1) == 2
    assert method.wrapped(x=2).result == 3
    assert [arguments(span) for span in recorded()] == [{"x": 1}, {"x": 2}]
    assert {span.name for span in recorded()} == {f"Agent.{name}"}


async def test_async_static_and_class_methods_work():
    assert await Agent.static_async(1) == 2
    assert (await Agent().static_async.wrapped(1)).result == 2
    assert await Agent.class_async(1) == ("Agent", 1)
    assert (await Agent().class_async.wrapped(1)).result == ("Agent", 1)


def test_properties_may_be_traced_under_their_decorator(recorded):
    agent = Agent("ada")

    assert (agent.title, agent.expensive, agent.expensive) == ("Ada", "ADA", "ADA")
    assert [span.name for span in recorded()] == ["Agent.title", "Agent.expensive"]


# -- what introspection sees -----------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("through", ["class", "object"])
def test_a_method_looks_like_the_method(name, through):
    traced = getattr(Agent if through == "class" else Agent(), name)
    plain = getattr(Plain if through == "class" else Plain(), name)

    assert inspect.signature(traced) == inspect.signature(plain)
    assert traced.__doc__ == plain.__doc__
    assert traced.__name__ == name
    assert traced.__qualname__ == f"Agent.{name}"
    assert traced.__module__ == __name__
    assert traced.__annotations__ == plain.__annotations__
    assert callable(traced)
    for question in (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction):
        assert question(traced) == question(plain), question.__name__


def test_a_bound_method_names_its_object_and_function():
    agent = Agent()

    assert agent.ask.__self__ is agent
    assert agent.ask.__func__ is Agent.ask
    assert Agent.class_inside.__self__ is Agent
    assert "ask" in repr(agent.ask)


def test_help_tells_a_method_from_a_static_method():
    kinds = {attribute.name: attribute.kind for attribute in inspect.classify_class_attrs(Agent)}

    assert kinds["static_inside"] == kinds["static_outside"] == "static method"
    assert kinds["class_inside"] == "class method"
    assert kinds["ask"] != "data"


def test_a_method_bound_by_hand_works():
    class Other(Agent):
        pass

    assert types.MethodType(Agent.ask, Agent("Bob"))("why?") == "Bob: why?"
    assert Agent.__dict__["ask"].__get__(Other("Eve"), Other)("why?") == "Eve: why?"


# -- equality, pickling, copying -------------------------------------------------------------------


def test_an_argument_of_a_method_may_be_called_self():
    class Template:
        @ops.trace
        def fill(self, /, **values: str) -> dict[str, str]:
            return values

        @staticmethod
        @ops.trace
        def fill_static(**values: str) -> dict[str, str]:
            return values

        def __call__(self, /, **values: str) -> dict[str, str]:
            return values

    for fill in (Template().fill, Template.fill_static, ops.trace(Template()), ops.version(Template())):
        assert fill(self="a") == {"self": "a"}
        assert fill.wrapped(self="a").result == {"self": "a"}
        assert ops.bind_context(fill)(self="a") == {"self": "a"}


def test_bound_methods_are_equal_and_hash_as_bound_methods_do():
    agent, same = Agent(), Agent()

    assert agent.ask == agent.ask
    assert hash(agent.ask) == hash(agent.ask)
    assert agent.ask != same.ask  # equal objects, but not the same
    assert agent.ask != agent.ask_async
    assert agent.ask != "ask"
    assert {agent.ask: 1}[agent.ask] == 1


def test_a_bound_method_may_be_removed_from_a_list_of_callbacks():
    agent = Agent()
    callbacks = [agent.ask]
    callbacks.remove(agent.ask)

    assert callbacks == []


@pytest.mark.parametrize("name", ["ask", "ask_async", "stream"])
def test_a_bound_method_may_be_pickled(name):
    again = pickle.loads(pickle.dumps(getattr(Agent("Bob"), name)))

    assert again.__self__.name == "Bob"
    assert again.__name__ == name
    assert callable(again.wrapped)


@pytest.mark.parametrize("name", ["ask", "static_outside", "static_inside", "class_inside", "class_outside"])
def test_a_method_of_the_class_is_pickled_by_reference(name):
    method = getattr(Agent, name)

    assert pickle.loads(pickle.dumps(method)) == method


def test_a_static_method_may_be_copied():
    assert copy.copy(Agent.static_inside) is copy.deepcopy(Agent.static_inside) is Agent.static_inside


def test_objects_with_traced_methods_may_be_copied():
    agent = Agent("Bob")

    for again in (copy.copy(agent), copy.deepcopy(agent), pickle.loads(pickle.dumps(agent))):
        assert again.ask.wrapped("why?").result == "Bob: why?"
    assert copy.copy(agent.ask)("why?") == "Bob: why?"


def test_a_bound_method_keeps_its_object_alive():
    method = Agent("Bob").ask

    assert method("why?") == "Bob: why?"


# -- what a class body is given for its class methods (from Python 3.13 on) is gone when the class is there ---------


def test_a_class_keeps_nothing_but_what_its_body_says():
    class Thing:
        @classmethod
        @ops.trace
        def make(cls, x: int = 1) -> tuple[str, int]:
            return cls.__name__, x

    class Child(Thing):
        pass

    added = [name for name in vars(Thing) if "mirascope" in name]

    assert added == []
    assert Child.make.wrapped(2).result == ("Child", 2)
    assert Child().make.wrapped().result == ("Child", 1)


def test_class_methods_of_enumerations_protocols_and_abstract_classes_know_their_class():
    class Colour(enum.Enum):
        RED = 1

        @classmethod
        @ops.trace
        def first(cls) -> str:
            return next(iter(cls)).name

    class Named(Protocol):
        @classmethod
        @ops.trace
        def title(cls) -> str:
            return cls.__name__

    class Abstract(abc.ABC):
        @classmethod
        @abc.abstractmethod
        @ops.trace
        def title(cls) -> str:
            return cls.__name__

    class Concrete(Abstract):
        @classmethod
        @ops.trace
        def title(cls) -> str:
            return super().title().lower()

    assert [colour.name for colour in Colour] == [Colour.first.wrapped().result] == ["RED"]
    assert Named.title.wrapped().result == "Named"
    assert not [name for kind in (Colour, Named, Abstract) for name in vars(kind) if "mirascope" in name]
    assert Concrete.title.wrapped().result == "concrete"
    with pytest.raises(TypeError, match="abstract"):
        Abstract()


# -- inheritance -----------------------------------------------------------------------------------


class Base:
    @ops.trace
    def run(self, x: int) -> str:
        return f"Base {type(self).__name__} {x}"

    @classmethod
    @ops.trace
    def make(cls, x: int) -> str:
        return f"Base {cls.__name__} {x}"

    @ops.trace
    @classmethod
    def build(cls, x: int) -> str:
        return f"Base {cls.__name__} {x}"

    @ops.trace
    @staticmethod
    def twice(x: int) -> int:
        return 2 * x


class Inheriting(Base):
    pass


class Overriding(Base):
    @ops.trace
    def run(self, x: int) -> str:
        return f"Over {super().run(x)}"

    @classmethod
    @ops.trace
    def make(cls, x: int) -> str:
        return f"Over {super().make(x)}"

    @ops.trace
    @classmethod
    def build(cls, x: int) -> str:
        return f"Over {super().build(x)}"

    @ops.trace
    @staticmethod
    def twice(x: int) -> int:
        return super(Overriding, Overriding).twice(x) + 1


def test_inherited_methods_know_the_object_and_its_class(recorded):
    child = Inheriting()

    assert child.run.wrapped(1).result == "Base Inheriting 1"
    assert Inheriting.run.wrapped(child, 2).result == "Base Inheriting 2"
    assert Inheriting.make.wrapped(3).result == "Base Inheriting 3"
    assert child.build.wrapped(4).result == "Base Inheriting 4"
    assert child.twice.wrapped(5).result == 10
    assert [span.name for span in recorded()] == ["Base.run", "Base.run", "Base.make", "Base.build", "Base.twice"]


def test_overriding_methods_call_the_one_above(recorded):
    child = Overriding()

    assert child.run(1) == "Over Base Overriding 1"
    assert Overriding.make(2) == "Over Base Overriding 2"
    assert child.build(3) == "Over Base Overriding 3"
    assert child.twice(4) == 9
    assert [span.name for span in recorded()] == [
        f"{name}.{method}" for method in ("run", "make", "build", "twice") for name in ("Overriding", "Base")
    ]
    parents = {span.span_id for span in recorded() if span.name.startswith("Overriding")}
    assert all(span.parent_id in parents for span in recorded() if span.name.startswith("Base"))


def test_super_gives_wrapped_too():
    class Child(Base):
        def run(self, x: int) -> Trace[str]:
            return super().run.wrapped(x)

    assert Child().run(1).result == "Base Child 1"


def test_an_abstract_method_may_be_traced():
    class Abstract(abc.ABC):
        @ops.trace
        @abc.abstractmethod
        def run(self) -> int: ...

        @abc.abstractmethod
        @ops.trace
        def walk(self) -> int: ...

    class Concrete(Abstract):
        @ops.trace
        def run(self) -> int:
            return 1

        @ops.trace
        def walk(self) -> int:
            return 2

    assert Abstract.__abstractmethods__ == {"run", "walk"}
    with pytest.raises(TypeError, match="abstract"):
        Abstract()
    assert Concrete().run() + Concrete().walk() == 3


def test_a_protocol_is_fulfilled():
    @runtime_checkable
    class Asks(Protocol):
        def ask(self, question: str) -> str: ...

    assert isinstance(Agent(), Asks)


def test_special_methods_may_be_traced(recorded):
    class Special:
        @ops.trace
        def __init__(self, n: int) -> None:
            self.n = n

        @ops.trace
        def __call__(self, x: int) -> int:
            return self.n + x

        @ops.trace
        def __len__(self) -> int:
            return self.n

        @ops.trace
        def __enter__(self) -> int:
            return self.n

        @ops.trace
        def __exit__(self, *_: object) -> None:
            pass

        @ops.trace
        def __iter__(self):
            yield self.n

        @ops.trace
        def __add__(self, other: int) -> int:
            return self.n + other

    special = Special(3)
    with special as entered:
        pass

    assert (special(1), len(special), entered, list(special), special + 1) == (4, 3, 3, [3], 4)
    names = ("__init__", "__call__", "__len__", "__enter__", "__exit__", "__iter__", "__add__")
    assert {span.name.rpartition(".")[2] for span in recorded()} == set(names)


def test_implicit_class_methods_may_be_traced():
    class Registry:
        made: list[str] = []  # noqa: RUF012

        @ops.trace
        def __init_subclass__(cls) -> None:
            Registry.made.append(cls.__name__)

        @ops.trace
        def __class_getitem__(cls, item: str) -> tuple[str, str]:
            return cls.__name__, item

        @ops.trace
        def __new__(cls) -> Registry:  # noqa: PYI034 - the point is that it is decorated
            return object.__new__(cls)

    class Child(Registry):
        pass

    assert Registry.made == ["Child"]
    assert Child["x"] == ("Child", "x")
    assert isinstance(Child(), Child)


def test_slots_and_nested_classes_work(only):
    class Outer:
        class Inner:
            __slots__ = ("n",)

            def __init__(self) -> None:
                self.n = 1

            @ops.trace
            def get(self) -> int:
                return self.n

    assert Outer.Inner().get.wrapped().result == 1
    assert only().name.endswith("Outer.Inner.get")


def test_a_method_replaced_on_the_class_by_its_traced_self_works(monkeypatch):
    class Later:
        def run(self, x: int) -> int:
            return x

    monkeypatch.setattr(Later, "run", ops.trace(Later.run))

    assert Later().run(1) == 1
    assert Later().run.wrapped(2).result == 2


def test_a_lambda_in_a_class_body_may_be_traced():
    class Short:
        run = ops.trace(lambda self, x: x + 1)

    assert Short().run(1) == 2
    assert Short().run.wrapped(1).result == 2


def test_a_function_from_outside_may_become_a_method():
    @ops.trace
    def describe(self: object, x: int) -> tuple[str, int]:
        return type(self).__name__, x

    class Holder:
        show = describe

    assert Holder().show(1) == ("Holder", 1)


def test_wrapped_that_cannot_know_its_object_says_what_to_write():
    @ops.trace
    def describe(self: object, x: int) -> tuple[object, int]:
        if x < 0:
            raise TypeError("below zero")
        return self, x

    @ops.trace
    async def describe_later(self: object, x: int) -> tuple[object, int]:
        return self, x

    class Holder:
        show, later, of_class = describe, describe_later, classmethod(describe)

    holder = Holder()

    for method in (holder.show, Holder.of_class, Holder.show):
        with pytest.raises(TypeError) as raised:
            method.wrapped(1)
        assert "Class.method.wrapped(obj, ...)" in raised.value.__notes__[0]
    with pytest.raises(TypeError) as raised:
        asyncio.run(holder.later.wrapped(1))
    assert raised.value.__notes__
    assert Holder.show.wrapped(holder, 1).result == (holder, 1)


def test_other_type_errors_of_wrapped_stay_as_they_are():
    @ops.trace
    def describe(self: object, x: int) -> tuple[object, int]:
        if x < 0:
            raise TypeError("below zero")
        return self, x

    for arguments in ((1, -1), (), (1, 2, 3)):
        with pytest.raises(TypeError) as raised:
            describe.wrapped(*arguments)
        assert not hasattr(raised.value, "__notes__")
    with pytest.raises(TypeError) as raised:
        describe(1)
    assert not hasattr(raised.value, "__notes__")


def test_a_class_method_may_come_to_a_class_later(recorded):
    class Holder:
        pass

    @classmethod
    @ops.trace
    def below(cls: type, x: int) -> tuple[type, int]:
        return cls, x

    @ops.trace
    @classmethod
    def above(cls: type, x: int) -> tuple[type, int]:
        return cls, x

    Holder.below, Holder.above = below, above

    assert Holder.below(1) == Holder.above(1) == Holder.above.wrapped(1).result == (Holder, 1)
    assert Holder().above.wrapped(2).result == (Holder, 2)
    assert len(recorded()) == 4


@pytest.mark.filterwarnings("ignore:functools.partial will be a method descriptor:FutureWarning")  # as without us
def test_a_traced_partial_or_object_in_a_class_is_no_method():
    class Adder:
        def __call__(self, x: int) -> int:
            return x + 1

    class Holder:
        add = ops.trace(Adder())
        power = ops.trace(functools.partial(pow, 2))

    assert Holder().add(1) == 2
    assert Holder().add.wrapped(1).result == 2
    assert Holder().power(3) == 8
    assert Holder().power.wrapped(3).result == 8


# -- tests of other people -------------------------------------------------------------------------


def test_a_method_may_be_patched_on_an_object():
    agent, other = Agent(), Agent()

    with mock.patch.object(agent, "ask", return_value="patched") as patched:
        assert agent.ask("why?") == "patched"
        assert other.ask("why?") == "Ada: why?"
        patched.assert_called_once_with("why?")

    assert agent.ask("why?") == "Ada: why?"
    assert "ask" not in vars(agent)


def test_a_method_may_be_patched_on_the_class():
    with mock.patch.object(Agent, "ask", return_value="patched"):
        assert Agent().ask("why?") == "patched"

    assert Agent().ask.wrapped("why?").result == "Ada: why?"


def test_a_method_may_be_wrapped_by_a_spy():
    agent = Agent()

    with mock.patch.object(agent, "ask", wraps=agent.ask) as spy:
        assert agent.ask("why?") == "Ada: why?"

    spy.assert_called_once_with("why?")


def test_an_autospec_of_the_class_has_the_methods_signatures():
    stand_in = mock.create_autospec(Agent, instance=True)
    stand_in.ask.return_value = "mocked"

    assert stand_in.ask("why?", times=2) == "mocked"
    with pytest.raises(TypeError):
        stand_in.ask()


# -- models ----------------------------------------------------------------------------------------


class Order(pydantic.BaseModel):
    """A pydantic model with traced methods."""

    id: int
    items: list[str] = []

    @ops.trace
    def total(self, tax: float = 0.0) -> float:
        return len(self.items) * (1 + tax)

    @ops.trace
    async def submit(self) -> int:
        return self.id

    @classmethod
    @ops.trace
    def empty(cls, id: int) -> Order:  # noqa: A002
        return cls(id=id)

    @ops.trace
    @staticmethod
    def currency() -> str:
        return "EUR"


class SpecialOrder(Order):
    """An inheriting model."""

    @ops.trace
    def total(self, tax: float = 0.0) -> float:
        return super().total(tax) / 2


async def test_methods_of_pydantic_models_may_be_traced(only):
    order = Order(id=1, items=["a", "b"])

    assert order.total.wrapped(0.5).result == 3.0
    assert await order.submit() == 1
    assert Order.empty.wrapped(2).result == Order(id=2)
    assert order.currency() == "EUR"
    assert SpecialOrder(id=3, items=["a"]).total() == 0.5
    assert set(Order.model_fields) == {"id", "items"}
    assert order.model_dump() == {"id": 1, "items": ["a", "b"]}
    assert order.model_copy(deep=True).total() == 2.0
    assert arguments(only("Order.empty")) == {"id": 2}


@dataclass(order=True)
class Item:
    """A dataclass with traced methods."""

    name: str
    tags: list[str] = field(default_factory=list)

    @ops.trace
    def label(self, prefix: str = "") -> str:
        return prefix + self.name

    @classmethod
    @ops.trace
    def named(cls, name: str) -> Item:
        return cls(name)


@dataclass(frozen=True, slots=True)
class Point:
    """A frozen dataclass with slots."""

    x: int

    @ops.trace
    def moved(self, by: int) -> Point:
        return Point(self.x + by)


def test_methods_of_dataclasses_may_be_traced(recorded):
    assert Item("a").label.wrapped(prefix="> ").result == "> a"
    assert Item.named.wrapped("b").result == Item("b")
    assert Item("a") < Item("b")
    assert Point(1).moved.wrapped(2).result == Point(3)
    assert len(recorded()) == 3
    assert json.loads(recorded()[1].output) == {"name": "b", "tags": []}


def test_methods_of_enums_may_be_traced():
    class Size(enum.Enum):
        SMALL = 1
        LARGE = 2

        @ops.trace
        def doubled(self) -> int:
            return 2 * self.value

        @classmethod
        @ops.trace
        def default(cls) -> Size:
            return cls.SMALL

    assert [size.name for size in Size] == ["SMALL", "LARGE"]
    assert Size.LARGE.doubled.wrapped().result == 4
    assert Size.default() is Size.SMALL


def test_singledispatch_works_with_traced_functions(recorded):
    @functools.singledispatch
    @ops.trace
    def show(value: object) -> str:
        return "object"

    @show.register
    @ops.trace
    def show_int(value: int) -> str:
        return "int"

    assert (show("a"), show(1)) == ("object", "int")
    assert len(recorded()) == 2


def test_a_method_with_a_cache_works(recorded):
    class Cached:
        @functools.cache  # noqa: B019
        @ops.trace
        def run(self, x: int) -> int:
            return x

    cached = Cached()

    assert [cached.run(1), cached.run(1)] == [1, 1]
    assert len(recorded()) == 1


def test_a_method_of_an_object_whose_repr_fails_may_be_traced(only):
    class Shy:
        def __repr__(self) -> str:
            raise RuntimeError("no")

        @ops.trace
        def run(self, other: object) -> object:
            return self

    shy = Shy()

    assert shy.run(shy) is shy
    assert "Shy" in arguments(only())["other"]


def test_self_is_not_captured(only):
    Agent("a secret name").with_options()

    assert "a secret name" not in only().attributes["mirascope.trace.arg_values"]


def test_a_method_whose_first_parameter_has_another_name_works(only):
    class Unusual:
        @ops.trace
        def run(this, x: int) -> int:  # noqa: N805
            return x

    assert Unusual().run.wrapped(1).result == 1
    assert arguments(only())["x"] == 1


def test_a_cached_method_knows_its_object():
    class Thing:
        @ops.trace
        @functools.cache  # noqa: B019 - the point is that it is decorated
        def double(self, x: int) -> int:
            return x * 2

    thing = Thing()

    assert (thing.double(2), thing.double.wrapped(2).result) == (4, 4)
    assert thing.double.cache_info().hits == 1
