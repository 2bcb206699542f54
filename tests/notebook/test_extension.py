"""Loading and unloading in a shell of this process: what is installed, and that all of it goes."""

from __future__ import annotations

import builtins

import pytest

import mirascope_ops
from mirascope_ops.core.cell import current_cell, set_current_cell
from mirascope_ops.notebook import extension


@pytest.fixture
def loadable(shell, monkeypatch):
    """A shell in which the extension can be loaded without a tracer provider for this whole process."""
    monkeypatch.setattr(extension, "ensure_provider", lambda: None)
    yield shell
    extension.unload(shell)
    set_current_cell(None)


def state(shell):
    formatter = shell.display_formatter.mimebundle_formatter
    return {
        "cleanup": list(shell.input_transformers_cleanup),
        "post": list(shell.input_transformers_post),
        "tree": list(shell.ast_transformers),
        "events": {name: list(callbacks) for name, callbacks in shell.events.callbacks.items()},
        "magics": {kind: dict(magics) for kind, magics in shell.magics_manager.magics.items()},
        "registry": dict(shell.magics_manager.registry),
        "configurables": list(shell.configurables),
        "formatters": (dict(formatter.type_printers), dict(formatter.deferred_printers)),
        "attributes": set(vars(shell)),
        "user names": set(shell.user_ns),
        "hidden names": set(shell.user_ns_hidden),
        "builtins": set(vars(builtins)),
    }


def test_unloading_restores_exactly_what_was_there(loadable):
    before = state(loadable)

    mirascope_ops.load_ipython_extension(loadable)
    loaded = state(loadable)
    mirascope_ops.unload_ipython_extension(loadable)

    assert state(loadable) == before
    assert {name for name in before if loaded[name] != before[name]} == {
        "cleanup",
        "post",
        "tree",
        "events",
        "magics",
        "registry",
        "configurables",
        "formatters",
        "attributes",
    }


def test_magics_and_formatters_of_others_come_back(loadable):
    def other(line, cell=None):
        return "other"

    loadable.register_magic_function(other, "line_cell", "ops_session")
    formatter = loadable.display_formatter.mimebundle_formatter
    formatter.for_type_by_name("mirascope.ops._internal.traced_functions", "Trace", other)
    before = state(loadable)

    extension.load(loadable)
    extension.unload(loadable)

    assert state(loadable) == before


def test_loading_twice_is_loading_once(loadable):
    extension.load(loadable)
    once = state(loadable)

    extension.load(loadable)

    assert state(loadable) == once


def test_unloading_what_is_not_loaded_does_nothing(loadable):
    before = state(loadable)

    extension.unload(loadable)

    assert state(loadable) == before


def test_a_cell_may_unload_what_it_runs_in(loadable):
    before = state(loadable)
    extension.load(loadable)

    result = loadable.run_cell(
        "%%ops_session s -q\nimport mirascope_ops\nmirascope_ops.unload_ipython_extension(get_ipython())\n5"
    )

    after = state(loadable)
    assert result.result == 5
    assert (
        after["user names"] - before["user names"]
        == {"mirascope_ops"} | {name for name in after["user names"] if name.startswith("_")} - before["user names"]
    )
    for part in ("cleanup", "post", "tree", "events", "magics"):
        assert after[part] == before[part]
    assert not [name for name in after["attributes"] if name.startswith("_mirascope_ops")]
    assert mirascope_ops.current_session() is None


def test_a_cell_may_reload_what_it_runs_in(loadable):
    extension.load(loadable)
    before = state(loadable)

    result = loadable.run_cell(
        "%%ops_session s -q\nfrom mirascope_ops.notebook import extension as e\n"
        "e.unload(get_ipython()); e.load(get_ipython())\n6"
    )

    after = state(loadable)
    assert result.result == 6
    assert [len(after[part]) for part in ("cleanup", "post", "tree")] == [
        len(before[part]) for part in ("cleanup", "post", "tree")
    ]
    assert after["events"] == before["events"]
    assert loadable.run_cell("%%ops_session t -q\n7").result == 7


def test_unloading_ends_a_started_session_and_forgets_the_cell(loadable):
    extension.load(loadable)
    loadable.run_cell("%ops_session start long")
    running = mirascope_ops.current_session()

    extension.unload(loadable)

    assert running is not None
    assert mirascope_ops.current_session() is None
    assert current_cell() is None
