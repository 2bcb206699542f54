from __future__ import annotations

import sys
import traceback

import pytest

from mirascope_ops.views.frames import place_of, read_traceback


@pytest.mark.parametrize(
    ("filename", "place", "owner", "package"),
    [
        ("/tmp/ipykernel_123/456.py", "Notebook cell", "cell", ""),
        ("<ipython-input-3-abcdef>", "In [3]", "cell", ""),
        ("/usr/lib/python3.11/site-packages/openai/_base.py", "openai/_base.py", "library", "openai"),
        ("/usr/lib/python3.11/asyncio/tasks.py", "asyncio/tasks.py", "library", "asyncio"),
        (r"C:\Py\Lib\site-packages\httpx\_client.py", "httpx/_client.py", "library", "httpx"),
        ("/src/checkout/mirascope_ops/core/tracing.py", "mirascope_ops/core/tracing.py", "library", "mirascope_ops"),
        ("/home/me/project/app/chat.py", "app/chat.py", "user", ""),
        ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap>", "library", "python"),
    ],
)
def test_a_file_is_named_by_what_a_person_calls_it(filename, place, owner, package):
    assert place_of(filename, {}) == (place, owner, package)


def test_a_cell_whose_count_is_known_is_named_by_it():
    assert place_of("/tmp/ipykernel_1/2.py", {"/tmp/ipykernel_1/2.py": 5}) == ("In [5]", "cell", "")


def test_python_tracebacks_are_read_with_code_and_without_marks():
    text = (
        "Traceback (most recent call last):\n"
        '  File "/tmp/ipykernel_1/2.py", line 3, in f\n'
        "    return g(1,\n"
        "           ^^^^\n"
        "             2)\n"
        "             ^^\n"
        '  File "/tmp/ipykernel_1/2.py", line 6, in <module>\n'
        "ValueError: no\n"
        "second line\n"
    )

    (section,) = read_traceback(text)

    assert [(frame.line, frame.function, frame.code) for frame in section.frames] == [
        (3, "f", "return g(1,\n         2)"),
        (6, "", ""),
    ]
    assert section.message == "ValueError: no\nsecond line"


def test_a_chain_has_a_section_for_each_exception():
    def inner() -> None:
        raise KeyError("first")

    try:
        try:
            inner()
        except KeyError as error:
            raise ValueError("second") from error
    except ValueError:
        sections = read_traceback(traceback.format_exc())

    assert [section.message.split("\n")[0] for section in sections] == ["KeyError: 'first'", "ValueError: second"]
    assert sections[0].frames[-1].function == "inner"


def test_a_recursion_says_how_often_its_frame_came():
    def again() -> None:
        again()

    try:
        again()
    except RecursionError:
        (section,) = read_traceback(traceback.format_exc())

    assert max(frame.repeated for frame in section.frames) > 900


def test_exception_groups_lose_their_bars():
    def fail(name: str) -> ValueError:
        try:
            raise ValueError(name)
        except ValueError as error:
            return error

    try:
        raise ExceptionGroup("both", [fail("a"), fail("b")])
    except ExceptionGroup:
        sections = read_traceback(traceback.format_exc())

    assert [section.message.split("\n")[0] for section in sections] == [
        "ExceptionGroup: both (2 sub-exceptions)",
        "ValueError: a",
        "ValueError: b",
    ]


def test_tracebacks_in_the_notebooks_own_style_are_read():
    text = (
        "---------------------------------------------------------------------------\n"
        "ValueError                                Traceback (most recent call last)\n"
        "Cell In[3], line 2, in f(x)\n"
        "      1 def f(x):\n"
        "----> 2     raise ValueError(x)\n"
        "\n"
        "File ~/app/chat.py:12, in ask(question)\n"
        "     11 def ask(question):\n"
        "---> 12     return f(question)\n"
        "\n"
        "ValueError: no\n"
    )

    (section,) = read_traceback(text)

    assert [(frame.place, frame.line, frame.function, frame.code) for frame in section.frames] == [
        ("In [3]", 2, "f", "raise ValueError(x)"),
        ("app/chat.py", 12, "ask", "return f(question)"),
    ]


def test_a_huge_traceback_is_read_from_both_ends():
    frame = '  File "/tmp/ipykernel_1/2.py", line 3, in f\n    x\n'
    text = f"Traceback (most recent call last):\n{frame * 50_000}ValueError: end\n"

    section = read_traceback(text)[-1]

    assert section.message == "ValueError: end"
    assert len(section.frames) < 2_000


@pytest.mark.parametrize("text", ["", "nothing of the kind", "ValueError: no", '  File "x'])
def test_text_that_is_no_traceback_has_no_frames(text):
    assert read_traceback(text) == []


def test_this_python_writes_what_the_reader_expects():
    try:
        sys.intern(1)  # pyright: ignore[reportArgumentType]
    except TypeError:
        (section,) = read_traceback(traceback.format_exc())

    assert section.frames[-1].code.startswith("sys.intern(1)")
    assert section.message.startswith("TypeError")
