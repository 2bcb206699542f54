"""Tab completion behind the magics, as a frontend asks for it."""

from __future__ import annotations

import pytest

from mirascope_ops.notebook import arguments
from mirascope_ops.notebook.magics import PARSERS
from tests.notebook.conftest import PATIENCE

pytestmark = pytest.mark.slow

SETUP = """
from mirascope_ops import ops
for name in ("conv-1", "conv-2", "two words", 'say "hi"', "user@host/1", "cost $5", "-dash"):
    with ops.session(name):
        with ops.span("retrieve documents"), ops.span("rerank"):
            pass
"""


@pytest.fixture(scope="module")
def complete(kernel):
    assert kernel.run(SETUP).status == "ok"

    def complete(code, cursor=None):
        """Give the matches, and the text that they replace."""
        kernel.client.complete(code, cursor)
        reply = kernel.client.get_shell_msg(timeout=PATIENCE)["content"]
        assert reply["status"] == "ok"
        return reply["matches"], code[reply["cursor_start"] : reply["cursor_end"]]

    return complete


@pytest.mark.parametrize("magic", PARSERS)
def test_every_option_of_every_magic_is_offered(complete, magic):
    matches, replaced = complete(f"{magic} --")

    assert matches == [option for option in arguments.options(PARSERS[magic]) if option.startswith("--")]
    assert "--help" in matches
    assert replaced == "--"


def test_an_option_that_was_given_is_not_offered_again(complete):
    assert "--last" not in complete("%ops_spans --last 3 --l")[0]
    assert complete("%%ops_session -a k=v --attr")[0] == ["--attribute"]


@pytest.mark.parametrize(
    "line", ["%ops_spans --session conv", "%%ops_session conv", "%%ops_session --id conv", "%ops_session start conv"]
)
def test_session_ids_are_completed_the_newest_first(complete, line):
    matches, replaced = complete(line)

    assert matches == ["conv-2", "conv-1"]
    assert replaced == "conv"


def test_session_ids_are_completed_in_the_first_line_of_a_cell_with_a_body(complete):
    code = "%%ops_session us\nwork()\n"

    assert complete(code, len("%%ops_session us")) == (["user@host/1"], "us")


def test_ids_with_spaces_are_quoted_and_those_that_no_line_can_say_are_not_offered(complete):
    matches, _ = complete("%ops_traces --session ")

    assert '"two words"' in matches
    assert "'say \"hi\"'" in matches
    assert not [match for match in matches if "$" in match]
    assert complete('%ops_traces --session "two') == (['"two words"'], '"two')


@pytest.mark.parametrize(
    ("line", "matches"),
    [
        ("%ops_session st", ["start", "stop", "status"]),
        ("%ops_autotrace ", ["on", "off", "--help"]),
        ("%ops_spans --kind re", ["retriever"]),
        ("%ops_spans --status e", ["error"]),
        ("%ops_spans --name re", ["rerank"]),
        ("found = %ops_spans --kind ll", ["llm"]),
    ],
)
def test_words_that_an_option_takes_are_offered(complete, line, matches):
    found, _ = complete(line)

    assert found == matches


def test_other_completion_is_as_it_was(complete):
    assert "conv-1" not in complete("con")[0]
    assert "%%ops_session" in complete("%%ops_s")[0]
    assert any(match.endswith("get_session") for match in complete("ops.get_s")[0])


def test_a_store_that_fails_completes_options_only(complete, kernel):
    kernel.run("from mirascope_ops import reading, OpsError\nkept = reading.sessions")
    kernel.run("def broken(**k): raise OpsError('store')\nreading.sessions = broken")

    matches, _ = complete("%%ops_session ")
    kernel.run("reading.sessions = kept")

    assert "--id" in matches
