"""A FastAPI service with a process of its own, which a notebook calls; it sends its spans where its environment says.

answering_service.py middleware    traces with mirascope_ops, sessions by our middleware
answering_service.py plain         knows nothing of mirascope_ops: opentelemetry-instrumentation-fastapi
"""

from __future__ import annotations

import socket
import sys

import uvicorn
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider(resource=Resource({"service.name": "answers"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
app = FastAPI()

if sys.argv[1] == "middleware":
    from mirascope_ops import ops
    from mirascope_ops.integrations.asgi import SessionMiddleware

    app.add_middleware(SessionMiddleware, span=True)

    @ops.trace
    def look_up(question: str) -> str:
        return f"{question} At six."

else:
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    FastAPIInstrumentor.instrument_app(app)
    tracer = trace.get_tracer("answers")

    def look_up(question: str) -> str:
        with tracer.start_as_current_span("look_up", attributes={"api_key": "sk-5up3r-s3cr3t"}):
            return f"{question} At six."


@app.get("/answers/{number}")
def answer(number: int, question: str) -> str:
    return look_up(question)


with socket.create_server(("127.0.0.1", 0)) as place:
    sys.stdout.write(f"http://127.0.0.1:{place.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off")).run(sockets=[place])
