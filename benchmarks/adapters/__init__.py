"""How each library traces the same call; every module here is imported in that library's own environment.

`prepare(keep=...)` starts the library, with an exporter that does nothing or (keep) that keeps every span, and
returns a `Work`.
"""
