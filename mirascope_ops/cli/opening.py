"""Opening the store that a command is about: for reading never one that is not there."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from mirascope_ops.cli.options import store_setting
from mirascope_ops.cli.output import print_note
from mirascope_ops.exceptions import StoreError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from mirascope_ops.store.recorder import Recorder


def store_path(*, create: bool = False) -> Path:
    """Give the file that the command is about.

    Args:
        create: Whether it need not be there.

    Raises:
        ConfigurationError: The setting is no place.
        StoreError: Nothing is kept in a file, or it is not there.
    """
    from mirascope_ops.store import location
    from mirascope_ops.store.rescue import Rescue

    place = location.resolve(store_setting(), recording=False)
    if place.path is None:
        said = ":memory:" if place.kind == "memory" else "off"
        raise StoreError(f"Nothing is kept in a file: the store is {said}. Name a file with --store.")
    if place.note:
        print_note(place.note)
    # Where it could not be made, what was recorded waits beside it.
    if not (create or place.path.exists() or any(other.exists() for other in Rescue(place.path).places)):
        raise StoreError(
            f"There is no store {place.path}: nothing was recorded there yet. Another one: --store FILE, or set "
            "MIRASCOPE_OPS_STORE."
        )
    return place.path


@contextmanager
def opened(*, create: bool = False, copy: bool = True) -> Generator[Recorder]:
    """Have look-ups and `ops.store` work on the store's file inside this block.

    No thread looks after it meanwhile: a command that reads deletes nothing that is too old.

    Args:
        create: Whether to make the file where it is not there.
        copy: Whether a copy will do where the file cannot be written: to read.

    Raises:
        ConfigurationError: The setting is no place, or the retention in the environment means nothing.
        StoreError: There is no such file, or it cannot be opened.
    """
    from mirascope_ops.cli.copying import copied, reason_for_copy
    from mirascope_ops.store import recorder, retention
    from mirascope_ops.store.rescue import Rescue
    from mirascope_ops.views.escape import visible

    rescue = Rescue(store_path(create=create), retention.from_environment())
    with ExitStack() as stack:
        if copy and (reason := reason_for_copy(rescue)):
            print_note(visible(f"Note: {reason}: a copy is read."))
            store = stack.enter_context(copied(rescue))
            yield stack.enter_context(recorder.replaced(recorder.Recorder(store, rescue=rescue)))
            return
        active = stack.enter_context(recorder.replaced(recorder.Recorder(rescue.opened(), rescue=rescue)))
        if any(place.exists() for place in rescue.places):
            active.gather()
        yield active
