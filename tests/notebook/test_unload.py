"""`%load_ext`, `%reload_ext`, `%unload_ext`: nothing is there twice, and nothing is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.notebook.conftest import start_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.notebook.conftest import Kernel

pytestmark = pytest.mark.slow

# Everything in a shell that an extension can change, as text.
STATE = """
def state():
    import builtins, linecache, logging, sys, warnings
    def texts(objects):
        return sorted(map(repr, objects))
    def names(namespace):
        return sorted(n for n in namespace if not n.strip('_').lstrip('i').isdigit())
    shell = get_ipython()
    formatters = {**shell.display_formatter.formatters, 'bundle': shell.display_formatter.mimebundle_formatter}
    return {
        'cleanup': texts(shell.input_transformers_cleanup),
        'post': texts(shell.input_transformers_post),
        'manager': texts(shell.input_transformer_manager.cleanup_transforms),
        'ast': texts(shell.ast_transformers),
        'magics': {kind: texts(magics.items()) for kind, magics in shell.magics_manager.magics.items()},
        'registry': sorted(shell.magics_manager.registry),
        'configurables': [type(c).__name__ for c in shell.configurables],
        'events': {event: texts(callbacks) for event, callbacks in shell.events.callbacks.items()},
        'user_ns': names(shell.user_ns),
        'user_ns_hidden': names(shell.user_ns_hidden),
        'builtins': sorted(vars(builtins)),
        'formatters': {
            mime: texts([*f.singleton_printers.items(), *f.type_printers.items(), *f.deferred_printers.items()])
            for mime, f in formatters.items()
        },
        'attributes': sorted(vars(shell)),
        'class': sorted(vars(type(shell))),
        'hooks': texts([sys.displayhook, sys.excepthook, builtins.print, linecache.checkcache, linecache.getlines,
                        warnings.showwarning, shell._showtraceback, shell.custom_exceptions, shell.run_cell]),
        'matchers': texts(shell.Completer.custom_matchers),
        'log handlers': texts(logging.getLogger().handlers),
    }
"""


@pytest.fixture
def fresh(tmp_path) -> Iterator[Kernel]:
    for kernel in start_kernel(tmp_path):
        assert kernel.run(STATE).status == "ok"
        kernel.run("%load_ext storemagic")  # IPython's own magics for extensions are made when they are first used
        kernel.run("state()", history=False)
        yield kernel


def state(kernel: Kernel) -> dict:
    return kernel.value("state()")


def test_unload_restores_exactly_what_was_there(fresh):
    before = state(fresh)
    assert fresh.run("%load_ext mirascope_ops").status == "ok"
    loaded = state(fresh)
    cell = fresh.run("%%ops_session s\n1/0")
    fresh.run("%%ops_session s -q\nimport asyncio\nawait asyncio.sleep(0)")
    fresh.run("del asyncio\n%ops_session start several")

    assert fresh.run("%unload_ext mirascope_ops").status == "ok"

    assert cell.error == "ZeroDivisionError: division by zero"
    unchanged = {"builtins", "class", "hooks", "log handlers", "user_ns", "user_ns_hidden"}
    assert {key for key in before if loaded[key] == before[key]} == unchanged
    assert state(fresh) == before
    assert fresh.value("__import__('mirascope_ops').current_session()") is None
    assert fresh.value("__import__('mirascope_ops.core.cell').core.cell.current_cell()") is None
    assert fresh.value("__import__('mirascope_ops.core.cell').core.cell.cells_in('  File \"x\", line 1')") == {}


@pytest.mark.parametrize("again", ["%load_ext mirascope_ops", "%reload_ext mirascope_ops"])
def test_loading_twice_installs_everything_once(fresh, again):
    before = state(fresh)
    fresh.run("%load_ext mirascope_ops")
    loaded = state(fresh)

    assert fresh.run(again).status == "ok"
    counts = [{key: len(value) for key, value in each.items()} for each in (loaded, state(fresh))]
    reply = fresh.run("%%ops_session s\n1")
    fresh.run("%unload_ext mirascope_ops")

    assert counts[0] == counts[1]
    assert (reply.result, len(reply.displayed)) == ("1", 1)
    assert state(fresh) == before


def test_unload_inside_a_sessions_cell_lets_that_cell_end_well(fresh):
    before = state(fresh)
    fresh.run("%load_ext mirascope_ops\nfrom mirascope_ops import ops")

    reply = fresh.run(
        "%%ops_session last\nwith ops.span('a'): pass\n%unload_ext mirascope_ops\nops.current_session().id"
    )
    fresh.run("del ops")

    assert (reply.status, reply.result) == ("ok", "'last'")
    assert fresh.value("__import__('mirascope_ops').current_session()") is None
    assert state(fresh) == before


def test_what_a_user_registered_under_our_names_comes_back(fresh):
    fresh.run("""
from IPython.core.magic import register_line_magic
@register_line_magic
def ops_spans(line):
    return 'mine'
""")
    before = state(fresh)
    fresh.run("%load_ext mirascope_ops")
    ours = fresh.run("x = %ops_spans\ntype(x).__name__", history=False).result
    fresh.run("%unload_ext mirascope_ops\ndel x", history=False)

    assert ours == "'SpanSet'"
    assert fresh.run("%ops_spans").result == "'mine'"
    assert state(fresh) == before


def test_a_tracer_provider_that_is_there_is_kept(fresh):
    fresh.run("from opentelemetry import trace\nfrom opentelemetry.sdk.trace import TracerProvider")
    fresh.run("mine = TracerProvider(); trace.set_tracer_provider(mine)")

    loading = fresh.run("%load_ext mirascope_ops\nfrom mirascope_ops import ops")
    fresh.run("%%ops_session s -q\nwith trace.get_tracer('x').start_as_current_span('stock'): pass")

    assert (loading.status, loading.outputs) == ("ok", [])
    assert fresh.value("trace.get_tracer_provider() is mine") is True
    assert fresh.value("[s.name for s in ops.get_session('s').spans]") == ["stock"]
