"""What each library writes: the tables of the normaliser.

One table a field, in order: the first key that is present with a value wins. A new vocabulary is a new
line here. Sources are OpenTelemetry's GenAI conventions and Mirascope, Langfuse, MLflow, OpenInference
(Phoenix), OpenLLMetry (Traceloop), the Vercel AI SDK, Google's ADK, Weave and PostHog as they emit today, and the
documented attributes of LangSmith, Braintrust, Laminar, Genkit, LiteLLM, AgentOps, Haystack, Sentry and Pydantic AI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mirascope_ops.analysis import usage
from mirascope_ops.analysis.values import (
    identifier,
    indexed,
    instant,
    mapping,
    milliseconds,
    nested,
    seconds,
    text,
    tokens,
    unquoted,
    words,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mirascope_ops.analysis.rows import Kind

SESSION_ATTRIBUTES = "mirascope.ops.session.attributes"
RESPONSE_PREFIX = "mirascope.response."
ANNOTATION_PREFIXES = ("mirascope.annotation.", "annotations.", "session.annotations.", "trace.annotations.")


class Source(NamedTuple):
    """Where a field's value may stand: a key, or, with a trailing dot, the beginning of several keys.

    `read` takes the attribute's value, or the dict or list made of the several keys below the prefix.
    """

    key: str
    read: Callable[[Any], Any]

    def gather(self, attributes: Mapping[str, Any]) -> Any:
        """Read the value from a span's attributes."""
        if self.key.endswith("."):
            below = indexed(attributes, self.key) or nested(attributes, self.key)
            return self.read(below) if below else None
        return self.read(attributes[self.key])


KINDS: dict[str, Kind] = {
    "llm": "llm",
    "chat": "llm",
    "chat_model": "llm",
    "completion": "llm",
    "generation": "llm",
    "generate_content": "llm",
    "text_completion": "llm",
    "ai.generatetext.dogenerate": "llm",
    "ai.streamtext.dostream": "llm",
    "ai.generateobject.dogenerate": "llm",
    "ai.streamobject.dostream": "llm",
    "embedding": "embedding",
    "embeddings": "embedding",
    "retriever": "retriever",
    "retrieval": "retriever",
    "reranker": "retriever",
    "rerank": "retriever",
    "tool": "tool",
    "function": "tool",
    "execute_tool": "tool",
    "ai.toolcall": "tool",
    "agent": "agent",
    "invoke_agent": "agent",
    "create_agent": "agent",
    "chain": "chain",
    "workflow": "chain",
    "invoke_workflow": "chain",
    "task": "chain",
    "ai.generatetext": "chain",
    "ai.streamtext": "chain",
    "ai.generateobject": "chain",
    "ai.streamobject": "chain",
    # Words of LangSmith, Braintrust, Genkit, Sentry, Semantic Kernel, OpenLIT and the older conventions.
    "model": "llm",
    "responses": "llm",
    "response": "llm",
    "message": "llm",
    "chat.completions": "llm",
    "chat_completions": "llm",
    "text.completions": "llm",
    "gen_ai.chat": "llm",
    "gen_ai.generate_content": "llm",
    "gen_ai.generate_text": "llm",
    "gen_ai.stream_text": "llm",
    "gen_ai.responses": "llm",
    "gen_ai.text_completion": "llm",
    "embedder": "embedding",
    "embed": "embedding",
    "gen_ai.embeddings": "embedding",
    "vectordb": "retriever",
    "gen_ai.execute_tool": "tool",
    "tool.v2": "tool",
    "gen_ai.invoke_agent": "agent",
    "gen_ai.create_agent": "agent",
    "flow": "chain",
    "prompt": "chain",
    "parser": "chain",
    "pipeline": "chain",
    "haystack.pipeline.run": "chain",
}


def kind(value: object) -> Kind | None:
    """Give the kind that a library's own word stands for; an unknown word leaves it to the next key."""
    word = value if isinstance(value, str) and value[:1] != '"' else unquoted(value)
    return KINDS.get(word.lower()) if word else None


def _type_in(value: object) -> Kind | None:
    return kind((mapping(value) or {}).get("type"))


def _parameter_model(value: object) -> str | None:
    return identifier((mapping(value) or {}).get("model"))


KIND = (
    Source("openinference.span.kind", kind),
    Source("mlflow.spanType", kind),
    Source("langfuse.observation.type", kind),
    Source("traceloop.span.kind", kind),
    Source("gen_ai.operation.name", kind),
    Source("ai.operationId", kind),
    Source("weave.span.kind", kind),
    Source("ai.observability.span_type", kind),
    Source("llm.request.type", kind),
    Source("langsmith.span.kind", kind),
    Source("braintrust.span_attributes", _type_in),
    Source("lmnr.span.type", kind),
    Source("genkit:metadata:subtype", kind),
    Source("agentops.span.kind", kind),
    Source("sentry.op", kind),
    Source("$ai_span_type", kind),
    # `mirascope.type` says which of Mirascope's wrappers made the span, never what the span is for.
)

# Only a model call carries these; they tell its kind where no key names one.
MODEL_CALL_PREFIXES = ("gen_ai.prompt.", "gen_ai.completion.", "llm.input_messages.", "llm.output_messages.")
MODEL_CALL_KEYS = frozenset({"gen_ai.request.model", "gen_ai.response.model", "gen_ai.system"})

CONVERSATION = (
    Source("gen_ai.conversation.id", identifier),
    Source("ai.observability.conversation_id", identifier),
)

SESSION = (
    Source("mirascope.ops.session.id", identifier),
    Source("langfuse.session.id", identifier),
    Source("session.id", identifier),
    Source("mlflow.trace.session", identifier),
    Source("traceloop.association.properties.session_id", identifier),
    Source("wandb.thread_id", identifier),
    Source("thread_id", identifier),
    Source("gcp.vertex.agent.session_id", identifier),
    Source("ai.telemetry.metadata.sessionId", identifier),
    Source("langsmith.metadata.session_id", identifier),  # `langsmith.trace.session_id` is a project
    Source("langsmith.metadata.thread_id", identifier),
    Source("langsmith.metadata.conversation_id", identifier),
    Source("lmnr.association.properties.session_id", identifier),
    Source("genkit:sessionId", identifier),
    Source("$ai_session_id", identifier),
    Source("metadata.session_id", identifier),
)

USER = (
    Source("langfuse.user.id", identifier),
    Source("user.id", identifier),
    Source("mlflow.trace.user", identifier),
    Source("traceloop.association.properties.user_id", identifier),
    Source("ai.telemetry.metadata.userId", identifier),
    Source("enduser.id", identifier),
    Source("langsmith.metadata.user_id", identifier),
    Source("lmnr.association.properties.user_id", identifier),
    Source("metadata.user_api_key_end_user_id", identifier),  # LiteLLM's proxy
)
# Mirascope has no field for the user; these are the names under which session attributes hold it.
USER_IN_SESSION = ("user.id", "user_id")

TAGS = (
    Source("mirascope.trace.tags", words),
    Source("langfuse.trace.tags", words),
    Source("tag.tags", words),
    Source("ai.telemetry.metadata.tags", words),
    Source("traceloop.association.properties.tags", words),
    Source("langsmith.span.tags", words),
    Source("lmnr.association.properties.tags", words),
    Source("braintrust.tags", words),
    Source("tags", words),
)

INPUT = (
    Source("mirascope.trace.arg_values", text),
    Source("langfuse.observation.input", text),
    Source("mlflow.spanInputs", unquoted),
    Source("input.value", text),
    Source("gen_ai.input.messages", text),
    Source("llm.input_messages.", text),
    Source("traceloop.entity.input", unquoted),
    Source("gen_ai.prompt.", text),
    Source("gen_ai.tool.call.arguments", text),
    Source("gen_ai.retrieval.query.text", text),
    Source("ai.prompt", text),
    Source("ai.prompt.messages", text),
    Source("ai.toolCall.args", text),
    Source("gcp.vertex.agent.llm_request", text),
    Source("gcp.vertex.agent.tool_call_args", text),
    Source("gen_ai.prompt", text),
    Source("braintrust.input_json", unquoted),
    Source("lmnr.span.input", unquoted),
    Source("genkit:input", unquoted),
    Source("agentops.entity.input", unquoted),
    Source("haystack.component.input", text),
    Source("haystack.pipeline.input_data", text),
    Source("tool_arguments", text),
    Source("gen_ai.request.messages", text),
    Source("gen_ai.tool.input", text),
    Source("request_data", text),
    Source("$ai_input", text),
    Source("pydantic_ai.all_messages", text),
    Source("all_messages_events", text),
)

OUTPUT = (
    Source("mirascope.trace.output", text),
    Source("langfuse.observation.output", text),
    Source("mlflow.spanOutputs", unquoted),
    Source("output.value", text),
    Source("gen_ai.output.messages", text),
    Source("llm.output_messages.", text),
    Source("traceloop.entity.output", unquoted),
    Source("gen_ai.completion.", text),
    Source("gen_ai.tool.call.result", text),
    Source("gen_ai.retrieval.documents", text),
    Source("retrieval.documents.", text),
    Source("ai.response.text", text),
    Source("ai.response.object", text),
    Source("ai.response.toolCalls", text),
    Source("ai.toolCall.result", text),
    Source("gcp.vertex.agent.llm_response", text),
    Source("gcp.vertex.agent.tool_response", text),
    Source("gen_ai.completion", text),
    Source("braintrust.output_json", unquoted),
    Source("lmnr.span.output", unquoted),
    Source("genkit:output", unquoted),
    Source("agentops.entity.output", unquoted),
    Source("haystack.component.output", text),
    Source("haystack.pipeline.output_data", text),
    Source("tool_response", text),
    Source("final_result", text),
    Source("gen_ai.response.text", text),
    Source("gen_ai.tool.output", text),
    Source("response_data", text),
    Source("$ai_output_choices", text),
)

MODEL = (
    Source("langfuse.observation.model.name", identifier),
    Source("gen_ai.response.model", identifier),
    Source("gen_ai.request.model", identifier),
    Source("llm.response.model_name", identifier),
    Source("llm.model_name", identifier),
    Source("mlflow.llm.model", identifier),
    Source("ai.model.id", identifier),
    Source("mirascope.response.model_id", identifier),
    Source("embedding.model_name", identifier),
    Source("reranker.model_name", identifier),
    Source("$ai_model", identifier),
    Source("model_name", identifier),
    Source("braintrust.metadata", _parameter_model),
    Source("request_data", _parameter_model),
    # A call that failed has no answering model; these hold the one that was asked.
    Source("llm.invocation_parameters", _parameter_model),
    Source("mlflow.spanInputs", _parameter_model),
)

PROVIDER = (
    Source("gen_ai.provider.name", identifier),
    Source("gen_ai.system", identifier),
    Source("llm.provider", identifier),
    Source("llm.system", identifier),
    Source("mlflow.llm.provider", identifier),
    Source("mirascope.response.provider_id", identifier),
    Source("ai.model.provider", identifier),
    Source("$ai_provider", identifier),
)

INPUT_TOKENS = (
    Source("gen_ai.usage.input_tokens", tokens),
    Source("gen_ai.usage.prompt_tokens", tokens),
    Source("llm.token_count.prompt", tokens),
    Source("mlflow.chat.tokenUsage", usage.input_tokens),
    Source("langfuse.observation.usage_details", usage.input_tokens),
    Source("mirascope.response.usage", usage.input_tokens),
    Source("ai.usage.promptTokens", tokens),
    Source("ai.usage.inputTokens", tokens),
    Source("braintrust.metrics", usage.input_tokens),
    Source("genkit:output", usage.input_tokens),
    Source("response_data", usage.input_tokens),
    Source("gcp.vertex.agent.llm_response", usage.input_tokens),
    Source("langsmith.usage_metadata", usage.input_tokens),
    Source("llm.usage.prompt_tokens", tokens),
    Source("$ai_input_tokens", tokens),
)

OUTPUT_TOKENS = (
    Source("gen_ai.usage.output_tokens", tokens),
    Source("gen_ai.usage.completion_tokens", tokens),
    Source("llm.token_count.completion", tokens),
    Source("mlflow.chat.tokenUsage", usage.output_tokens),
    Source("langfuse.observation.usage_details", usage.output_tokens),
    Source("mirascope.response.usage", usage.output_tokens),
    Source("ai.usage.completionTokens", tokens),
    Source("ai.usage.outputTokens", tokens),
    Source("braintrust.metrics", usage.output_tokens),
    Source("genkit:output", usage.output_tokens),
    Source("response_data", usage.output_tokens),
    Source("gcp.vertex.agent.llm_response", usage.output_tokens),
    Source("langsmith.usage_metadata", usage.output_tokens),
    Source("llm.usage.completion_tokens", tokens),
    Source("$ai_output_tokens", tokens),
)

CACHE_READ_TOKENS = (
    Source("gen_ai.usage.cache_read.input_tokens", tokens),
    Source("gen_ai.usage.cache_read_input_tokens", tokens),
    Source("llm.token_count.prompt_details.cache_read", tokens),
    Source("mlflow.chat.tokenUsage", usage.cache_read_tokens),
    Source("langfuse.observation.usage_details", usage.cache_read_tokens),
    Source("mirascope.response.usage", usage.cache_read_tokens),
    Source("ai.usage.inputTokenDetails.cacheReadTokens", tokens),
    Source("ai.usage.cachedInputTokens", tokens),
    Source("gen_ai.usage.details.cache_read_tokens", tokens),
    Source("gen_ai.usage.input_tokens.cached", tokens),
    Source("gen_ai.usage.input_token_details.cache_read", tokens),
    Source("braintrust.metrics", usage.cache_read_tokens),
    Source("genkit:output", usage.cache_read_tokens),
    Source("response_data", usage.cache_read_tokens),
    Source("gcp.vertex.agent.llm_response", usage.cache_read_tokens),
    Source("langsmith.usage_metadata", usage.cache_read_tokens),
    Source("$ai_cache_read_input_tokens", tokens),
)

COST = (
    Source("mirascope.response.cost", usage.centicents),
    Source("llm.cost.", usage.dollars),
    Source("mlflow.llm.cost", usage.dollars),
    Source("langfuse.observation.cost_details", usage.dollars),
    Source("gen_ai.usage.cost", usage.dollars),
    Source("ai.observability.cost.cost", usage.dollars),
    Source("gen_ai.usage.total_cost", usage.dollars),
    Source("gen_ai.cost.total_cost", usage.dollars),
    Source("litellm.cost.total", usage.dollars),
    Source("operation.cost", usage.dollars),
    Source("$ai_total_cost_usd", usage.dollars),
)


def _first_token_in(value: object) -> int | None:
    return seconds((mapping(value) or {}).get("time_to_first_token"))


TTFT = (
    Source("gen_ai.response.time_to_first_chunk", seconds),
    Source("gen_ai.server.time_to_first_token", seconds),
    Source("ai.response.msToFirstChunk", milliseconds),
    Source("gen_ai.server.ttft", seconds),
    Source("braintrust.metrics", _first_token_in),
)
# The time of the first token itself, from which the span's start is taken.
FIRST_TOKEN_AT = (Source("langfuse.observation.completion_start_time", instant),)
# Libraries that only mark the arriving chunks: the first event of one of these names.
FIRST_TOKEN_EVENTS = frozenset(
    {"First Token Stream Event", "gen_ai.content.completion.chunk", "mlflow.chunk.item.0", "ai.stream.firstChunk"}
)

# In the order of SpanRow's fields; `session_attributes` is kept as it stands.
FIELDS: dict[str, tuple[Source, ...]] = {
    "session_id": SESSION,
    "conversation_id": CONVERSATION,
    "kind": KIND,
    "input": INPUT,
    "output": OUTPUT,
    "model": MODEL,
    "provider": PROVIDER,
    "input_tokens": INPUT_TOKENS,
    "output_tokens": OUTPUT_TOKENS,
    "cache_read_tokens": CACHE_READ_TOKENS,
    "cost": COST,
    "ttft": TTFT,
    "user_id": USER,
    "tags": TAGS,
    "session_attributes": (Source(SESSION_ATTRIBUTES, text),),
}
