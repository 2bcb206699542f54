"""The closure hash: what counts and what does not."""

from __future__ import annotations

import ast
import itertools
import linecache
import subprocess
import sys
import types
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirascope_ops import ops
from mirascope_ops.core import closure, guard
from mirascope_ops.core.closure import closure_of

CELLS = itertools.count()


def run_cell(source, namespace=None):
    """Run source as a notebook does: in a namespace that stays, with the source where tracebacks find it."""
    namespace = {"__name__": "__main__", "ops": ops} if namespace is None else namespace
    name = f"<cell {next(CELLS)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    exec(compile(source, name, "exec"), namespace)
    return namespace


def hash_of(source, name="f"):
    return closure_of(run_cell(source)[name]).hash


def signature_of(source):
    return closure_of(run_cell(source)["f"]).signature_hash


BASE = """
import json
PROMPT = "Be nice: "
LIMITS = {"words": 10, "tone": ["warm"]}

def shorten(text, width=20):
    return text[:width] + PROMPT

class Writer:
    style = "plain"

    def write(self, text):
        return shorten(text) + self.style

def f(question: str, n: int = 3) -> str:
    return Writer().write(json.dumps(question)) + str(LIMITS)
"""


# -- what does not count ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "def f(question: str, n: int = 3) -> str:\n",
            "def f(\n    question : str,\n    n: int=3,\n) -> str:  # asks\n",
        ),
        ("    return text[:width]", "    # keeps it short\n\n    return (text [:width])"),
        ('"Be nice: "', "'Be ' \\\n    'nice: '"),
        ("def shorten(text, width=20):\n", 'def shorten(text, width=20):\n    """Shorten."""\n'),
        ("def f(question: str, n: int = 3) -> str:\n", 'def f(question: str, n: int = 3) -> str:\n    """Ask."""\n'),
        ("class Writer:\n", 'class Writer:\n    """Writes."""\n\n'),
        ("def f(", "@ops.version\ndef f("),
        ("def f(", "@ops.version(name='g', tags=['a'])\n@ops.trace\ndef f("),
        ("def shorten(", "@ops.trace(tags=['x'])\ndef shorten("),
        ("    def write(", "    @ops.trace\n    def write("),
        ("PROMPT =", "UNUSED = 7\nPROMPT ="),
        ("import json", "import json, os"),
    ],
)
def test_what_people_read_does_not_count(old, new):
    changed = BASE.replace(old, new)

    assert changed != BASE
    assert hash_of(changed) == hash_of(BASE)


def test_a_decorator_of_ours_does_not_count_under_another_name():
    plain = "def f(): return 1\n"
    renamed = "from mirascope_ops import version as v\nmark = ops.version(tags=['a'])\n@v\n@mark\n" + plain

    assert hash_of(renamed) == hash_of(plain)


def test_a_cell_a_file_and_another_process_agree(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        BASE + "\nfrom mirascope_ops.core.closure import closure_of\nprint(closure_of(f).hash)\n", encoding="utf-8"
    )

    printed = [
        subprocess.run(
            [sys.executable, str(script)],
            check=True,
            capture_output=True,
            text=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
        ).stdout.strip()
        for seed in ("1", "2")
    ]

    assert printed == [hash_of(BASE)] * 2


def test_where_the_code_stands_does_not_count(monkeypatch):
    namespace = run_cell(BASE, {"__name__": "my_prompts"})

    assert closure_of(namespace["f"]).hash == hash_of(BASE)


def spaced(text, gaps):
    """Put blank lines and comments between the lines of source, and spaces at their ends."""
    lines = []
    for line, gap in zip(text.splitlines(), itertools.cycle(gaps), strict=False):
        lines += ["", "# " + "x" * gap][: gap % 3]
        lines.append(line + " " * gap)
    return "\n".join(lines) + "\n"


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.booleans())
def test_formatting_never_changes_the_hash(gaps, rewritten):
    source = ast.unparse(ast.parse(BASE)) if rewritten else BASE

    assert hash_of(spaced(source, gaps)) == hash_of(BASE)


# -- what counts --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"Be nice: "', '"Be brief: "'),
        ('"words": 10', '"words": 11'),
        ('["warm"]', '["cold"]'),
        ("text[:width]", "text[1:width]"),
        ("width=20", "width=21"),
        ("n: int = 3", "n: int = 4"),
        ("shorten(text) +", "shorten(text)*2 +"),
        ('style = "plain"', 'style = "florid"'),
        ("import json", "import orjson as json"),
        ("def f(", "import functools\n@functools.lru_cache\ndef f("),
    ],
)
def test_what_changes_the_program_counts(old, new):
    changed = BASE.replace(old, new)

    assert changed != BASE
    assert hash_of(changed) != hash_of(BASE)


@given(st.text(), st.text())
def test_prompts_are_told_apart_by_value(one, other):
    hashes = [hash_of(f"P = {text!r}\ndef f(): return P\n") for text in (one, other)]

    assert (hashes[0] == hashes[1]) == (one == other)


@pytest.mark.parametrize(
    "template",
    [
        "X = {}\ndef f(): return [X for _ in 'a']",
        "X = {}\ndef f():\n    def inner(): return X\n    return inner()",
        "def make(x):\n    def f(): return x\n    return f\nf = make({})",
        "def make(x): return lambda: x\nf = make({})",
        "X = {}\ndef f(y=X): return y",
        "X = {}\ndef f(*, y=X): return y",
        "import functools\ndef g(x): return x\nf = functools.partial(g, {})",
        "def deco(x):\n    def wrap(fn): return lambda: (fn(), x)\n    return wrap\n@deco({})\ndef f(): return 1",
        "class C:\n    x = {}\ndef f(): return C.x",
        "class S: pass\nsettings = S()\nsettings.prompt = {}\ndef f(): return settings.prompt",
        "from dataclasses import dataclass\n@dataclass\nclass C:\n    x: object\nc = C({})\ndef f(): return c",
        "from dataclasses import dataclass\n@dataclass\nclass C:\n    x: object = {}\ndef f(): return C()",
        "from pydantic import BaseModel\nclass C(BaseModel):\n    x: object = {}\ndef f(): return C()",
        "from types import SimpleNamespace as N\nn = N(a=N(b={}))\ndef f(): return n.a.b",
        "import re\nP = re.compile(str({}))\ndef f(): return P",
        "from enum import Enum\nclass E(Enum):\n    A = {}\ndef f(): return E.A",
        "import numpy\nA = numpy.array([{}])\ndef f(): return A",
        "from decimal import Decimal\nA = Decimal({})\ndef f(): return A",
        "def a(n): return b(n) if n else {}\ndef b(n): return a(n - 1)\ndef f(): return a(3)",
        "def f(n): return f(n - 1) if n else {}",
        "class C:\n    @property\n    def x(self): return {}\ndef f(c: 'C'): return 1",
        "class C:\n    @classmethod\n    def x(cls): return {}\ndef f(c: C): return 1",
        "class C:\n    @staticmethod\n    def x(): return {}\ndef f(c: C): return 1",
        "import functools\n@functools.cache\ndef g(): return {}\ndef f(): return g()",
        "class C:\n    def __call__(self): return {}\nf = C()",
        "@ops.version\ndef g(): return {}\ndef f(): return g()",
        "@ops.version\ndef g(): return {}\ndef f(): return g.wrapped().result, g.version_info",
        "@ops.trace\n@ops.version\ndef g(): return {}\n@ops.version\ndef f(): return g()",
        "class C:\n    @ops.version\n    def x(self): return {}\ndef f(c: C): return c.x()",
        "import wrapt\n@wrapt.decorator\ndef d(w, i, a, k): return w(*a)\n@d\ndef g(): return {}\ndef f(): return g()",
        "import wrapt\n@wrapt.decorator\ndef d(w, i, a, k): return {}\n@d\ndef g(): return 1\ndef f(): return g()",
        "import wrapt\n@wrapt.decorator\ndef d(w, i, a, k): return w(*a)\n@d\ndef f(): return {}",
        "import wrapt\nclass C:\n    x = {}\nc = wrapt.ObjectProxy(C())\ndef f(): return c.x",
    ],
)
def test_values_and_code_count_wherever_they_are_used_from(template):
    one, same, other = (hash_of(template.replace("{}", value)) for value in ("1", "1", "2"))

    assert one == same
    assert one != other


def test_a_name_of_the_users_own_module_counts_and_its_other_names_do_not(monkeypatch):
    prompts = types.ModuleType("my_own_prompts")
    prompts.SYSTEM, prompts.OTHER = "a", "b"
    monkeypatch.setitem(sys.modules, "my_own_prompts", prompts)
    f = run_cell("import my_own_prompts as p\ndef f(): return p.SYSTEM\n")["f"]
    before = closure_of(f).hash

    prompts.OTHER = "c"
    assert closure_of(f).hash == before

    prompts.SYSTEM = "d"
    assert closure_of(f).hash != before


def test_a_method_counts_with_what_it_uses_of_its_class():
    source = (
        "class Base:\n    def run(self): return 1\n"
        "class Agent(Base):\n    PROMPT = 'x'\n"
        "    def run(self): return self.help() + super().run()\n"
        "    def help(self): return self.PROMPT\n    def other(self): return 5\n"
        "f = Agent.run\n"
    )

    assert hash_of(source.replace("return 5", "return 6")) == hash_of(source)
    for old, new in (("'x'", "'y'"), ("return self.PROMPT", "return self.PROMPT * 2"), ("return 1", "return 2")):
        assert hash_of(source.replace(old, new)) != hash_of(source)


def test_a_tools_docstring_counts_because_the_model_reads_it():
    source = "def tool(fn): return fn\n@tool\ndef look_up():\n    '''{}'''\ndef f(): return look_up\n"
    schema = "from pydantic import BaseModel\nclass Book(BaseModel):\n    '''{}'''\ndef f() -> Book: ...\n"

    for template in (source, schema):
        assert hash_of(template.replace("{}", "Finds.")) != hash_of(template.replace("{}", "Searches."))


def test_a_mirascope_call_counts_with_its_model_and_its_prompt():
    source = "from mirascope import llm\n@llm.call('openai/gpt-4o')\ndef f(q: str):\n    return f'Say {q}'\n"

    assert hash_of(source) == hash_of("# a comment\n" + source)
    assert hash_of(source) != hash_of(source.replace("Say", "Shout"))
    assert hash_of(source) != hash_of(source.replace("gpt-4o", "gpt-4o-mini"))


def test_lambdas_on_one_line_are_told_apart():
    namespace = run_cell("a, b, c = (lambda x: x + 1), (lambda x: x + 2), (lambda x: (lambda y: x + 2)(x))\n")

    assert len({closure_of(namespace[name]).hash for name in "abc"}) == 3


def test_text_of_several_lines_in_a_method_is_told_apart():
    source = "class A:\n    def f(self):\n        return '''\n        {}'''\nf = A.f\n"

    assert hash_of(source.replace("{}", "a")) != hash_of(source.replace("{}", " a"))


# -- state --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "X = []\ndef f(): X.append(len(X))\n",
        "X = {}\ndef f(): X['n'] = X.get('n', 0) + 1\n",
        "X = 0\ndef f():\n    global X\n    X += 1\n",
        "X = []\ndef note(): X.append(1)\ndef f():\n    note()\n    return X\n",
        "def make():\n    n = 0\n    def f():\n        nonlocal n\n        n += 1\n    return f\nf = make()\n",
        "class C: n = 0\nc = C()\nc.n = 0\ndef f(): c.n += 1\n",
    ],
)
def test_what_the_program_itself_changes_does_not_count(source):
    f = run_cell(source)["f"]
    before = closure_of(f).hash

    f()

    assert closure_of(f).hash == before


def test_a_list_that_others_change_counts():
    namespace = run_cell("EXAMPLES = ['a']\ndef f(): return EXAMPLES\n")
    before = closure_of(namespace["f"]).hash

    namespace["EXAMPLES"].append("b")

    assert closure_of(namespace["f"]).hash != before


# -- hostile values -----------------------------------------------------------------------------------------------


class Awkward:
    def __repr__(self):
        raise RuntimeError

    def __eq__(self, other):
        raise RuntimeError

    __hash__ = None

    def __getattr__(self, name):
        raise RuntimeError


def circle():
    value = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "make",
    [
        Awkward,
        circle,
        lambda: Awkward,
        lambda: {"a": {1, "x", (2, 3)}, 2: b"x" * 10_000},
        lambda: "\ud800" * 5_000,
        lambda: 10**5_000,
        lambda: float("nan"),
        lambda: list(range(300_000)),
        lambda: [[[[]]]],
        lambda: iter([1]),
        lambda: sys,
        object,
        lambda: open,
    ],
)
def test_any_value_can_be_hashed_and_twice_alike(make):
    namespace = run_cell("def f(): return VALUE\n")
    hashes = set()

    for _ in range(2):
        namespace["VALUE"] = make()
        hashes.add(closure_of(namespace["f"]).hash)

    assert len(hashes) == 1


def test_a_chain_of_a_thousand_helpers_is_no_matter():
    source = "\n".join(f"def f{n}(): return f{n + 1}()" for n in range(1_000)) + "\ndef f1000(): return 1\n"

    assert hash_of(source, "f0") != hash_of(source.replace("return 1\n", "return 2\n"), "f0")


def test_a_name_that_is_not_defined_yet_is_left_out_until_it_is():
    namespace = run_cell("def f(): return late\n")
    before = closure_of(namespace["f"])
    assert all(get(source) == values for get, source, values in before.reads)

    namespace["late"] = 1

    assert not all(get(source) == values for get, source, values in before.reads)
    assert closure_of(namespace["f"]).hash != before.hash


def test_what_is_not_python_has_no_closure():
    assert closure_of(len) is None
    assert closure_of("x".upper) is None


def test_the_inside_of_an_installed_package_does_not_count():
    walk = closure._Walk(ops.trace, ops.trace, frozenset())

    assert len(walk.entries) == 1  # the function itself, because it was asked for


@pytest.mark.usefixtures("lenient")
def test_a_function_without_source_is_told_by_its_code_and_says_so_once(caplog):
    def made(text):
        namespace = {"__name__": "__main__", "P": "p"}
        exec(text, namespace)
        return closure_of(namespace["f"]).hash

    one = made("def f(a): return a + P")
    same = made("# a comment\ndef f(a):\n    return (a + P)")

    assert made("def f(a): return a - P") != one
    assert same == made("\n\ndef f(a):\n    return a + P")
    assert one == same
    assert [record.message for record in caplog.records if "source of f" in record.message] == [
        closure._SOURCELESS.format("f")
    ]
    assert guard.logger.name == "mirascope_ops"


# -- signatures ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        "def f(b: int, *, c='x') -> str: ...",
        "def f(a: float, *, c='x') -> str: ...",
        "def f(a: int, c='x') -> str: ...",
        "def f(a: int, /, *, c='x') -> str: ...",
        "def f(a: int, *, c='y') -> str: ...",
        "def f(a: int, *, c='x') -> bytes: ...",
        "def f(a: int, *, c='x', **rest) -> str: ...",
        "def f(a: int, *rest, c='x') -> str: ...",
        "def f(a: int, *, c) -> str: ...",
        "async def f(a: int, *, c='x') -> str: ...",
    ],
)
def test_names_kinds_defaults_and_annotations_make_the_signature(other):
    assert signature_of(other) != signature_of("def f(a: int, *, c='x') -> str: ...")


def test_a_bodys_change_leaves_the_signature():
    assert signature_of("def f(a: int, *, c='x') -> str: return 1") == signature_of(
        'def f(a:int,*,c="x")->str: return 2'
    )
