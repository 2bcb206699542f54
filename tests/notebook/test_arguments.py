"""Reading a magic's line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.error import UsageError

from mirascope_ops.notebook import arguments
from mirascope_ops.notebook.magics import CELL_MAGICS, PARSERS

SESSION = CELL_MAGICS["ops_session"].parser


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("one  two\tthree", ["one", "two", "three"]),
        ("\"two words\" 'and three more'", ["two words", "and three more"]),
        ("it's the user's", ["it's", "the", "user's"]),
        ('"not closed', ['"not', "closed"]),
        ("--id='a b'", ["--id=a b"]),
        ("C:\\new\\path", ["C:\\new\\path"]),
        ('-a tags=["a", "b c"]', ["-a", 'tags=["a", "b c"]']),
        ('-a deep={"a": {"b": [1, 2]}} x', ["-a", 'deep={"a": {"b": [1, 2]}}', "x"]),
        ('-a note="two words"', ["-a", 'note="two words"']),
        ("-a 'note=two words'", ["-a", "note=two words"]),
        ("-a json='{\"a\": 1}'", ["-a", 'json={"a": 1}']),
        ('-a half={"a": 1}x', ["-a", 'half={"a":', "1}x"]),
    ],
)
def test_words_are_split_at_spaces_outside_quotes_and_json(line, words):
    assert arguments.split(line) == words


@given(st.text())
def test_splitting_and_protecting_never_raise(line):
    arguments.split(line)
    arguments.protect(line)
    arguments.wants_help(line)


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("k=text", "text"),
        ("k=3", 3),
        ("k=3.5", 3.5),
        ("k=true", True),
        ("k=null", None),
        ('k="3"', "3"),
        ("k=[1, 2]", [1, 2]),
        ("k=", ""),
        ("k=a=b", "a=b"),
        ("k=NaN", "NaN"),
        ("k=True", "True"),
    ],
)
def test_a_value_is_json_where_it_parses_else_text(pair, value):
    assert arguments.attributes([pair]) == {"k": value}


@pytest.mark.parametrize("pair", ["novalue", "=value"])
def test_an_attribute_without_a_key_is_refused_with_an_example(pair):
    with pytest.raises(UsageError, match="-a user_tier=premium"):
        arguments.attributes([pair])


def test_json_objects_are_protected_from_the_expansion_of_names():
    assert arguments.protect('{user} -a f={"a": {}} -a t={tier}') == '{user} -a f={{"a": {{}}}} -a t={tier}'


@pytest.mark.parametrize("line", ["--nope", "a b", "--id", "-a"])
def test_bad_options_are_answered_with_the_usage(line):
    with pytest.raises(UsageError, match=r"^%%ops_session: .*\nUsage: %%ops_session .*\n%%ops_session -h"):
        arguments.parse("%%ops_session", SESSION, line)


@pytest.mark.parametrize("name", ["1x", "a b", "class", ""])
def test_what_is_no_variable_is_refused(name):
    with pytest.raises(UsageError, match="name of a variable"):
        arguments.variable(name, "--as")


@pytest.mark.parametrize("text", ["0", "-1", "x", "1.5", "²"])
def test_what_is_no_count_is_refused(text):
    with pytest.raises(UsageError, match="at least 1"):
        arguments.positive("--last")(text)


@pytest.mark.parametrize(("line", "meant"), [("--quite", "--quiet"), ("--atribute k=v", "--attribute"), ("--ID=x", "")])
def test_a_misspelt_option_is_answered_with_the_one_that_was_meant(line, meant):
    with pytest.raises(UsageError) as raised:
        arguments.parse("%%ops_session", SESSION, line)

    assert (f"did you mean {meant}?" in str(raised.value)) == bool(meant)


@given(st.text())
def test_the_word_under_way_is_the_end_of_the_line(line):
    done, begun = arguments.last_word(line)

    assert line.endswith(begun)
    assert done == arguments.split(line[: len(line) - len(begun)])


@pytest.mark.parametrize(
    ("name", "line", "says"),
    [
        ("ops_timeline", "user-123", "type: %ops_timeline --session user-123"),
        ("ops_traces", "two words", 'type: %ops_traces --session "two words"'),
        ("ops_spans", "--status eror", "(did you mean error?)"),
        ("ops_session", "user-123", "type: %ops_session start user-123"),
        ("ops_session", "sttart", "(did you mean start?)"),
        ("ops_autotrace", "of", "(did you mean off?)"),
    ],
)
def test_a_word_in_the_wrong_place_is_answered_with_what_to_type(name, line, says):
    with pytest.raises(UsageError) as failed:
        arguments.parse(f"%{name}", PARSERS[f"%{name}"], line)

    assert says in str(failed.value)


def test_help_is_written_for_people():
    for name, parser in PARSERS.items():
        assert arguments.help_text(parser).startswith(f"  {name}")
