"""The program as a process: how it ends, what it loads, what it shows in a terminal, and completion in shells."""

from __future__ import annotations

import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from cli_samples import trace
from sample_records import MS, T0

from mirascope_ops.cli import main
from mirascope_ops.store.sqlite import SqliteStore

PROGRAM = [sys.executable, "-m", "mirascope_ops"]
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def command(tmp_path):
    """A folder in which the program is, as it is where it was installed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "mirascope-ops"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m mirascope_ops "$@"\n')
    script.chmod(0o755)
    return folder


# -- how it ends --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        ([], 0),
        (["--version"], 0),
        (["sessions"], 0),
        (["show", "nothing"], 1),
        (["--store", "missing.db", "stats"], 1),
        (["sesions"], 2),
        (["sessions", "--nothing"], 2),
        (["sessions", "--limit", "-1"], 2),
        (["traces", "--since", "never"], 2),
        (["show", "a", "b"], 2),
    ],
)
def test_exit_codes(process, arguments, code):
    done = process(*arguments)

    assert done.code == code
    assert bool(done.err) == (code != 0)
    assert "Traceback" not in done.err


def test_every_command_has_help_whose_lists_are_lists(cli):
    commands = re.findall(r"(?m)^  ([a-z]+)  +[A-Z]", cli("--help").out)
    helped = {name: cli(name, "-h") for name in commands}

    assert len(commands) == 12
    assert not [name for name, done in helped.items() if done.code or "\\b" in done.out]
    assert "\n  .parquet         the spans table\n" in helped["export"].out
    assert '\n  bash  eval "$(mirascope-ops completion bash)"' in helped["completion"].out


def test_a_misspelt_command_is_answered_with_the_one_that_was_meant(process):
    assert "Did you mean sessions?" in process("sesions").err


def test_a_reader_that_goes_away_ends_it_without_a_word(environment, store):
    kept = SqliteStore(store)
    kept.write([span for number in range(16, 200) for span in trace(f"{number:x}", "x" * 500, T0 + number * MS)])
    kept.close()

    for arguments in (["traces", "-n", "0", "--json"], ["export", "-"], ["show", "--format", "html"]):
        with subprocess.Popen(
            [*PROGRAM, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        ) as running:
            running.stdout.read(1)
            running.stdout.close()
            said = running.stderr.read()

        assert said == b""
        assert running.returncode in {0, -signal.SIGPIPE}  # what is small is written before anybody goes


def test_ctrl_c_ends_it_without_a_word(environment):
    with subprocess.Popen(
        [*PROGRAM, "import", "-"],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    ) as running:
        running.stdin.write(b'{"resourceSpans":[]}\n' * 10_000)  # more than a pipe holds: it reads by now
        running.send_signal(signal.SIGINT)
        out, err = running.communicate()

    assert (out, err) == (b"", b"")
    assert running.returncode == -signal.SIGINT


def test_an_output_that_cannot_be_written_is_a_failure(environment):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*PROGRAM, "traces"], env=environment, stdout=full, stderr=subprocess.PIPE, check=False)

    assert done.returncode == 1
    assert b"No space left on device" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
@pytest.mark.parametrize("arguments", ["sessions", "show --json", "export -", "delete nothing"])
def test_it_runs_with_closed_streams(environment, arguments, closed):
    code = 1 if arguments == "delete nothing" else 0

    done = subprocess.run(
        f"{sys.executable} -m mirascope_ops {arguments} {closed}",
        shell=True,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_the_script_of_the_wheel_is_the_program():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

    module, function = scripts["mirascope-ops"].split(":")
    assert getattr(import_module(module), function) is main


def test_without_click_the_error_names_the_extra(environment):
    code = "import sys; sys.modules['click'] = None; from mirascope_ops.cli import main; sys.exit(main(['stats']))"

    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert 'pip install "mirascope_ops[cli]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_without_rich_a_terminal_gets_plain_text(environment):
    code = "import sys; sys.modules['rich.console'] = None; from mirascope_ops.cli import main; sys.exit(main())"

    done = subprocess.run(
        [sys.executable, "-c", code, "sessions"],
        env={**environment, "FORCE_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "user-1" in done.stdout
    assert "\x1b" not in done.stdout


def test_what_a_locale_cannot_write_is_written_as_escapes(process):
    done = process("sessions", PYTHONIOENCODING="latin-1")

    assert (done.code, done.err) == (0, "")
    assert r"\u2715 error" in done.out
    assert done.out.isascii()


# -- what it loads ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [["--help"], ["stats"], ["sessions"], ["traces", "--json"], ["show"]])
def test_little_is_loaded(environment, arguments):
    code = """
        import sys
        from mirascope_ops.cli import main

        main(sys.argv[1:])
        print(*sys.modules, file=sys.stderr)
        """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )

    loaded = set(done.stderr.split())
    heavy = {"pandas", "plotly", "numpy", "pyarrow", "IPython", "rich", "tqdm", "tornado", "mirascope"}
    assert "mirascope_ops.cli" in loaded
    assert loaded & heavy == set()
    if arguments == ["--help"]:
        assert "sqlite3" not in loaded


# -- in a terminal ------------------------------------------------------------------------------------------------


@pytest.fixture
def terminal(environment):
    """Run a command in a terminal of so many columns; gives all that reached the screen."""

    def run(*arguments, columns=100, typed=b"", **variables):
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [*PROGRAM, *arguments],
            env={**environment, "TERM": "xterm-256color", "COLUMNS": str(columns), **variables},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            close_fds=True,
        ) as running:
            os.close(theirs)
            os.write(ours, typed)
            shown = b""
            while True:
                try:
                    more = os.read(ours, 65_536)
                except OSError:  # so Linux says that nobody has the other end any more
                    break
                if not more:
                    break
                shown += more
        os.close(ours)
        return running.returncode, shown.decode().replace("\r\n", "\n")

    return run


STYLE = re.compile(r"\x1b\[[0-9;]*m")


def test_a_terminal_gets_colours_and_short_ids(terminal):
    code, shown = terminal("traces", columns=160)

    assert code == 0
    assert "\x1b[31m✕ error\x1b[0m" in shown
    assert re.search(r"\nb1b1b1b1 +fails", STYLE.sub("", shown))


@pytest.mark.parametrize("columns", [24, 60, 120])
@pytest.mark.parametrize("arguments", [["sessions"], ["traces"], ["show", "user-1"], ["show", "b1b1"]])
def test_lines_fit_the_terminal(terminal, arguments, columns):
    _, shown = terminal(*arguments, columns=columns)

    lines = STYLE.sub("", shown).splitlines()
    assert lines
    assert max(map(len, lines)) <= columns


def test_no_colour_where_none_is_wanted(terminal):
    _, shown = terminal("traces", NO_COLOR="1")

    assert not re.search(r"\x1b\[(?:[0-9;]*;)?[34][0-9]", shown)


@pytest.mark.parametrize("arguments", [["traces"], ["show"], ["show", "--json"], ["show", "-f", "markdown"]])
def test_only_our_own_styles_reach_a_terminal(terminal, arguments):
    _, shown = terminal(*arguments, columns=200)

    plain = STYLE.sub("", shown)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", plain)
    assert "pwned" in plain
    assert "[red]x[/red]" in plain


def test_long_lines_of_a_tree_go_on_below_their_beginning(terminal):
    _, shown = terminal("show", "b1b1", columns=48)

    lines = STYLE.sub("", shown).splitlines()
    first = lines.index("└─ llm chat · gpt-4o-mini · +1.0 ms · 6.0 ms ·")
    assert lines[first + 1] == "   1.2k → 42 tokens"


def test_a_person_is_asked_before_something_is_deleted(terminal):
    _, refused = terminal("delete", "user-2", typed=b"n\n")
    code, agreed = terminal("delete", "user-2", typed=b"y\n")

    assert "Delete session user-2: 2 spans, 1 run, for good? [y/N]" in refused
    assert "Nothing was deleted." in refused
    assert code == 0
    assert "Deleted 2 spans of session user-2." in agreed


def test_binary_formats_are_not_written_to_a_terminal(terminal):
    code, shown = terminal("export", "-", "--format", "protobuf")

    assert code == 2
    assert "nothing for a terminal" in shown


# -- completion ---------------------------------------------------------------------------------------------------


def complete_in_bash(words, command, environment):
    """What the tab key offers in a bash that has evaluated the script."""
    *_, last = words
    program = f"""
        eval "$(mirascope-ops completion bash)"
        COMP_WORDS=({" ".join(f"'{word}'" for word in words)})
        COMP_CWORD={len(words) - 1}
        $(complete -p mirascope-ops | sed 's/.*-F \\([^ ]*\\) .*/\\1/') mirascope-ops '{last}' ''
        printf '%s\\n' "${{COMPREPLY[@]}}"
        """
    done = subprocess.run(
        ["bash", "--norc", "--noprofile", "-c", program],
        env={**environment, "PATH": f"{command}:{environment['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["mirascope-ops", "s"], ["sessions", "show", "stats"]),
        (["mirascope-ops", "sessions", "--st"], ["--status", "--store"]),
        (["mirascope-ops", "sessions", "--status", "o"], ["ok", "open"]),
        (["mirascope-ops", "show", "user"], ["user-2", "user-1"]),
        (["mirascope-ops", "show", "b1"], ["b1" * 16]),
        (["mirascope-ops", "delete", "in"], ["inner"]),
        (["mirascope-ops", "traces", "--session", "user-1"], ["user-1"]),
        (["mirascope-ops", "completion", "z"], ["zsh"]),
    ],
)
def test_bash_completes_commands_options_and_ids(words, offered, command, environment):
    assert complete_in_bash(words, command, environment) == offered


def test_ids_that_a_shell_would_obey_are_not_offered(command, environment, store):
    kept = SqliteStore(store)
    names = ("x$(touch pwned)", "x;ls", "x y", "x`ls`", "x'", "x-good")
    kept.write([span for n, name in enumerate(names) for span in trace(f"{n + 16:x}", "n", T0, session_id=name)])
    kept.close()

    assert complete_in_bash(["mirascope-ops", "show", "x"], command, environment) == ["x-good"]


def test_without_a_store_nothing_is_offered_and_nothing_made(command, environment, tmp_path):
    missing = tmp_path / "none" / "spans.db"

    offered = complete_in_bash(
        ["mirascope-ops", "show", "u"], command, {**environment, "MIRASCOPE_OPS_STORE": str(missing)}
    )

    assert offered == []
    assert not missing.parent.exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_script_that_it_can_read(process, shell, tmp_path):
    done = process("completion", shell)

    assert done.code == 0
    assert "_MIRASCOPE_OPS_COMPLETE" in done.out
    if found := shutil.which(shell):
        script = tmp_path / "script"
        script.write_text(done.out)
        flag = "--no-execute" if shell == "fish" else "-n"
        subprocess.run([found, flag, script], check=True)


def test_the_shell_is_known_by_its_variable(process):
    assert process("completion", SHELL="/usr/bin/fish").out == process("completion", "fish").out
    assert process("completion", SHELL="/bin/tcsh").code == 2
