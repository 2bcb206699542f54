"""The transformers by themselves, and in a shell of this process, where tracebacks are those of a terminal."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops.notebook import arguments
from mirascope_ops.notebook.runner import Runner
from mirascope_ops.notebook.transform import NAME, CellTransform, HeaderTransform, is_marked

if TYPE_CHECKING:
    from types import TracebackType

transform = HeaderTransform()


class Recording:
    """A runtime that only notes what happens."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def scope(self, header: str) -> _Scope:
        return _Scope(header, self.log)

    def help(self, header: str) -> None:
        self.log.append(f"help {header}")

    def starts(self, cell: Any) -> None:
        self.log.append("cell")


class _Scope:
    def __init__(self, header: str, log: list[str]) -> None:
        self.name = header.split()[1]
        self.quiet = "-q" in header
        self.live = False
        self.log = log

    def __enter__(self) -> None:
        self.log.append(f"enter {self.name}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.log.append(f"leave {self.name}" + (f" {kind.__name__}" if kind else ""))

    def show(self) -> None:
        self.log.append(f"show {self.name}")


@pytest.fixture
def recording(shell):
    """A shell with the transformers and a runtime that notes what happens."""
    runtime = Recording()
    runner = Runner(shell, runtime)
    setattr(shell, NAME, runner)
    shell.input_transformers_cleanup.append(HeaderTransform())
    shell.ast_transformers.append(CellTransform(lambda: shell.ast_node_interactivity, arguments.wants_help))
    shell.events.register("pre_run_cell", runner.pre_run_cell)
    shell.events.register("post_run_cell", runner.post_run_cell)
    return shell, runtime.log


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["\n"],
        ["x = 1\n"],
        ["%%ops_sessions\n", "x\n"],
        ["%%ops_session?\n"],
        ["%%time\n", "%%ops_session a\n"],
        [" %%ops_session a\n"],
        ["x\n", "%%ops_session a\n"],
        ["'''\n", "%%ops_session a\n", "'''\n"],
    ],
)
def test_cells_without_a_header_at_the_top_stay_as_they_are(lines):
    assert transform(list(lines)) == lines


@given(
    st.lists(st.sampled_from(["%%ops_session a\n", "%%ops_trace\n", "\n", "  x\n", "%%time\n", "'\n", "\\\n", "é\n"]))
)
def test_a_header_transform_never_raises_and_later_lines_keep_their_numbers(body):
    lines = ['%%ops_session it\'s "odd" {\n', *body]

    transformed = transform(lines)

    assert is_marked(transformed[0])
    if not any(line.startswith("%%time") for line in body):
        assert len(transformed) == len(lines)


def test_completeness_checks_leave_the_header_alone():
    assert HeaderTransform.has_side_effects


def test_a_module_without_a_marker_is_left_alone():
    module = ast.parse("x = 1\n'text'\nget_ipython().something('a')")
    before = ast.dump(module)

    after = CellTransform(lambda: "last_expr", lambda _: False).visit(module)

    assert ast.dump(after) == before


def test_headers_are_entered_in_order_left_in_reverse_and_show_one_card(recording):
    shell, log = recording

    shell.run_cell("%%ops_session outer\n\n%%ops_session inner\nx = 1")

    assert log == ["cell", "enter outer", "enter inner", "leave inner", "leave outer", "show outer"]


def test_the_card_inside_is_shown_where_the_one_around_is_not_wanted(recording):
    shell, log = recording

    shell.run_cell("%%ops_session outer -q\n%%ops_session inner\nx = 1")

    assert log[-1] == "show inner"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("1/0", "ZeroDivisionError"),
        ("x = 1\nreturn x", "SyntaxError"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ],
)
def test_a_session_is_left_with_the_error_that_ended_its_cell(recording, body, error):
    shell, log = recording

    result = shell.run_cell(f"%%ops_session s\n{body}")

    assert not result.success
    assert log == ["cell", "enter s", f"leave s {error}", "show s"]


def test_cells_that_do_not_parse_enter_nothing(recording):
    shell, log = recording

    result = shell.run_cell("%%ops_session s\nx = = 1")

    assert isinstance(result.error_before_exec, SyntaxError)
    assert log == ["cell"]


def test_names_are_expanded_in_the_cells_namespace(recording):
    shell, log = recording
    shell.user_ns["user"] = "ann"

    shell.run_cell("%%ops_session chat-{user}-$user\n0")

    assert "enter chat-ann-ann" in log


def test_help_takes_the_place_of_the_body(recording):
    shell, log = recording

    result = shell.run_cell("%%ops_session s -h\nran = True")

    assert result.success
    assert log == ["cell", "help %%ops_session s -h"]
    assert "ran" not in shell.user_ns


def test_a_cell_run_by_a_cell_is_a_cell_of_its_own_but_the_running_cell_stays(recording):
    shell, log = recording

    shell.run_cell("%%ops_session a\nget_ipython().run_cell('%%ops_session b\\n1/0')\nget_ipython().run_cell('')")

    assert log == ["cell", "enter a", "enter b", "leave b ZeroDivisionError", "show b", "leave a", "show a"]


def test_a_marker_that_is_run_as_text_complains(recording, capsys):
    shell, _ = recording

    result = shell.run_cell("%%prun\n%%ops_session s\nran = True")

    assert "must be the first line of the cell" in str(result.error_in_exec)
    assert "ran" not in shell.user_ns


def test_a_loop_over_the_cell_shows_its_last_card_only(recording):
    shell, log = recording

    shell.run_cell("%%timeit -n 3 -r 1\n%%ops_session s\npass")

    assert log.count("enter s") == log.count("leave s") >= 3
    assert log.count("show s") == 1


def test_values_are_not_kept_after_the_cell(recording):
    shell, _ = recording

    shell.run_cell("%%ops_session s\nobject()", store_history=True)

    runner = getattr(shell, NAME)
    assert not runner._kept
    assert not runner._open


@pytest.mark.parametrize(
    "body",
    [
        "x = 1\n\n1/0",
        "def f(v):\n    return v / 0\nf(1)",
        "a = [\n    1,\n    1/0,\n]",
        "1/0",
    ],
)
def test_coloured_tracebacks_of_a_terminal_differ_in_the_header_line_only(recording, monkeypatch, body):
    shell, _ = recording
    shown: list[list[str]] = []
    monkeypatch.setattr(shell, "_showtraceback", lambda _kind, _value, stb: shown.append("\n".join(stb).splitlines()))
    shell.colors = "linux"

    shell.run_cell(f"# just a comment\n{body}")
    shell.run_cell(f"%%ops_session s -q\n{body}")

    plain, ours = shown
    differing = [(a, b) for a, b in zip(plain, ours, strict=True) if a != b and "<ipython-input" not in a]
    assert all("comment" in a for a, _ in differing)
    assert not any(NAME in line for line in ours)


def test_a_function_of_a_marked_cell_keeps_its_colours_when_another_cell_calls_it(recording, monkeypatch):
    shell, _ = recording
    shown: list[str] = []
    monkeypatch.setattr(shell, "_showtraceback", lambda _kind, _value, stb: shown.append("\n".join(stb)))
    shell.colors = "linux"
    shell.run_cell("1/0")  # IPython loads what colours tracebacks on the first error

    shell.run_cell("# c\ndef f(v):\n    return v / 0")
    shell.run_cell("f(1)")
    shell.run_cell("%%ops_session s -q\ndef f(v):\n    return v / 0")
    shell.run_cell("f(1)")

    assert shown[1].splitlines()[-6:] == shown[2].splitlines()[-6:]


def test_a_traceback_made_by_hand_shows_the_users_header(recording):
    shell, _ = recording

    shell.run_cell(
        "%%ops_session s -q\nimport linecache, sys\nlines = linecache.getlines(sys._getframe().f_code.co_filename)"
    )

    assert shell.user_ns["lines"][:2] == ["%%ops_session s -q\n", "import linecache, sys\n"]
