"""`show()` where there is a shell: an output of its own, whatever else the cell gives."""

from __future__ import annotations

from IPython.utils.capture import capture_output


def test_what_holds_spans_is_displayed(shell):
    shell.run_cell("from mirascope_ops import ops")
    shell.run_cell("with ops.session('talk') as talk, ops.span('answer', **{'input.value': 'Why?'}): pass")

    with capture_output() as caught:
        shell.run_cell("talk.conversation().show(); talk.show(); talk.spans.show(); ops.last_trace().show()")

    assert len(caught.outputs) == 4
    assert all("Why?" in shown.data["text/html"] for shown in caught.outputs)
