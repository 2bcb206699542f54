"""The rule: a cell with a header does what the same cell does without it.

Every body runs in two real kernels, under a comment in a plain one and under `%%ops_session --quiet` in one with
the extension, and everything that a frontend sees must be equal.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.notebook.conftest import Kernel, Reply

pytestmark = pytest.mark.slow

HEADER = "%%ops_session same --quiet"
COMMENT = "# just a comment"
FIRST_LINE = "<the first line>"

SETUP = """
import asyncio, warnings
class Shown:
    def __repr__(self):
        return "shown"
def fails():
    local = 1
    raise ValueError("no")
async def answer():
    await asyncio.sleep(0)
    return 42
"""

BODIES = {
    "last expression": "x = 1\nx + 1",
    "last expression with a semicolon": "x = 1\nx + 1;",
    "semicolon and a comment": "x = 5; x;  # done",
    "no expression": "y = 3",
    "only an expression": "'text'",
    "only None": "None",
    "empty": "",
    "blank lines": "\n\n",
    "only comments": "# one\n# two",
    "leading blank lines": "\n\n1/0",
    "await": "await answer()",
    "await in the middle": "z = await answer()\nz + 1",
    "await that fails": "await answer()\nawait asyncio.sleep(0)\n1/0",
    "async for and with": """
class Context:
    async def __aenter__(self): return 1
    async def __aexit__(self, *error): return False
async def numbers():
    yield 1
    yield 2
async with Context() as c:
    async for n in numbers():
        print(n)
[k async for k in numbers()]""",
    "context variables set by a cell": """
import contextvars
variable = contextvars.ContextVar('variable', default=0)
variable.set(7)""",
    "context variables of the cell before": "variable.get()",
    "tasks": "t = asyncio.ensure_future(answer())\nawait t",
    "an error": "a = 1\n\nb = 2\n1/0\nc = 3",
    "an error on the first line": "1/0",
    "an error far from the header": "a = 1\n" * 10 + "1/0",
    "an error in a statement of many lines": "a = [\n    1,\n    2,\n    1/0,\n]",
    "an error in a function of this cell": "def g(v):\n    w = v\n    return w / 0\n\ng(1)",
    "an error in a function of an earlier cell": "g(2)",
    "a function of another cell fails": "fails()",
    "a chained error": "try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e",
    "an error in the context of another": "try:\n    1/0\nexcept ZeroDivisionError:\n    {}['k']",
    "an exception group": "raise ExceptionGroup('many', [ValueError(1), KeyError(2)])",
    "an error in the last expression": "x = 1\n(x\n + fails())",
    "a repr that fails": "class Bad:\n    def __repr__(self):\n        return 1/0\nBad()",
    "system exit": "raise SystemExit(3)",
    "a syntax error": "a = 1\nb = = 2",
    "an unclosed bracket": "a = (1,\nb = 2",
    "an unclosed string": "a = '''never\nclosed",
    "an indentation error": "if True:\nx = 1",
    "an unexpected indent": "x = 1\n  y = 2",
    "return": "before = 'ran'\nreturn 3",
    "yield": "before = 'ran too'\nyield 3",
    "break": "a = 1\nbreak",
    "nonlocal": "nonlocal x",
    "a starred expression": "*[1, 2]",
    "a starred tuple": "*[1, 2], 3",
    "future import": "from __future__ import annotations\ndef f(a: Missing) -> Missing: ...\nf.__annotations__",
    "future import after a docstring": '''"""About."""
from __future__ import annotations
x: Missing2 = 1
__annotations__["x"]''',
    "future import and await": "from __future__ import annotations\nawait answer()",
    "a late future import": "k = 1\nfrom __future__ import division\nk",
    "future import alone": "from __future__ import annotations",
    "a docstring": '"""Only a docstring."""',
    "a docstring and more": '"""A docstring."""\nx = 1\nx',
    "global after use": "gg = 1\nglobal gg\ngg",
    "walrus": "(w := 12)",
    "lambda and comprehension": "[(lambda v: v + 1)(i) for i in range(3)]",
    "decorators and classes": """
def deco(f):
    return f
@deco
def h():
    return 1
class C:
    '''Doc.'''
    attribute: int = 1
    @deco
    def m(self):
        return 2
C().m() + h()""",
    "star import": "from math import *\npi > 3",
    "match": "match [1, 2]:\n    case [a, b]:\n        r = a + b\nr",
    "a loop as the last statement": "for i in range(3):\n    i",
    "try star": "try:\n    raise ExceptionGroup('g', [ValueError()])\nexcept* ValueError:\n    print('caught')",
    "del": "doomed = 1\ndel doomed",
    "annotations": "ann: int = 3\nann",
    "triple-quoted text": "t = '''\n%%ops_session no\n    indented\n!ls\n'''\nt",
    "printing and displaying": "print('out')\nfrom IPython.display import display\ndisplay(Shown())\nShown()",
    "standard error": "import sys\nprint('err', file=sys.stderr)",
    "a warning": "warnings.warn('careful', stacklevel=1)",
    "a syntax warning": "1 is 1",
    "line magics": "%who_ls int",
    "a magic that assigns": "m = %env HOME\nlen(m) > 0",
    "a magic with a variable": "what = 'HOME'\nv = %env $what\nlen(v) > 0",
    "shell lines": "!echo hello {1 + 1}",
    "shell lines that assign": "out = !echo hi\nout",
    "a shell line in a block": "for i in range(2):\n    !echo $i",
    "help": "len?",
    "a magic that is not there": "%nothing_of_this_name",
    "underscore": "5\n_",
    "Out": "sorted(Out)[-1] == len(In) - 1 or len(Out) > 0",
    "input variables": "_i2[:5]",
    "local names": "sorted(n for n in dir() if n.startswith('_') and not n.startswith('_i'))[:3]",
    "exec and eval": "exec('ee = 1/0')",
    "nested run_cell": "r = get_ipython().run_cell('inside = 1\\ninside')\nr.result",
    "nested run_cell that fails": "r = get_ipython().run_cell('1/0')\nr.success",
    "a generator that is left": "gen = (i for i in range(3))\nnext(gen)",
    "the source of a function": "import inspect\ndef src(a):\n    return a\nprint(inspect.getsource(src))",
    "the line number of the frame": "import sys\nsys._getframe().f_lineno",
    "a stack": "import inspect\n[f.function for f in inspect.stack()][0]",
    "traceback module": """
import sys, traceback
try:
    1/0
except ZeroDivisionError:
    traceback.print_exc(file=sys.stdout)""",
    "unicode": "π = '√2 \\u2603 ☃'\nπ",
    "carriage returns": "a = 1\r\na",
    "form feed": "\x0ca = 8\na",
    "tabs": "if True:\n\ta = 9\na",
    "continued line": "a = 1 + \\\n    2\na",
    "two statements on a line": "a = 1; b = 2; a + b",
    "a statement that ends in a backslash": "a = 1 \\\n",
    "deep recursion": "def deep(n):\n    return deep(n - 1) if n else 1 / 0\ndeep(50)",
}

# What IPython looks for at the top of a cell only: compared with the body alone, where the numbers of lines differ.
TOPS = {
    "an indented body": "    q = 1\n    q",
    "an indented body after blank lines": "\n    q = 2\n    1/0",
    "doctest prompts": ">>> p = 4\n>>> p",
    "ipython prompts": "In [3]: p = 5\n   ...: p",
    "time": "%%time\n1 + 1",
    "time with statements": "%%time\na = 1\na + 2",
    "time that fails": "%%time\nimport os\n1/0",
    "timeit": "%%timeit -n1 -r1 -q\n1 + 1",
    "capture": "%%capture caught\nprint('x')\n1/0",
    "bash": "%%bash\necho hello\necho there",
    "bash that fails": "%%bash\nexit 3",
    "writefile": "%%writefile /dev/null\n%%ops_session in a file",
    "html": "%%html\n<b>bold</b>",
    "prun": "%%prun -q\n1 + 1",
    "a cell magic that is not there": "%%nothing_of_this_name\nx",
    "a cell magic after blank lines": "\n\n%%time\n3",
    "a cell magic without a body": "%%time",
    "automagic": "who_ls int",
    "automagic after a blank line": "\nwho_ls int",
}


@pytest.fixture(scope="module")
def kernels(bare_kernel: Kernel, kernel: Kernel) -> tuple[Kernel, Kernel]:
    bare_kernel.run("pass  # so that cells are numbered alike")
    for one in (bare_kernel, kernel):
        assert one.run(SETUP).status == "ok"
    return bare_kernel, kernel


def seen(reply: Reply, header: str) -> Any:
    """Return all that a frontend sees, without what differs from run to run, and without the first line."""
    outputs = []
    for output in reply.outputs:
        shown = {key: value for key, value in output.items() if key not in {"transient", "execution_count"}}
        if shown["kind"] == "error":
            shown["traceback"] = without_header("\n".join(shown["traceback"]), header)
            shown["evalue"] = normalised(shown["evalue"])
        if shown.get("name") in {"stdout", "stderr"}:
            shown["text"] = normalised(shown["text"])
        if "data" in shown:
            shown["data"] = {mime: normalised(str(content)) for mime, content in shown["data"].items()}
        outputs.append(shown)
    reply_part = {key: reply.content.get(key) for key in ("status", "execution_count", "ename")}
    reply_part["evalue"] = normalised(reply.content.get("evalue", ""))
    return reply_part, outputs, [p.get("data") for p in reply.content.get("payload", [])]


def normalised(text: str) -> str:
    text = re.sub(r"(?m)^(Compiler|Parser)( time)? *:.*\n", "", text)  # told where they took a tenth of a second
    text = re.sub(r"(CPU times|Wall time).*\n", r"\1\n", text)
    text = re.sub(r"(ipykernel_)\d+/\d+\.py", r"\1.py", re.sub(r"0x[0-9a-f]+", "0x", text))
    return re.sub(r"\b\d+\.py, line", ".py, line", text)  # files of cells are named after a hash of their text


def without_header(traceback: str, header: str) -> list[str]:
    """Return a traceback's lines with colours; the first line of the cell, which has others, by its place only."""
    assert "_mirascope_ops_cell" not in traceback
    plain = re.sub(r"\x1b\[[0-9;]*m", "", traceback)
    return [
        text.replace(header, FIRST_LINE) if header in text else normalised(coloured)
        for coloured, text in zip(traceback.splitlines(), plain.splitlines(), strict=True)
    ]


def names(kernel: Kernel) -> set[str]:
    return set(
        kernel.value(
            "sorted(n for n in {**__import__('builtins').__dict__, **get_ipython().user_ns} if not n.startswith('_i'))"
        )
    )


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_behaves_as_under_a_comment(kernels, body):
    bare, loaded = kernels

    before = names(bare), names(loaded)

    expected = bare.run(f"{COMMENT}\n{body}")
    actual = loaded.run(f"{HEADER}\n{body}")

    assert seen(actual, HEADER) == seen(expected, COMMENT)
    assert names(loaded) ^ before[1] == names(bare) ^ before[0]


@pytest.mark.parametrize("body", TOPS.values(), ids=TOPS)
def test_what_is_special_at_the_top_of_a_cell_is_special_below_the_header(kernels, body):
    bare, loaded = kernels

    before = names(bare), names(loaded)

    expected = bare.run(body)
    actual = loaded.run(f"{HEADER}\n{body}")

    assert normal_lines(actual) == normal_lines(expected)
    assert names(loaded) ^ before[1] == names(bare) ^ before[0]


def normal_lines(reply: Reply) -> Any:
    """As `seen`, but with the line numbers of a cell whose first line is the header."""
    status, outputs, payload = seen(reply, HEADER)
    for output in outputs:
        if output["kind"] == "error":
            plain = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(output["traceback"]))
            numbers = re.compile(r", line \d+|^[- >]*\d+ ?", re.MULTILINE)
            output["traceback"] = [line for line in numbers.sub("", plain).splitlines() if line not in {"", FIRST_LINE}]
    return status, outputs, payload


@pytest.mark.parametrize("mode", ["all", "last", "last_expr", "last_expr_or_assign", "none"])
@pytest.mark.parametrize(
    "body",
    [
        "1\n2",
        "1\nx = 3",
        "x = 4;",
        "x: int = 5",
        "x += 1",
        "a, b = 1, 2",
        "for i in range(2):\n    i",
        "if True:\n    7",
        "z = 1\n9;",
        "await answer()\ny = await answer()",
    ],
)
def test_every_interactivity_setting_displays_as_without_the_header(kernels, mode, body):
    bare, loaded = kernels
    for one in (bare, loaded):
        one.run(f"get_ipython().ast_node_interactivity = {mode!r}", history=False)

    expected = bare.run(f"{COMMENT}\n{body}")
    actual = loaded.run(f"{HEADER}\n{body}")

    for one in (bare, loaded):
        one.run("get_ipython().ast_node_interactivity = 'last_expr'", history=False)
    assert seen(actual, HEADER) == seen(expected, COMMENT)


def test_where_ipython_shows_a_name_that_is_missing_the_error_is_on_its_own_line(kernels):
    # With last_expr_or_assign IPython displays the annotated name by an expression that it puts on line 1, so that
    # its error points at the first line, whatever stands there. Ours is on the line of the name.
    bare, loaded = kernels
    for one in (bare, loaded):
        one.run("get_ipython().ast_node_interactivity = 'last_expr_or_assign'", history=False)

    expected = bare.run(f"{COMMENT}\nundefined_name: int")
    actual = loaded.run(f"{HEADER}\nundefined_name: int")

    for one in (bare, loaded):
        one.run("get_ipython().ast_node_interactivity = 'last_expr'", history=False)
    assert expected.error == actual.error == "NameError: name 'undefined_name' is not defined"
    assert f"1 {COMMENT}" in expected.traceback
    assert "line 1" in expected.traceback
    assert "line 2" in actual.traceback


RAISING = [
    "1/0",
    "a = 1\nb = 2\na / 0\nb",
    "def g(x):\n    y = x\n    return y / 0\ng(3)",
    "g(1)",
    "await answer()\n1/0",
    "raise KeyError('x') from ValueError('y')",
    "class A:\n    def m(self): return 1 / 0\nA().m()",
    "raise ExceptionGroup('many', [ValueError(1)])",
    "raise KeyboardInterrupt",
    "raise asyncio.CancelledError",
    "b = = 2",
]


@pytest.mark.parametrize(
    "setting",
    ["%xmode Plain", "%xmode Verbose", "%xmode Minimal", "%xmode Docs", "%colors nocolor", "%autoawait False"],
)
def test_errors_look_as_without_the_header_in_every_mode(kernels, setting):
    bare, loaded = kernels
    for one in (bare, loaded):
        assert one.run(setting, history=False).status == "ok"

    pairs = [(bare.run(f"{COMMENT}\n{body}"), loaded.run(f"{HEADER}\n{body}")) for body in RAISING]

    for one in (bare, loaded):
        one.run("%xmode Context\n%colors linux\n%autoawait True", history=False)
    for expected, actual in pairs:
        assert expected.status == "error"
        assert seen(actual, HEADER) == seen(expected, COMMENT)


# Cells that follow each other: what one leaves behind, the next finds. A header stands where FIRST is.
SEQUENCES = {
    "results": ["FIRST\n41 + 1", "_", "__", "FIRST\n41;", "_", "FIRST\n43  # comment;", "_"],
    "the last error": [
        "FIRST\n1/0",
        "import sys, traceback\n[(f.name, f.lineno) for f in traceback.extract_tb(sys.last_value.__traceback__)][-1]",
        "sys.last_value.__context__, sys.last_value.__cause__, sys.last_value.__suppress_context__",
        "%tb",
    ],
    "execution results": [
        "FIRST\n7",
        "r = get_ipython().last_execution_result\nr.result, r.success, r.info.raw_cell.splitlines()[-1]",
    ],
    "functions": [
        "FIRST\nimport inspect\nclass K:\n    def m(self):\n        pass\nl = lambda x: x + 1",
        "print(inspect.getsource(K), inspect.getsource(l), inspect.getsourcelines(K.m)[1])",
        "FIRST\nimport pickle\ndef p():\n    return 3\npickle.loads(pickle.dumps(p))()",
    ],
    "compiler flags": [
        "FIRST\nfrom __future__ import annotations\ndef f(a: Missing): ...\nf.__annotations__",
        "def f(a: Missing2): ...\nf.__annotations__",
    ],
    "code objects": [
        "FIRST\nf = sys._getframe()\nf.f_code.co_name, f.f_code.co_flags & 0x80, f.f_lineno, f.f_globals is globals()",
        "FIRST\nawait answer()\nf = sys._getframe()\nf.f_code.co_name, f.f_lineno, locals() is globals()",
        "FIRST\n__name__, __doc__",
        "FIRST\n'a text on its own'\n__name__, __doc__",
        "FIRST\n'a last text on its own'",
        "FIRST\n__doc__",
    ],
    "lifetimes": [
        "FIRST\nimport gc, weakref\nclass W: pass\nw = W()\nref = weakref.ref(w)\ndel w\nref() is None",
        "FIRST\nw = W()\nref = weakref.ref(w)\nw;",
        "del w\ngc.collect()\nref() is None",
    ],
    "custom exception handlers": [
        "get_ipython().set_custom_exc((ZeroDivisionError,), lambda self, kind, value, tb, tb_offset=None: print(kind))",
        "FIRST\n1/0",
        "get_ipython().set_custom_exc((), None)",
    ],
    "displays that change": [
        "FIRST\nfrom IPython.display import clear_output, display\nh = display('x', display_id='q')\nh.update('y')",
        "FIRST\nprint('gone')\nclear_output()\nprint('here')",
    ],
    "long cells": [
        "FIRST\n" + "\n".join(f"v{i} = {i}" for i in range(2000)) + "\nv1999",
        "FIRST\n" + "\n".join(f"v{i} = {i}" for i in range(300)) + "\n1/0",
        "FIRST\n" + "(" * 90 + "1" + ")" * 90,
        "FIRST\n" + "(" * 300 + "1" + ")" * 300,
        "FIRST\nlist(range(2000))",
    ],
}


@pytest.mark.parametrize("cells", SEQUENCES.values(), ids=SEQUENCES)
def test_later_cells_find_what_they_find_after_a_plain_cell(kernels, cells):
    bare, loaded = kernels

    for cell in cells:
        expected = bare.run(cell.replace("FIRST", COMMENT))
        actual = loaded.run(cell.replace("FIRST", HEADER))

        assert seen(actual, HEADER) == seen(expected, COMMENT)


def test_a_macro_of_a_cell_holds_its_text_and_so_is_refused_as_one_of_any_cell_magic_is(kernels):
    # IPython pastes a macro's lines into a cell after cell magics were looked for. `%macro` takes them from `In`,
    # which holds the text as it was typed.
    bare, loaded = kernels

    for one, header in ((bare, "%%time"), (loaded, HEADER)):
        number = one.run(f"{header}\nm1 = 1").content["execution_count"]
        one.run(f"%macro -q -r made {number}", history=False)

        assert one.run("made", history=False).content["ename"] == "SyntaxError"
        one.run("del made", history=False)
