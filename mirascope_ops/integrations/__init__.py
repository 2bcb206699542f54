"""Integrations with other libraries: one module each, which imports its library at its own top."""
