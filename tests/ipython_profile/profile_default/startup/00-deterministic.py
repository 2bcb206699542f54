"""Runs first in the kernels that execute the committed notebooks: the same times, ids and cell numbers on every run."""


def make_deterministic() -> None:
    import itertools

    from IPython import get_ipython

    from mirascope_ops import testing

    shell = get_ipython()
    numbers = itertools.count(1)

    def count(info) -> None:
        # nbval asks for each cell without history, and the kernel then counts none.
        if not info.store_history:
            shell.execution_count = next(numbers)

    testing.deterministic()
    shell.events.register("pre_run_cell", count)


make_deterministic()
del make_deterministic  # startup files share the notebook's namespace
