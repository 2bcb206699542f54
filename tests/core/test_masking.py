"""Masking: values under secret names stay out of the trace, and names that only look so stay in."""

from __future__ import annotations

import itertools
import json

import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops import ops
from mirascope_ops.core.capture import attribute, dump
from mirascope_ops.core.masking import MASK, is_secret, mask, mask_repr, may_hold_secret

SECRET = [
    "authorization",
    "Authorization",
    "Proxy-Authorization",
    "api_key",
    "apikey",
    "apiKey",
    "API-Key",
    "X-API-Key",
    "OPENAI_API_KEY",
    "openai.api_key",
    "password",
    "PASSWORD",
    "db_password",
    "passwd",
    "passphrase",
    "token",
    "access_token",
    "accessToken",
    "refresh_token",
    "github_token",
    "HF_TOKEN",
    "bearer",
    "secret",
    "client_secret",
    "clientSecret",
    "aws_secret_access_key",
    "AWS_SECRET_ACCESS_KEY",
    "access_key_id",
    "AccessKeyId",
    "aws_access_key_id",
    "private_key",
    "cookie",
    "Set-Cookie",
    "Cookie",
    "credentials",
    "x-auth-token",
    "X-CSRF-Token",
    "session_token",
    "connection_string",
]
HARMLESS = [
    "max_tokens",
    "tokens",
    "input_tokens",
    "total_tokens",
    "token_count",
    "tokenizer",
    "num_tokens",
    "prompt_tokens",
    "stop_token",
    "eos_token",
    "pad_token_id",
    "key",
    "keys",
    "keyword",
    "primary_key",
    "author",
    "authors",
    "authority",
    "secretary",
    "cookies_eaten",
    "cookie_recipe",
    "passwordless",
    "password_length",
    "monkey",
    "turkey",
    "session_id",
    "question",
    "",
]


@pytest.mark.parametrize("name", SECRET)
def test_values_under_secret_names_are_masked_wherever_they_stand(name):
    value = "sk-1-hidden"
    shapes = [
        dump(value, name),
        dump({name: value}),
        dump({"headers": {name: value, "accept": "*/*"}}),
        dump([{"deep": [{name: [value, {"more": value}]}]}]),
        str(attribute(value, name)),
        str(attribute({name: value}, "config")),
    ]

    assert is_secret(name)
    assert not [shape for shape in shapes if value in shape]
    assert all(MASK in shape for shape in shapes)


@pytest.mark.parametrize("name", HARMLESS)
def test_values_under_other_names_are_kept(name):
    assert not is_secret(name)
    assert json.loads(dump({name: "kept"})) == {name: "kept"}
    assert attribute(128, name) == 128


@pytest.mark.parametrize("value", [1, 1.5, True, "text", ["a"], {"a": "b"}], ids=repr)
def test_secrets_of_any_type_are_masked(value):
    assert json.loads(dump({"token": value})) == {"token": MASK}
    assert attribute(value, "token") == MASK


def test_what_stands_beside_a_secret_is_kept():
    value = {"api_key": "sk-1", "n": [1, {"token": "t", "max_tokens": 5}], "text": "é🙂", "none": None}

    assert json.loads(dump(value)) == {
        "api_key": MASK,
        "n": [1, {"token": MASK, "max_tokens": 5}],
        "text": "é🙂",
        "none": None,
    }


@given(
    st.sampled_from(SECRET),
    st.sampled_from(["", " ", "_", "-", ":", ".", "/"]),
    st.sampled_from(["", " ", "_", "-", ":"]),
)
def test_a_name_that_counts_as_secret_is_masked_inside_a_value_too(name, before, after):
    spelled = f"{before}{name}{after}"
    if is_secret(spelled):
        assert may_hold_secret(json.dumps({spelled: 1}, separators=(",", ":")))
        assert "hidden" not in dump({spelled: "hidden"})


WORDS = ["pass", "word", "api", "key", "access", "id", "token", "client", "secret", "pwd", "auth"]


@pytest.mark.parametrize("separator", ["", "_", "-", " ", "."])
def test_an_argument_and_a_mapping_key_of_one_name_are_treated_alike(separator):
    names = [separator.join(words) for count in (1, 2, 3) for words in itertools.product(WORDS, repeat=count)]

    masked = {name for name in names if "hidden" not in dump("hidden", name)}
    masked_inside = {name for name in names if "hidden" not in dump({name: "hidden"})}

    assert masked == masked_inside


def test_arguments_under_secret_names_are_masked(only):
    @ops.trace
    def connect(host: str, password: str, *, api_key: str = "sk-default", **more: str) -> dict[str, str]:
        return {"host": host, "token": password}

    assert connect("db", "sk-1", api_key="sk-2", client_secret="sk-3", max_tokens="4")["token"] == "sk-1"

    stored = only()
    assert "sk-" not in str(stored._asdict())
    assert json.loads(stored.attributes["mirascope.trace.arg_values"]) == {
        "host": "db",
        "password": MASK,
        "api_key": MASK,
        "more": {"client_secret": MASK, "max_tokens": "4"},
    }
    assert json.loads(stored.output) == {"host": "db", "token": MASK}


def test_a_secret_default_is_masked(only):
    @ops.trace
    def connect(host: str, api_key: str = "sk-default") -> None:
        pass

    connect("db")

    assert "sk-default" not in str(only()._asdict())


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_columns_under_secret_names_are_masked(library):
    users = library.DataFrame({"name": ["Ada"], "api_key": ["sk-1"]})

    assert json.loads(dump(users))["head"] == [["Ada", MASK]]
    assert json.loads(dump(users["name"]))["head"] == ["Ada"]
    assert json.loads(dump(users["api_key"]))["head"] == [MASK]
    ops.configure(mask_secrets=False)
    assert json.loads(dump(users))["head"] == [["Ada", "sk-1"]]


def test_secrets_in_the_message_of_an_exception_that_is_a_value_are_masked():
    error = ValueError({"user": "ada", "password": "hunter2"})

    assert json.loads(dump(error))["message"] == "{'user': 'ada', 'password': [masked]}"


def test_masking_can_be_switched_off(only):
    ops.configure(mask_secrets=False)

    @ops.trace
    def connect(api_key: str) -> None:
        pass

    connect("sk-1")

    assert json.loads(only().attributes["mirascope.trace.arg_values"]) == {"api_key": "sk-1"}


def test_the_data_that_is_masked_is_a_copy():
    value = {"token": "t", "list": [{"password": "p"}]}

    mask(value)

    assert value == {"token": "t", "list": [{"password": "p"}]}


# -- the user's own rule ---------------------------------------------------------------------------


def hide_mail(key, value):
    return "[mail]" if isinstance(value, str) and "@" in value else value


def test_redact_changes_what_is_captured_everywhere(recorded):
    ops.configure(redact=hide_mail)

    @ops.trace
    def send(to: str, options: dict[str, list[str]]) -> str:
        return f"sent to {to}"

    @ops.trace
    def stream(to: str):
        yield to

    send("ada@x.org", {"cc": ["bob@x.org", "no mail"]})
    list(stream("ada@x.org"))
    with ops.span("work", to="ada@x.org") as span:
        span.set(cc=["bob@x.org", "no mail"], nested={"bcc": "eve@x.org"})
        span.event("sent", to="ada@x.org")
    with pytest.raises(ValueError, match="ada"), ops.span("fails"):
        raise ValueError("ada@x.org")

    told = str([span._asdict() for span in recorded() if span.name != "fails"])
    assert "@x.org" not in told
    assert "no mail" in told
    assert recorded().filter(name="fails")[0].error_message == "[mail]"


def test_redact_is_told_the_key(recorded):
    seen = {}

    def note(key, value):
        seen[key] = value
        return value

    ops.configure(redact=note)

    @ops.trace
    def send(to: str, count: int, options: dict[str, int]) -> None:
        pass

    send("ada", 3, {"retries": 2})
    with ops.span("work", owner="ada", size=7, ratio=0.5, exact=True) as span:
        span.event("sent", receipt="r1")

    assert {key: seen.get(key) for key in ("to", "count", "retries", "owner", "size", "ratio", "exact", "receipt")} == {
        "to": "ada",
        "count": 3,
        "retries": 2,
        "owner": "ada",
        "size": 7,
        "ratio": 0.5,
        "exact": True,
        "receipt": "r1",
    }


def test_redact_may_hide_numbers(recorded):
    ops.configure(redact=lambda key, value: 0 if value == 123456789 else value)

    @ops.trace
    def identity(number: int) -> int:
        return number

    identity(123456789)
    with ops.span("work", number=123456789):
        pass

    assert "123456789" not in str([(span.input, span.output, dict(span.attributes)) for span in recorded()])


def test_redact_does_not_see_what_is_masked_already(only):
    seen = []
    ops.configure(redact=lambda key, value: seen.append(value) or value)

    @ops.trace
    def connect(api_key: str, options: dict[str, str]) -> None:
        pass

    connect("sk-1", {"token": "sk-2"})

    assert "sk-" not in str([value for value in seen if not isinstance(value, dict)])
    assert "sk-" not in str(only()._asdict())


def test_redact_never_changes_what_the_program_sees():
    ops.configure(redact=lambda key, value: "[gone]")

    @ops.trace
    def identity(value: dict[str, list[int]]) -> dict[str, list[int]]:
        return value

    given_value = {"a": [1]}

    assert identity(given_value) is given_value
    assert given_value == {"a": [1]}


def explode(key, value):
    raise RuntimeError("redact")


def test_a_redact_that_raises_lets_nothing_through_and_breaks_nothing(lenient, recorded):
    ops.configure(redact=explode)

    @ops.trace
    def identity(value: str) -> str:
        return value

    @ops.trace
    def stream():
        yield "hidden words"

    with ops.session(id="a", attributes={"note": "hidden words"}):
        assert identity("hidden words") == "hidden words"
        assert list(stream()) == ["hidden words"]
        with ops.span("work", note="hidden words") as span:
            span.set(note="hidden words", notes=["hidden words"])
            span.event("tick", note="hidden words")
            span.info("hidden words")
        with pytest.raises(ValueError, match="hidden"), ops.span("fails"):
            raise ValueError("hidden words")

    names = [span.name for span in recorded()]
    assert len(names) == 4
    assert [span.name for span in recorded() if "hidden words" in str(span._asdict())] == []
    assert recorded().filter(name="fails")[0].status == "error"


@pytest.mark.parametrize("result", [None, object(), b"x", {1, 2}, float("nan"), "lone \ud800", 10**30], ids=repr)
def test_redact_may_return_anything(recorded, result):
    ops.configure(redact=lambda key, value: result)

    @ops.trace
    def identity(value: str) -> str:
        return value

    assert identity("original") == "original"
    with ops.span("work", note="original") as span:
        span.event("tick", note="original")

    told = str([dict(span.attributes) for span in recorded()])
    assert "original" not in told
    told.encode("utf-8", "strict")


def test_redact_can_be_taken_away(only):
    ops.configure(redact=hide_mail)
    ops.configure(redact=None)
    with ops.span("work", to="ada@x.org"):
        pass

    assert only().attributes["to"] == "ada@x.org"


def test_redact_that_is_no_function_is_refused():
    with pytest.raises(ops.ConfigurationError, match="redact"):
        ops.configure(redact="password")


# -- in what objects say of themselves -------------------------------------------------------------


class Client:
    def __init__(self, told: str) -> None:
        self._told = told

    def __repr__(self) -> str:
        return self._told


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("Client(api_key='sk-1', host='db')", f"Client(api_key={MASK}, host='db')"),
        ('Client(password="it\'s sk-1", n=1)', f"Client(password={MASK}, n=1)"),
        (r"Client(password='it\'s, sk-1', n=1)", f"Client(password={MASK}, n=1)"),
        ("<Client token=sk-1 at 0x7f>", f"<Client token={MASK} at 0x7f>"),
        (
            "Client({'Authorization': 'Bearer sk-1', 'Accept': 'x'})",
            f"Client({{'Authorization': {MASK}, 'Accept': 'x'}})",
        ),
        ("Client(secret=b'sk-1')", f"Client(secret={MASK})"),
        ("Client(credentials=Credentials('a', 'sk-1'), n=1)", f"Client(credentials={MASK}"),
        ("Client(cookies={'a': 'sk-1'})", f"Client(cookies={MASK}"),
        ("Client(max_tokens=5, author='ada')", "Client(max_tokens=5, author='ada')"),
    ],
)
def test_secrets_in_a_repr_are_masked(told, expected):
    assert mask_repr(told) == expected
    assert json.loads(dump([Client(told)])) == [expected]


def test_a_secret_that_is_cut_off_with_its_repr_is_masked():
    found = dump([Client("Client(" + "x" * 2020 + ", password='sk-1" + "y" * 5000)])

    assert "sk-1" not in found


def test_secrets_in_a_repr_are_kept_where_masking_is_off():
    ops.configure(mask_secrets=False)

    assert json.loads(dump([Client("Client(token='t')")])) == ["Client(token='t')"]


@given(st.text(alphabet="ab'\"\\=:,(){}[] \n", max_size=60), st.sampled_from(["password=", "'token': ", "api_key="]))
def test_any_repr_can_be_masked(text, name):
    assert "hidden" not in mask_repr(f"{text} {name}'hidden' {text}")


@pytest.mark.parametrize(
    "text", ["Client(host='db', api_key='sk', n=1)", "Client(api_key=sk-1)", "{'api_key': 'x', 'b': 2}", "password=a b"]
)
def test_a_repr_that_is_masked_stays_as_it_is(text):
    masked = mask_repr(text)

    assert mask_repr(masked) == masked != text
