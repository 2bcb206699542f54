"""An output as a page of its own, for files."""

from __future__ import annotations

from mirascope_ops.views.escape import html_text


def page_html(title: str, body: str) -> str:
    """A page around an output: no script, no request, light or dark as the reader's system is.

    Args:
        title: The page's title, as plain text.
        body: The output's HTML.

    Example:
        >>> page_html("a < b", "<p>c</p>").count("&lt;")
        1
    """
    style = (
        "body{margin:0;color-scheme:light dark;background:light-dark(#fff,#111315)}"
        "main{max-width:1040px;margin:0 auto;padding:16px}"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html_text(title)}</title><style>{style}</style></head><body><main>{body}</main></body></html>\n"
    )
