"""The names that `mirascope_ops` gives: each is there, documented, and the same under every way to reach it.

Which names there are is pinned in `test_imports`.
"""

from __future__ import annotations

import builtins
import inspect
import pickle
import re
from types import ModuleType

import pytest

import mirascope_ops
from mirascope_ops import exceptions, ops

NAMES = sorted(mirascope_ops.__all__)
FUNCTIONS = [name for name in NAMES if inspect.isfunction(getattr(mirascope_ops, name))]
CLASSES = [name for name in NAMES if inspect.isclass(getattr(mirascope_ops, name))]
ERRORS = [
    getattr(exceptions, name)
    for name in vars(exceptions)
    if inspect.isclass(getattr(exceptions, name)) and issubclass(getattr(exceptions, name), exceptions.OpsError)
]


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_resolves_and_is_listed(name):
    found = getattr(mirascope_ops, name)

    assert found is not None
    assert getattr(ops, name) is found
    assert name in dir(mirascope_ops)
    assert not name.startswith("_")


def test_no_name_is_listed_twice():
    assert len(NAMES) == len(set(NAMES))


def test_a_star_import_gives_every_name():
    namespace = {}

    exec("from mirascope_ops import *", namespace)

    assert set(NAMES) <= set(namespace)


def test_ops_is_the_package():
    import mirascope_ops.ops

    assert ops is mirascope_ops
    assert mirascope_ops.ops is mirascope_ops
    assert isinstance(ops, ModuleType)


@pytest.mark.parametrize("name", ["trase", "Sesion", "_private", "core_", "__wrapped__"])
def test_an_unknown_name_is_an_attribute_error_that_names_it(name):
    with pytest.raises(AttributeError, match=name):
        getattr(mirascope_ops, name)
    assert not hasattr(mirascope_ops, name)


@pytest.mark.parametrize("name", [*FUNCTIONS, *CLASSES])
def test_everything_public_is_documented(name):
    text = inspect.getdoc(getattr(mirascope_ops, name))

    assert text
    assert re.match(r"[A-Z`].*[.:]$", text.splitlines()[0]) or text.splitlines()[0].endswith("…"), text.splitlines()[0]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_parameter_is_documented(name):
    function = getattr(mirascope_ops, name)
    text = inspect.getdoc(function)

    parameters = [parameter.name for parameter in inspect.signature(function).parameters.values()]
    missing = [parameter for parameter in parameters if not re.search(rf"\b{parameter}:", text)]
    assert missing == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_annotated(name):
    signature = inspect.signature(getattr(mirascope_ops, name))

    assert signature.return_annotation is not inspect.Signature.empty
    assert not [p.name for p in signature.parameters.values() if p.annotation is inspect.Parameter.empty]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_is_an_opserror_public_and_pickles(error):
    again = pickle.loads(pickle.dumps(error("what happened")))

    assert getattr(mirascope_ops, error.__name__) is error
    assert issubclass(error, ops.OpsError)
    assert (type(again), str(again)) == (error, "what happened")


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (ops.SessionError, ValueError),
        (ops.ConfigurationError, ValueError),
        (ops.FormatError, ValueError),
        (ops.TraceTargetError, TypeError),
        (ops.NotFoundError, LookupError),
    ],
)
def test_an_error_is_pythons_own_for_the_same_mistake_too(error, builtin):
    assert issubclass(error, builtin)


def test_no_public_name_hides_a_builtin():
    assert not [name for name in NAMES if hasattr(builtins, name)]


def test_the_package_is_marked_as_typed():
    from importlib.resources import files

    assert files("mirascope_ops").joinpath("py.typed").is_file()


def test_the_version_is_one():
    from mirascope_ops.core.version import VERSION

    assert re.fullmatch(r"\d+\.\d+\.\d+([.a-z]+\d*)?", VERSION)
