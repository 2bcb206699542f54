"""Where a store is kept, from settings to a private file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mirascope_ops.exceptions import ConfigurationError, StoreError
from mirascope_ops.store import location
from mirascope_ops.store.location import Location, default_path, filesystem_of, is_private, prepare, resolve

MOUNTS = ["/dev/vda / ext4 rw 0 0", "server:/home /home nfs4 rw 0 0", "tmpfs /home/my\\040disk tmpfs rw 0 0", "odd"]


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    monkeypatch.delenv("MIRASCOPE_OPS_STORE", raising=False)
    monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)


@pytest.mark.parametrize("text", ["off", "OFF"])
def test_off_records_nothing(monkeypatch, text):
    monkeypatch.setenv("MIRASCOPE_OPS_STORE", text)

    assert resolve().kind == "off"
    assert resolve(text).kind == "off"


def test_memory_keeps_nothing_on_disk(monkeypatch):
    monkeypatch.setenv("MIRASCOPE_OPS_STORE", ":memory:")

    assert resolve() == Location("memory")


def test_an_argument_wins_over_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("MIRASCOPE_OPS_STORE", "off")

    assert resolve(tmp_path / "a.db") == Location("file", tmp_path / "a.db")


def test_opentelemetry_switched_off_wins_over_all(monkeypatch, tmp_path):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "True")

    assert resolve(tmp_path / "a.db").kind == "off"
    assert "OTEL_SDK_DISABLED" in resolve().note


def test_a_relative_path_and_a_home_become_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    assert resolve("a.db").path == tmp_path / "a.db"
    assert resolve("~/a.db").path == tmp_path / "home" / "a.db"


@pytest.mark.parametrize("text", ["sqlite:///a.db", "", "a\0b", "~no_such_user_here/a.db"])
def test_what_is_no_path_is_refused(text):
    with pytest.raises(ConfigurationError, match="MIRASCOPE_OPS_STORE"):
        resolve(text)


def test_the_default_is_the_users_state_directory(monkeypatch, tmp_path):
    monkeypatch.setattr(location.sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)

    assert default_path() == tmp_path / ".local/state/mirascope_ops/spans.db"
    monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    assert default_path() == tmp_path / ".local/state/mirascope_ops/spans.db"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert resolve().path == tmp_path / "state/mirascope_ops/spans.db"
    monkeypatch.setattr(location.sys, "platform", "darwin")
    assert default_path() == tmp_path / "Library/Application Support/mirascope_ops/spans.db"
    monkeypatch.setattr(location.sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "Local"))
    assert default_path() == tmp_path / "Local/mirascope_ops/spans.db"


def test_file_and_folders_are_made_private_whatever_the_umask(tmp_path):
    path = tmp_path / "a" / "b" / "spans.db"
    before = os.umask(0)

    try:
        prepare(path)
    finally:
        os.umask(before)

    assert mode(path) == 0o600
    assert mode(path.parent) == mode(path.parent.parent) == 0o700
    assert is_private(path) is True


def test_what_exists_keeps_its_mode(tmp_path):
    path = tmp_path / "spans.db"
    path.touch()
    path.chmod(0o644)

    prepare(path)

    assert mode(path) == 0o644
    assert is_private(path) is False


@pytest.mark.parametrize("place", ["a file/spans.db", "folder", "x" * 300])
def test_an_impossible_place_says_what_to_do(tmp_path, place):
    (tmp_path / "a file").touch()
    (tmp_path / "folder").mkdir()

    with pytest.raises(StoreError, match="Set MIRASCOPE_OPS_STORE to"):
        prepare(tmp_path / place)


def test_what_a_link_leads_to_is_made_and_private(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "spans.db").symlink_to(tmp_path / "disk" / "spans.db")

    prepare(tmp_path / "spans.db")

    assert mode(tmp_path / "disk" / "spans.db") == 0o600
    assert (tmp_path / "spans.db").is_symlink()


def test_a_link_to_a_disk_that_is_not_there_says_so(tmp_path):
    (tmp_path / "spans.db").symlink_to(tmp_path / "disk" / "spans.db")

    with pytest.raises(StoreError, match=f"a link to {tmp_path / 'disk' / 'spans.db'}, cannot be made: No such file"):
        prepare(tmp_path / "spans.db")


def test_a_place_that_cannot_be_written_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(location.os, "access", lambda path, how: False)

    with pytest.raises(StoreError, match="writable"):
        prepare(tmp_path / "spans.db")


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/var/a.db", "ext4"), ("/home/ada/a.db", "nfs4"), ("/home/my disk/a.db", "tmpfs"), ("/homes/a.db", "ext4")],
)
def test_the_file_system_is_that_of_the_nearest_mount(path, expected):
    assert filesystem_of(Path(path), MOUNTS) == expected


def test_a_file_on_the_network_is_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(location, "filesystem_of", lambda path: "nfs4")

    with pytest.raises(StoreError, match="network file system"):
        prepare(tmp_path / "spans.db")


def test_a_home_on_the_network_falls_back_to_this_machines_disk_and_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(location, "filesystem_of", lambda path: "nfs4" if str(path).startswith(str(tmp_path)) else "")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    place = resolve()

    assert place.kind == "file"
    assert not str(place.path).startswith(str(tmp_path))
    assert "network" in place.note
    assert str(place.path) in place.note


def test_a_shared_fallback_folder_made_by_others_is_refused(monkeypatch, tmp_path):
    folder = tmp_path / "mirascope_ops-1"
    monkeypatch.setattr(location, "local_folder", lambda: folder)
    folder.mkdir(mode=0o755)

    with pytest.raises(StoreError, match="belongs to you alone"):
        prepare(folder / "spans.db")
