"""Where prompts are kept: what the settings mean, and making that place private."""

from __future__ import annotations

import os
import re
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mirascope_ops.exceptions import ConfigurationError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterable

STORE_VARIABLE = "MIRASCOPE_OPS_STORE"
_HINT = f'Set {STORE_VARIABLE} to a file in a folder of yours, or to ":memory:" or "off".'

# SQLite's write-ahead log needs memory shared by all who open the file: not to be had over a network.
_NETWORK_FILESYSTEMS = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs", "gpfs",
        "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs",
    }
)  # fmt: skip


class NoPlaceError(StoreError):
    """The setting names something that can never be a store: a folder, a database of another program."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where a store keeps what it is given.

    Attributes:
        kind: "file", "memory" (nothing on disk) or "off" (nothing is recorded).
        path: The file, for kind "file".
        note: What a person should be told about this choice, or "".
    """

    kind: Literal["file", "memory", "off"]
    path: Path | None = None
    note: str = ""


def resolve(setting: str | Path | None = None, *, recording: bool = True) -> Location:
    """Say where to keep spans.

    Args:
        setting: A file's path, ":memory:" or "off"; None takes MIRASCOPE_OPS_STORE, else the user's
            state directory. `OTEL_SDK_DISABLED=true` switches recording off whatever the setting.
        recording: Whether it is for recording; what was recorded can be read all the same.

    Returns:
        The place. Nothing is created.

    Raises:
        ConfigurationError: The setting is no path.
        StoreError: The user has no directory to keep state in.

    Example:
        >>> resolve(":memory:").kind
        'memory'
    """
    if recording and os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return Location("off", note="OTEL_SDK_DISABLED=true switches recording off.")
    if setting is None:
        setting = os.environ.get(STORE_VARIABLE, "").strip() or None
    if setting is None:
        return _default_location()
    text = os.fspath(setting)
    if text == ":memory:":
        return Location("memory")
    if text.lower() == "off":
        return Location("off")
    if not text or "\0" in text or "://" in text:
        raise ConfigurationError(f"{text!r} is no place for a store: expected a file's path. {_HINT}")
    try:
        return Location("file", Path(os.path.abspath(Path(text).expanduser())))  # noqa: PTH100 - keeps symlinks
    except RuntimeError as error:
        raise ConfigurationError(f"The home directory in {text!r} is unknown. {_HINT}") from error


def default_path() -> Path:
    """Give the file in the user's state directory: `<state>/mirascope_ops/spans.db`.

    Returns:
        The path; nothing is created.

    Raises:
        StoreError: The user's home directory is unknown.

    Example:
        >>> default_path().name
        'spans.db'
    """
    try:
        if sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Application Support"
        else:
            # The XDG specification says to ignore a relative path here.
            given = os.environ.get("XDG_STATE_HOME", "")
            base = Path(given) if given.startswith("/") else Path.home() / ".local" / "state"
    except RuntimeError as error:
        raise StoreError(f"Your home directory is unknown, so there is no place for the store. {_HINT}") from error
    return base / "mirascope_ops" / "spans.db"


def prepare(path: Path) -> None:
    """Make the folders (0700) and the file (0600) of a store, where they are missing.

    An existing file is never opened here: closing a second handle of it would drop the locks that SQLite
    holds in this process.

    Args:
        path: The file.

    Raises:
        StoreError: The place cannot be used; the text says why and what to do.
    """
    if filesystem := network_of(path):
        raise StoreError(
            f"{path} is on a network file system ({filesystem}), where several writers are unsafe. {_HINT}"
        )
    try:
        _make_folders(path.parent)
        if path.parent.name == local_folder().name:
            _require_own(path.parent)
        if not path.exists():
            # Two kernels may start at once: whoever comes second finds the file, which is as good. Where the path is a
            # link, to a larger disk or the like, what it leads to is made.
            os.close(os.open(os.path.realpath(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        place = f"{path}, a link to {os.path.realpath(path)}," if os.path.islink(path) else str(path)  # noqa: PTH114 - never raises
        raise StoreError(f"The store {place} cannot be made: {error.strerror or error}. {_HINT}") from error
    if path.exists() and not path.is_file():
        raise NoPlaceError(
            f"{path} is no regular file: expected the path of a file, such as {path / 'spans.db'}. {_HINT}"
        )
    if not os.access(path, os.R_OK | os.W_OK) or not os.access(path.parent, os.W_OK):
        raise StoreError(f"The store {path} and its folder must be writable, and are not. {_HINT}")


def is_private(path: Path) -> bool | None:
    """Tell whether only the owner can read the file; None where the system does not say."""
    if sys.platform == "win32":
        return None
    try:
        return not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    except OSError:
        return None


def filesystem_of(path: Path, mounts: Iterable[str] | None = None) -> str:
    """Name the type of the file system that holds a path, or "" where it is unknown.

    Args:
        path: An absolute path; it need not exist.
        mounts: Lines as in Linux's /proc/mounts, which is read by default.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return ""
    place = Path(os.path.realpath(path))
    best, found = -1, ""
    for line in mounts:
        fields = line.split()
        if len(fields) < 3:  # noqa: PLR2004 - device, mount point, type
            continue
        # Spaces and the like in mount points are written as octal escapes.
        point = Path(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[1]))
        depth = len(point.parts)
        if depth >= best and place.is_relative_to(point):  # of two mounts on one point, the later covers the earlier
            best, found = depth, fields[2]
    return found


def network_of(path: Path) -> str:
    """Name the type of the network file system that holds a path, or "" where it is on a disk of this machine."""
    found = filesystem_of(path)
    return found if found in _NETWORK_FILESYSTEMS else ""


def _default_location() -> Location:
    path = default_path()
    filesystem = network_of(path)
    if not filesystem:
        return Location("file", path)
    local = local_folder() / "spans.db"
    note = (
        f"Your state directory is on a network file system ({filesystem}), where several writers are unsafe: "
        f"spans are kept on this machine's disk instead, in {local}. {_HINT}"
    )
    return Location("file", local, note)


def local_folder() -> Path:
    """Name the folder for what cannot be kept in its own place: on this machine's disk, for this user alone."""
    user = os.getuid() if sys.platform != "win32" else "local"
    base = Path("/var/tmp")  # noqa: S108 - survives a restart; the folder below is ours, checked in `_require_own`
    return (base if base.is_dir() else Path(tempfile.gettempdir())) / f"mirascope_ops-{user}"


def _make_folders(folder: Path) -> None:
    missing: list[Path] = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def _require_own(folder: Path) -> None:
    """Refuse a folder in a place open to all that somebody else made, or that others can look into."""
    status = folder.lstat()
    if sys.platform != "win32" and (
        not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077
    ):
        raise StoreError(f"{folder} is not a folder that belongs to you alone. {_HINT}")
