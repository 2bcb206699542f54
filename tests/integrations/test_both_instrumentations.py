"""OpenInference's and OpenLLMetry's instrumentations of OpenAI, both switched on: every call counts once."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import warnings

warnings.simplefilter("ignore")  # theirs, of packages that they use in a way of old

import json
import openai
from mirascope_ops import ops
from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInference
from opentelemetry.instrumentation.openai import OpenAIInstrumentor as OpenLLMetry

ops.configure()
OpenInference().instrument()
OpenLLMetry().instrument()
client = openai.OpenAI()
with ops.span("root"):
    client.responses.create(model="gpt-4o-mini", input="Thanks!")
    client.chat.completions.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "Thanks!"}])

trace = ops.last_trace()
print(json.dumps([len(trace), trace.totals.llm_calls, trace.totals.input_tokens, trace.totals.output_tokens]))
"""


def test_a_response_and_a_chat_count_once_each(run_python, llm_server):
    printed = run_python(PROGRAM, silent=False)

    assert json.loads(printed.splitlines()[-1]) == [5, 2, 10, 6]
