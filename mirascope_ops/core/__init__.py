"""The core: sessions, spans, tracing, capture and propagation, on OpenTelemetry and orjson alone."""
