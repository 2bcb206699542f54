"""The receiver: spans of other processes and other languages come in, as OTLP over HTTP."""
