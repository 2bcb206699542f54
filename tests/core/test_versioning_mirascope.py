"""`ops.version` beside the `ops.version` of Mirascope: what a change of a program does to both, what both record.

Every program runs under both libraries, in a process of its own, because Mirascope looks for a method's class among
all that are alive. A test looks at one row of what was found.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

FUNCTION = '''
import functools
PROMPT = "a"
OTHER = "z"

def helper(x):
    """Help."""
    return x

@ops.version
def f(q: str, n: int = 1) -> str:
    """Ask."""
    return PROMPT + helper(q)
'''
COROUTINE = FUNCTION.replace("def f(", "async def f(")
METHOD = """
PROMPT = "a"

class Questioner:
    def other(self):
        return 1

    @ops.version
    def ask(self, q: str) -> str:
        return PROMPT + q + str(self.other())

f = Questioner().ask
"""
CALL = '''
@ops.version
@llm.call("openai/gpt-4o-mini")
def f(q: str) -> str:
    """Ask."""
    return f"Answer {q}"
'''
PROMPT = CALL.replace('call("openai/gpt-4o-mini")', "prompt")
IMPORTED = "from helping import help\n@ops.version\ndef f(q):\n    return help(q)\n"
BY_MODULE = "import helping\n@ops.version\ndef f(q):\n    return helping.help(q)\n"
HELPING = "K = 1\ndef help(x):\n    return x + K\n"

NOTHING, BODY, SIGNATURE = "nothing", "hash", "hash and signature hash"
# What is changed in which program, what it is changed to, and what comes of it.
SAME = [
    (FUNCTION, '"""Ask."""', '"""Please, ask."""', NOTHING),
    (FUNCTION, '"""Help."""', '"""Please, help."""', NOTHING),
    (FUNCTION, "PROMPT + helper(q)", "(PROMPT +\n        helper(q))", NOTHING),
    (FUNCTION, '"a"', "'a'", NOTHING),
    (FUNCTION, '"z"', '"y"', NOTHING),
    (FUNCTION, "import functools", "import functools\nimport json\n\n", NOTHING),
    (FUNCTION, "ops.version", "ops.version()", NOTHING),
    (FUNCTION, "ops.version", "ops.version(name='n', tags=['t'], metadata={'k': 'v'})", NOTHING),
    (FUNCTION, '"a"', '"b"', BODY),
    (FUNCTION, "return x", "return x + x", BODY),
    (FUNCTION, "def helper(x)", "def helper(x, y=2)", BODY),
    (FUNCTION, "def helper", "@functools.cache\ndef helper", BODY),
    (FUNCTION, "PROMPT + helper(q)", "helper(q) + PROMPT", BODY),
    (FUNCTION, "q: str, ", "q: str, m: str = '', ", SIGNATURE),
    (FUNCTION, "n: int = 1", "n: int = 2", SIGNATURE),
    (FUNCTION, "q: str", "q: object", SIGNATURE),
    (FUNCTION, "-> str", "-> object", SIGNATURE),
    (FUNCTION, "def f(", "async def f(", SIGNATURE),
    (COROUTINE, '"a"', '"b"', BODY),
    (COROUTINE, "n: int = 1", "n: int = 2", SIGNATURE),
    (METHOD, '"a"', '"b"', BODY),
    (METHOD, "PROMPT + q", "q + PROMPT", BODY),
    (METHOD, "q: str", "q: object", SIGNATURE),
    (CALL, '"""Ask."""', '"""Please, ask."""', NOTHING),
    (CALL, "Answer", "Reply", BODY),
    (PROMPT, "Answer", "Reply", BODY),
    (IMPORTED, "x + K", "K + x", BODY),
    (IMPORTED, "K = 1", "K = 2", BODY),
    (BY_MODULE, "x + K", "K + x", BODY),
    (BY_MODULE, "K = 1", "K = 2", BODY),
    (FUNCTION.replace("def helper", "@ops.version\ndef helper"), "return x", "return x + x", BODY),
    (FUNCTION.replace("def helper", "@ops.trace\ndef helper"), "return x", "return x + x", BODY),
    (FUNCTION.replace("def helper", "@functools.cache\ndef helper"), "return x", "return x + x", BODY),
]
# The docstring of `ops.version` says these: what is changed, what comes of it here, what comes of it there.
OTHERWISE = [
    (FUNCTION, "    return PROMPT", "    # why\n    return PROMPT", NOTHING, BODY),
    (FUNCTION, '"a"', '"".join(["a"])', NOTHING, BODY),
    (FUNCTION, "def helper", "@ops.trace\ndef helper", NOTHING, BODY),
    (FUNCTION, "def f(", "def g(", BODY, SIGNATURE),
    (METHOD, "return 1", "return 2", BODY, NOTHING),
    (CALL, "gpt-4o-mini", "gpt-4o", BODY, SIGNATURE),
    (FUNCTION, "@ops.version\n", "@ops.version\n@ops.trace\n", NOTHING, "TypeError"),
    (FUNCTION, "@ops.version\n", "@ops.trace\n@ops.version\n", NOTHING, "AttributeError"),
]

PROGRAM = """
import asyncio, functools, importlib.metadata, json, multiprocessing, sys, uuid
from pathlib import Path

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import mirascope.ops
import mirascope_ops

folder, programs = Path(sys.argv[1]), json.loads(sys.stdin.read())
sys.path.insert(0, str(folder))
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
mirascope.ops.configure(tracer_provider=provider)
mirascope_ops.configure(tracer_provider=provider)

def load(library, source, helping):
    sys.path[0] = str(folder / uuid.uuid4().hex)
    Path(sys.path[0]).mkdir()
    head = f"from {library} import ops\\nfrom mirascope import llm\\n"
    Path(sys.path[0], "versioned.py").write_text(head + source, encoding="utf-8")
    Path(sys.path[0], "helping.py").write_text(helping, encoding="utf-8")
    importlib.invalidate_caches()
    return importlib.import_module("versioned")

def info(task):
    library, program = task
    try:
        module = load(library, *program)
        info = (module.g if hasattr(module, "g") else module.f).version_info
        return None if info is None else {"hash": info.hash, "signature_hash": info.signature_hash}
    except Exception as error:
        return type(error).__name__

def recorded(library):
    module = load(library, SPANS, "")
    exporter.clear()
    module.plain("x"), module.told("x"), module.plain.wrapped("x"), module.Agent.helped("x")
    asyncio.run(module.coroutine("x")), asyncio.run(module.coroutine.wrapped("x"))
    spans = [[span.name, {key: json.loads(json.dumps(value)) for key, value in span.attributes.items()}]
             for span in exporter.get_finished_spans()]
    infos = {name: {field: getattr(getattr(module, name).version_info, field)
                    for field in ("name", "description", "version", "tags", "metadata")}
             for name in ("plain", "told", "coroutine")}
    return {"spans": spans, "infos": infos}

SPANS = '''
@ops.version
def plain(q: str) -> str:
    \"""Ask.

    In two lines.
    \"""
    return q

@ops.version(name="named", tags=["b", "a", "b"], metadata={"owner": "us", "ticket": "1"})
def told(q: str) -> str:
    return q

@ops.version(tags=["slow"])
async def coroutine(q: str) -> str:
    return q

class Agent:
    @ops.version
    @staticmethod
    def helped(q: str) -> str:
        return q
'''

# Mirascope asks for this at every function, and it takes most of a second.
importlib.metadata.packages_distributions = functools.cache(importlib.metadata.packages_distributions)
importlib.metadata.packages_distributions()

libraries = ("mirascope_ops", "mirascope")
tasks = [(library, program) for program in programs for library in libraries]
with multiprocessing.get_context("fork").Pool(2, maxtasksperchild=1) as pool:
    infos = pool.map(info, tasks, chunksize=1)
    told = dict(zip(libraries, pool.map(recorded, libraries, chunksize=1)))
print(json.dumps({"infos": [[*task, found] for task, found in zip(tasks, infos)], "recorded": told}))
"""


def programs_of(row):
    """The program and the changed one, each with the module that it imports."""
    source, old, new = row[:3]
    if old in source:
        return (source, HELPING), (source.replace(old, new), HELPING)
    assert old in HELPING
    return (source, HELPING), (source, HELPING.replace(old, new))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("versioned")
    script = folder / "program.py"
    script.write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
    programs = list(dict.fromkeys(program for row in (*SAME, *OTHERWISE) for program in programs_of(row)))
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))  # Mirascope runs `ruff`
    done = subprocess.run(
        [sys.executable, str(script), str(folder)],
        input=json.dumps(programs),
        env={**os.environ, "PATH": path, "MIRASCOPE_OPS_STORE": ":memory:"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    infos = {(library, tuple(program)): info for library, program, info in told["infos"]}
    return infos, told["recorded"]


def change(infos, library, row):
    before, after = (infos[library, program] for program in programs_of(row))
    if isinstance(after, str):
        return after
    assert before is not None
    assert after is not None
    changed = [key for key in before if before[key] != after[key]]
    return " and ".join(key.replace("_", " ") for key in changed) or NOTHING


@pytest.mark.parametrize("row", SAME, ids=lambda row: f"{row[1]} to {row[2]}".replace("\n", " "))
def test_a_change_does_the_same_to_both(found, row):
    infos, _ = found

    assert [change(infos, library, row) for library in ("mirascope_ops", "mirascope")] == [row[3], row[3]]


@pytest.mark.parametrize("row", OTHERWISE, ids=lambda row: f"{row[1]} to {row[2]}".replace("\n", " "))
def test_what_is_different_is_meant_to_be(found, row):
    infos, _ = found

    assert [change(infos, library, row) for library in ("mirascope_ops", "mirascope")] == [row[3], row[4]]


def test_both_tell_the_same_of_a_version(found):
    _, recorded = found

    assert recorded["mirascope_ops"]["infos"] == recorded["mirascope"]["infos"]


def test_both_record_the_same(found):
    _, recorded = found
    ours, theirs = (
        [attributes for _, attributes in recorded[library]["spans"]] for library in ("mirascope_ops", "mirascope")
    )

    # Mirascope writes tags and metadata a second time, for other tools; the name only where one was given.
    again = ("tags", "metadata.owner", "metadata.ticket")
    hashes = ("mirascope.version.hash", "mirascope.version.signature_hash")
    assert len(ours) == len(theirs) == 6
    for mine, other in zip(ours, theirs, strict=True):
        assert {key for key in mine if key not in other} <= {"mirascope.version.name"}
        assert {key for key in other if key not in mine} <= set(again)
        assert all(len(mine[key]) == len(other[key]) == 64 for key in hashes)
        for key in set(mine) & set(other) - set(hashes) - {"mirascope.fn.qualname"}:
            assert mine[key] == other[key], key


def test_a_span_is_called_as_its_version_is(found):
    _, recorded = found

    assert [name for name, _ in recorded["mirascope_ops"]["spans"]] == [
        "plain", "named", "plain", "Agent.helped", "coroutine", "coroutine",
    ]  # fmt: skip
    assert [name for name, _ in recorded["mirascope"]["spans"]] == [
        "plain", "told", "plain", "helped", "coroutine", "coroutine",
    ]  # fmt: skip
